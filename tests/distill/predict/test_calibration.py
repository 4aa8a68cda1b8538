"""Which temperature is taken, and when none is."""

import json
from pathlib import Path

import pytest

from distill.errors import RunError, UsageError
from distill.predict.calibration import run_calibration
from distill.runs.provenance import sha256
from distill.runs.run import Run
from tests.distill.evaluating import command, make_run, make_store, rows


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an evaluation."""
    folder = tmp_path_factory.mktemp("made")
    store = make_store(folder / "store", rows())
    run = make_run(folder / "run", store)
    assert command(run, store, "--draws", 9).exit_code == 0
    return run


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Run:
    """The same run, elsewhere."""
    import shutil

    return Run.open(shutil.copytree(made, tmp_path / "run"))


def weights(run: Run) -> str:
    return sha256(run.path / "weights.safetensors")


def fitted(run: Run, name: str, temperature: float, **other: object) -> Path:
    """An evaluation of the run by another name, with a temperature."""
    source = run.path / "evaluation" / "main-test" / "metrics.json"
    report = json.loads(source.read_text())
    report["calibration"] = {"subset": "val", "crops": 5, "temperature": temperature}
    file = run.path / "evaluation" / name / "metrics.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({**report, **other}))
    return file


def test_an_evaluation_without_temperature_leaves_probabilities_as_they_are(run: Run) -> None:
    found = run_calibration(run, weights(run))
    assert (found.temperature, found.calibrated) == (1.0, False)
    assert found.said.startswith("not calibrated: the run has no temperature")


def test_the_only_temperature_is_taken_even_from_several_evaluations(run: Run) -> None:
    file = fitted(run, "a-test", 1.7)
    fitted(run, "b-test", 1.7)
    found = run_calibration(run, weights(run))
    assert (found.temperature, found.calibrated, found.file) == (1.7, True, file)
    assert "fitted on 5 val crops (a-test/metrics.json)" in found.said


def test_different_temperatures_have_to_be_chosen_from(run: Run) -> None:
    fitted(run, "a-test", 1.7)
    file = fitted(run, "b-test", 1.8)
    with pytest.raises(UsageError, match="different temperatures; choose one with --calibration"):
        run_calibration(run, weights(run))
    assert run_calibration(run, weights(run), file=file).temperature == 1.8
    assert run_calibration(run, weights(run), given=0.5).temperature == 0.5


def test_a_temperature_of_other_weights_is_never_taken(run: Run) -> None:
    file = fitted(run, "a-test", 1.7, weights_sha256="0" * 64)
    found = run_calibration(run, weights(run))
    assert (found.temperature, found.calibrated) == (1.0, False)
    assert "of its evaluations are of other weights" in found.said
    with pytest.raises(RunError, match="of other weights than the run has now"):
        run_calibration(run, weights(run), file=file)


def test_a_file_without_temperature_or_of_another_kind_is_refused(run: Run) -> None:
    plain = run.path / "evaluation" / "main-test" / "metrics.json"
    with pytest.raises(RunError, match="evaluate with --calibrate"):
        run_calibration(run, weights(run), file=plain)
    with pytest.raises(RunError, match="no evaluation of distill-evaluation"):
        run_calibration(run, weights(run), file=run.path / "weights.json")
    with pytest.raises(UsageError, match="exclude each other"):
        run_calibration(run, weights(run), given=2.0, file=plain)
    said = [run_calibration(run, weights(run), given=value).said for value in (1.0, 2.0)]
    assert said[0] == "not calibrated (--temperature 1)"
    assert said[1].startswith("not calibrated: divided by the temperature 2")
    assert not run_calibration(run, weights(run), given=2.0).calibrated
