import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsistore.errors import ResolutionError, UsageError
from wsistore.levels.magnification import level_name, levels_of, nominal_mpp, parse_levels


def test_names_have_one_spelling() -> None:
    assert [level_name(t) for t in ("10x", "10", "2.50X", " 0.625 × ", ".625x")] == [
        "10x", "10x", "2.5x", "0.625x", "0.625x",
    ]  # fmt: skip
    assert parse_levels("1.25x,10x,5x") == ("10x", "5x", "1.25x")


@pytest.mark.parametrize("text", ["", "0x", "-5x", "ten", "5x,5.0x", "5xx"])
def test_bad_levels_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_levels(text)


def test_the_cmu_slide() -> None:
    levels = levels_of(0.499, ("10x", "5x", "2.5x", "1.25x", "0.625x"))
    assert [level.factor for level in levels] == [2, 4, 8, 16, 32]
    assert levels[0].mpp == pytest.approx(0.998)
    assert levels[0].deviation == pytest.approx(-0.002)


def test_too_coarse_slides_name_the_flag() -> None:
    with pytest.raises(ResolutionError, match="--levels"):
        levels_of(2.5, ("10x",))
    with pytest.raises(ResolutionError, match="one factor"):
        levels_of(1.9, ("10x", "5x"))


def test_exact_scales_take_fractional_factors() -> None:
    level, coarse = levels_of(0.2527, ("10x", "0.625x"), exact=True)
    assert (level.mpp, coarse.mpp) == (1.0, 16.0)
    assert level.factor == pytest.approx(1 / 0.2527)
    assert level.deviation == 0
    with pytest.raises(ResolutionError, match="too coarse"):
        levels_of(0.5031, ("20x",), exact=True)


@given(st.floats(0.05, 1.0), st.sampled_from(["10x", "5x", "2.5x", "1.25x", "0.625x"]))
def test_factor_is_nearest(mpp: float, name: str) -> None:
    (level,) = levels_of(mpp, [name])
    assert abs(level.factor - nominal_mpp(name) / mpp) <= 0.5 + 1e-12
    assert level.mpp == level.factor * mpp
