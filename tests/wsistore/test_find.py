from pathlib import Path

import pytest

from wsistore import layout
from wsistore.errors import UsageError
from wsistore.files import slide_files
from wsistore.find import find_slides


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_folders_are_searched_by_extension_and_files_named_outright_are_taken(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "a.SVS", "x/b.png", "x/c.jpeg", "x/y/d.mrxs", "e.czi", "notes.txt", "raw")
    names = [path.name for path in find_slides([tmp_path])]
    assert sorted(names) == ["a.SVS", "b.png", "c.jpeg", "d.mrxs", "e.czi"]
    assert find_slides([tmp_path / "raw", tmp_path / "raw"]) == [tmp_path / "raw"]


def test_a_mirax_slide_is_its_folder_too(tmp_path: Path) -> None:
    touch(tmp_path, "d.mrxs", "d/Slidedat.ini", "d/Data0000.dat")
    assert [path.name for path in find_slides([tmp_path])] == ["d.mrxs"]
    files = [path.name for path in slide_files(tmp_path / "d.mrxs")]
    assert files == ["d.mrxs", "Data0000.dat", "Slidedat.ini"]


def test_images_of_a_vms_slide_are_not_slides(tmp_path: Path) -> None:
    touch(tmp_path, "cmu (0,1).jpg", "cmu_map2.jpg", "other.jpg")
    (tmp_path / "cmu.vms").write_text(
        "[Virtual Microscope Specimen]\nImageFile(0,1)=cmu (0,1).jpg\nMapFile=cmu_map2.jpg\n"
    )
    assert [path.name for path in find_slides([tmp_path])] == ["cmu.vms", "other.jpg"]


def test_what_cannot_be_meant_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.svs", "y/a.png", "z/notes.txt")
    with pytest.raises(UsageError, match="would both be slide 'a'; rename one, or name the files"):
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
