import pytest

from wsistore.errors import ResolutionError
from wsistore.readers import Properties
from wsistore.resolution import resolve


def properties(
    x: float | None = None, y: float | None = None, power: float | None = None
) -> Properties:
    return Properties(x, y if y is not None else x, power, "generic")


def test_order_of_sources() -> None:
    assert resolve(properties(0.25, power=40), 0.5).source == "given"
    assert resolve(properties(0.25, power=40)).source == "file"
    assert resolve(properties(power=40)).mpp == 0.25
    assert resolve(properties(power=40)).source == "objective power"


@pytest.mark.parametrize("mpp", [0.00499, 352.8, 0.04, 21])
def test_implausible_values_are_caught_wherever_they_come_from(mpp: float) -> None:
    with pytest.raises(ResolutionError, match="--mpp"):
        resolve(properties(mpp))
    with pytest.raises(ResolutionError, match="given"):
        resolve(properties(0.5), mpp)


def test_contradictions_are_caught_and_a_given_value_settles_them() -> None:
    with pytest.raises(ResolutionError, match="40× objective disagree"):
        resolve(properties(0.5, power=40))
    with pytest.raises(ResolutionError, match="not square"):
        resolve(properties(0.5, 0.6))
    assert resolve(properties(0.5, power=40), 0.25).mpp == 0.25
    assert resolve(properties(0.26, power=40)).mpp == 0.26


def test_nothing_known_names_the_flag() -> None:
    with pytest.raises(ResolutionError, match="--mpp"):
        resolve(properties())
