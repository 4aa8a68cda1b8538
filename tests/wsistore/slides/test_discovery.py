from collections.abc import Iterator
from pathlib import Path

import pytest

from wsistore.errors import UsageError
from wsistore.slides.discovery import find_slides
from wsistore.slides.slide_files import data_path, fingerprint, slide_files
from wsistore.storage import layout


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_folders_are_searched_by_extension_and_files_named_outright_are_taken(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "a.SVS", "x/b.png", "x/c.jpeg", "x/y/d.mrxs", "e.czi", "notes.txt", "raw")
    names = [slide.file for slide in find_slides([tmp_path])]
    assert sorted(names) == ["a.SVS", "b.png", "c.jpeg", "d.mrxs", "e.czi"]
    (raw,) = find_slides([tmp_path / "raw", tmp_path / "raw"])
    assert raw.path == tmp_path / "raw"


def test_a_mirax_slide_is_its_folder_too(tmp_path: Path) -> None:
    touch(tmp_path, "d.mrxs", "d/Slidedat.ini", "d/Data0000.dat")
    assert [slide.file for slide in find_slides([tmp_path])] == ["d.mrxs"]
    files = [path.name for path in slide_files(tmp_path / "d.mrxs")]
    assert files == ["d.mrxs", "Data0000.dat", "Slidedat.ini"]


def test_images_of_a_vms_slide_are_not_slides(tmp_path: Path) -> None:
    touch(tmp_path, "cmu (0,1).jpg", "cmu_map2.jpg", "other.jpg")
    (tmp_path / "cmu.vms").write_text(
        "[Virtual Microscope Specimen]\nImageFile(0,1)=cmu (0,1).jpg\nMapFile=cmu_map2.jpg\n"
    )
    assert [slide.file for slide in find_slides([tmp_path])] == ["cmu.vms", "other.jpg"]


def test_what_cannot_be_meant_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.svs", "y/a.png", "z/notes.txt")
    with pytest.raises(UsageError, match="would both be slide 'a'; rename one, name the files"):
        find_slides([tmp_path])
    with pytest.raises(UsageError, match="holds no slide"):
        find_slides([tmp_path / "z"])
    with pytest.raises(UsageError, match="no such file or folder"):
        find_slides([tmp_path / "w"])


def test_ids_of_folders_keep_their_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "1.2.840").mkdir()
    assert layout.slide_id(tmp_path / "1.2.840") == "1.2.840"
    assert layout.slide_id(tmp_path / "1.2.svs") == "1.2"
    monkeypatch.chdir(tmp_path / "1.2.840")
    assert layout.slide_id(Path()) == "1.2.840"


def ids(*paths: Path, rule: str = "name") -> list[str]:
    return [slide.slide for slide in find_slides(paths, rule)]


def test_linked_folders_are_searched_each_once_and_circles_end(tmp_path: Path) -> None:
    touch(tmp_path, "slides/batch1/S01.tif", "disk2/S02.tif", "disk2/more/S03.tif")
    (tmp_path / "slides" / "batch2").symlink_to(tmp_path / "disk2", target_is_directory=True)
    (tmp_path / "slides" / "again").symlink_to(tmp_path / "disk2", target_is_directory=True)
    (tmp_path / "disk2" / "more" / "home").symlink_to(tmp_path / "slides")
    (tmp_path / "disk2" / "self").symlink_to(tmp_path / "disk2" / "self")
    assert ids(tmp_path / "slides") == ["S02", "S03", "S01"]
    assert ids(tmp_path / "slides", rule="relative-path") == [
        "slides--again--S02", "slides--again--more--S03", "slides--batch1--S01",
    ]  # fmt: skip


def test_of_several_ways_to_a_slide_the_one_over_fewest_links_names_it(tmp_path: Path) -> None:
    touch(tmp_path, "slides/b/S1.tif")
    (tmp_path / "slides" / "a").symlink_to(tmp_path / "slides" / "b")
    assert ids(tmp_path / "slides", rule="relative-path") == ["slides--b--S1"]


def test_links_to_one_slide_under_two_names_are_two_slides(tmp_path: Path) -> None:
    touch(tmp_path, "archive/DOE/block.tif", "archive/dicom/1.dcm")
    for name in ("P1", "P2"):
        (tmp_path / "in" / "series").mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / f"{name}.tif").symlink_to(tmp_path / "archive" / "DOE" / "block.tif")
        (tmp_path / "in" / "series" / name).symlink_to(tmp_path / "archive" / "dicom")
    assert ids(tmp_path / "in" / "series") == ["P1", "P2"]
    (tmp_path / "in" / "broken.svs").symlink_to(tmp_path / "archive" / "gone" / "MEIER.svs")
    found = [slide.file for slide in find_slides(tmp_path.glob("in/*.*"))]
    assert sorted(found) == ["P1.tif", "P2.tif", "broken.svs"]


@pytest.mark.parametrize("name", ["._S1.tif", ".S1.tif", "@eaDir/S1.tif/THUMB_M.jpg",
    "#recycle/S0.svs", "__MACOSX/S0.svs", "$RECYCLE.BIN/S0.svs", "lost+found/S0.svs",
    ".Trash-1000/S0.tif", "series/._1.dcm", "System Volume Information/a.png"])  # fmt: skip
def test_what_systems_hide_is_passed_over_in_folders(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "S1.tif", name)
    assert [slide.file for slide in find_slides([tmp_path])] == ["S1.tif"]
    # named outright, it is taken
    assert [slide.path for slide in find_slides([tmp_path / name])] == [tmp_path / name]


def test_hidden_files_have_no_part_in_what_a_slide_consists_of(tmp_path: Path) -> None:
    touch(tmp_path, "d.mrxs", "d/Data0000.dat", "d/.DS_Store", "d/Thumbs.db")
    assert [path.name for path in slide_files(tmp_path / "d.mrxs")] == ["d.mrxs", "Data0000.dat"]
    for name in ("1.dcm", "._1.dcm", ".2"):
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
    assert [path.name for path in slide_files(tmp_path)] == ["1.dcm"]


def test_a_linked_mirax_slide_has_its_data_where_they_lie(tmp_path: Path) -> None:
    touch(tmp_path, "archive/DOE.mrxs", "archive/DOE/Data0000.dat", "here/x")
    link, real = tmp_path / "here" / "P1.mrxs", tmp_path / "archive" / "DOE.mrxs"
    link.symlink_to(real)
    assert fingerprint(link) == fingerprint(real)
    assert [path.name for path in slide_files(link)] == ["P1.mrxs", "Data0000.dat"]
    assert data_path(link) == real
    # as git-annex lays files out: the link leads to an object, the data lie beside the link
    (tmp_path / "here" / "P1").mkdir()
    (tmp_path / "here" / "P1" / "Data0000.dat").symlink_to(
        tmp_path / "archive" / "DOE" / "Data0000.dat"
    )
    assert data_path(link) == link
    assert fingerprint(link) == fingerprint(real)


def test_a_folder_that_cannot_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.tif", "private/b.tif")
    listing = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.name == "private":
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UsageError, match="private: cannot be read: Permission denied"):
        find_slides([tmp_path])
