"""Stores on a real S3-speaking server, and behind a web server."""

import functools
import http.server
import json
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import s3fs
from click.testing import CliRunner, Result

import wsistore
from tests.wsistore.build.test_builder import flat_slide
from tests.wsistore.s3 import BUCKET, server
from tests.wsistore.same_store import content
from wsistore.build import builder
from wsistore.build.settings import BuildSettings
from wsistore.cli.main import main
from wsistore.storage.base import METADATA
from wsistore.storage.locate import open_root
from wsistore.storage.remote import RemoteRoot

SETTINGS = BuildSettings(("5x", "1.25x"))


@pytest.fixture(scope="module")
def options() -> Iterator[dict[str, str]]:
    with server() as found:
        yield found


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """A place of its own in the bucket."""
    return f"s3://{BUCKET}/{request.node.name}/store"


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("slides")
    for name, size in (("a", 900), ("ab", 1000), ("b", 1100), ("c", 960)):
        flat_slide(folder / f"{name}.tiff", size)
    (folder / "labels.csv").write_text("slide,patient,label\na,1,x\nab,2,x\nb,3,y\nc,4,y\n")
    return sorted(folder.glob("*.tiff"))


@pytest.fixture(scope="module")
def local(slides: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same store in a folder."""
    store = tmp_path_factory.mktemp("local") / "store"
    make(slides, store)
    return store


def make(slides: list[Path], place: Any, overwrite: bool = False) -> list[str]:
    results = builder.build(slides, place, SETTINGS, workers=0, overwrite=overwrite)
    return [f"{r.record.slide.outcome}{' before' * r.stored_before}" for r in results]


def wsi(options: dict[str, str], *arguments: object) -> Result:
    given = [f"--storage-option={key}={value}" for key, value in options.items()]
    return CliRunner().invoke(main, [*map(str, arguments), *given])


def opened(url: str, options: dict[str, str]) -> RemoteRoot:
    place = open_root(url, options)
    assert isinstance(place, RemoteRoot)
    return place


def test_built_and_split_there_and_here_alike(
    slides: list[Path], url: str, options: dict[str, str], tmp_path: Path
) -> None:
    labels = slides[0].with_name("labels.csv")
    here, infos = tmp_path / "store", []
    for place, its, workers in ((here, {}, 1), (url, options, 2)):
        built = wsi(
            its, "build", *slides, "--out", place, "--labels", labels,
            "--levels", "5x,1.25x", "--workers", workers,
        )  # fmt: skip
        assert built.exit_code == 0, built.output
        assert f"{place}: 4 slides (4 ok, 0 empty, 0 failed), 4 crops" in built.output
        halves = ("split", place, "--name", "main", "--fractions", "50/0/50")
        split = wsi(its, *halves)
        assert split.exit_code == 0, split.output
        assert f"{place}/splits/main.csv" in split.output
        assert wsi(its, *halves).exit_code == 2  # a split is not replaced unasked
        folds = ("split", place, "--name", "main", "--folds", "2", "--no-val", "--overwrite")
        assert wsi(its, *folds).exit_code == 0
        assert wsi(its, *halves, "--overwrite").exit_code == 0  # the folds' files go
        assert wsi(its, "split", place, "--check").output == "split main: no faults\n"
        told = wsi(its, "info", place, "--json")
        infos.append({**json.loads(told.output), "store": ""})
        drawn = wsi(its, "preview", place, "--out", tmp_path / f"look{workers}")
        assert drawn.exit_code == 0, drawn.output
    assert infos[0] == infos[1]
    assert (
        wsi(options, "preview", url).output
        == f"Error: {url}: is no folder to write beside; give --out\n"
    )
    there = wsistore.open(url, options)
    assert content(there) == content(here)
    files = {p.relative_to(here).as_posix(): p for p in here.rglob("*") if p.is_file()}
    sizes = opened(url, options).sizes()
    assert sizes == {n: p.stat().st_size for n, p in files.items() if not n.startswith(".")}
    copy = tmp_path / "copy"
    s3fs.S3FileSystem(**options).get(url, str(copy), recursive=True)
    checked = wsi({}, "verify", copy, "--workers", 1)
    assert checked.exit_code == 0, checked.output
    assert there.url == url
    assert not [v for v in options.values() if v in repr(there) + built.output]
    with pytest.raises(wsistore.StoreError, match="is not a folder of this machine"):
        _ = there.path
    with pytest.raises(wsistore.StoreError, match=r"no split 'other' \(it has main\)"):
        there.split("other")


def test_a_second_build_puts_only_what_is_missing(
    slides: list[Path], local: Path, url: str, options: dict[str, str]
) -> None:
    place = opened(url, options)
    assert make(slides[:2], place) == ["ok", "ok"]
    files = s3fs.S3FileSystem(**options, use_listings_cache=False)
    before = stamps(files, url)
    assert make(slides, place) == ["ok before", "ok before", "ok", "ok"]
    after = stamps(files, url)
    assert len(before) == 13  # six a slide, and the group of slides
    assert {name: after[name] for name in before} == before
    assert content(wsistore.open(place)) == content(local)
    assert wsi(options, "build", slides[0], "--out", url, "--levels", "5x").exit_code == 2


def stamps(files: s3fs.S3FileSystem, url: str) -> dict[str, object]:
    """Return when each object below slides/ was put."""
    found = files.find(f"{url.removeprefix('s3://')}/slides", detail=True)
    return {name: entry["LastModified"] for name, entry in found.items()}


def test_what_others_put_and_delete_is_seen(url: str, options: dict[str, str]) -> None:
    place = opened(url, options)
    other = s3fs.S3FileSystem(**options, skip_instance_cache=True)
    for names in (["a"], ["a", "b"], ["b"]):
        for name in "ab":
            if name in names:
                other.pipe_file(f"{url}/{name}/{METADATA}", b"{}")
            elif (place / name / METADATA).exists():
                other.rm_file(f"{url}/{name}/{METADATA}")
        assert place.names() == names
        assert [(place / name).exists() for name in "ab"] == [name in names for name in "ab"]
        assert list(place.sizes()) == [f"{name}/{METADATA}" for name in names]


def test_overwritten_slides_leave_nothing_stale(
    slides: list[Path], url: str, options: dict[str, str], tmp_path: Path
) -> None:
    place = opened(url, options)
    slide = flat_slide(tmp_path / "a.tiff", size=2048)
    for new in (1024, 1500):
        make([slide], place, overwrite=True)
        (place / "slides" / "a" / "7" / METADATA).write_text("of a crop that is no more")
        flat_slide(slide, size=new)
    make([slide], place, overwrite=True)
    make([slide], tmp_path / "store")
    assert content(wsistore.open(place)) == content(tmp_path / "store")
    here = tmp_path / "store" / "slides" / "a"
    names = {p.relative_to(here).as_posix() for p in here.rglob("*") if p.is_file()}
    assert set((place / "slides" / "a").sizes()) == names


def failing_after(puts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file system put so many files and fail from then on."""
    original = s3fs.S3FileSystem._put_file
    left = iter(range(puts))

    async def put(self: Any, *arguments: Any, **more: Any) -> None:
        if next(left, None) is None:
            raise PermissionError("Access Denied")
        await original(self, *arguments, **more)

    monkeypatch.setattr(s3fs.S3FileSystem, "_put_file", put)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_upload_that_fails_midway_leaves_no_slide_and_no_rows(
    slides: list[Path], local: Path, url: str, options: dict[str, str], overwrite: bool
) -> None:
    place = opened(url.replace("[", "-").replace("]", ""), options)
    if overwrite:
        make(slides, place)
    with pytest.MonkeyPatch.context() as patch:
        failing_after(9, patch)  # each slide is six files
        results = list(builder.build(slides, place, SETTINGS, workers=0, overwrite=overwrite))
    rows = [result.record.slide for result in results]
    assert [row.outcome for row in rows] == ["ok", "failed", "failed", "failed"]
    assert "slides/ab: PermissionError: Access Denied" in rows[1].reason
    store = wsistore.open(place)
    assert store.slides["outcome"].tolist() == ["ok", "failed", "failed", "failed"]
    assert store.crops["crop"].tolist() == ["a/0"]
    assert store["a/0"]["5x"][:].any()
    assert (place / "slides" / "ab" / "0" / "1.25x" / "c").exists()
    assert not (place / "slides" / "ab" / METADATA).exists()
    assert make(slides, place) == ["ok before", "ok", "ok", "ok"]
    assert content(wsistore.open(place)) == content(local)


def killed(slides: list[Path], url: str, options: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        original = s3fs.S3FileSystem._put_file

        async def put(self: Any, source: str, *arguments: Any, **more: Any) -> None:
            if source.endswith("ab/0/zarr.json"):
                signal.raise_signal(signal.SIGKILL)
            await original(self, source, *arguments, **more)

        patch.setattr(s3fs.S3FileSystem, "_put_file", put)
        make(slides, open_root(url, options))


def test_a_killed_upload_is_no_slide_and_is_finished_by_the_next_build(
    slides: list[Path], local: Path, url: str, options: dict[str, str]
) -> None:
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=killed, args=(slides, url, options))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    place = opened(url, options)
    left = set((place / "slides" / "ab").sizes())
    assert "0/5x/zarr.json" in left
    assert METADATA not in left
    (place / "slides" / "ab" / "0" / "5x" / "c" / "0" / "8" / "8").write_text("stale")
    assert make(slides, place) == ["ok before", "ok", "ok", "ok"]
    assert content(wsistore.open(place)) == content(local)
    assert not (place / "slides" / "ab" / "0" / "5x" / "c" / "0" / "8").exists()


def sums(crop: wsistore.Crop, lazy: Any) -> tuple[int, int, int]:
    boxed = crop.pair("5x", "1.25x", box_um=crop.box_um)
    return int(crop["5x"][:].sum()), int(lazy.sum().compute()), int(boxed.coarse.sum())


def test_handles_and_dask_arrays_work_in_spawned_processes(
    slides: list[Path], local: Path, url: str, options: dict[str, str]
) -> None:
    make(slides[:1], opened(url, options))
    there, here = (store["a/0"] for store in (wsistore.open(url, options), wsistore.open(local)))
    wanted = sums(here, here.dask("1.25x"))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert pool.submit(sums, there, there.dask("1.25x")).result() == wanted


def test_what_is_wrong_is_one_sentence(
    slides: list[Path], url: str, options: dict[str, str]
) -> None:
    for arguments, its, code, message in (
        (("split", url, "--name", "m"), options, 1, f"Error: {url}: is not a store"),
        (("split", "s3://no-such/x", "--name", "m"), options, 1, "s3://no-such/x: is not a store"),
        (("build", slides[0], "--out", "s3://no-such/x"), options, 1, "bucket does not exist"),
        (("split", url, "--name", "m"), options | {"nonsense": "1"}, 1, "nonsense"),
        (("split", "store", "--name", "m"), options, 2, "leave out --storage-option"),
        (("build", slides[0], "--out", "http://127.0.0.1:1/x"), {}, 2, "can be read only"),
        (("verify", url), {}, 2, f"{url}: is no folder; copy the store to one"),
        (("build", slides[0], "--out", "memory://x"), {}, 2, "is seen by one process alone"),
        (("split", url, "--name", "m"), {"endpoint_url": "http://127.0.0.1:1"}, 1, "Error: s3://"),
    ):  # fmt: skip
        result = wsi(its, *arguments)
        assert (result.exit_code, result.output.count("\n")) == (code, 1), result.output
        assert message in result.output
        assert "Traceback" not in result.output


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def test_a_web_server_is_read(local: Path) -> None:
    handler = functools.partial(Quiet, directory=str(local))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        store = wsistore.open(f"http://127.0.0.1:{web.server_port}")
        assert len(store) == 4
        assert store.levels.equals(wsistore.open(local).levels)
        wanted = wsistore.open(local)["ab/0"]["5x"][:]
        assert np.array_equal(store["ab/0"].read("5x"), wanted)
        with pytest.raises(wsistore.StoreError, match="a web server has no list"):
            _ = store.splits
        with pytest.raises(wsistore.StoreError, match=r"has no split 'main'$"):
            store.split("main")
        web.shutdown()


def test_labels_are_corrected_there_as_here(
    slides: list[Path], url: str, options: dict[str, str], tmp_path: Path
) -> None:
    labels = slides[0].with_name("labels.csv")
    make(slides, open_root(url, options))
    make(slides, tmp_path / "store")
    for place, its in ((tmp_path / "store", {}), (url, options)):
        told = wsi(its, "label", place, "--labels", labels)
        assert told.exit_code == 0, told.output
        assert f"{place}: 4 slides changed, 4 crops" in told.output
    there = wsistore.open(url, options)
    assert there.crops["label"].tolist() == ["x", "x", "y", "y"]
    assert content(there) == content(tmp_path / "store")
    built = wsi(options, "build", *slides, "--out", url, "--labels", labels, "--levels", "5x,1.25x")
    assert built.output.count("stored before") == 4
