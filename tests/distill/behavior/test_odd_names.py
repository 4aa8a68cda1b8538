"""Run folders whose names are not UTF-8, or would steer a terminal, are like any others."""

import json
import os
from pathlib import Path

from distill.runs.run import Run
from tests.distill.commands import done, train
from wsistore.formatting.texts import unsafe

NAME = os.fsdecode(b"l\xe4uf[bold]\x1b[31m")
SHOWN = r"l\xe4uf[bold]\x1b[31m"
MACHINE = ("--device", "cpu", "--threads", "1")


def test_a_run_of_such_a_name_is_trained_read_evaluated_and_exported(
    tmp_path: Path, real_store: Path
) -> None:
    out = tmp_path / NAME
    said = [train("teacher", real_store, out, "--level", "10x")]
    student = tmp_path / "kd"
    said += [train("kd", real_store, student, "--level", "2.5x", "--teacher", out)]
    assert Run.open(student).config["teacher"]["run"] == str(out)
    said += [done("evaluate", out, student, real_store, "--subset", "val", "--draws", 20, *MACHINE)]
    said += [done("cost", out, "--size", "64x64", "--no-measure", "--csv", tmp_path / "cost.csv")]
    said += [done("report", out, student, real_store, "--subset", "val", "--out",
                  tmp_path / "report")]  # fmt: skip
    said += [done("export", out, "--onnx", "--out", tmp_path / "model.onnx")]
    for result in said:
        assert not any(map(unsafe, result.output.splitlines()))
    metrics = (out / "evaluation" / "main-val" / "metrics.json").read_text(encoding="utf-8")
    assert json.loads(metrics)["run"] == SHOWN
    assert json.loads((tmp_path / "model.card.json").read_text())["model"]["run"] == SHOWN
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert not any(map(unsafe, page.splitlines()))
