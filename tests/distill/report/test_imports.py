"""What judges and what says where scores stand need no torch: they are read and used without it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["distill.report.verdict", "distill.evaluation.scores"])
def test_it_is_loaded_without_torch(module: str) -> None:
    code = f"import sys, {module}; assert 'torch' not in sys.modules, 'torch is loaded'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
