"""`python -m bench.gpu`: everything is measured, and the page shows what the JSON says."""

import json
import math
from pathlib import Path

import pytest
import torch

from bench.gpu import __main__ as command
from bench.gpu.memory import peak
from bench.gpu.table import BEGIN, END, NOTHING, markdown, section_of, with_section

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "benchmarks.md"
DONE = {
    "train teacher", "train baseline", "train kd, stored targets", "train kd, teacher online",
    "embed, test_vit", "teach", "evaluate", "predict",
}  # fmt: skip


def test_everything_is_measured_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("timm", reason="timm is an optional extra")
    page = tmp_path / "page.md"
    page.write_text(f"# GPU\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    words = ["--device", "cpu", "--quick", "--out", str(tmp_path / "out"), "--page", str(page)]
    assert command.main(words) == 0
    text = (tmp_path / "out" / "gpu.json").read_text(encoding="utf-8")
    found = json.loads(text)
    assert {rate["what"] for rate in found["rates"]} == DONE
    trained = [rate for rate in found["rates"] if rate["what"].startswith(("train", "embed"))]
    assert sorted(rate["precision"] for rate in trained) == ["bf16"] * 5 + ["fp32"] * 5
    for rate in found["rates"]:
        assert math.isfinite(rate["per_second"]), rate
        assert rate["per_second"] > 0, rate
        assert 0 < rate["waiting"] < 0.99, rate  # all read, and all compute
    assert {one["way"] for one in found["memory"]} >= {"plain", "tiled", "masked batch"}
    assert all(one["estimate"] > 0 for one in found["memory"])
    assert all(one["allocated"] is one["reserved"] is None for one in found["memory"])
    assert found["processes"] == {"not_measured": "0 CUDA devices"}
    assert found["device"]["type"] == "cpu"
    written = page.read_text(encoding="utf-8")
    assert section_of(written) == markdown(found)
    assert written.startswith(f"# GPU\n{BEGIN}\n{NOTHING}\n")  # the CPU is none
    assert written.endswith(f"{END}\nafter\n")
    assert page.with_name("gpu.json").read_text(encoding="utf-8") == text
    assert "old" not in written
    assert "gpu.json, after" in capsys.readouterr().out


REPORT = {
    "device": {"type": "cuda", "name": "GPU 1", "driver": "580.1"},
    "torch": "2.14.1+cu130",
    "date": "2026-11-28",
    "cores": 16,
    "scale": {"workers": 4},
    "rates": [
        {"what": "teach", "precision": "fp32", "unit": "views at 10x", "per_second": 1234.6,
         "waiting": 0.256, "rounds": 3},
        {"what": "predict", "precision": "fp32", "unit": "slides", "per_second": 0.12345,
         "waiting": 1.0, "rounds": 3},
    ],
    "memory": [
        {"what": "resnet10, learns", "crop": "1024²", "way": "plain", "estimate": 3 * 2**30,
         "allocated": 2**30, "reserved": None},
    ],
    "processes": {"backend": "nccl", "one": 100.0, "two": 190.0, "ratio": 1.9},
}  # fmt: skip


def test_the_table_says_what_the_report_says() -> None:
    lines = markdown(REPORT).splitlines()
    assert lines[0] == "GPU 1, driver 580.1, torch 2.14.1+cu130, 2026-11-28; 16 cores, 4 that read."
    assert "| teach | fp32 | 1,235 views at 10x | 26 % |" in lines
    assert "| predict | fp32 | 0.123 slides | 100 % |" in lines
    assert "| resnet10, learns | 1024² | plain | 3,072 | 1,024 | – |" in lines
    assert lines[-1].endswith("100 crops a second in one process, 190 in two (nccl): 1.90 times.")
    assert NOTHING not in lines
    assert markdown(None) == NOTHING


@pytest.mark.parametrize("page", ["", f"{BEGIN}", f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}"])
def test_a_page_without_its_marks_is_left_alone(page: str) -> None:
    with pytest.raises(ValueError, match="once, in this order"):
        with_section(page, "new")


def test_the_page_shows_the_report_that_lies_beside_it() -> None:
    beside = PAGE.with_name("gpu.json")
    held = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else None
    assert section_of(PAGE.read_text(encoding="utf-8")) == markdown(held)


def test_without_a_device_it_ends_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for words in (["--check"], ["--out", str(tmp_path / "out")]):
        assert command.main(words) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert "torch finds no CUDA device" in said.err
    assert not (tmp_path / "out").exists()


def test_peaks_are_what_a_pass_takes_beside_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """torch's counters are replaced: the cache is emptied, and the peak set back, before."""
    state = {"allocated": 100, "most": 900, "reserved": 500, "most_reserved": 900}

    def emptied() -> None:
        state["reserved"] = 120

    def reset(device: torch.device) -> None:
        state.update(most=state["allocated"], most_reserved=state["reserved"])

    def work() -> None:
        state.update(most=400, most_reserved=620)

    for name, replaced in {
        "synchronize": lambda device: None,
        "empty_cache": emptied,
        "reset_peak_memory_stats": reset,
        "memory_allocated": lambda device: state["allocated"],
        "memory_reserved": lambda device: state["reserved"],
        "max_memory_allocated": lambda device: state["most"],
        "max_memory_reserved": lambda device: state["most_reserved"],
    }.items():
        monkeypatch.setattr(torch.cuda, name, replaced)
    assert peak(torch.device("cuda:0"), work) == (300, 500)
    assert peak(torch.device("cpu"), work) == (None, None)
