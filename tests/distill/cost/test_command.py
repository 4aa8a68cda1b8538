"""`distill cost` as it is typed."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

import wsistore
from distill import cost
from distill.cli.main import main
from distill.cost import report
from distill.networks import build
from tests.distill.evaluating import make_run, make_store, rows


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """18 crops; slides s0 … s8 of two crops each."""
    table = [
        (f"s{n // 2}/{n % 2}", f"s{n // 2}", patient, label, subset)
        for n, (_, _, patient, label, subset) in enumerate(rows())
    ]
    return make_store(tmp_path_factory.mktemp("cost") / "store", table)


@pytest.fixture(scope="module")
def run(store: Path) -> Path:
    return make_run(store.parent / "student", store)


def typed(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["cost", *map(str, arguments)])


def test_json_over_a_store_is_the_sum_of_its_crops(store: Path, run: Path) -> None:
    result = typed(run, "--store", store, "--level", "all", "--repeats", 2, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    network = build("resnet10", 3)
    assert (found["run"], found["network"], found["classes"]) == ("student", "resnet10", 3)
    assert (found["parameters"], found["store"]) == (1_231_011, "store")
    assert [one["level"] for one in found["levels"]] == ["10x", "2.5x"]
    table = wsistore.open(store).levels
    for one in found["levels"]:
        sizes = table[table["level"] == one["level"]]
        pairs = list(zip(sizes["height"].tolist(), sizes["width"].tolist(), strict=True))
        gmac = np.array([cost.gmac(network, *pair) for pair in pairs])
        slides = gmac.reshape(9, 2).sum(1)
        for per, values in (("crop", gmac), ("slide", slides)):
            entry = one[f"gmac_per_{per}"]
            assert entry["mean"] == pytest.approx(values.mean())
            assert entry["median"] == pytest.approx(np.median(values))
            assert entry["max"] == pytest.approx(values.max())
        assert (one["crops"], one["slides"]) == (18, 9)
        # an odd number of slides: the median slide's cost is the median
        chosen = [f"s{n}" for n in range(9) if slides[n] == pytest.approx(np.median(slides))]
        assert one["median_slide"] in chosen
        assert one["agreement"]["fvcore_mac"] == one["agreement"]["mac"] > 0
        assert one["seconds_per_slide"]["crops"] == 2
        assert one["seconds_per_crop"]["passes"] == 2
        assert 0 < one["seconds_per_crop"]["fastest"] <= one["seconds_per_crop"]["median"]
        median = cost.peak_memory(network, *one["median_crop"])
        assert one["memory"]["median_crop"]["inference_bytes"] == median.inference
    assert found["device"]["threads"] == torch.get_num_threads()
    assert "fvcore" in found["counter"]["gmac"]


def test_a_run_is_asked_at_its_own_level_and_an_architecture_at_all(store: Path, run: Path) -> None:
    for subject, levels in ((run, ["10x"]), ("resnet10", ["10x", "2.5x"])):
        result = typed(subject, "--store", store, "--no-measure", "--json")
        assert result.exit_code == 0, result.output
        assert [one["level"] for one in json.loads(result.stdout)["levels"]] == levels


def test_the_table_names_its_units_and_the_csv_holds_what_the_json_does(
    store: Path, tmp_path: Path
) -> None:
    file = tmp_path / "deep" / "cost.csv"
    asked = ("resnet10", "--store", store, "--subset", "test", "--no-measure")
    shown = typed(*asked, "--csv", file)
    assert shown.exit_code == 0, shown.output
    words = " ".join(shown.output.split())
    for row in ("GMAC per crop, median", "GFLOP per slide, max", "memory to train, in strips"):
        assert row in words
    assert "agree to the last MAC at" in words
    assert "seconds" not in words.lower()
    found = json.loads(typed(*asked, "--json").stdout)
    with file.open() as opened:
        lines = list(csv.DictReader(opened))
    assert [line["level"] for line in lines] == ["10x", "2.5x"]
    for line, one in zip(lines, found["levels"], strict=True):
        assert float(line["gmac_per_slide.max"]) == one["gmac_per_slide"]["max"]
        assert int(line["memory.largest_crop.training_bytes"]) > 0
        # a cell that a spreadsheet would run is guarded
        assert line["not_measured"] == "'--no-measure"
        assert (line["subset"], line["crops"]) == ("test", "10")
    again = typed(*asked, "--csv", file)
    assert again.exit_code == 2
    assert "exists; replace it with --overwrite" in again.output
    assert typed(*asked, "--csv", file, "--overwrite").exit_code == 0


def test_given_sizes_need_no_store() -> None:
    result = typed(
        "resnet18", "--classes", 7, "--size", "1934x1550", "--size", "32x48", "--no-measure"
    )
    assert result.exit_code == 0, result.output
    network = build("resnet18", 7)
    assert f"{cost.parameters(network):,} parameters" in result.output
    assert f"{cost.gmac(network, 1934, 1550):#.3g}".rstrip(".") in result.output
    assert "slide" not in result.output


def test_crops_that_the_network_cannot_take_are_left_out_and_said(tmp_path: Path) -> None:
    small = make_store(tmp_path / "store", rows(), lambda n: (16, 64) if n < 4 else (48, 48))
    result = typed("resnet10", "--store", small, "--level", "2.5x", "--no-measure", "--json")
    assert result.exit_code == 0, result.output
    assert "2.5x: 4 crops left out" in result.stderr
    (found,) = json.loads(result.stdout)["levels"]
    assert (found["crops"], found["left_out"]) == (14, 4)


def test_too_little_memory_to_measure_is_said_and_exits_1(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "available_gib", lambda device: 1e-6)
    result = typed("resnet10", "--store", store, "--level", "10x")
    assert result.exit_code == 1
    assert "GMAC per crop, median" in result.output
    assert "not measured: 10x: a crop needs" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet10",), "give either --store"),
        (("resnet10", "--size", "64x64", "--store", "x"), "give either --store"),
        (("resnet10", "--size", "64x64", "--level", "10x"), "--size needs neither"),
        (("resnet11", "--size", "64x64"), "is no run folder, and network"),
        (("resnet10", "--size", "64x64", "--device", "tpu"), "--device tpu"),
    ],
)
def test_misuse_exits_2(arguments: tuple[str, ...], message: str) -> None:
    result = typed(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_what_is_wrong_with_a_run_or_a_store(store: Path, run: Path, tmp_path: Path) -> None:
    result = typed(run, "--classes", 3, "--size", "64x64")
    assert result.exit_code == 2
    assert "has its own" in result.output
    result = typed(tmp_path, "--size", "64x64")
    assert result.exit_code == 1
    assert "is not a run folder" in result.output
    result = typed(run, "--store", store, "--level", "5x")
    assert result.exit_code == 1
    assert "has no level 5x" in result.output
