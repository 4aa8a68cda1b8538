"""Builds from annotations through the real command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

import wsistore
from tests.lanczos_reference import lanczos
from wsistore.cli.main import main

pytestmark = pytest.mark.usefixtures("in_this_process")
GLASS = (242, 242, 242)
HOSTILE = '=cmd|"x"!A1, <script>\U0001f9ec NA'


def build(*arguments: object) -> Result:
    shown = ["build", *arguments, "--regions", "annotations", "--levels", "10x,2.5x"]
    return CliRunner().invoke(main, list(map(str, shown)))


def feature(ring: list[tuple[float, float]], label: str | None = None, *holes: Any) -> Any:
    properties = {} if label is None else {"classification": {"name": label}}
    geometry = {"type": "Polygon", "coordinates": [ring, *holes]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


SQUARE = [(100.0, 100.0), (420.0, 100.0), (420.0, 420.0), (100.0, 420.0)]
HOLE = [(180.0, 180.0), (260.0, 180.0), (260.0, 260.0), (180.0, 260.0)]
TRIANGLE = [(300.0, 300.0), (700.0, 340.0), (340.0, 700.0)]
BARE = [(800.0, 800.0), (900.0, 800.0), (900.0, 900.0)]


@pytest.fixture
def image() -> np.ndarray:
    """Noise on glass, 0.5 µm/px, (1024, 1024, 3) uint8."""
    image = np.full((1024, 1024, 3), GLASS, np.uint8)
    noise = np.random.default_rng(7).integers(90, 200, (700, 700, 3))
    image[80:780, 80:780] = noise
    return image


@pytest.fixture
def slide(tmp_path: Path, image: np.ndarray) -> Path:
    path = tmp_path / "a.tiff"
    tifffile.imwrite(
        path, image, tile=(128, 128), photometric="rgb", metadata=None,
        resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return path


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    path = tmp_path / "a.geojson"
    features = [feature(TRIANGLE, HOSTILE), feature(SQUARE, "gland", HOLE), feature(BARE)]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_one_crop_per_annotation_with_its_class(slide: Path, drawn: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("slide,patient,label\na,p1,whole\n")
    result = build(slide, "--out", tmp_path / "s", "--labels", labels)
    assert result.exit_code == 0, result.output
    store = wsistore.open(tmp_path / "s")
    crops = store.crops
    assert crops["label"].tolist() == ["gland", HOSTILE, "whole"]
    assert crops[["x", "y", "width", "height"]].to_numpy().tolist() == [
        [100, 100, 320, 320], [300, 300, 400, 400], [798, 798, 104, 104],
    ]  # fmt: skip
    assert crops["patient"].tolist() == ["p1"] * 3
    assert crops["tissue_mm2"].isna().all()
    row = store.slides.iloc[0]
    assert (row["label"], row["crops"], row["glass"]) == ("whole", 3, "#f2f2f2")
    assert len(row["annotations"]) == 64
    assert row["annotation_offset"] == ""
    attributes = json.loads((tmp_path / "s" / "zarr.json").read_text())["attributes"]["wsistore"]
    assert attributes["regions"] == "annotations"
    assert attributes["annotations"] == {"margin_um": 0.0, "outside": "keep"}
    # what the tables say is what the slide's group says
    (tmp_path / "s" / "crops.csv").unlink()
    assert "stored before" in build(slide, "--out", tmp_path / "s", "--labels", labels).output
    assert wsistore.open(tmp_path / "s").crops.equals(crops)


def covered(image: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The square's crop with glass outside it and in its hole, written out by hand."""
    x, y, w, h = box
    out = np.empty_like(image)
    out[:] = GLASS
    out[100:420, 100:420] = image[100:420, 100:420]
    out[180:260, 180:260] = GLASS
    return out[y : y + h, x : x + w]


