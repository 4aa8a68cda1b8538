"""`python -m tests.behavior.fuzzing`, or `make fuzz`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from tests.behavior.fuzzing.case import DEFECT, ENDED, KINDS, Case, Outcome
from tests.behavior.fuzzing.harness import target_of, targets, try_cases, write_corpus, write_mutant


@click.command()
@click.option("--seconds", type=float, default=60, show_default=True, help="How long to try.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--number", type=int, multiple=True, help="Only this mutant; may be given often.")
@click.option("--target", "only", help="Only mutants of this target.")
@click.option("--first", type=int, default=0, show_default=True, help="Number to begin with.")
@click.option("--workers", type=int, default=os.cpu_count() or 1, show_default="one per core")
@click.option("--out", type=click.Path(path_type=Path), default=Path("fuzz-out"),
              show_default=True, help="Folder for mutants that show a defect.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Say what comes of each mutant.")
def main(
    seconds: float, seed: int, number: tuple[int, ...], only: str | None, first: int, workers: int,
    out: Path, verbose: bool,
) -> None:  # fmt: skip
    """Change small slides, stores, tables, annotations, runs and targets, and read them.

    A seed and a number stand for a mutant, always the same one. Prints a table of what came of
    them; the exit code is 1 if any shows a defect.
    """
    if only is not None and only not in targets():
        raise click.UsageError(f"--target {only!r} is none of {', '.join(targets())}")
    if number:
        cases = [Case(seed, one) for one in number]
    else:
        cases = [Case(seed, one) for one in range(first, first + 50_000)]
    if only is not None:
        cases = [case for case in cases if target_of(case).name == only]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        corpus = Path(temporary) / "corpus"
        write_corpus(corpus, {target_of(case).name for case in cases})
        until = None if number else time.monotonic() + seconds
        outcomes = try_cases(cases, corpus, Path(temporary) / "work", workers, until)
        counts = _count(_told(outcomes, corpus, out, bool(number) or verbose))
    click.echo(f"\nseed {seed}, {sum(map(sum, counts.values()))} mutants")
    click.echo("\n".join(table(counts)))
    sys.exit(1 if any(row[KINDS.index(DEFECT)] for row in counts.values()) else 0)


def _told(outcomes: Iterable[Outcome], corpus: Path, out: Path, verbose: bool) -> Iterator[Outcome]:
    for one in outcomes:
        if verbose or one.kind in (DEFECT, ENDED):
            place = " ".join(filter(None, (one.target, one.original)))
            click.echo(f"{one.case.number} {one.kind}: {place}: {one.change}\n    {one.detail}")
        if one.kind == DEFECT:
            folder = out / f"{one.case.seed}-{one.case.number}"
            if not folder.exists():
                write_mutant(one.case, corpus, folder)
            (folder / "defect.txt").write_text(f"{one.change}\n{one.detail}\n", errors="replace")
        yield one


def _count(outcomes: Iterable[Outcome]) -> dict[str, list[int]]:
    """Return target → how many mutants of each kind."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in outcomes:
        counts[one.target][one.kind] += 1
    return {name: [counts[name][kind] for kind in KINDS] for name in targets() if name in counts}


def table(counts: dict[str, list[int]]) -> list[str]:
    """Return counts as lines of Markdown."""
    rows = [(name, sum(row), *row) for name, row in counts.items()]
    totals = [sum(row[column] for row in rows) for column in range(1, len(KINDS) + 2)]
    lines = [f"| of | mutants | {' | '.join(KINDS)} |", "|---" * (len(KINDS) + 2) + "|"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in (*rows, ("all", *totals))]
    return lines


if __name__ == "__main__":
    main()
