"""A report's folder appears whole; nothing but a report is replaced, and only when asked."""

from pathlib import Path

import pytest

from distill.errors import UsageError
from distill.report.page.folder import GENERATOR, PAGE, check_report_folder, write_report

PAGE_OF_OURS = f'<meta name="generator" content="{GENERATOR}">'.encode()


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_files_are_written_and_an_earlier_report_is_replaced_with_all_it_held(
    tmp_path: Path,
) -> None:
    out = tmp_path / "deep" / "out"
    write_report(out, {PAGE: PAGE_OF_OURS, "tables/old.csv": b"old"}, overwrite=False)
    assert listing(tmp_path) == [f"deep/out/{PAGE}", "deep/out/tables/old.csv"]
    new = {PAGE: PAGE_OF_OURS, "tables/new.csv": b"new"}
    with pytest.raises(UsageError, match=r"already holds a report; .* --overwrite"):
        write_report(out, new, overwrite=False)
    assert listing(out) == [PAGE, "tables/old.csv"]
    write_report(out, new, overwrite=True)
    assert listing(tmp_path) == [f"deep/out/{PAGE}", "deep/out/tables/new.csv"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_but_a_report_is_ever_replaced(tmp_path: Path, overwrite: bool) -> None:
    file, folder, link = (tmp_path / name for name in ("file", "folder", "link"))
    file.write_text("mine")
    folder.mkdir()
    (folder / PAGE).write_text("<p>my thesis")
    link.symlink_to(folder)
    for place, said in (
        (file, "is not a folder"),
        (folder, "holds no report"),
        (link, "not a fold"),
    ):
        with pytest.raises(UsageError, match=said):
            check_report_folder(place, overwrite)
    (tmp_path / "empty").mkdir()
    check_report_folder(tmp_path / "empty", overwrite)


def test_a_failed_write_leaves_the_earlier_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_report(out, {PAGE: PAGE_OF_OURS}, overwrite=False)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if target == out and not self.name.endswith(".former"):
            raise OSError("the disk is full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="the disk is full"):
        write_report(out, {PAGE: PAGE_OF_OURS + b"new"}, overwrite=True)
    assert (out / PAGE).read_bytes() == PAGE_OF_OURS
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
