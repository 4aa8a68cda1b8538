import hashlib
import json
from pathlib import Path

import pytest

from tests.wsistore.split.cohorts import cohort, write_store
from wsistore.errors import StoreError, UsageError
from wsistore.split import (
    Record,
    SplitRequest,
    changed_since,
    check_split,
    checkable,
    make_split,
    read_record,
    read_tables,
    save_split,
    save_splits,
)

CROPS = cohort({"a": 6, "b": 6})
FOLDS = SplitRequest(folds=3)


def files(store: Path) -> list[str]:
    return sorted(path.name for path in (store / "splits").iterdir())


def save(store: Path, name: str, request: SplitRequest, overwrite: bool = False) -> None:
    save_splits(store, name, make_split(CROPS, request), Record(request), overwrite)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    save(tmp_path, "main", SplitRequest(seed=3))
    assert files(tmp_path) == ["main.csv", "main.json"]
    written = json.loads((tmp_path / "splits" / "main.json").read_text())
    digest = hashlib.sha256((tmp_path / "splits" / "main.csv").read_bytes()).hexdigest()
    assert written == {
        "version": "0.1.0",
        "request": SplitRequest(seed=3).to_json(),
        "classes": {"exclude": [], "merge": {}},
        "source": {},
        "files": {"main.csv": digest},
    }
    record = read_record(tmp_path, "main")
    assert record is not None
    assert record.request == SplitRequest(seed=3)
    (table,) = read_tables(tmp_path, "main").values()
    (made,) = make_split(CROPS, SplitRequest(seed=3)).values()
    assert table.equals(made.astype(table.dtypes.to_dict()))


def test_folds_are_one_split_each_with_one_record(tmp_path: Path) -> None:
    save(tmp_path, "cv", FOLDS)
    assert files(tmp_path) == ["cv-0.csv", "cv-1.csv", "cv-2.csv", "cv.json"]
    assert list(read_tables(tmp_path, "cv")) == ["-0", "-1", "-2"]
    assert checkable(tmp_path) == ["cv"]


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    save(tmp_path, "cv", FOLDS)
    before = {name: (tmp_path / "splits" / name).read_bytes() for name in files(tmp_path)}
    for name, request in (("cv", SplitRequest()), ("cv", FOLDS), ("cv", SplitRequest(folds=4))):
        with pytest.raises(UsageError, match="exists; choose another --name or give --overwrite"):
            save(tmp_path, name, request)
    with pytest.raises(UsageError, match="is a fold of split 'cv'"):
        save(tmp_path, "cv-1", SplitRequest(), overwrite=True)
    (leaking,) = make_split(CROPS, SplitRequest()).values()
    leaking.loc[leaking["patient"].duplicated(), "subset"] = "other"
    with pytest.raises(UsageError, match="would be in two subsets of 'new'"):
        save_split(tmp_path, "new", leaking)
    assert {name: (tmp_path / "splits" / name).read_bytes() for name in files(tmp_path)} == before


def test_an_overwritten_split_leaves_no_old_files(tmp_path: Path) -> None:
    save(tmp_path, "cv", SplitRequest(folds=5))
    save(tmp_path, "cv", FOLDS, overwrite=True)
    assert files(tmp_path) == ["cv-0.csv", "cv-1.csv", "cv-2.csv", "cv.json"]
    save(tmp_path, "cv", SplitRequest(), overwrite=True)
    assert files(tmp_path) == ["cv.csv", "cv.json"]
    (table,) = make_split(CROPS, SplitRequest(seed=1)).values()
    save_split(tmp_path, "cv", table, overwrite=True)
    assert files(tmp_path) == ["cv.csv"]


def test_changes_since_are_noticed(tmp_path: Path) -> None:
    save(tmp_path, "main", SplitRequest())
    path = tmp_path / "splits" / "main.csv"
    assert changed_since(tmp_path, "main") == []
    path.write_text(path.read_text() + "\n")
    assert [place.folder for place in changed_since(tmp_path, "main")] == [path]
    path.unlink()
    assert [place.folder for place in changed_since(tmp_path, "main")] == [path]


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    save(tmp_path, "main", SplitRequest())
    (tmp_path / "splits" / "main.json").write_text('{"request": {"dev": -3, "aux": []}}')
    with pytest.raises(StoreError, match=r"main\.json: is no record of a split"):
        read_record(tmp_path, "main")
    assert [fault.kind for fault in check_split(tmp_path, "main", CROPS)] == ["record"]


def test_checks_name_the_file(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", CROPS)
    save(store, "cv", FOLDS)
    assert check_split(store, "cv", CROPS) == []
    one = store / "splits" / "cv-1.csv"
    rows = one.read_text().splitlines(keepends=True)
    one.write_text("".join(rows[:1] + rows[2:]))
    texts = [fault.text for fault in check_split(store, "cv", CROPS)]
    assert len(texts) == 1
    assert texts[0].startswith(f"{one}: patient ")
    assert rows[1].split(",")[0] in texts[0]
    one.write_bytes((store / "splits" / "cv-0.csv").read_bytes())
    assert {fault.kind for fault in check_split(store, "cv", CROPS)} == {"fold"}
    one.unlink()
    assert [fault.kind for fault in check_split(store, "cv", CROPS)] == ["file"]
    assert [fault.kind for fault in check_split(store, "nothing", CROPS)] == ["file"]


def test_an_edited_split_whose_rows_are_longer_than_its_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "splits" / "main.csv"
    path.parent.mkdir()
    path.write_text("crop,slide,patient,label,subset\ns1/0,s1,p1,a,train,\ns2/0,s2,p2,a,test,\n")
    with pytest.raises(StoreError, match=r"main\.csv: its rows have more cells than its header"):
        read_tables(tmp_path, "main")
