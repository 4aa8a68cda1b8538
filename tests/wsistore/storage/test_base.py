"""Paths and URLs name places; both kinds of place behave alike."""

import pickle
import uuid
from pathlib import Path

import pytest

from wsistore.cli.options import _storage
from wsistore.errors import StorageError, StoreError, UsageError
from wsistore.storage.base import LocalRoot, StoreRoot
from wsistore.storage.locate import open_root
from wsistore.storage.remote import RemoteRoot


@pytest.fixture(params=["folder", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StoreRoot:
    return open_root(tmp_path if request.param == "folder" else f"memory://{uuid.uuid4()}")


def test_texts_are_whole_listed_read_and_removed(place: StoreRoot) -> None:
    assert place.names() == []
    assert not (place / "a").exists()
    (place / "a" / "x.csv").write_text("µ,1\n")
    (place / "a" / "x.csv").write_text("µ,2\n")
    (place / "ab" / "y.csv").write_text("y")
    assert (place / "a" / "x.csv").read_text() == "µ,2\n"
    assert (place / "a").names() == ["x.csv"]
    assert place.names() == ["a", "ab"]
    assert (place / "a").exists()
    found = place.read_each(["a/x.csv", "ab/x.csv", "gone/x.csv", "ab/y.csv"])
    assert found == {"a/x.csv": "µ,2\n".encode(), "ab/y.csv": b"y"}
    (place / "a").remove()
    assert place.names() == ["ab"]
    (place / "ab" / "y.csv").remove()
    assert (place / "ab").names() == []
    (place / "ab" / "y.csv").write_text("again")
    (place / "a").remove()  # nothing is there: nothing to do
    with pytest.raises(FileNotFoundError):
        (place / "a" / "x.csv").read_bytes()
    with pytest.raises(StoreError, match="cannot be opened"):
        (place / "ab").open_array()


def test_places_pickle(place: StoreRoot) -> None:
    (place / "x").write_text("x")
    copy = pickle.loads(pickle.dumps(place / "x"))
    assert copy.read_text() == "x"
    assert str(copy) == str(place / "x")


@pytest.mark.parametrize("text", ["store", "a/b:c", "./s3:/x", "/tmp/été", "C:store"])
def test_paths_stay_paths(text: str) -> None:
    place = open_root(text)
    assert isinstance(place, LocalRoot)
    assert (place.folder, str(place)) == (Path(text), str(Path(text)))
    assert place.absolute().folder == Path(text).absolute()


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    place = open_root(f"file://{tmp_path}/with space")
    assert isinstance(place, LocalRoot)
    assert place.folder == tmp_path / "with space"


def test_urls_have_no_folder_and_hide_credentials() -> None:
    place = open_root("memory://user:secret@host/store/") / "x"
    assert isinstance(place, RemoteRoot)
    assert str(place) == "memory://host/store/x"
    assert "secret" not in repr(place)
    with pytest.raises(StoreError, match="memory://host/store/x: is not a folder"):
        _ = place.folder


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("s4://bucket/x", "cannot be reached; see --storage-option: Protocol not known: s4"),
        ("hdfs://host/x", "file system is not installed"),
    ],
)
def test_what_cannot_be_a_place_is_a_usage_error(url: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        open_root(url)


def test_options_are_for_urls(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave out --storage-option"):
        open_root(tmp_path, {"anon": True})


def test_only_object_stores_are_written() -> None:
    web = open_root("https://host/store")
    with pytest.raises(UsageError, match="can be read only; choose a folder or an object store"):
        (web / "x").write_text("x")
    with pytest.raises(StoreError, match="a web server has no list"):
        web.names()


def test_nobody_listens() -> None:
    with pytest.raises(StorageError, match=r"http://127\.0\.0\.1:1/x: ClientConnectorError"):
        open_root("http://127.0.0.1:1/x").read_bytes()


def test_options_from_the_command_line() -> None:
    given = ("key=0123", "anon=true", 'client_kwargs={"region_name": "eu"}', "token=a=b", "n=")
    kwargs = {"region_name": "eu"}
    assert _storage(None, None, given) == {  # type: ignore[arg-type]
        "key": "0123", "anon": True, "client_kwargs": kwargs, "token": "a=b", "n": "",
    }  # fmt: skip
    for wrong in ("key", "=x", "kw={broken"):
        with pytest.raises(UsageError, match="--storage-option"):
            _storage(None, None, (wrong,))  # type: ignore[arg-type]
