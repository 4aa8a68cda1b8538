"""What OpenSlide's properties state; vendors' own are heard where OpenSlide could not read them."""

from pathlib import Path

import pytest

from wsistore.errors import ResolutionError
from wsistore.readers import Properties
from wsistore.readers.openslide_resolution import stated_by_openslide
from wsistore.readers.resolution import resolve

MIRAX = "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL"
SPACING = "dicom.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing"


def properties(**found: str) -> Properties:
    return Properties(*stated_by_openslide(found, Path("none")), "vendor")


def test_openslides_own_values_come_first() -> None:
    found = properties(**{
        "openslide.vendor": "mirax", "openslide.mpp-x": "0.25", "openslide.mpp-y": "0.251",
        "openslide.objective-power": "40", f"{MIRAX}_X": "0.3",
    })  # fmt: skip
    assert (found.mpp_x, found.mpp_y, found.objective_power) == (0.25, 0.251, 40)


@pytest.mark.parametrize(
    ("raw", "mpp", "power"),
    [
        ({f"{MIRAX}_X": "0,25", f"{MIRAX}_Y": "0,25",
          "mirax.GENERAL.OBJECTIVE_MAGNIFICATION": "40x"}, 0.25, 40),
        ({f"{SPACING}[0]": "0,0005", f"{SPACING}[1]": "0,0005",
          "dicom.OpticalPathSequence[0].ObjectiveLensPower": "20,0"}, 0.5, 20),
        ({"ventana.ScanRes": "0,2325 µm", "ventana.Magnification": "40 X"}, 0.2325, 40),
    ],
)  # fmt: skip
def test_vendors_values_that_openslide_could_not_read(
    raw: dict[str, str], mpp: float, power: float
) -> None:
    found = properties(**raw)
    assert resolve(found).mpp == pytest.approx(mpp)
    assert found.objective_power == power


def test_vendors_values_that_nobody_can_read_are_quoted() -> None:
    raw = {"ventana.ScanRes": "unknown", "ventana.Magnification": "40"}
    with pytest.raises(ResolutionError, match=r"cannot be read \(ventana\.ScanRes = unknown\)"):
        resolve(properties(**raw))
    with pytest.raises(ResolutionError, match=r"\(PixelSpacing = \? × 0\.0005\)"):
        resolve(properties(**{f"{SPACING}[0]": "0.0005", f"{SPACING}[1]": "?"}))
    with pytest.raises(ResolutionError, match="neither µm per pixel nor objective power"):
        resolve(properties())
