"""Nothing but what a command made itself is ever replaced, and that whole or not at all."""

from pathlib import Path

import pytest

from distill.errors import UsageError
from distill.output_folder import require_replaceable, staged_folder


def check(out: Path, overwrite: bool = True) -> None:
    require_replaceable(
        out, overwrite, "a cake", lambda folder: (folder / "cake").exists(), ("cake",)
    )


def test_what_is_not_ours_is_named_and_kept(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    check(out, overwrite=False)
    (out / "notes").touch()
    with pytest.raises(UsageError, match="is not empty and holds no cake; choose another --out"):
        check(out)
    (out / "cake").touch()
    with pytest.raises(UsageError, match=r"already holds a cake; .* with --overwrite"):
        check(out, overwrite=False)
    with pytest.raises(UsageError, match=r"would remove notes from .*, which is no part of a cake"):
        check(out)
    (out / "notes").unlink()
    check(out)


def test_the_current_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="is the current folder; choose another --out"):
        check(Path())


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UsageError, match="cannot be made"),
        staged_folder(tmp_path / "file" / "out"),
    ):
        pass


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_work_that_fails_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "out"
    with staged_folder(out) as folder:
        (folder / "cake").write_text("first")

    def fail() -> None:
        with staged_folder(out) as folder:
            (folder / "cake").write_text("second")
            raise error

    with pytest.raises(error):
        fail()
    assert (out / "cake").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
