from pathlib import Path

import pytest

from distill.learning.gather import Curve
from distill.learning.measure import MeasuredCurve, measure_curve
from tests.distill.learning.curves import make_curve


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learning")


@pytest.fixture(scope="session")
def curve(place: Path) -> Curve:
    return make_curve(place)


@pytest.fixture(scope="session")
def measured(curve: Curve) -> MeasuredCurve:
    return measure_curve(curve, "f1")
