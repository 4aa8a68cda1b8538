"""Leave one site out, as it is typed and from the labels table on."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

import wsistore
from tests.wsistore.build.test_builder import flat_slide
from tests.wsistore.split.cohorts import cohort, patients_of
from wsistore.cli.main import main
from wsistore.errors import UsageError
from wsistore.split import SplitRequest, extend_split, make_split, site_faults, site_names
from wsistore.split.fold_names import families
from wsistore.tables.index import read_records

SITES = ("Altstadt", "Dorf", "Ünterberg")


def crops_of_sites(sites: tuple[str, ...] = SITES, per_site: int = 4) -> pd.DataFrame:
    """Crops of two classes in every site; all slides of a patient are of one."""
    size = len(sites) * per_site
    crops = cohort({"a": size, "b": size})
    number = crops["patient"].str[1:].astype(int)
    return crops.assign(site=[sites[n % len(sites)] for n in number], fingerprint="")


def request(sites: tuple[str, ...] = SITES, fold_val: bool = True) -> SplitRequest:
    return SplitRequest(folds=len(sites), sites=sites, fold_val=fold_val)


def test_each_fold_tests_on_all_patients_of_one_site() -> None:
    crops = crops_of_sites()
    assert site_names(crops) == SITES
    tables = make_split(crops, request())
    assert list(tables) == ["-0", "-1", "-2"]
    for number, (table, site) in enumerate(zip(tables.values(), SITES, strict=True)):
        assert patients_of(table, "test") == set(crops["patient"][crops["site"] == site])
        following = SITES[(number + 1) % 3]
        assert patients_of(table, "val") == set(crops["patient"][crops["site"] == following])
        assert len(table) == len(crops)
    assert site_faults(tables, crops, SITES) == []
    moved = crops.assign(site=crops["site"].replace("Dorf", "Altstadt"))
    texts = [fault.text for fault in site_faults(tables, moved, SITES)]
    assert len(texts) == len(patients_of(tables["-1"], "test"))
    assert "of site 'Altstadt' is tested in -1, the fold of 'Dorf'" in texts[0]


def test_new_patients_go_to_the_fold_of_their_site() -> None:
    old, crops = crops_of_sites(per_site=3), crops_of_sites()
    tables = make_split(old, request())
    extended = extend_split(crops, tables, request())
    assert {k: patients_of(t, "test") for k, t in extended.items()} == {
        k: patients_of(t, "test") for k, t in make_split(crops, request()).items()
    }
    strange = crops.assign(site=crops["site"].where(crops["patient"] != "a11", "Neustadt"))
    with pytest.raises(UsageError, match="site 'Neustadt' of patient 'a11' has no fold"):
        extend_split(strange, tables, request())
    moved = crops.assign(site=crops["site"].where(crops["patient"] != "a0", "Dorf"))
    with pytest.raises(UsageError, match="patient 'a0' is of site 'Dorf' now"):
        extend_split(moved, tables, request())


def test_what_cannot_be_left_out_is_refused() -> None:
    crops = crops_of_sites()
    two = crops.copy()
    slide = two["slide"][two["patient"] == two.groupby("patient")["slide"].nunique().idxmax()].min()
    patient = two["patient"][two["slide"] == slide].iloc[0]
    two.loc[two["slide"] == slide, "site"] = "Neustadt"
    with pytest.raises(UsageError, match=f"'{patient}' has slides of two sites, 'Neustadt'"):
        site_names(two)
    with pytest.raises(UsageError, match=r"no slide of the store has a site; .*'wsistore label"):
        site_names(crops.assign(site=""))
    with pytest.raises(UsageError, match=f"slide {slide} has no site; correct"):
        site_names(crops.assign(site=crops["site"].where(crops["slide"] != slide, "")))
    with pytest.raises(UsageError, match="no crop has a label"):
        site_names(crops.assign(label=np.nan))
    lopsided = crops[(crops["label"] == "b") | crops["site"].isin(["Dorf", "Ünterberg"])]
    with pytest.raises(UsageError, match="site 'Dorf' would train without class 'a'"):
        make_split(lopsided, request())
    assert len(make_split(lopsided, request(fold_val=False))) == 3


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"sites": SITES[:2], "folds": 2}, r"too few sites \(Altstadt, Dorf\); it takes three"),
        ({"sites": SITES, "folds": 3, "dev": 2}, "drop --dev"),
        ({"sites": SITES, "folds": 3, "repeats": 2, "aux": (3,)}, "drop --repeats and --aux"),
        ({"sites": SITES, "folds": 4}, "4 folds cannot test on 3 sites"),
        ({"repeats": 2}, "--repeats 2: give a number of times, and --folds"),
    ],
)
def test_contradictions_are_refused(asked: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SplitRequest(**asked)  # type: ignore[arg-type]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_sites_come_from_the_labels_table(tmp_path: Path) -> None:
    (tmp_path / "slides").mkdir()
    rows = []
    for number in range(6):
        flat_slide(tmp_path / "slides" / f"s{number}.tiff", size=1024 + 16 * number)
        rows.append(f"s{number},p{number},{'xy'[number % 2]}")
    plain, table = tmp_path / "plain.csv", tmp_path / "sites.csv"
    plain.write_text("\n".join(["slide,patient,label", *rows]))
    places = [f"{row},{SITES[n // 2]}" for n, row in enumerate(rows)]
    table.write_text("\n".join(["slide,patient,label,site", *places]))
    built = ("build", tmp_path / "slides", "--levels", "5x", "--workers", 1, "--out")
    store, direct = tmp_path / "store", tmp_path / "direct"
    assert run(*built, store, "--labels", plain).exit_code == 0
    assert "site" not in (store / "slides.csv").read_text().splitlines()[0]
    assert "site" not in (store / "slides" / "s0" / "zarr.json").read_text()
    refused = run("split", store, "--name", "cv", "--by-site")
    assert (refused.exit_code, "run 'wsistore label" in refused.output) == (2, True)
    changed = run("label", store, "--labels", table)
    assert "s0.tiff: site '(none)' → 'Altstadt'; 0 crops" in changed.output
    assert changed.exit_code == 0
    # the store is the one that a build with that table makes
    assert run(*built, direct, "--labels", table).exit_code == 0
    for name in ("slides.csv", "crops.csv", "slides/s3/zarr.json"):
        assert (store / name).read_bytes() == (direct / name).read_bytes()
    assert run(*built, store, "--labels", table).output.count("stored before") == 6
    assert run(*built, store, "--labels", plain).output.count("stored before") == 6
    # a table without the column says nothing of sites
    assert run("label", store, "--labels", plain).output.endswith("0 slides changed, 0 crops\n")
    assert read_records(store)["s5"].slide.site == "Ünterberg"
    made = run("split", store, "--name", "cv", "--by-site")
    assert made.exit_code == 0, made.output
    assert "cv-2 tests on site Ünterberg" in made.output
    assert set(wsistore.open(store).subset("cv-2", "test")["patient"]) == {"p4", "p5"}
    request = json.loads((store / "splits" / "cv.json").read_text())["request"]
    assert (request["sites"], request["folds"]) == (list(SITES), 3)
    assert run("split", store, "--check").exit_code == 0
    assert run("verify", store).exit_code == 0
    table.write_text(table.read_text().replace("p5,y,Ünterberg", "p5,y,Dorf"))
    assert run(*built, store, "--labels", table).exit_code == 1
    unfit = run("label", store, "--labels", table)
    assert unfit.exit_code == 1
    assert "patient 'p5' of site 'Dorf' is tested in cv-2, the fold of 'Ünterberg'" in unfit.output
    assert "cv: patient 'p5' of site" in run("split", store, "--check", "--name", "cv").output
    assert "patient 'p5' of site 'Dorf' is tested" in run("verify", store).output


def test_drawing_and_sites_do_not_go_together(tmp_path: Path) -> None:
    from tests.wsistore.split.cohorts import write_store

    store = write_store(tmp_path / "store", cohort({"a": 4, "b": 4}))
    result = run("split", store, "--name", "x", "--by-site", "--folds", 3, "--seed", 0)
    assert (result.exit_code, "drop --folds and --seed" in result.output) == (2, True)


def test_names_that_a_fold_may_belong_to() -> None:
    assert families("main") == ()
    assert families("cv-1") == ("cv",)
    assert families("cv-r0-1") == ("cv-r0", "cv")
