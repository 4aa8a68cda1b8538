"""A store as Zarr readers that know nothing of wsistore see it."""

import json
import warnings
from pathlib import Path

import pytest
import s3fs
import zarr
from zarr.storage import FsspecStore

import wsistore
from tests.wsistore.build.test_builder import build, flat_slide
from tests.wsistore.s3 import BUCKET, server
from wsistore.storage import layout
from wsistore.verify import verify

pytestmark = pytest.mark.usefixtures("in_this_process")
MEMBERS = [
    "slides",
    *(f"slides/{slide}{part}" for slide in ("s1", "s2") for part in ("", "/0", "/0/2.5x", "/0/5x")),
]
NO_NODES = {".building", "splits", "slides.csv", "crops.csv", "levels.csv"}


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("s1.tif", "s2.tif"):
        flat_slide(folder / name)
    return folder


@pytest.fixture
def store(slides: Path, tmp_path: Path) -> Path:
    store = tmp_path / "store"
    assert build(slides, "--out", store, "--levels", "5x,2.5x", "--workers", 1).exit_code == 0
    return store


def listed(store: str | FsspecStore) -> list[str]:
    """Walk from `slides` down; the tests' filter makes each warning of zarr an error."""
    group = zarr.open_group(store, mode="r")["slides"]
    assert isinstance(group, zarr.Group)
    return ["slides", *sorted(f"slides/{name}" for name, _ in group.members(max_depth=None))]


def test_slides_crops_and_levels_are_listed_without_a_warning(store: Path) -> None:
    assert listed(str(store)) == MEMBERS


def test_from_the_root_only_what_is_no_zarr_node_warns(store: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        root = zarr.open_group(str(store), mode="r")
        found = sorted(name for name, _ in root.members(max_depth=None))
        assert [name for name, _ in root.groups()] == ["slides"]
    assert found == MEMBERS
    assert {str(one.message).split()[2] for one in caught} == NO_NODES


def test_an_old_store_is_whole_and_the_next_build_lists_its_slides(
    store: Path, slides: Path
) -> None:
    group = store / "slides" / "zarr.json"
    written = group.read_bytes()
    group.unlink()
    report = verify(store, workers=0)
    assert report.whole
    assert report.notes == (
        "slides/zarr.json is absent, as in early stores: Zarr readers open slides by path but do "
        "not list them; the next build adds it",
    )
    assert [crop.name for crop in wsistore.open(store)] == ["s1/0", "s2/0"]
    again = build(slides, "--out", store, "--levels", "5x,2.5x", "--workers", 1)
    assert again.stderr.count("stored before") == 2
    assert group.read_bytes() == written
    assert listed(str(store)) == MEMBERS
    assert verify(store, workers=0).notes == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"zarr_format": 3, "node_type": "gr', "is no whole JSON"),
        ('{"zarr_format": 2, "node_type": "group"}', "$.zarr_format: 3 was expected"),
        ('{"zarr_format": 3, "node_type": "array"}', "$.node_type: 'group' was expected"),
        ("[]", "holds a list, not a JSON object"),
    ],
)
def test_a_damaged_group_of_slides_is_a_fault_that_a_build_mends(
    store: Path, slides: Path, text: str, what: str
) -> None:
    group = store / "slides" / "zarr.json"
    group.write_text(text)
    (fault,) = verify(store, workers=0).faults
    assert str(fault).startswith(f"slides/zarr.json: {what}")
    assert fault.do == "delete it and run the same 'wsistore build' again, which writes it anew"
    assert len(wsistore.open(store).slides) == 2
    group.unlink()
    build(slides, "--out", store, "--levels", "5x,2.5x", "--workers", 1)
    assert verify(store, workers=0).whole


def test_a_folder_in_its_place_is_a_fault(store: Path) -> None:
    group = store / "slides" / "zarr.json"
    group.unlink()
    group.mkdir()
    (fault,) = verify(store, workers=0).faults
    assert str(fault).startswith("slides/zarr.json: cannot be read")


@pytest.mark.parametrize("name", ["zarr.json.tif", "Zarr.JSON.tif"])
def test_a_slide_never_takes_the_place_of_the_groups_metadata(name: str) -> None:
    assert layout.slide_id(Path(name)).lower() == "zarr_json"


def test_behind_a_url_too(slides: Path) -> None:
    with server() as options:
        url = f"s3://{BUCKET}/listed"
        given = [f"--storage-option={key}={value}" for key, value in options.items()]
        built = build(slides, "--out", url, "--levels", "5x,2.5x", "--workers", 1, *given)
        assert built.exit_code == 0, built.output
        files = s3fs.S3FileSystem(**options, use_listings_cache=False)
        metadata = json.loads(files.cat_file(f"{BUCKET}/listed/slides/zarr.json"))
        assert metadata == {"attributes": {}, "zarr_format": 3, "node_type": "group"}
        assert listed(FsspecStore.from_url(url, options, read_only=True)) == MEMBERS
        again = build(slides, "--out", url, "--levels", "5x,2.5x", "--workers", 1, *given)
        assert again.stderr.count("stored before") == 2
