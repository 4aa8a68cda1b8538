"""Resolutions as TIFF files state them, through both readers of TIFF and into plan and store."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import wsistore
from wsistore.build.builder import build
from wsistore.build.plan import plan_slide
from wsistore.build.settings import BuildSettings
from wsistore.errors import ResolutionError
from wsistore.readers import open_slide
from wsistore.readers.resolution import Resolution, resolve
from wsistore.slides.labels import Label

BOTH = pytest.mark.parametrize("reader", ["tiffslide", "openslide"])


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    image = np.full((512, 512, 3), 240, np.uint8)
    noise = np.random.default_rng(0).integers(-20, 20, (384, 384, 1))
    image[64:448, 64:448] = np.array((190, 120, 180)) + noise
    return image


def write(path: Path, pixels: np.ndarray, **tags: Any) -> Path:
    options = {"photometric": "rgb", "tile": (128, 128), "metadata": None, **tags}
    tifffile.imwrite(path, pixels, **options)
    return path


def aperio(path: Path, pixels: np.ndarray, told: str) -> Path:
    return write(path, pixels, description=f"Aperio Image Library v12\r\n512x512 RGB|{told}")


def resolved(path: Path, reader: str = "auto") -> Resolution:
    with open_slide(path, reader) as slide:
        return resolve(slide.properties)


@BOTH
@pytest.mark.parametrize(
    ("told", "mpp", "power"),
    [
        ("AppMag = 20|MPP = 0,4990", 0.499, 20),
        ("MPP = 0,4990", 0.499, None),
        ("AppMag = 20,000000|MPP = 0,499000", 0.499, 20),
        ("AppMag = 20|MPP = 0,4600", 0.46, 20),
        ("AppMag = 20x|MPP = 0.5 um", 0.5, 20),
        ("AppMag = 40 X|MPP = 0.25 µm/px", 0.25, 40),
        ("AppMag = 20|MPP = 500 nm", 0.5, 20),
    ],
)
def test_aperio_values_are_read_as_written(
    tmp_path: Path, pixels: np.ndarray, reader: str, told: str, mpp: float, power: float | None
) -> None:
    path = tmp_path / "a.svs"
    # tifffile writes descriptions in ASCII or UTF-8 bytes
    description = f"Aperio Image Library v12\r\n512x512 RGB|{told}".encode()
    write(path, pixels, description=description)
    found = resolved(path, reader)
    assert (found.mpp, found.source, found.objective_power) == (mpp, "file", power)


@BOTH
def test_aperio_values_that_cannot_be_read_are_quoted(
    tmp_path: Path, pixels: np.ndarray, reader: str
) -> None:
    for told in ("MPP = 0,46,00", "MPP = 0", "MPP = unknown", "MPP = -0.5", "MPP = nan"):
        path = aperio(tmp_path / "a.svs", pixels, f"AppMag = 20|{told}")
        with pytest.raises(ResolutionError, match=rf"cannot be read \({told}\).*--mpp"):
            resolved(path, reader)
    path = aperio(tmp_path / "a.svs", pixels, "AppMag = 20 or 40")
    with pytest.raises(ResolutionError, match="AppMag = 20 or 40"):
        resolved(path, reader)


def ome(path: Path, pixels: np.ndarray, told: dict[str, Any], **tags: Any) -> Path:
    write(path, pixels, ome=True, metadata={"axes": "YXS", **told}, **tags)
    return path


@BOTH
@pytest.mark.parametrize(
    ("size", "unit"),
    [(0.5, "µm"), (500.0, "nm"), (0.0005, "mm"), (0.00005, "cm"), (5000.0, "Å"),
     (0.5 / 25400, "in"), (0.5, None)],
)  # fmt: skip
def test_ome_xml_sizes_with_their_units(
    tmp_path: Path, pixels: np.ndarray, reader: str, size: float, unit: str | None
) -> None:
    told = {f"PhysicalSize{axis}": size for axis in "XY"}
    if unit is not None:
        told |= {f"PhysicalSize{axis}Unit": unit for axis in "XY"}  # type: ignore[misc]
    found = resolved(ome(tmp_path / "a.ome.tif", pixels, told), reader)
    assert found.mpp == pytest.approx(0.5, rel=1e-12)
    assert found.source == "file"


def test_ome_xml_in_pixels_gives_no_length_and_an_unknown_unit_is_quoted(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    for unit, said in (
        ("reference frame", "PhysicalSize = 0.5 reference frame gives no length"),
        ("ly", r"cannot be read \(OME-XML PhysicalSize = 0.5 ly\)"),
    ):
        told = {f"PhysicalSize{axis}": 0.5 for axis in "XY"}
        told |= {f"PhysicalSize{axis}Unit": unit for axis in "XY"}  # type: ignore[misc]
        with pytest.raises(ResolutionError, match=said):
            resolved(ome(tmp_path / "a.ome.tif", pixels, told))


def test_the_ome_image_is_the_slides_and_not_the_first(tmp_path: Path, pixels: np.ndarray) -> None:
    images = "".join(
        f'<Image ID="Image:{n}"><ObjectiveSettings ID="Objective:{n}"/><Pixels ID="Pixels:{n}" '
        f'DimensionOrder="XYCZT" Type="uint8" SizeX="{side}" SizeY="{side}" SizeC="3" SizeZ="1" '
        f'SizeT="1" PhysicalSizeX="{size}" PhysicalSizeY="{size}"><Channel ID="C:{n}" '
        f'SamplesPerPixel="3"/><TiffData IFD="{page}" PlaneCount="1"/></Pixels></Image>'
        for n, side, size, page in ((0, 64, 4.0, 1), (1, 512, 0.25, 0))
    )
    powers = "".join(f'<Objective ID="Objective:{n}" NominalMagnification="{power}"/>'
                     for n, power in ((0, 2.5), (1, 40)))  # fmt: skip
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/'
        f'OME/2016-06"><Instrument ID="I:0">{powers}</Instrument>{images}</OME>'
    )
    write(tmp_path / "a.ome.tif", pixels, description=xml.encode())
    for reader in ("tiffslide", "openslide"):
        found = resolved(tmp_path / "a.ome.tif", reader)
        assert (found.mpp, found.objective_power) == (0.25, 40)
    broken = xml.replace("</Image>", "", 1)
    write(tmp_path / "b.ome.tif", pixels, description=broken.encode())
    with pytest.raises(ResolutionError, match="OME-XML: cannot be read as XML"):
        resolved(tmp_path / "b.ome.tif", "openslide")


@pytest.mark.parametrize("tile", [(128, 128), None])
@pytest.mark.parametrize(
    ("unit", "per_unit"), [("um", 2.0), ("micron", 2.0), (r"\u00B5m", 2.0), ("mm", 2000.0),
                           ("cm", 20000.0), ("inch", 50800.0)],
)  # fmt: skip
def test_imagejs_unit_in_tiled_and_flat_files(
    tmp_path: Path, pixels: np.ndarray, tile: tuple[int, int] | None, unit: str, per_unit: float
) -> None:
    write(
        tmp_path / "a.tif", pixels, tile=tile, resolution=(per_unit, per_unit),
        resolutionunit="NONE", description=f"ImageJ=1.53t\nunit={unit}\n",
    )  # fmt: skip
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.name == ("vips" if tile is None else "tiffslide")
        assert resolve(slide.properties).mpp == pytest.approx(0.5)
    if tile:
        assert resolved(tmp_path / "a.tif", "openslide").mpp == pytest.approx(0.5)


def test_an_imagej_file_in_pixels_or_in_parsecs(tmp_path: Path, pixels: np.ndarray) -> None:
    for unit, said in (("pixel", "2 per pixel gives no length"), ("pc", r"read \(.* 2 per pc\)")):
        write(
            tmp_path / "a.tif", pixels, resolution=(2, 2), resolutionunit="NONE",
            description=f"ImageJ=1.53t\nunit={unit}\n",
        )  # fmt: skip
        with pytest.raises(ResolutionError, match=said):
            resolved(tmp_path / "a.tif")


@BOTH
@pytest.mark.parametrize(
    ("unit", "per_unit"),
    [("INCH", 50800), ("CENTIMETER", 20000), ("MILLIMETER", 2000), ("MICROMETER", 2)],
)
def test_units_of_tiff(
    tmp_path: Path, pixels: np.ndarray, reader: str, unit: str, per_unit: int
) -> None:
    tags = {"resolution": (per_unit, per_unit), "resolutionunit": unit}
    path = write(tmp_path / "a.tif", pixels, **tags)
    assert resolved(path, reader).mpp == 0.5


@BOTH
def test_tiff_tags_without_a_unit_or_without_a_value(
    tmp_path: Path, pixels: np.ndarray, reader: str
) -> None:
    write(tmp_path / "none.tif", pixels, resolution=(2, 2), resolutionunit="NONE")
    with pytest.raises(ResolutionError, match="XResolution = 2 without a unit gives no length"):
        resolved(tmp_path / "none.tif", reader)
    write(tmp_path / "zero.tif", pixels, resolution=((0, 1), (0, 1)), resolutionunit="CENTIMETER")
    with pytest.raises(ResolutionError, match=r"cannot be read \(XResolution = 0 per cm\)"):
        resolved(tmp_path / "zero.tif", reader)
    write(tmp_path / "72.tif", pixels, resolution=(72, 72), resolutionunit="INCH")
    with pytest.raises(ResolutionError, match=r"352\.778 µm/px .*72 per inch.*implausible"):
        resolved(tmp_path / "72.tif", reader)


def test_a_flat_tiff_without_a_resolution_says_nothing(tmp_path: Path, pixels: np.ndarray) -> None:
    write(tmp_path / "a.tif", pixels, tile=None, resolution=(1, 1), resolutionunit="NONE")
    with pytest.raises(ResolutionError, match="neither µm per pixel nor objective power"):
        resolved(tmp_path / "a.tif")


def test_hamamatsus_lens_and_perkinelmers_objective(tmp_path: Path, pixels: np.ndarray) -> None:
    tags = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
    write(
        tmp_path / "a.qptiff", pixels, software="PerkinElmer-QPI", **tags,
        description="<PerkinElmer-QPI-ImageDescription><Objective>20x</Objective>"
        "</PerkinElmer-QPI-ImageDescription>",
    )  # fmt: skip
    with open_slide(tmp_path / "a.qptiff") as slide:
        assert slide.properties.objective_power == 20
        assert resolve(slide.properties).mpp == 0.5


def test_a_disagreement_reaches_plan_and_store(tmp_path: Path, pixels: np.ndarray) -> None:
    path = aperio(tmp_path / "a.svs", pixels, "AppMag = 20|MPP = 0,4600")
    (warning,) = plan_slide(path, ("10x",)).warnings[:1]
    assert warning.startswith("its 20× objective is nominally 0.5 µm/px, +8.7% from the 0.46")
    list(build([path], tmp_path / "store", BuildSettings(("5x",), regions="whole"), workers=0))
    row = wsistore.open(tmp_path / "store").slides.iloc[0]
    assert row["mpp"] == 0.46
    assert row["warning"].startswith(warning)


def test_a_coarse_slide_is_built_on_the_users_word(tmp_path: Path, pixels: np.ndarray) -> None:
    """Level 0 of 28.97 µm/px, as a slide scanned to an overview has it."""
    tags = {"resolution": (10000 / 28.97, 10000 / 28.97), "resolutionunit": "CENTIMETER"}
    path = write(tmp_path / "coarse.tif", pixels, **tags)
    settings = BuildSettings(("0.25x",))
    (failed,) = build([path], tmp_path / "no", settings, workers=0)
    assert "implausible" in failed.record.slide.reason
    assert "--mpp" in failed.record.slide.reason
    for number, asked in enumerate(({"mpp": 28.97}, {"labels": {"coarse": Label(mpp=28.97)}})):
        store = tmp_path / f"store-{number}"
        (result,) = build([path], store, settings, workers=0, **asked)  # type: ignore[arg-type]
        row = result.record.slide
        assert (row.outcome, row.mpp, row.mpp_source) == ("ok", 28.97, "given")
        assert "outside the usual 0.05 to 20" in row.warning
        assert result.record.crops[0].tissue_mm2 == pytest.approx((384 * 0.02897) ** 2, rel=0.05)
