"""Help, errors of usage and completion wait for no library that only the work itself needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.cli_reference import PROGRAMS, commands

REFUSED = {
    "dask", "matplotlib", "numba", "pandas", "scipy", "timm", "torch", "torchvision", "zarr",
}  # fmt: skip
"""What takes a tenth of a second or more to import, or brings what does."""
PATHS = [context.command_path for one in PROGRAMS.items() for context in commands(*one)]
RUN = """
import json, sys
from importlib import import_module

known = set()
for words in json.loads(sys.argv[1]):
    main = import_module(f"{words[0]}.cli.main").main
    try:
        main(words[1:], prog_name=words[0])
    except SystemExit as ended:
        code = ended.code
    new = sorted(set(sys.modules) - known)
    known |= set(new)
    print("\\n" + json.dumps([words, code, new]))
"""
"""Runs command lines in turn; tells their exit codes, and what each is the first to import."""


def run(
    lines: list[list[str]], folder: Path | None = None, environment: dict[str, str] | None = None
) -> tuple[list[tuple[str, int, set[str]]], str]:
    """Run command lines in a fresh process.

    Returns:
        Of each: itself, its exit code, and which refused packages it was the first to import; and
        all that was printed.
    """
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(lines)],
        capture_output=True, text=True, check=True, cwd=folder,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[[")]
    assert len(told) == len(lines), done.stdout
    return [(" ".join(words), code, REFUSED & set(new)) for words, code, new in told], done.stdout


def imported(*lines: list[str], folder: Path | None = None) -> list[tuple[str, int, set[str]]]:
    return run(list(lines), folder)[0]


def test_help_of_no_command_imports_what_only_the_work_needs() -> None:
    assert {"wsistore build", "distill train kd", "distill experiment"} <= set(PATHS)
    lines = [[*path.split(), "--help"] for path in PATHS]
    assert imported(*lines) == [(" ".join(words), 0, set()) for words in lines]


def test_nor_does_an_error_of_usage(tmp_path: Path) -> None:
    lines = [
        ["wsistore", "bild"],
        ["wsistore", "build", "--levles", "10x"],
        ["wsistore", "build"],
        ["wsistore", "info"],
        ["wsistore", "split", "store", "--check", "--extend"],
        ["wsistore", "sample", "slides", "--hard", "paler"],
        ["wsistore", "verify", "store", "--id", "path"],
        ["distill", "trein"],
        ["distill", "train", "kd"],
        ["distill", "train", "teacher", "store", "--out", "run"],
        ["distill", "train", "kd", "store", "--level", "5x", "--out", "run"],
        ["distill", "train", "baseline", "store", "--level", "5x", "--out", "run", "--epoch", "2"],
        [
            "distill",
            "train",
            "baseline",
            "store",
            "--level",
            "5x",
            "--out",
            "run",
            "--network",
            "resnet",
        ],
        ["distill", "train", "kd", "store", "--level", "5x", "--out", "run", "--resize", "least"],
        ["distill", "train", "finetune", "store", "--preset", "dipalma"],
        ["distill", "teach", "run", "store", "--student-level", "5x"],
        ["distill", "embed", "store", "--level", "5x", "--out", "out", "--weights", "file"],
        ["distill", "evaluate", "run", "run", "store"],
        ["distill", "report", "run", "store", "--out", "out", "--score", "f2"],
        ["distill", "defer", "run", "run", "store", "--out", "out", "--within", "3"],
        ["distill", "explain", "run", "store"],
        ["distill", "predict", "run", "slide", "--compare"],
        ["distill", "predict", "run", "slide", "--labels", "file"],
        ["distill", "export", "run"],
        ["distill", "cost", "resnet10"],
        ["distill", "cost", "resnet", "--size", "9x9"],
        ["distill", "experiment", "plan.toml", "--out", "out"],
    ]
    (tmp_path / "plan.toml").write_text('store = "store"\nteacher = "10x"\nstudent = ["5x"]\n')
    assert imported(*lines, folder=tmp_path) == [(" ".join(words), 2, set()) for words in lines]


@pytest.mark.parametrize(
    ("line", "completed"),
    [("wsistore ver", "verify"), ("wsistore split store --ext", "--extend"),
     ("wsistore build slides --regions who", "whole"), ("distill ev", "evaluate"),
     ("distill train k", "kd"), ("distill train kd store --pixel-d", "--pixel-distance"),
     ("distill predict run slide --from-level ven", "vendor")],
)  # fmt: skip
def test_nor_does_completion_in_a_shell(line: str, completed: str) -> None:
    program = line.split()[0]
    asked = {
        f"_{program.upper()}_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
    }
    ((_, code, found), *_), output = run([[program]], environment=asked)
    assert (code, found) == (0, set())
    assert f"plain,{completed}" in output.splitlines()
