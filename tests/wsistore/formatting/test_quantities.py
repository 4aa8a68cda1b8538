"""Numbers with units: what files and people write is read, and nothing else counts as a value."""

import pytest

from wsistore.formatting.quantities import UnitlessError, micrometers, micrometers_of, number, power


@pytest.mark.parametrize(
    ("text", "value"),
    [("0,4990", 0.499), ("0.4990", 0.499), (" .25 ", 0.25), ("2,5E-1", 0.25), ("20,000000", 20.0),
     (0.25, 0.25), (20, 20.0), ("1.", 1.0)],
)  # fmt: skip
def test_numbers(text: object, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["0,46,00", "1.234,5", "1,234.5", "1 234", "nan", "inf", "1e999",
                                  "", "0x10", "None", "٠٫٥x"])  # fmt: skip
def test_what_is_no_number_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        number(text)


@pytest.mark.parametrize(
    ("text", "um"),
    [("0.5", 0.5), ("0.5 um", 0.5), ("0,5µm", 0.5), ("0.5 μm", 0.5), ("0.5 µm/px", 0.5),
     ("0.5 um per pixel", 0.5), ("0.5 microns", 0.5), ("0.5 Âµm", 0.5), (r"0.5 \u00B5m", 0.5),
     ("500 nm", 0.5), ("0.0005 mm", 0.5), ("0.00005 cm", 0.5), ("5e-7 m", 0.5), ("5000 Å", 0.5),
     ("5000 \u212b", 0.5), ("1 inch", 25400.0), ("1 thou", 25.4), ("0.5 / px", 0.5)],
)  # fmt: skip
def test_lengths_in_micrometers(text: str, um: float) -> None:
    assert micrometers(text) == pytest.approx(um, rel=1e-12)


@pytest.mark.parametrize("text", ["0", "-0.5", "0,0 µm", "nan", "0.5 furlong", "0.5 Mm", "um",
                                  "0.5 um um", "0.5 mm²", "1e-400 m"])  # fmt: skip
def test_what_is_no_positive_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"length|number"):
        micrometers(text)


def test_pixels_and_frames_of_reference_are_no_lengths() -> None:
    for unit in ("pixel", "Pixels", "reference frame"):
        with pytest.raises(UnitlessError):
            micrometers("1", unit)
        with pytest.raises(UnitlessError):
            micrometers_of(unit)


@pytest.mark.parametrize(("text", "value"), [("20", 20), ("20x", 20), ("20 X", 20), ("40×", 40),
                                             ("20,000000", 20), (2.5, 2.5)])  # fmt: skip
def test_powers(text: object, value: float) -> None:
    assert power(text) == value


@pytest.mark.parametrize("text", ["0", "-20", "x", "20xx", "unknown", "20x/0.8", "nan"])
def test_what_is_no_power_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="power"):
        power(text)
