"""`distill` in this process."""

from pathlib import Path

from click.testing import CliRunner, Result

from distill.cli.main import main

QUICK = ("--epochs", "2", "--accumulate", "2", "--device", "cpu", "--threads", "1")


def distill(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def done(*arguments: object) -> Result:
    """`distill …`, which must succeed."""
    result = distill(*arguments)
    assert result.exit_code == 0, result.output
    return result


def train(kind: str, store: Path, out: Path, *more: object) -> Result:
    """`distill train KIND STORE --out OUT …`, two epochs, which must succeed."""
    return done("train", kind, store, "--out", out, *QUICK, *more)
