"""Files that users write: labels, splits of one's own, drawn regions, experiments."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import tifffile

from distill.cli.experiment.config import read as read_experiment
from distill.cli.main import main as distill
from tests.behavior.fuzzing.case import Target
from tests.behavior.fuzzing.commands import speaks, succeeds
from tests.behavior.fuzzing.slides import DRAWN, stored
from tests.behavior.fuzzing.stores import small_store
from wsistore.annotations.source import read_annotations
from wsistore.cli.main import main as wsistore
from wsistore.slides.labels import read_labels

LABELS = "slide,patient,label,mpp\na,P0,adenoma,0.5\nb.tif,P2,Karzinom (G2),\nc,00123,NA,0.5\n"
OWN = "slide,patient,subset\na,p0,train\nb,p1,val\nc,p2,test\n"
RING = [[10, 10], [150, 12.5], [140, 130], [20, 120], [10, 10]]
HOLE = [[40, 40], [60, 40], [60, 60], [40, 60], [40, 40]]
TRIANGLE = [[9, 9], [9, 30], [30, 9], [9, 9]]
GEOJSON = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [RING, HOLE]},
            "properties": {
                "objectType": "annotation", "name": "one", "isLocked": False,
                "classification": {"name": "Tumor", "color": [200, 0, 0]},
            },
        },
        {
            "type": "Feature",
            "geometry": {"type": "MultiPolygon", "coordinates": [[HOLE], [TRIANGLE]]},
            "properties": {"classification": {"name": "Stroma"}},
        },
    ],
}  # fmt: skip
ASAP = """<?xml version="1.0"?>
<ASAP_Annotations>
  <Annotations>
    <Annotation Name="one" Type="Polygon" PartOfGroup="tumor" Color="#F4FA58">
      <Coordinates>
        <Coordinate Order="0" X="10" Y="10"/>
        <Coordinate Order="1" X="150" Y="12.5"/>
        <Coordinate Order="2" X="140" Y="130"/>
      </Coordinates>
    </Annotation>
  </Annotations>
  <AnnotationGroups><Group Name="tumor" PartOfGroup="None" Color="#64FE2E"/></AnnotationGroups>
</ASAP_Annotations>
"""
APERIO = """<?xml version="1.0" encoding="UTF-8"?>
<Annotations MicronsPerPixel="0.5">
  <Annotation Id="1" Name="" Type="4" LineColor="65280">
    <Attributes><Attribute Name="Tumor" Id="0" Value=""/></Attributes>
    <Regions>
      <RegionAttributeHeaders><AttributeHeader Id="9999" Name="Region"/></RegionAttributeHeaders>
      <Region Id="1" Type="0" Text="Tumor" NegativeROA="0" InputRegionId="0" Analyze="1">
        <Attributes/>
        <Vertices>
          <Vertex X="10" Y="10" Z="0"/><Vertex X="150" Y="12" Z="0"/><Vertex X="140" Y="130" Z="0"/>
        </Vertices>
      </Region>
      <Region Id="2" Type="1" NegativeROA="0">
        <Vertices><Vertex X="20" Y="20"/><Vertex X="90" Y="80"/></Vertices>
      </Region>
    </Regions>
    <Plots/>
  </Annotation>
</Annotations>
"""
HALO = """<Annotations>
  <Annotation Name="Tumor" Visible="True" LineColor="65280">
    <Regions>
      <Region Type="Polygon" HasEndcaps="0" NegativeROA="0">
        <Vertices><V X="10" Y="10"/><V X="150" Y="12"/><V X="140" Y="130"/></Vertices>
        <Comments/>
      </Region>
      <Region Type="Ellipse" HasEndcaps="0" NegativeROA="1">
        <Vertices><V X="40" Y="40"/><V X="80" Y="70"/></Vertices>
      </Region>
    </Regions>
  </Annotation>
