"""Writing the synthetic cohort: whole files or none, bounded memory, clear refusals."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.events import DEADLINE, wait_until
from wsistore.cli.main import main
from wsistore.errors import UsageError
from wsistore.synthetic import write_cohort
from wsistore.synthetic.render import Renderer
from wsistore.synthetic.tiff import Scan, write_pyramid

SIDE = 640
MPP = 1.0


def test_error_in_mid_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Renderer, x: int, y: int, width: int, height: int) -> np.ndarray:
        if y > 0:
            raise RuntimeError("broken")
        return np.zeros((height, width, 3), np.uint8)

    monkeypatch.setattr(Renderer, "region", fail)
    with pytest.raises(RuntimeError, match="broken"):
        write_cohort(tmp_path, patients=1, size=512, mpp=MPP)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_no_partial_slide(tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    code = "from wsistore.cli.sample import sample; sample()"
    command = [sys.executable, "-c", code, str(folder), "--patients", "2", "--size", "12000"]
    with subprocess.Popen([*command, "--workers", "2"], stderr=subprocess.PIPE) as process:
        wait_until(lambda: any(folder.glob(".*/*.svs")))
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=DEADLINE)
    assert process.returncode != 0
    assert list(folder.iterdir()) == []


def test_memory_is_bounded_by_strips(tmp_path: Path) -> None:
    asked = []

    def region(x: int, y: int, width: int, height: int) -> np.ndarray:
        asked.append((y, height))
        return np.full((height, width, 3), 200, np.uint8)

    write_pyramid(tmp_path / "one.tif", region, Scan(3000, 0.5, 20))
    assert max(height for _, height in asked) <= 256
    assert sorted(asked) == asked  # once, from top to bottom


def test_non_empty_folder_is_refused_unless_overwritten(tmp_path: Path) -> None:
    write_cohort(tmp_path, patients=3, size=256, mpp=2.0, seed=1)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "real.svs").write_bytes(b"not a synthetic slide")
    with pytest.raises(UsageError, match="--overwrite"):
        write_cohort(tmp_path, patients=1, size=256, mpp=2.0)
    written = write_cohort(tmp_path, patients=1, size=256, mpp=2.0, overwrite=True)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {path.name for path in written} | {"labels.csv", "notes.txt", "real.svs"}


def test_overwrite_refuses_to_replace_a_slide_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "P001-1.svs").write_bytes(b"a real slide")
    with pytest.raises(UsageError, match="not a synthetic slide"):
        write_cohort(tmp_path, patients=1, size=256, mpp=2.0, overwrite=True)
    assert (tmp_path / "P001-1.svs").read_bytes() == b"a real slide"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 100}, "--size"),
        ({"mpp": 0.0}, "--mpp"),
        ({"seed": -1}, "--seed"),
        ({"patients": 0}, "--patients"),
        ({"hard": ("blurred",)}, "blurred"),
    ],
)
def test_values_out_of_range_are_refused(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        write_cohort(tmp_path / "new", **{"patients": 1, "size": 256, **arguments})  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_command_writes_a_cohort_and_plain_lines(tmp_path: Path) -> None:
    arguments = [str(tmp_path / "out"), "--patients", "2", "--size", "256", "--mpp", "2"]
    result = CliRunner().invoke(
        main, ["sample", *arguments, "--hard", "pen,edge", "--workers", "1"]
    )
    assert result.exit_code == 0, result.output
    with (tmp_path / "out" / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["slide"] for row in rows][-2:] == ["H002-pen", "H003-edge"]
    assert f"[{len(rows)}/{len(rows)}] H003-edge" in result.stderr
    again = CliRunner().invoke(main, ["sample", *arguments])
    assert again.exit_code != 0


def test_command_names_the_known_hard_cases(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["sample", str(tmp_path / "out"), "--hard", "pale,blurred"])
    assert result.exit_code == 2
    assert "no-mpp" in result.stderr


def test_a_second_hospital_shares_no_name_and_no_pixel_with_the_first(tmp_path: Path) -> None:
    def sample(name: str, *more: str) -> dict[str, bytes]:
        arguments = ["sample", str(tmp_path / name), "--patients", "2", "--size", "512",
                     "--pieces", "1", "--workers", "1", *more]  # fmt: skip
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.svs")}

    home = sample("home")
    away = sample("away", "--stain", "pink", "--prefix", "B-", "--mpp", "0.46")
    assert [f"B-{name}" for name in sorted(home)] == sorted(away)
    assert not set(home.values()) & set(away.values())
    with (tmp_path / "away" / "labels.csv").open(newline="") as file:
        assert all(row["patient"].startswith("B-P") for row in csv.DictReader(file))
    refused = CliRunner().invoke(main, ["sample", str(tmp_path / "no"), "--prefix", "../x"])
    assert refused.exit_code == 2
    assert "--prefix '../x'" in refused.output
    assert not (tmp_path / "no").exists()
