"""What judges and what says where scores stand need no torch: they are read and used without it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.distill.report.fabricate import make_run, make_store


@pytest.mark.parametrize("module", ["distill.report.verdict", "distill.evaluation.scores"])
def test_it_is_loaded_without_torch(module: str) -> None:
    code = f"import sys, {module}; assert 'torch' not in sys.modules, 'torch is loaded'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_report_is_made_without_torch(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", patients=6, crops=1)
    runs = [make_run(tmp_path / kind, store, kind, "1.25x", 1.0) for kind in ("teacher", "kd")]
    words = [
        "report",
        *map(str, runs),
        str(store),
        "--out",
        str(tmp_path / "out"),
        "--mistakes",
        "0",
    ]
    code = (
        "import sys; from distill.cli.main import main; "
        "main(sys.argv[1:], standalone_mode=False); "
        "assert 'torch' not in sys.modules, 'torch is loaded'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "index.html").exists()
