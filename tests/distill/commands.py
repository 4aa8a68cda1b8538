"""`distill` in this process."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from distill import files
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


def as_if_killed(run: Path, epochs: int) -> None:
    """Make a run that ended look like one of so many epochs that was killed after its last."""
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "epochs": epochs}))
    (run / "outcome.json").unlink()
    tensors, metadata = files.load(run / "checkpoint.safetensors")
    del metadata["ended"]
    files.save(run / "checkpoint.safetensors", tensors, metadata)
