"""The paper's sets (section 4.2, Table 2) on a cohort of the paper's size."""

from dataclasses import replace

import pandas as pd
import pytest

from tests.wsistore.split.cohorts import CELIAC, cohort, patients_of
from wsistore.split import SplitRequest, faults, make_split, rows_of, set_names

SETS = {"train": 210, "val": 45, "test": 45, "dev": 60, "ADv1": 300, "ADv2": 1004}


@pytest.fixture(scope="module")
def crops() -> pd.DataFrame:
    return cohort(CELIAC)


def test_the_celiac_scheme_uses_all_1364_patients(crops: pd.DataFrame) -> None:
    assert crops["patient"].nunique() == 1364
    request = SplitRequest(patients_per_class=100, dev=20, aux=(300, 1004))
    (split,) = make_split(crops, request).values()
    assert set_names(split) == tuple(SETS)
    assert {name: rows_of(split, name)["patient"].nunique() for name in SETS} == SETS
    assert set(split["crop"]) == set(crops["crop"])
    for label in CELIAC:
        mine = split[split["label"] == label]
        wanted = {"train": 70, "val": 15, "test": 15, "dev": 20}
        assert {
            name: mine["patient"][mine["subset"] == name].nunique() for name in wanted
        } == wanted
    assert patients_of(split, "aux1") <= set(rows_of(split, "ADv2")["patient"])
    assert rows_of(split, "ADv2")["label"].isna().all()
    assert faults(split, crops) == []


def test_adv1_meets_the_classes_as_the_rest_of_the_cohort_has_them(crops: pd.DataFrame) -> None:
    """The paper's ADv1 had about 284, 4 and 12 patients of the 948, 8 and 48 that were left."""
    request = SplitRequest(patients_per_class=100, dev=20, aux=(300, 1004))
    adv1 = [
        patients_of(split, "aux1")
        for seed in range(5)
        for split in make_split(crops, replace(request, seed=seed)).values()
    ]
    mean = {label: sum(p.startswith(label) for s in adv1 for p in s) / 5 for label in CELIAC}
    assert mean == {
        "celiac sprue": pytest.approx(300 * 48 / 1004, abs=5),
        "non-specific duodenitis": pytest.approx(300 * 8 / 1004, abs=2),
        "normal": pytest.approx(300 * 948 / 1004, abs=6),
    }
