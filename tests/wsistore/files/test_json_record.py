"""A record whose values are of other types is refused, never taken for another one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from wsistore.files.json_record import json_record, json_value
from wsistore.files.parsing import ParseError


@dataclass(frozen=True)
class Inner:
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str
    count: int
    sure: bool
    sizes: tuple[int, ...]
    inner: Inner
    spare: str | None = None
    sums: Mapping[str, float] = field(default_factory=dict)
    other: dict[str, Any] = field(default_factory=dict)


WHOLE = {"name": "a", "count": 2, "sure": True, "sizes": [1, 2], "inner": {"share": 1}}


def test_a_whole_record_is_the_dataclass() -> None:
    assert json_record(Outer, WHOLE) == Outer("a", 2, True, (1, 2), Inner(1))
    more = {**WHOLE, "spare": None, "sums": {"x": 0.5}, "other": {"y": [None]}}
    found = json_record(Outer, more)
    assert (found.spare, found.sums, found.other) == (None, {"x": 0.5}, {"y": [None]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": 3}, "the record's name is 3, not a text"),
        ({"name": None}, "the record's name is null, not a text"),
        ({"count": True}, "the record's count is true, not a whole number"),
        ({"count": 1.0}, r"the record's count is 1\.0, not a whole number"),
        ({"sure": 1}, "the record's sure is 1, not true or false"),
        ({"sizes": "12"}, "the record's sizes is a text, not a list"),
        ({"sizes": [1, "2"]}, "an item of the record's sizes is a text, not a whole number"),
        ({"inner": []}, "the record's inner is a list, not an object"),
        ({"inner": {"share": "1"}}, "the record's inner's share is a text, not a number"),
        ({"inner": {"share": 10**400}}, "the record's inner's share is larger than any number"),
        ({"inner": {"part": 1}}, "the record's inner has the unknown part"),
        ({"sums": {"x": [1]}}, "the record's sums's 'x' is a list, not a number"),
        ({"sums": "x"}, "the record's sums is a text, not an object"),
        ({"spare": {}}, "the record's spare is an object, not a text"),
        ({"more": 1}, "the record has the unknown more"),
    ],
)
def test_each_other_type_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ParseError, match=f"^{said}"):
        json_record(Outer, {**WHOLE, **change})


def test_what_lacks_a_field_or_is_no_object_is_named() -> None:
    with pytest.raises(ParseError, match="the record lacks count and inner"):
        json_record(Outer, {key: WHOLE[key] for key in ("name", "sure", "sizes")})
    for value in (None, [], "x", 3):
        with pytest.raises(ParseError, match=r"^it is .*, not an object$"):
            json_record(Outer, value, "it")


def test_a_pair_has_two_items() -> None:
    assert json_value(tuple[int, str], [1, "a"], "it") == (1, "a")
    with pytest.raises(ParseError, match="it has 1 items, not 2"):
        json_value(tuple[int, str], [1], "it")
