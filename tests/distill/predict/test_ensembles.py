"""Ensembles and views on raw slides are those of a store, bit for bit."""

from pathlib import Path

import numpy as np
import pytest

from distill.data.color_statistics import summarize
from distill.evaluation.predictions import Predictions
from distill.runs.ensemble import open_run
from tests.distill.commands import done
from tests.distill.evaluating import strict
from tests.distill.predict.cohort import (
    CLASSES,
    evaluate,
    make_run,
    make_slides,
    make_store,
    predict,
    table,
)
from wsistore.build.settings import BuildSettings

CHANCES = [f"p_{name}" for name in CLASSES]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slides, a store of them, and an ensemble `both` of two runs about two views."""
    folder = tmp_path_factory.mktemp("ensembles")
    slides = make_slides(folder / "slides")
    store = make_store(folder / "store", slides, BuildSettings(("5x", "2.5x", "0.625x")))
    rng = np.random.default_rng(0)
    for name, seed in (("a", 5), ("b", 6)):
        near = rng.normal(size=(20, 6)) * 0.01 + seed
        make_run(folder / name, store, colors=summarize(near).record(), seed=seed)
    make_run(folder / "student", store, "0.625x", seed=8)
    done("ensemble", folder / "a", folder / "b", "--views", 2, "--out", folder / "both")
    return folder


def slides(made: Path) -> list[Path]:
    return sorted((made / "slides").glob("*.svs"))


def assert_same(out: Path, evaluation: Path) -> None:
    for name in ("predictions.csv", "slides.csv"):
        found, wanted = table(out / name), table(evaluation / name)
        assert found[["slide", *CHANCES]].to_csv() == wanted[["slide", *CHANCES]].to_csv()


def test_an_ensemble_predicts_as_it_is_evaluated(made: Path, tmp_path: Path) -> None:
    evaluation = evaluate(made / "both", made / "store")
    result = predict(made / "both", *slides(made), "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert_same(tmp_path / "out", evaluation)
    report = strict(tmp_path / "out" / "predictions.json")
    assert (report["views"], report["mean"], report["epoch"]) == (2, "probabilities", None)
    assert [one["run"] for one in report["members"]] == ["a", "b"]
    assert report["weights_sha256"] == open_run(made / "both").weights_sha256()
    assert len(report["colours"]["threshold"]) == 2  # each member has training slides of its own
    assert all("its colours lie" in " ".join(one["warnings"]) for one in report["slides"])


def test_views_of_one_run_are_asked_for(made: Path, tmp_path: Path) -> None:
    evaluation = evaluate(made / "a", made / "store", "--views", 4)
    result = predict(made / "a", *slides(made), "--views", 4, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert_same(tmp_path / "out", evaluation)
    assert strict(tmp_path / "out" / "predictions.json")["views"] == 4
    assert predict(made / "a", *slides(made), "--out", tmp_path / "plain").exit_code == 0
    assert "views" not in strict(tmp_path / "plain" / "predictions.json")
    names = [tmp_path / one / "predictions.csv" for one in ("out", "plain")]
    assert names[0].read_bytes() != names[1].read_bytes()


def test_an_ensemble_may_be_the_teacher_of_a_deferral(made: Path, tmp_path: Path) -> None:
    evaluation = evaluate(made / "both", made / "store", "--overwrite")
    result = predict(
        made / "student", *slides(made), "--defer-to", made / "both", "--defer-below", "inf",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert_same(tmp_path / "out", evaluation)
    report = strict(tmp_path / "out" / "predictions.json")
    about = report["deferral"]["teacher"]
    assert (about["run"], about["views"], len(about["members"])) == ("both", 2, 2)
    per_crop = strict(evaluation / "metrics.json")["cost"]["gmac_per_crop"]["mean"]
    teacher = [one["deferral"]["gmac"]["teacher"] for one in report["slides"]]
    crops = Predictions.read(evaluation / "predictions.csv").table
    assert sum(teacher) == pytest.approx(per_crop * len(crops))
