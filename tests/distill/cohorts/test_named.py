"""What NAME=VALUE options say of cohorts."""

from pathlib import Path

import pytest

from distill.cohorts import NamedCohort, named_cohorts
from distill.errors import UsageError


def test_a_cohort_has_what_home_has_unless_something_else_is_said() -> None:
    found = named_cohorts(
        ["b=/data/hospital b", "c=s3:x=y/store"],
        "main",
        "test",
        {"--cohort-split": ["c=all"], "--cohort-calibrate": ["c=val"], "--cohort-subset": []},
    )
    assert found == (
        NamedCohort("b", Path("/data/hospital b"), "main", "test"),
        NamedCohort("c", Path("s3:x=y/store"), "all", "test", "val"),
    )
    given = {"--cohort-embeddings": ["b=emb=1"], "--cohort-subset": ["b=dev"]}
    (one,) = named_cohorts(["b=s"], "main", "test", given)
    assert (one.subset, one.embeddings, one.calibrate) == ("dev", Path("emb=1"), None)


@pytest.mark.parametrize(
    ("stores", "more", "said"),
    [
        (["/data/b"], {}, "--cohort /data/b: give NAME=STORE"),
        (["b="], {}, "--cohort b=: give NAME=STORE"),
        (["b=x", "b=y"], {}, "--cohort: cohort 'b' is named twice"),
        (["home=x"], {}, "--cohort home=x: 'home' cannot name a cohort"),
        (["../b=x"], {}, "'../b' cannot name a cohort"),
        ([".b=x"], {}, "'.b' cannot name a cohort"),
        (["b=x"], {"--cohort-split": ["c=all"]}, "no cohort has that name; there is: b"),
        ([], {"--cohort-split": ["c=all"]}, "no cohort has that name; there is no --cohort"),
        (["b=x"], {"--cohort-subset": ["b"]}, "--cohort-subset b: give NAME=VALUE"),
    ],
)
def test_what_cannot_be_understood_is_refused(
    stores: list[str], more: dict[str, list[str]], said: str
) -> None:
    with pytest.raises(UsageError, match="--cohort") as caught:
        named_cohorts(stores, "main", "test", more)
    assert said in str(caught.value)
