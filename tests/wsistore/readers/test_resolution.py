import math

import pytest

from wsistore.errors import ResolutionError
from wsistore.readers import Properties
from wsistore.readers.pixel_size import ObjectivePower, PixelSize
from wsistore.readers.resolution import resolve


def properties(
    x: object = None, y: object = None, power: object = None, *more: PixelSize
) -> Properties:
    stated = PixelSize.read("MPP", x, y)
    sizes = (stated, *more) if stated else more
    return Properties(sizes, ObjectivePower.read("AppMag", power), "generic")


def tag(mpp: float) -> PixelSize:
    return PixelSize.of(f"XResolution = {10000 / mpp:g} per cm", mpp, mpp, printing=True)


def test_order_of_sources() -> None:
    assert resolve(properties(0.25, power=40), 0.5).source == "given"
    assert resolve(properties(0.25, power=40)).source == "file"
    assert resolve(properties(power=40)).mpp == 0.25
    assert resolve(properties(power=40)).source == "objective power"
    assert resolve(properties(0.25, None, None, tag(0.5))).mpp == 0.25


@pytest.mark.parametrize("mpp", [0.00499, 352.8, 0.04, 21])
def test_implausible_values_of_a_file_are_caught(mpp: float) -> None:
    with pytest.raises(ResolutionError, match=f"MPP = {mpp:g}.* implausible .*--mpp"):
        resolve(properties(mpp))
    with pytest.raises(ResolutionError, match="implausible"):
        resolve(Properties((tag(mpp),), None, "generic"))
    with pytest.raises(ResolutionError, match=r"objective power.* implausible .*--mpp"):
        resolve(properties(power=10 / mpp))


@pytest.mark.parametrize("mpp", [28.97, 0.00499])
def test_the_users_word_counts_beyond_the_usual_range(mpp: float) -> None:
    found = resolve(properties(mpp), mpp)
    assert (found.mpp, found.source) == (mpp, "given")
    assert found.warnings == (f"the given {mpp:g} µm/px is outside the usual 0.05 to 20",)
    assert resolve(properties(), 0.5).warnings == ()


@pytest.mark.parametrize("mpp", [0.0, -0.5, math.nan, math.inf])
def test_a_given_value_is_positive_and_finite(mpp: float) -> None:
    with pytest.raises(ResolutionError, match=f"the given {mpp:g} µm/px is not a positive"):
        resolve(properties(0.5), mpp)


def test_contradictions_are_caught_and_a_given_value_settles_them() -> None:
    with pytest.raises(ResolutionError, match=r"MPP = 0\.5\) and its 40× objective disagree"):
        resolve(properties(0.5, power=40))
    with pytest.raises(ResolutionError, match="not square"):
        resolve(properties(0.5, 0.6))
    assert resolve(properties(0.5, power=40), 0.25).mpp == 0.25
    assert resolve(properties(0.26, power=40)).mpp == 0.26


@pytest.mark.parametrize("text", ["0,46,00", "0.46 furlong", "0", "-0.5", "nan", "unknown"])
def test_what_is_there_and_unreadable_is_quoted_and_gives_way_to_the_user_only(text: str) -> None:
    for power in (None, 20):
        with pytest.raises(ResolutionError, match=f"cannot be read \\(MPP = {text}\\).*--mpp"):
            resolve(properties(text, power=power))
    with pytest.raises(ResolutionError, match="cannot be read"):
        resolve(properties(text, None, None, tag(0.46)))
    assert resolve(properties(text, power=20), 0.46).mpp == 0.46


@pytest.mark.parametrize("text", ["0", "none", "20 or 40"])
def test_an_unreadable_power_decides_only_where_nothing_else_does(text: str) -> None:
    with pytest.raises(ResolutionError, match=rf"power cannot be read \(AppMag = {text}\)"):
        resolve(properties(power=text))
    found = resolve(properties(0.5, power=text))
    assert (found.mpp, found.objective_power) == (0.5, None)
    assert found.warnings == (f"its objective power cannot be read (AppMag = {text})",)


def test_sources_that_disagree_by_more_than_two_percent_are_named_with_both_values() -> None:
    assert resolve(properties(0.499, power=20)).warnings == ()
    assert resolve(properties("0,4600", power=20)).warnings == (
        "its 20× objective is nominally 0.5 µm/px, +8.7% from the 0.46 that was taken "
        "(MPP = 0,4600)",
    )
    assert resolve(properties(0.5, None, None, tag(0.52))).warnings == (
        "XResolution = 19230.8 per cm is 0.52 µm/px, +4.0% from the 0.5 that was taken (MPP = 0.5)",
    )
    assert resolve(properties(0.5, None, None, tag(0.505))).warnings == ()
    assert resolve(properties(0.25, power=40), 0.5).warnings == (
        "MPP = 0.25 is 0.25 µm/px, -50.0% from the 0.5 that was taken (the given value)",
        "its 40× objective is nominally 0.25 µm/px, -50.0% from the 0.5 that was taken "
        "(the given value)",
    )


def test_a_printers_resolution_beside_a_vendors_word_says_nothing() -> None:
    assert resolve(properties(0.5, None, None, tag(25400 / 72))).warnings == ()
    (warning,) = resolve(properties(0.5, None, None, tag(0.00499))).warnings
    assert "0.00499 µm/px" in warning


def test_nothing_known_names_the_flag_and_what_gives_no_length() -> None:
    with pytest.raises(ResolutionError, match=r"neither µm per pixel nor objective power; .*--mpp"):
        resolve(properties())
    with pytest.raises(ResolutionError, match=r"\(MPP = 1 pixel gives no length\)"):
        resolve(properties("1 pixel"))
    assert resolve(properties("1 pixel", power=20)).source == "objective power"
