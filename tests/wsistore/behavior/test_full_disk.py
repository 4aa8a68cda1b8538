"""A disk that is full costs the command, in one sentence, and nothing of what was there."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import wsistore
from tests.full_disk import content, full_disk
from wsistore.cli.main import main
from wsistore.errors import naming, refusal

HALVES = ("--fractions", "50/0/50")


def invoke(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cohort, its store, a preview and a split."""
    folder = tmp_path_factory.mktemp("full")
    for words in (
        ["sample", folder / "slides", "--patients", 6, "--size", 1536, "--workers", 1],
        ["build", folder / "slides", "--out", folder / "store", "--labels",
         folder / "slides" / "labels.csv", "--levels", "2.5x,1.25x"],
        ["preview", folder / "store", "--out", folder / "preview"],
        ["split", folder / "store", "--name", "main", *HALVES],
    ):  # fmt: skip
        result = invoke(*words)
        assert result.exit_code == 0, result.output
    return folder


def corrected(store: Path, folder: Path) -> Path:
    """Write a table of other patients, the last slide's with a long name, and return its path."""
    path = folder / "corrected.csv"
    slides = sorted(wsistore.open(store).slides["slide"])
    names = [*("other" for _ in slides[1:]), "n" * 400]
    rows = [f"{slide},{name},normal" for slide, name in zip(slides, names, strict=True)]
    path.write_text("\n".join(["slide,patient,label", *rows]) + "\n")
    return path


def refused(result: Result, said: str = "File too large; raise the limit") -> str:
    """Return the sentence of a command that the disk has stopped."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
    return line


@pytest.mark.parametrize("limit", [0, 200])
def test_what_was_there_stays(made: Path, tmp_path: Path, limit: int) -> None:
    folder = shutil.copytree(made, tmp_path / "made")
    before = content(folder)
    for words in (
        ["preview", folder / "store", "--out", folder / "preview", "--overwrite"],
        ["split", folder / "store", "--name", "main", *HALVES, "--seed", 1, "--overwrite"],
        ["split", folder / "store", "--name", "more", *HALVES],
    ):
        with full_disk(limit):
            result = invoke(*words)
        assert str(folder) in refused(result)
        assert content(folder) == before
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("limit", [0, 200])
def test_labels_that_cannot_be_written_change_nothing(
    made: Path, tmp_path: Path, limit: int
) -> None:
    store = shutil.copytree(made / "store", tmp_path / "store")
    table, before = corrected(store, tmp_path), content(store)
    with full_disk(limit):
        result = invoke("label", store, "--labels", table)
    assert str(store / "slides") in refused(result, "File too large; what was written before")
    assert content(store) == before


def test_labels_of_which_only_some_can_be_written_are_ended_by_the_same_command(
    made: Path, tmp_path: Path
) -> None:
    store = shutil.copytree(made / "store", tmp_path / "store")
    whole = shutil.copytree(store, tmp_path / "whole")
    table, before = corrected(store, tmp_path), content(store)
    assert invoke("label", whole, "--labels", table).stdout
    *lengths, last = (len(data) for path, data in content(whole).items() if path.count("/") == 2)
    assert max(lengths) < last
    with full_disk(max(lengths)):
        result = invoke("label", store, "--labels", table)
    assert str(store / "slides") in refused(result, "File too large; what was written before")
    changed = {path for path, data in content(store).items() if data != before[path]}
    assert len(changed) == len(lengths)
    assert all(content(store)[path] == content(whole)[path] for path in changed)
    invoke("label", store, "--labels", table)
    assert content(store) == content(whole)


def test_a_sample_that_stops_leaves_no_half_slide(tmp_path: Path) -> None:
    with full_disk(1000):
        result = invoke("sample", tmp_path / "slides", "--patients", 2, "--workers", 1)
    refused(result)
    assert content(tmp_path) == {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_file_system_that_is_really_full(made: Path, small_disk: Path) -> None:
    store = shutil.copytree(made / "store", small_disk / "store")
    before = content(store)
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "filler").write_bytes(bytes(5 << 20))
    line = refused(invoke("preview", store), "No space left on device; make room")
    assert str(small_disk / "store-preview") in line
    line = refused(
        invoke("split", store, "--name", "b", *HALVES), "No space left on device; make room"
    )
    assert str(small_disk / "store" / "splits" / "b") in line
    assert content(store) == before
    assert sorted(path.name for path in small_disk.iterdir()) == ["filler", "store"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_goes_to_a_full_disk_is_a_sentence(made: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wsistore.cli.main", "info", str(made / "store"), "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("Error: No space left on device; make room")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "code",
    [
        errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG,
        errno.ENAMETOOLONG, errno.EMFILE,
    ],
)  # fmt: skip
def test_each_refusal_names_the_file_and_what_to_do(code: int) -> None:
    with pytest.raises(OSError, match=os.strerror(code)) as caught, naming("out/a.csv"):
        raise OSError(code, os.strerror(code))
    said = refusal(caught.value)
    assert said.startswith(f"out/a.csv: {os.strerror(code)}; ")
    assert "mend that" not in said


def test_what_is_no_refusal_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(wsistore.store.store, "read_settings", broken)
    result = invoke("info", "somewhere")
    assert isinstance(result.exception, OSError)


def test_another_file_keeps_its_name() -> None:
    with pytest.raises(PermissionError) as caught, naming("out/a.csv"):
        raise PermissionError(errno.EACCES, "no", "in/slide.svs")
    assert caught.value.filename == "in/slide.svs"
    with pytest.raises(PermissionError) as caught, naming("out/a.csv"):
        raise PermissionError(errno.EACCES, "no", "out/.a.csv.x81/part")
    assert caught.value.filename == "out/a.csv"
