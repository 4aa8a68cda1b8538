"""The plan is what the build does: same reader, resolution, factors, warnings and errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

import wsistore
from wsistore.cli.main import main
from wsistore.readers.base import BaseReader


def plans(*arguments: object, code: int) -> dict[str, dict[str, Any]]:
    result = CliRunner().invoke(main, ["plan", *map(str, arguments), "--json"])
    assert result.exit_code == code, result.output
    found = json.loads(result.stdout)
    found = found if isinstance(found, list) else found["slides"]
    return {plan["file"]: plan for plan in found}


def test_the_build_ends_as_planned(shared: Path, tmp_path: Path) -> None:
    found = plans(shared / "slides", shared / "broken", code=1)
    store = tmp_path / "store"
    CliRunner().invoke(
        main, ["build", str(shared / "slides"), str(shared / "broken"), "--out", str(store),
               "--workers", "1"],
    )  # fmt: skip
    rows = {row["file"]: row for row in wsistore.open(store).slides.to_dict("records")}
    assert set(rows) == set(found)
    built = {name for name, row in rows.items() if row["outcome"] != "failed"}
    # a tile that cannot be decoded is the one thing that no plan can see
    unseen = {"openslidepython_unreadable.svs"}
    assert {name for name, plan in found.items() if not plan["error"]} == built | unseen
    for name, row in rows.items():
        plan = found[name]
        if name in built:
            for key in ("reader", "vendor", "width", "height", "mpp", "mpp_source"):
                assert plan[key] == row[key], (name, key)
            assert "; ".join(plan["warnings"]) == row["warning"]
        elif name not in unseen:
            assert plan["error"] == row["reason"]
    levels = found["CMU-1-Small-Region.svs"]["levels"]
    assert [(level["name"], level["factor"]) for level in levels] == [
        ("10x", 2), ("5x", 4), ("2.5x", 8), ("1.25x", 16), ("0.625x", 32),
    ]  # fmt: skip
    assert levels[0]["deviation"] == pytest.approx(-0.002)


def test_no_pixel_is_read(cmu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a pixel was read")

    monkeypatch.setattr(BaseReader, "read", fail)
    assert plans(cmu, code=0)["CMU-1-Small-Region.svs"]["error"] == ""


def test_labels_give_mpp_and_options_reach_the_plan(shared: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("slide,patient,label,mpp\nkidney-48-5,p,x,0.5\n")
    slide = shared / "slides" / "kidney-48-5.tif"
    options = ("--levels", "10x,2.5x", "--apply-icc")
    plan = plans(slide, "--labels", labels, *options, code=0)["kidney-48-5.tif"]
    assert (plan["mpp"], plan["mpp_source"], plan["reader"]) == (0.5, "given", "vips")
    assert [level["factor"] for level in plan["levels"]] == [2, 8]
    assert plan["warnings"] == ["it has no colour profile and is taken as sRGB"]
    exact = plans(slide, "--mpp", 0.499, "--exact-mpp", "--levels", "10x", code=0)
    (level,) = exact["kidney-48-5.tif"]["levels"]
    assert (level["factor"], level["mpp"], level["deviation"]) == (1 / 0.499, 1.0, 0.0)
    forced = plans(slide, "--reader", "openslide", code=1)["kidney-48-5.tif"]
    assert forced["error"] == "it cannot be opened (openslide: Unsupported or missing image file)"


@pytest.mark.parametrize("text", ["0,5", "0.5 um", "500 nm", "0.5 µm/px"])
def test_mpp_is_given_as_people_write_it(shared: Path, tmp_path: Path, text: str) -> None:
    slide = shared / "slides" / "kidney-48-5.tif"
    assert plans(slide, "--mpp", text, "--levels", "10x", code=0)[slide.name]["mpp"] == 0.5
    labels = tmp_path / "labels.csv"
    labels.write_text(f'slide,patient,label,mpp\nkidney-48-5,p,x,"{text}"\n')
    planned = plans(slide, "--labels", labels, "--levels", "10x", code=0)[slide.name]
    assert (planned["mpp"], planned["mpp_source"]) == (0.5, "given")


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "0,5,0", "0.5 furlong", "1 pixel"])
def test_mpp_that_is_no_length_is_a_wrong_command(shared: Path, text: str) -> None:
    slide = shared / "slides" / "kidney-48-5.tif"
    result = CliRunner().invoke(main, ["plan", str(slide), "--mpp", text])
    assert result.exit_code == 2
    assert "--mpp" in result.output
    assert "write µm per pixel, such as 0.25" in " ".join(result.output.split())


def test_the_table_names_warnings_and_errors(shared: Path) -> None:
    result = CliRunner().invoke(main, ["plan", str(shared / "broken"), "--levels", "0.3x"])
    assert result.exit_code == 1
    assert "openslidepython_small.svs: it is smaller than one pixel of 0.3x" in result.stdout
    assert "histolab_broken.svs: fails: it cannot be opened (tiffslide: not a TIFF" in result.stdout
    assert "2 would be built, 2 would fail" in result.stdout
    assert CliRunner().invoke(main, ["plan", "nothing-there"]).exit_code == 2


def test_a_reader_can_be_forced_and_is_noticed_later(cmu: Path, tmp_path: Path) -> None:
    base = ["build", str(cmu), "--out", str(tmp_path / "s"), "--levels", "1.25x"]
    assert CliRunner().invoke(main, [*base, "--reader", "openslide"]).exit_code == 0
    (row,) = wsistore.open(tmp_path / "s").slides.to_dict("records")
    assert row["reader"] == "openslide"
    again = CliRunner().invoke(main, [*base, "--reader", "tiffslide"])
    assert again.exit_code == 1
    assert "stored through openslide; now tiffslide; rebuild it with --overwrite" in again.output
    assert "stored before" in CliRunner().invoke(main, base).output


def test_unscanned_parts_get_the_color_of_the_glass(tmp_path: Path) -> None:
    image = np.full((1024, 1024, 3), 236, np.uint8)
    image[200:700, 200:900] = (200, 120, 170)
    alpha = np.full((1024, 1024), 255, np.uint8)
    alpha[768:] = 0
    Image.fromarray(np.dstack([image, alpha])).save(tmp_path / "a.png", dpi=(50800, 50800))
    tiles = [
        image[y : y + 256, x : x + 256] if y < 768 else None
        for y in range(0, 1024, 256) for x in range(0, 1024, 256)
    ]  # fmt: skip
    tifffile.imwrite(
        tmp_path / "b.tif", iter(tiles), shape=image.shape, dtype=image.dtype, tile=(256, 256),
        photometric="rgb", resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    result = CliRunner().invoke(
        main, ["build", str(tmp_path), "--out", str(tmp_path / "s"), "--regions", "whole",
               "--levels", "10x", "--workers", "1"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    store = wsistore.open(tmp_path / "s")
    assert store.slides["glass"].tolist() == ["#ececec", "#ececec"]
    assert "4 of its 16 tiles are missing" in store.slides["warning"][1]
    one, two = store["a/0"]["10x"][:], store["b/0"]["10x"][:]
    assert np.array_equal(one, two)
    assert (one[:, 400:] == 236).all()
