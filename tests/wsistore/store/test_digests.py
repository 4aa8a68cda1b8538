"""Digests of a store are of its files' very bytes, wherever it is."""

import hashlib
import json
import uuid
from pathlib import Path

import fsspec
import pytest

import wsistore
from tests.wsistore.build.test_builder import flat_slide
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings
from wsistore.errors import StorageError, StoreError, UsageError
from wsistore.slides.labels import Label
from wsistore.split import save_split

SPLIT = "splits/main.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    slide = flat_slide(tmp_path / "a.tiff", size=1024)
    store = tmp_path / "store"
    list(build([slide], store, BuildSettings(("5x",)), {"a": Label("p", "Ü")}, workers=0))
    rows = wsistore.open(store).crops[["crop", "slide", "patient", "label"]]
    save_split(store, "main", rows.assign(subset="train"))
    return store


@pytest.fixture(params=["folder", "file", "memory"])
def place(request: pytest.FixtureRequest, folder: Path) -> str:
    """The store's path, its URL, and the URL of a copy that is on no disk."""
    if request.param == "folder":
        return str(folder)
    if request.param == "file":
        return folder.as_uri()
    url = f"memory://{uuid.uuid4()}"
    fsspec.filesystem("memory").put(f"{folder}/", url, recursive=True)
    return url


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_they_are_of_the_bytes_of_files(place: str, folder: Path) -> None:
    store = wsistore.open(place)
    assert store.split_sha256("main") == sha256(folder / SPLIT)
    found = store.tables_sha256()
    assert list(found) == ["crops.csv", "levels.csv"]
    assert found == {name: sha256(folder / name) for name in found}
    attributes = json.loads((folder / "zarr.json").read_bytes())["attributes"]["wsistore"]
    text = json.dumps(attributes, sort_keys=True, ensure_ascii=False).encode()
    assert store.settings_sha256() == hashlib.sha256(text).hexdigest()


def test_they_follow_what_is_there_now(folder: Path) -> None:
    store = wsistore.open(folder)
    before = store.split_sha256("main"), store.tables_sha256()
    for name in (SPLIT, "levels.csv"):
        (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    assert store.split_sha256("main") == sha256(folder / SPLIT) != before[0]
    after = store.tables_sha256()
    assert after["crops.csv"] == before[1]["crops.csv"]
    assert after["levels.csv"] == sha256(folder / "levels.csv") != before[1]["levels.csv"]


def test_settings_in_another_order_are_the_same_settings(folder: Path) -> None:
    known = wsistore.open(folder).settings_sha256()
    metadata = json.loads((folder / "zarr.json").read_bytes())
    settings = metadata["attributes"]["wsistore"]
    assert len(settings) > 1
    metadata["attributes"]["wsistore"] = dict(reversed(settings.items()))
    (folder / "zarr.json").write_text(json.dumps(metadata, indent=7))
    assert wsistore.open(folder).settings_sha256() == known
    metadata["attributes"]["wsistore"]["glass"] = "ß"
    (folder / "zarr.json").write_text(json.dumps(metadata))
    changed = wsistore.open(folder)
    text = json.dumps(changed.settings, sort_keys=True, ensure_ascii=False)
    assert "ß" in text
    assert changed.settings_sha256() == hashlib.sha256(text.encode()).hexdigest() != known


def test_a_split_that_is_being_replaced_has_the_digest_of_its_file(folder: Path) -> None:
    (folder / "splits" / ".main.publishing").mkdir()
    store = wsistore.open(folder)
    with pytest.raises(StoreError, match="is being replaced"):
        store.split("main")
    assert store.split_sha256("main") == sha256(folder / SPLIT)


def test_what_has_no_digest_says_why(place: str) -> None:
    store = wsistore.open(place)
    with pytest.raises(StoreError, match=r"has no split 'other' \(it has main\)"):
        store.split_sha256("other")
    with pytest.raises(UsageError, match="cannot name a split"):
        store.split_sha256("../crops")
    (store.root / "levels.csv").remove()
    with pytest.raises(StoreError, match=r"levels\.csv: cannot be read: ") as caught:
        store.tables_sha256()
    assert not isinstance(caught.value, StorageError)


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / SPLIT).unlink()
    (folder / SPLIT).mkdir()
    with pytest.raises(StoreError, match=r"main\.csv: cannot be read: Is a directory"):
        wsistore.open(folder).split_sha256("main")
