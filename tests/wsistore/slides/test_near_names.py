import unicodedata

import pytest

from wsistore.slides.near_names import file_key, key, quoted, similar_names

CAFE = "Café"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Normal", "normal"), ("low grade", "low_grade"), ("low-grade", "Low  Grade"),
        ("P01", "P1"), ("p 7", "P007"), ("tumour\u200b", "tumour"), ("a\u00a0b", "a b"),
        (CAFE, unicodedata.normalize("NFD", CAFE)), ("straße", "STRASSE"), ("１２", "12"),
    ],
)  # fmt: skip
def test_what_people_may_mean_as_one(one: str, other: str) -> None:
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("ER+", "ER-"), ("1-12", "11-2"), ("P1", "P10"), ("01", "10"), ("grade 1", "grade 2"),
     ("TCGA-02-0010", "TCGA-020-010"), ("?", "-")],
)  # fmt: skip
def test_what_nobody_means_as_one(one: str, other: str) -> None:
    assert key(one) != key(other)


def test_a_file_is_known_without_folder_and_extensions() -> None:
    assert {file_key(name) for name in ("a/S-1.svs", "S1", "s1.ome.tiff", r"x\S1.NDPI")} == {"s1"}
    # what only looks like an extension is part of the name
    assert file_key("1.2.840") != file_key("1.2")


def test_groups_are_of_different_names() -> None:
    assert similar_names(["b", "A", "a", "a", "B ", "c"]) == [("A", "a"), ("B ", "b")]
    assert quoted(unicodedata.normalize("NFD", CAFE), CAFE).endswith(
        "(the same letters, coded otherwise)"
    )
    assert quoted("a", "A") == "'a'"
