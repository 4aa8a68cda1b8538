"""Rules of operating points as text."""

import pytest

from distill.evaluation.operating_rule import OperatingRule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("sensitivity=0.95", OperatingRule("sensitivity", 0.95)),
        ("specificity=1", OperatingRule("specificity", 1.0)),
        ("sensitivity=.123456789012345", OperatingRule("sensitivity", 0.123456789012345)),
        ("youden", OperatingRule("youden")),
    ],
)
def test_a_rule_is_read_and_written_back(text: str, rule: OperatingRule) -> None:
    assert OperatingRule.parse(text) == rule
    assert OperatingRule.parse(str(rule)) == rule
    assert str(OperatingRule.parse("specificity=1.0")) == "specificity=1"


@pytest.mark.parametrize("text", ["", "sens=0.9", "youden=1", "sensitivity", "0.95", "f1=0.9"])
def test_what_names_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no rule; give sensitivity=0\.95"):
        OperatingRule.parse(text)


@pytest.mark.parametrize("value", ["", "95", "0", "-0.1", "nan", "inf", "95%", "1.0001", "x"])
def test_what_is_no_fraction_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"as a fraction of 1, such as specificity=0\.95"):
        OperatingRule.parse(f"specificity={value}")


def test_a_rule_says_what_it_chooses() -> None:
    words = OperatingRule.parse("sensitivity=0.95").words
    assert words == "the highest specificity at a sensitivity of at least 95 %"
    assert "highest sensitivity" in OperatingRule.parse("specificity=0.9").words
    assert OperatingRule.parse("youden").words == "the largest sensitivity + specificity"
