"""At every moment of an upload, what can be opened is whole."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsistore.errors import StorageError
from wsistore.storage.locate import open_root
from wsistore.storage.remote import RemoteRoot
from wsistore.storage.upload import publish, stages, withdraw

NAMES = [
    "zarr.json", "0/zarr.json", "0/5x/zarr.json", "0/5x/c/0/0/0", "0/5x/c/0/0/1",
    "1/zarr.json", "1/5x/zarr.json", "1/5x/c/0/0/0", "icc/zarr.json", "icc/c/0",
]  # fmt: skip


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    for number, name in enumerate(NAMES):
        path = tmp_path / "slide" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * number)
    return tmp_path / "slide"


@pytest.fixture
def place() -> RemoteRoot:
    made = open_root(f"memory://{uuid.uuid4()}/slides/a")
    assert isinstance(made, RemoteRoot)
    return made


def is_sound(names: set[str]) -> bool:
    """Tell whether all that the metadata present promises is present."""
    promised = set()
    for name in names:
        folder, _, file = name.rpartition("/")
        if file == "zarr.json":
            promised |= {other for other in NAMES if other.startswith(f"{folder}/" * bool(folder))}
    return promised <= names


@given(st.sets(st.sampled_from(NAMES), min_size=1))
def test_stages_hold_every_name_once_children_before_parents(names: set[str]) -> None:
    parts = stages(names)
    assert sorted(name for part in parts for name in part) == sorted(names)
    if "zarr.json" in names:
        assert parts[-1] == ["zarr.json"]
    depths = [{name.count("/") for name in part} for part in parts if part[0].endswith("zarr.json")]
    assert [len(depth) for depth in depths] == [1] * len(depths)
    assert depths == sorted(depths, key=max, reverse=True)


class CutError(Exception):
    """The power is off."""


class Fuse:
    """Lets so many objects be put or deleted, one by one, and then fails."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def __call__(self, kind: str, patch: pytest.MonkeyPatch) -> None:
        original = getattr(RemoteRoot, kind)

        def one_by_one(root: RemoteRoot, *arguments: Any) -> None:
            *folder, names = arguments
            for name in names:
                if not self.left:
                    raise CutError
                original(root, *folder, [name])
                self.left -= 1

        patch.setattr(RemoteRoot, kind, one_by_one)


@pytest.mark.parametrize("overwrite", [False, True])
def test_cut_off_at_any_object_nothing_half_can_be_opened(
    whole: Path, place: RemoteRoot, overwrite: bool
) -> None:
    moments = len(NAMES) * (2 if overwrite else 1)
    for moment in range(moments + 1):
        withdraw(place)
        if overwrite:
            publish(whole, place, overwrite=False)
        with pytest.MonkeyPatch.context() as patch:
            fuse = Fuse(moment)
            fuse("upload", patch)
            fuse("delete", patch)
            if moment == moments:  # every object of it was put, and deleted before
                publish(whole, place, overwrite)
            else:
                with pytest.raises(CutError):
                    publish(whole, place, overwrite)
        assert is_sound(set(place.sizes()))
        publish(whole, place, overwrite=True)
        assert set(place.sizes()) == set(NAMES)


def test_leavings_without_a_marker_are_replaced(whole: Path, place: RemoteRoot) -> None:
    (place / "0" / "5x" / "c" / "0" / "9" / "9").write_text("stale")
    other = open_root(str(place) + "b")
    (other / "zarr.json").write_text("a neighbour whose name begins alike")
    publish(whole, place, overwrite=False)
    assert place.sizes() == {name: number for number, name in enumerate(NAMES)}
    assert (other / "zarr.json").exists()


def test_a_slide_is_not_replaced_unasked(whole: Path, place: RemoteRoot) -> None:
    (place / "zarr.json").write_text("the slide that is there")
    with pytest.raises(FileExistsError, match="exists"):
        publish(whole, place, overwrite=False)
    assert (place / "zarr.json").read_text() == "the slide that is there"


def test_what_arrives_short_is_not_published(
    whole: Path, place: RemoteRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RemoteRoot.upload

    def lossy(self: RemoteRoot, folder: Path, names: list[str]) -> None:
        original(self, folder, names)
        if "1/5x/c/0/0/0" in names:
            (self / "1/5x/c/0/0/0").write_text("")

    monkeypatch.setattr(RemoteRoot, "upload", lossy)
    with pytest.raises(StorageError, match="1/5x/c/0/0/0: 0 bytes arrived of 7"):
        publish(whole, place, overwrite=False)
    assert "zarr.json" not in place.sizes()