</Annotations>
"""
EXPERIMENT = """store = "store"
teacher = "10x"
students = ["2.5x"]
split = "main"
subset = "test"
distil_on = ["train"]
seeds = 2
views = 3
finetune = true

[train]
epochs = 2
lr = 0.001

[train.kd]
epochs = 3

[kd.paper]

[kd.soft]
pixel-weight = 0
views = 0

[baseline.long]
epochs = 9

[evaluate]
draws = 100

[report]
margin = 5
"""


def _write_labels(folder: Path) -> None:
    texts = {
        "commas": LABELS.encode(), "semicolons": LABELS.replace(",", ";").encode("utf-8-sig"),
        "tabs": LABELS.replace(",", "\t").encode("utf-16"),
        "windows": LABELS.replace("adenoma", "Präparat").replace("\n", "\r\n").encode("cp1252"),
    }  # fmt: skip
    for name, data in texts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "labels.csv").write_bytes(data)
        small_store(folder / name / "store")


def _answer_labels(folder: Path, rng: random.Random) -> str:
    table = folder / "labels.csv"
    read = repr(dict(read_labels(table)))
    if rng.random() < 0.3:
        speaks(wsistore, "label", folder / "store", "--labels", table)
    return read


def _write_own(folder: Path) -> None:
    (folder / "slides").mkdir(parents=True)
    (folder / "slides" / "own.csv").write_text(OWN)
    small_store(folder / "slides" / "store")


def _answer_own(folder: Path, _: random.Random) -> str:
    succeeds(wsistore, "split", folder / "store", "--name", "own", "--from-csv", folder / "own.csv")
    return (folder / "store" / "splits" / "own.csv").read_text()


def _write_annotations(folder: Path) -> None:
    texts = {
        "QuPath": ("s.geojson", json.dumps(GEOJSON)), "ASAP": ("s.xml", ASAP),
        "Aperio": ("s.xml", APERIO), "HALO": ("s.annotations", HALO),
    }  # fmt: skip
    pixels = np.random.default_rng(0).integers(90, 220, (144, 160, 3), dtype=np.uint8)
    for name, (file, text) in texts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / file).write_text(text)
        tifffile.imwrite(
            folder / name / "s.tif", pixels, tile=(64, 64), photometric="rgb", metadata=None
        )


def _annotation_files(original: Path) -> list[Path]:
    return [path for path in sorted(original.iterdir()) if path.suffix != ".tif"]


def _answer_annotations(folder: Path, _: random.Random) -> str:
    (file,) = _annotation_files(folder)
    read = read_annotations(file.read_bytes(), file.name)
    drawn = [(one.label, one.name, [p[0].tolist() for p in one.polygons]) for one in read.regions]
    return f"{drawn} {stored(folder / 's.tif', folder, DRAWN)}"


def _write_experiments(folder: Path) -> None:
    (folder / "lung").mkdir(parents=True)
    (folder / "lung" / "e.toml").write_text(EXPERIMENT)
    small_store(folder / "lung" / "store")


def _answer_experiment(folder: Path, rng: random.Random) -> str:
    file = folder / "e.toml"
    read = repr(read_experiment(file)).replace(str(folder), "")
    succeeds(distill, "experiment", file, "--out", folder / "out", "--dry-run")
    return read


def table_targets() -> list[Target]:
    """Return what is tried of files that users write."""

    def only(name: str) -> object:
        return lambda original: [original / name]

    return [
        Target("labels", _write_labels, only("labels.csv"), _answer_labels, share=2),  # type: ignore[arg-type]
        Target("own split", _write_own, only("own.csv"), _answer_own),  # type: ignore[arg-type]
        Target(
            "annotations", _write_annotations, _annotation_files, _answer_annotations, share=3,
            opens_slides=True,
        ),
        Target("experiment", _write_experiments, only("e.toml"), _answer_experiment),  # type: ignore[arg-type]
    ]  # fmt: skip
