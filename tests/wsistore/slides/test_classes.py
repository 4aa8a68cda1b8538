"""Which classes are told apart: options are read, maps applied and chained."""

import pandas as pd
import pytest

from wsistore.errors import UsageError
from wsistore.slides.classes import ClassMap, parse_classes

KNOWN = {"benign", "lepidic", "acinar", "papillary", "micropapillary", "HER2+", "a=b"}


def parsed(*merge: str, exclude: tuple[str, ...] = ()) -> ClassMap:
    return parse_classes(exclude, merge, KNOWN, "store")


def test_classes_are_left_out_and_taken_together() -> None:
    made = parsed("papillary+micropapillary=papillary", exclude=("benign",))
    assert made == ClassMap(("benign",), {"papillary": ("micropapillary", "papillary")})
    assert [made.of(name) for name in ("benign", "micropapillary", "acinar")] == [
        None, "papillary", "acinar",
    ]  # fmt: skip
    labels = pd.Series(["micropapillary", None, "benign", "new"], dtype=object)
    merged = made.merged(labels)
    assert merged.dropna().tolist() == ["papillary", "benign", "new"]
    assert merged.isna().tolist() == [False, True, False, False]
    assert made.excluded(labels).tolist() == [False, False, True, False]
    assert ClassMap.from_json(made.to_json()) == made
    assert made.text == "classes left out: benign; papillary = micropapillary + papillary"
    assert not ClassMap()


@pytest.mark.parametrize(
    ("text", "name", "parts"),
    [
        ("lepidic+acinar=low grade", "low grade", ("acinar", "lepidic")),
        ("HER2++lepidic=x", "x", ("HER2+", "lepidic")),
        ("a=b + acinar = y", "y", ("a=b", "acinar")),
        ("acinar=Acinar", "Acinar", ("acinar",)),
        ("lepidic+acinar=c=d", "c=d", ("acinar", "lepidic")),
    ],
)
def test_names_may_hold_what_joins_them(text: str, name: str, parts: tuple[str, ...]) -> None:
    assert parsed(text).merge == {name: parts}


@pytest.mark.parametrize(
    ("exclude", "merge", "message"),
    [
        (("Benign",), (), r"--exclude-class: .* 'Benign' \(classes: .*\); did you mean 'benign'"),
        (("oncocytic",), (), "no crop of store is of class 'oncocytic'"),
        ((), ("lepidic+papilary=x",), "class 'papilary' .* did you mean 'papillary'"),
        ((), ("lepidic+acinar",), "as A\\+B=C"),
        ((), ("lepidic+acinar=",), "as A\\+B=C"),
        ((), ("lepidic+lepidic=x",), "names a class twice"),
        (("lepidic",), ("lepidic+acinar=x",), "name class 'lepidic' more than once"),
        ((), ("lepidic+acinar=x", "acinar+papillary=y"), "'acinar' more than once"),
        ((), ("lepidic=x", "acinar=x"), "all classes of 'x' in one --merge"),
        ((), ("lepidic+acinar=papillary",), "name it too"),
        (("benign",), ("lepidic+acinar=benign",), "makes class 'benign', which --exclude-class"),
        ((), ("lepidic=acinar", "acinar=x"), "makes class 'acinar', and another takes it away"),
    ],
)
def test_what_contradicts_itself_or_is_not_there_is_refused(
    exclude: tuple[str, ...], merge: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        parse_classes(exclude, merge, KNOWN, "store")


def test_a_text_of_two_readings_is_refused() -> None:
    with pytest.raises(UsageError, match="can be read in 2 ways"):
        parse_classes((), ("a+b+c=x",), {"a", "b+c", "a+b", "c"}, "store")


def test_a_map_after_a_map_takes_labels_of_before_and_between() -> None:
    first = ClassMap(("e",), {"ab": ("a", "b")})
    both = first.then(ClassMap(("f",), {"abc": ("ab", "c")}))
    assert both == ClassMap(("e", "f"), {"abc": ("a", "ab", "b", "c")})
    assert first.then(ClassMap(("ab",))) == ClassMap(("a", "ab", "b", "e"))
    named = ClassMap((), {"a": ("a", "b")})
    assert named.then(ClassMap()) == ClassMap().then(named) == named
    for label in "abcdef":
        between = first.of(label)
        other = ClassMap((), {"x": ("d", "ab")})
        assert first.then(other).of(label) == (None if between is None else other.of(between))
