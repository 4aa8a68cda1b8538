"""Many slides into one store: which are to be stored, by whom, and the result of each."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from wsistore.annotations import AnnotationSource
from wsistore.build.settings import BuildSettings, SlideTask
from wsistore.errors import SlideError, StoreError, UsageError
from wsistore.files import atomic
from wsistore.parallel import Death, in_workers
from wsistore.readers import AUTO
from wsistore.regions import METHODS
from wsistore.slides import (
    Label,
    SlideFile,
    another_file,
    distinct,
    fingerprint,
    match_labels,
    stored_as,
)
from wsistore.storage import (
    METADATA,
    LocalRoot,
    StoreLike,
    StoreRoot,
    clear_leftovers,
    group_metadata,
    layout,
    open_root,
    require_store_locks,
)
from wsistore.tables import Duplicates, SlideRecord, read_records, read_settings, update_index

_INDEX_SECONDS = 5.0


@dataclass(frozen=True)
class Result:
    """What became of one slide of a build.

    Attributes:
        record: the slide's record.
        stored_before: it was in the store already and was left as it is.
        same_file: a sentence that names the slides of the same file; empty where there are none.
    """

    record: SlideRecord
    stored_before: bool = False
    same_file: str = ""


def prepare(place: StoreLike, settings: BuildSettings) -> BuildSettings:
    """Make a store, or check that an existing one was built with the same settings.

    Returns:
        The settings to go on with, see `with_stored_tissue_method`.

    Raises:
        UsageError: the folder holds something else, or other settings; or it is a URL that cannot
            be written.
        StoreError: the URL cannot be reached.
    """
    store = open_root(place)
    store.require_shared()
    metadata = store / METADATA
    if not metadata.exists():
        # unfinished files of another build, or of a killed one, are allowed here
        foreign = [name for name in store.names() if not atomic.is_unfinished(name)]
        if foreign and not metadata.exists():
            raise UsageError(f"{store}: is not a store and not empty; choose another --out")
        _make_group(store, {"wsistore": {"format": layout.FORMAT, **settings.record()}})
    settings = with_stored_tissue_method(store, settings)
    _check_settings(store, settings)
    if isinstance(store, LocalRoot):
        for folder in (layout.SLIDES, layout.SPLITS, layout.STAGING):
            (store / folder).folder.mkdir(exist_ok=True)
    # a group, in a store of before it was one too, so that Zarr readers list it
    _make_group(store / layout.SLIDES, {})
    return settings


def with_stored_tissue_method(store: StoreRoot, settings: BuildSettings) -> BuildSettings:
    """Return settings with the way of finding tissue that a store was begun with.

    One of an earlier version finds tissue in its own way to its end, so that all its slides are
    alike.
    """
    if not (store / METADATA).exists():
        return settings
    method = read_settings(store).get("tissue", {}).get("method")
    if method not in METHODS:
        return settings
    return replace(settings, tissue=replace(settings.tissue, method=method))


def _make_group(group: StoreRoot, attributes: dict[str, Any]) -> None:
    """Make a Zarr group, if there is none. Two builds at once write the same, each in one step."""
    metadata = group / METADATA
    try:
        if not metadata.exists():
            metadata.write_text(group_metadata(attributes))
    except OSError as error:
        raise StoreError(f"{group}: cannot be made: {error}; choose another --out") from error


def _check_settings(store: StoreRoot, settings: BuildSettings) -> None:
    stored = read_settings(store)
    for key, wanted in settings.record().items():
        if stored.get(key) != wanted:
            raise UsageError(
                f"{store}: was built with {key} {json.dumps(stored.get(key))}, "
                f"not {json.dumps(wanted)}; give the same options or another --out"
            )


def _kept(task: SlideTask, record: SlideRecord, settings: BuildSettings) -> Result:
    """Judge a slide that is in the store already."""
    row = record.slide
    try:
        same = fingerprint(task.path) == row.fingerprint
        drawn, offset = "", ""
        if settings.regions == "annotations":
            drawn = task.annotations.fingerprint(task.path, task.slide)
            offset = task.annotations.offset_text
    except (SlideError, OSError) as error:
        return Result(SlideRecord(task.row("failed", str(error))))
    wanted = task.row(row.outcome)
    given = task.given_mpp
    if not same:
        return Result(SlideRecord(task.row("failed", another_file(row))))
    do = "rebuild it with --overwrite"
    if (row.patient, row.label) != (wanted.patient, wanted.label):
        reason = (
            f"stored as patient {row.patient!r}, label {row.label!r}; "
            f"now {wanted.patient!r}, {wanted.label!r}"
        )
        do = "correct the store with 'wsistore label', or rebuild the slide with --overwrite"
    elif task.label.site is not None and row.site != wanted.site:
        reason = f"stored as of site {row.site!r}; now {wanted.site!r}"
        do = "correct the store with 'wsistore label', or rebuild the slide with --overwrite"
    elif given is not None and given != row.mpp:
        reason = f"stored at {row.mpp:g} µm/px; now {given:g}"
    elif task.reader not in (AUTO, row.reader):
        reason = f"stored through {row.reader}; now {task.reader}"
    elif drawn != row.annotations:
        reason = "its annotation file changed since it was stored"
    elif offset != row.annotation_offset:
        reason = (
            f"stored with --annotation-offset {row.annotation_offset or '0,0'}; "
            f"now {offset or '0,0'}"
        )
    else:
        return Result(record, stored_before=True)
    return Result(SlideRecord(task.row("failed", f"{reason}; {do}")))


def build(
    slides: Iterable[Path | SlideFile],
    store: StoreLike,
    settings: BuildSettings,
    labels: Mapping[str, Label] | None = None,
    mpp: float | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    annotations: AnnotationSource | None = None,
    reader: str = AUTO,
    scheduler: str | None = None,
    lock: bool = True,
    timeout: float | None = None,
) -> Iterator[Result]:
    """Store slides, yielding each one's result as it is known; one bad slide stops no other.

    Args:
        slides: files, whose names become ids; or slides that have one.
        store: the store's folder or URL, made if it does not exist.
        settings: what decides the pixels.
        labels: by what names a slide, see `wsistore.slides.labels.match_labels`.
        mpp: µm per level-0 pixel for slides whose labels row gives none; wins over the file's.
        workers: processes; the number of cores by default. With 0 this process opens the slides,
            for debuggers: one that crashes it ends the build.
        overwrite: store again what is there already.
        annotations: where annotation files are, where regions come from them; beside the slides by
            default.
        reader: who reads them, by name; ``"auto"`` takes the first that can.
        scheduler: address of a Dask scheduler, whose workers do the work in place of ``workers``;
            they find slides and store under the same paths.
        lock: False takes no locks, for a file system that has none: no other build may run.
        timeout: seconds without progress after which a slide is given up; no limit by default.

    Raises:
        UsageError: the store was built with other settings or is no store; or no scheduler answers;
            or two slides have one id, or the labels are ambiguous.
        StoreError: the tables cannot be written, or the store's file system has no locks.
    """
    files = distinct(s if isinstance(s, SlideFile) else SlideFile.named(s) for s in slides)
    known_labels = match_labels(files, labels or {})
    place = open_root(store).absolute()
    settings = prepare(place, settings)
    if lock:
        require_store_locks(place)
    clear_leftovers(place, lock)
    source = annotations or AnnotationSource()
    records = read_records(place)
    stored = {slide: record.slide.file for slide, record in records.items()}
    tasks = [
        SlideTask(file.path, label, mpp, source, reader, stored_as(file, stored))
        for file, label in zip(files, known_labels, strict=True)
    ]
    files_of = Duplicates(record.slide for record in records.values())
    todo = []
    for task in tasks:
        known = records.get(task.slide)
        if known is None or known.slide.outcome == "failed" or overwrite:
            todo.append(task)
        else:
            kept = _kept(task, known, settings)
            yield replace(kept, same_file=files_of.of(kept.record.slide))
    tables = _Tables(place, lock)
    work = partial(_store_slide, store=place, settings=settings, overwrite=overwrite, lock=lock)
    try:
        processes = os.cpu_count() or 1 if workers is None else workers
        results = in_workers(work, todo, processes, scheduler, _load, timeout)
        with closing(results):
            for task, done in results:
                if isinstance(done, Death):
                    record = SlideRecord(task.row("failed", done.reason))
                else:
                    record = done
                tables.tried[task.slide] = record
                files_of.add(record.slide)
                yield Result(record, same_file=files_of.of(record.slide))
                tables.write_if_due()
    finally:
        # an interrupted worker cleans up, but a thread of zarr may write one more file after that
        clear_leftovers(place, lock)
        tables.write()


class _Tables:
    """A store's tables while slides come in: written now and then, and at the end.

    Attributes:
        tried: what came of the slides that were tried, by id.
    """

    def __init__(self, place: StoreRoot, lock: bool) -> None:
        self.tried: dict[str, SlideRecord] = {}
        self._place, self._lock = place, lock
        self._due = time.monotonic() + _INDEX_SECONDS

    def write_if_due(self) -> None:
        """Write them if that is some time ago; in a large store a twentieth of the build's time."""
        if time.monotonic() > self._due:
            started = time.monotonic()
            self.write()
            took = time.monotonic() - started
            self._due = time.monotonic() + max(_INDEX_SECONDS, 20 * took)

    def write(self) -> None:
        """Write them."""
        update_index(self._place, self.tried, self._lock)


def _store_slide(task: SlideTask, **options: Any) -> SlideRecord:
    """Store a slide, in a worker process; see `wsistore.build.ingest.ingest`."""
    # imported here, as in `_load`: who hands out slides has no use for a compiler and readers
    from wsistore.build.ingest import ingest

    return ingest(task, **options)


def _load() -> None:
    """Load, in a worker process, what it stores slides with."""
    from wsistore.build.ingest import load_compiled

    load_compiled()
