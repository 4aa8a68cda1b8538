"""A whole store: its slides in parallel, then its tables and splits, which need all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from wsistore.parallel import Death, in_workers
from wsistore.slides import BY_NAME, Label, find_slides, stored_as
from wsistore.storage import METADATA, layout
from wsistore.verify.findings import Check, Fault, Report, count
from wsistore.verify.root import leftovers, read_root, slides_group, unexpected_files
from wsistore.verify.slide.expected import Expected
from wsistore.verify.slide.reference_slide import ReferenceSlide
from wsistore.verify.tables import check_tables

Watch = Callable[[Iterable[Check], int], Iterable[Check]]
"""A function of the slides' checks, as they end, and of their number → the same checks."""


def verify(
    store: Path,
    slides: Iterable[Path] = (),
    sample: int = 4,
    seed: int = 0,
    workers: int | None = None,
    annotations: Path | None = None,
    watch: Watch | None = None,
    rule: str = BY_NAME,
    labels: Mapping[str, Label] | None = None,
    timeout: float | None = None,
) -> Report:
    """Read everything in a store and hold it against the format; see docs/how-to/verify.md.

    Args:
        store: the store's folder.
        slides: files or folders; tiles of the slides among them are derived anew and compared.
        sample: tiles of each level of each slide.
        seed: another seed, other tiles.
        workers: processes; the number of cores by default, 0 for this one alone.
        annotations: the folder of annotation files; None looks beside each slide.
        watch: shows progress; passes all checks through.
        rule, labels: how ``slides`` got their ids, see `wsistore.slides.discovery.find_slides`.
        timeout: seconds without progress after which a slide is given up; no limit by default.

    Returns:
        What was found; `Report.whole` is True only if nothing is wrong.

    Raises:
        UsageError: ``store`` is no store, or ``slides`` holds no slide or two of one id.
        StoreError: the store's format is newer.
    """
    settings, faults = read_root(store)
    at_hand = find_slides(slides, rule, labels)
    if settings is None:
        return Report(store, tuple(faults), (), count([], ())[0], {}, {})
    law = Expected.of(settings)
    names = _stored(store / layout.SLIDES)
    files = {stored_as(file, dict.fromkeys(names)): file.path for file in at_hand}
    sources = {
        name: ReferenceSlide(files[name], settings, sample, seed, annotations)
        for name in names
        if name in files
    }
    processes = os.cpu_count() or 1 if workers is None else workers
    results: Iterable[Check] = _run(store, names, law, sources, processes, timeout)
    checks = sorted(watch(results, len(names)) if watch else results, key=lambda c: c.slide)
    faults += [fault for check in checks for fault in check.faults]
    records = {check.slide: check.record for check in checks if check.record is not None}
    unread = set(names) - set(records)
    # imported here: it needs pandas, for which no worker has to wait
    from wsistore.verify.splits import changed_splits, check_splits

    faults += check_tables(store, records, unread)
    faults += check_splits(store, records, unread)
    faults += slides_group(store) + unexpected_files(store)
    read, tiles = count(checks, law.levels)
    missing = {name: "not at hand" for name in names if name not in files} if files else {}
    missing |= {check.slide: check.not_compared for check in checks if check.not_compared}
    notes = (*leftovers(store), *changed_splits(store))
    return Report(store, tuple(faults), notes, read, tiles, missing)


def _stored(groups: Path) -> list[str]:
    """Return the names of the folders of slides, sorted; a link is none."""
    found = groups.iterdir() if groups.is_dir() else ()
    return sorted(
        path.name
        for path in found
        if path.is_dir() and not path.is_symlink() and path.name != METADATA
    )


def _run(
    store: Path,
    names: list[str],
    law: Expected,
    sources: Mapping[str, ReferenceSlide],
    workers: int,
    timeout: float | None,
) -> Iterator[Check]:
    """Yield checks as slides are done, each in a process that may die of it."""
    items = [(name, sources.get(name)) for name in names]
    work = partial(_check, store, law)
    for (name, _), check in in_workers(work, items, workers, timeout=timeout):
        yield _unchecked(name, check.reason) if isinstance(check, Death) else check


def _check(store: Path, law: Expected, item: tuple[str, ReferenceSlide | None]) -> Check:
    # imported here, in a worker process: who hands out slides reads no pixels
    from wsistore.verify.slide.group import check_slide

    name, source = item
    return check_slide(store, name, law, source)


def _unchecked(slide: str, reason: str) -> Check:
    fault = Fault(f"{layout.SLIDES}/{slide}", f"was not checked: {reason}", "run again")
    return Check(slide, [fault])