def in_strips(pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let builds decode so many pixels at a time."""
    monkeypatch.setattr("wsistore.build.strips.STRIP_PIXELS", pixels)


@pytest.mark.parametrize("strip", [1, 4_000_000])
def test_glass_outside_is_laid_before_downsampling(
    slide: Path, image: np.ndarray, tmp_path: Path, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_strips(strip, monkeypatch)
    (tmp_path / "a.json").write_text(json.dumps(feature(SQUARE, "gland", HOLE)))
    result = build(slide, "--out", tmp_path / "s", "--outside", "glass", "--margin", 10)
    assert result.exit_code == 0, result.output
    store = wsistore.open(tmp_path / "s")
    row = store.crops.iloc[0]
    box = (int(row["x"]), int(row["y"]), int(row["width"]), int(row["height"]))
    assert box == (80, 80, 360, 360)
    source = covered(image, box)
    for level, factor in (("10x", 2), ("2.5x", 8)):
        stored = store[row["crop"]][level][:].transpose(1, 2, 0)
        assert np.abs(stored - lanczos(source, factor)).max() <= 0.51


def test_strips_give_the_bytes_of_the_whole(
    slide: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, strip in (("s1", 1), ("s2", 4_000_000)):
        in_strips(strip, monkeypatch)
        assert build(slide, "--out", tmp_path / name, "--outside", "glass").exit_code == 0
    files = sorted(p.relative_to(tmp_path / "s1") for p in (tmp_path / "s1").rglob("c/**/*"))
    assert len([file for file in files if (tmp_path / "s1" / file).is_file()]) == 6
    for file in files:
        if (tmp_path / "s1" / file).is_file():
            assert (tmp_path / "s1" / file).read_bytes() == (tmp_path / "s2" / file).read_bytes()


def test_an_offset_moves_and_is_remembered(slide: Path, drawn: Path, tmp_path: Path) -> None:
    off = [feature([(x + 5000, y) for x, y in SQUARE], "gland")]
    drawn.write_text(json.dumps(off))
    lost = build(slide, "--out", tmp_path / "s")
    assert lost.exit_code == 1
    assert "lies outside its 1024 × 1024 pixels" in lost.output
    assert "--annotation-offset" in lost.output
    found = build(slide, "--out", tmp_path / "s", "--annotation-offset", "-5000,3")
    assert found.exit_code == 0, found.output
    store = wsistore.open(tmp_path / "s")
    assert store.crops[["x", "y"]].to_numpy().tolist() == [[100, 103]]
    assert store.slides["annotation_offset"].tolist() == ["-5000,3"]
    again = build(slide, "--out", tmp_path / "s", "--annotation-offset", "-5000,4")
    assert again.exit_code == 1
    assert "stored with --annotation-offset -5000,3; now -5000,4; rebuild it" in again.output


def test_a_changed_annotation_file_is_noticed(slide: Path, drawn: Path, tmp_path: Path) -> None:
    store = tmp_path / "s"
    assert build(slide, "--out", store).exit_code == 0
    assert "stored before" in build(slide, "--out", store).output
    drawn.write_text(json.dumps([feature(SQUARE, "other")]))
    changed = build(slide, "--out", store)
    assert changed.exit_code == 1
    assert "its annotation file changed since it was stored; rebuild it with --overwrite" in (
        changed.output
    )
    assert len(wsistore.open(store).crops) == 3  # refusing loses nothing
    assert build(slide, "--out", store, "--overwrite").exit_code == 0
    assert wsistore.open(store).crops["label"].tolist() == ["other"]
    drawn.unlink()
    assert "no annotation file beside it" in build(slide, "--out", store).output


def test_no_region_is_empty_and_nothing_but_points_is_a_failed_slide(
    slide: Path, tmp_path: Path
) -> None:
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}
    (tmp_path / "drawn").mkdir()
    file = tmp_path / "drawn" / "a.tiff.geojson"
    options = (slide, "--out", tmp_path / "s", "--annotations", tmp_path / "drawn")
    file.write_text(json.dumps([point]))
    result = build(*options)
    assert result.exit_code == 1
    row = wsistore.open(tmp_path / "s").slides.iloc[0]
    assert (row["outcome"], row["reason"]) == (
        "failed", "a.tiff.geojson: nothing in it is a region that can be cropped: 1 × point",
    )  # fmt: skip
    file.write_text("[]")
    result = build(*options)
    assert result.exit_code == 0, result.output
    row = wsistore.open(tmp_path / "s").slides.iloc[0]
    assert (row["outcome"], row["reason"]) == ("empty", "its annotation file holds no region")


def test_crops_have_the_class_and_name_of_their_region(slide: Path, tmp_path: Path) -> None:
    """Aperio: the class is on the layer, the name on the region, one region has no class."""
    corners = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in SQUARE)
    shape = f"<Vertices>{corners}</Vertices>"
    (tmp_path / "a.xml").write_text(
        '<Annotations><Annotation Id="1" Name="">'
        '<Attributes><Attribute Name="CaP" Id="0" Value=""/></Attributes>'
        f'<Regions><Region Id="1" Type="0" Text="core 1">{shape}</Region></Regions></Annotation>'
        '<Annotation Id="2" Name=""><Attributes><Attribute Name="Description" Value=""/>'
        f'</Attributes><Regions><Region Id="2" Type="0">{shape}</Region></Regions></Annotation>'
        "</Annotations>"
    )
    labels = tmp_path / "labels.csv"
    labels.write_text("slide,patient,label\na,p1,whole\n")
    result = build(slide, "--out", tmp_path / "s", "--labels", labels)
    assert result.exit_code == 0, result.output
    assert "1 × region without a class in a.xml (layer 1, region 2)" in result.output
    columns = ["label", "annotation_class", "annotation_name"]
    assert wsistore.open(tmp_path / "s").crops[columns].to_numpy().tolist() == [
        ["CaP", "CaP", "core 1"], ["whole", "", ""],
    ]  # fmt: skip
    verified = CliRunner().invoke(main, ["verify", str(tmp_path / "s")])
    assert verified.exit_code == 0, verified.output


def test_halo_files_are_found_and_read(slide: Path, tmp_path: Path) -> None:
    vertices = "".join(f'<V X="{x}" Y="{y}" />' for x, y in ((130, 130), (498, 498)))
    (tmp_path / "a.annotations").write_text(
        '<Annotations><Annotation LineColor="65280" Name="Tumour" Visible="True"><Regions>'
        '<Region Type="Rectangle" HasEndcaps="0" NegativeROA="0">'
        f"<Vertices>{vertices}</Vertices><Comments /></Region></Regions></Annotation></Annotations>"
    )
    result = build(slide, "--out", tmp_path / "s")
    assert result.exit_code == 0, result.output
    assert wsistore.open(tmp_path / "s").crops[
        ["label", "x", "y", "width", "height"]
    ].to_numpy().tolist() == [["Tumour", 130, 130, 368, 368]]


def test_a_slide_without_a_file_fails_alone(slide: Path, drawn: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.tiff"
    other.write_bytes(slide.read_bytes())
    result = build(slide, other, "--out", tmp_path / "s", "--workers", 2)
    assert result.exit_code == 1
    slides = wsistore.open(tmp_path / "s").slides.set_index("slide")
    assert slides["outcome"].to_dict() == {"a": "ok", "b": "failed"}
    assert "looked for b.geojson" in slides.loc["b", "reason"]
    assert str(tmp_path) not in slides.loc["b", "reason"]


def test_usage_errors_exit_2_and_make_nothing(slide: Path, drawn: Path, tmp_path: Path) -> None:
    for arguments, message in (
        (("--annotation-offset", "3"), "is not X,Y"),
        (("--annotation-offset", ""), "is not X,Y"),
        (("--annotation-offset", "1.5,2"), "is not X,Y"),
        (("--annotations", drawn), "is no folder"),
        (("--margin", "-1"), "not a width in µm"),
        (("--margin", "nan"), "not a width in µm"),
        (("--min-area", "nan"), "--min-area nan is not an area in mm²"),
        (("--min-area", "-1"), "--min-area -1 is not an area in mm²"),
    ):
        result = build(slide, "--out", tmp_path / "s", *arguments)
        assert result.exit_code == 2, result.output
        assert message in result.output
    for arguments, message in (
        (("--outside", "glass"), "--outside needs --regions annotations"),
        (("--annotations", tmp_path), "--annotations needs --regions annotations"),
        (("--annotation-offset", "1,2"), "--annotation-offset needs --regions annotations"),
        (("--regions", "whole", "--margin", "5"), "--margin has no meaning"),
    ):
        shown = ["build", slide, "--out", tmp_path / "s", *arguments]
        result = CliRunner().invoke(main, list(map(str, shown)))
        assert result.exit_code == 2, result.output
        assert message in result.output
    assert not (tmp_path / "s").exists()


def test_margin_reaches_tissue_too(slide: Path, tmp_path: Path) -> None:
    widths = []
    for margin in (0, 32):
        out = tmp_path / f"s{margin}"
        shown = ["build", slide, "--out", out, "--levels", "10x", "--margin", margin]
        assert CliRunner().invoke(main, list(map(str, shown))).exit_code == 0
        store = wsistore.open(out)
        widths.append(int(store.crops.iloc[0]["width"]))
        settings = json.loads((out / "zarr.json").read_text())["attributes"]["wsistore"]
        assert settings["tissue"]["margin_um"] == margin
    assert widths[1] - widths[0] == pytest.approx(2 * 32 / 0.5, abs=16)


def test_changed_settings_are_refused(slide: Path, drawn: Path, tmp_path: Path) -> None:
    assert build(slide, "--out", tmp_path / "s").exit_code == 0
    other = build(slide, "--out", tmp_path / "s", "--outside", "glass")
    assert other.exit_code == 2
    assert '"outside": "keep"' in other.output
