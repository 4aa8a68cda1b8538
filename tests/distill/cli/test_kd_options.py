"""An option of distillation that could do nothing is refused, or said to do nothing."""

import json
from pathlib import Path

import pytest

from distill.kd.settings import Criterion
from tests.distill.commands import QUICK, distill, done


@pytest.fixture(scope="module")
def teacher(wide_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("teacher") / "run"
    done("train", "teacher", wide_store, "--level", "10x", "--out", out, *QUICK)
    return out


@pytest.mark.parametrize(
    ("weight", "option", "value"),
    [
        ("--soft-weight", "--temperature", 2),
        ("--soft-weight", "--temperature", Criterion().temperature),
        ("--pixel-weight", "--resize", "max"),
        ("--pixel-weight", "--pixel-distance", "l1"),
    ],
)
def test_an_option_of_a_part_without_weight_is_refused(
    weight: str, option: str, value: object, wide_store: Path, teacher: Path, tmp_path: Path
) -> None:
    words = ("train", "kd", wide_store, "--teacher", teacher, "--level", "2.5x", *QUICK)
    out = tmp_path / "run"
    result = distill(*words, "--out", out, weight, 0, option, value)
    assert result.exit_code == 2
    assert f"{option} has no effect with {weight} 0; leave it out" in result.output
    assert not out.exists()


def test_what_a_preset_says_of_a_part_without_weight_is_no_mistake(
    wide_store: Path, teacher: Path, tmp_path: Path
) -> None:
    words = ("train", "kd", wide_store, "--teacher", teacher, "--level", "2.5x")
    done(*words, "--out", tmp_path / "run", "--preset", "dipalma2021", *QUICK, "--pixel-weight", 0)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["preset_departures"]["pixel_weight"] == {"preset": 1.0, "used": 0.0}


def test_attention_between_maps_of_one_cell_is_said_to_do_nothing(
    real_store: Path, wide_store: Path, tmp_path: Path
) -> None:
    """Crops of `real_store` have up to 32 pixels a side at 2.5×, those of `wide_store` more."""
    for store, one_cell in ((real_store, True), (wide_store, False)):
        place = tmp_path / store.parent.name
        done("train", "teacher", store, "--level", "10x", "--out", place / "teacher", *QUICK)
        words = ("train", "kd", store, "--teacher", place / "teacher", "--level", "2.5x", *QUICK)
        both = done(*words, "--attention-weight", 1, "--out", place / "both")
        said = "--attention-weight has no effect: no train crop has more than 32 pixels a side"
        assert (said in both.output) == one_cell
        alone = (*words, "--attention-weight", 1, "--soft-weight", 0, "--pixel-weight", 0)
        result = distill(*alone, "--out", place / "alone")
        assert result.exit_code == (2 if one_cell else 0), result.output
        refused = "--attention-weight alone teaches nothing: no train crop has more than 32 pixels"
        assert (refused in result.output) == one_cell
        assert (place / "alone").exists() != one_cell
