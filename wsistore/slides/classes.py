"""Which classes are told apart: some left out, some taken together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from wsistore.errors import UsageError
from wsistore.files import json_record

if TYPE_CHECKING:
    import pandas as pd

EXCLUDE_FLAG, MERGE_FLAG = "--exclude-class", "--merge"


@dataclass(frozen=True)
class ClassMap:
    """From the classes that crops are labelled with to those that are told apart.

    Attributes:
        exclude: classes whose crops are left out, sorted.
        merge: new class → the classes that it takes together, sorted. Classes that neither names
            stay as they are.

    Raises:
        UsageError: on construction, if a class would be two things at once.
    """

    exclude: tuple[str, ...] = ()
    merge: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        merge = {name: tuple(sorted(set(self.merge[name]))) for name in sorted(self.merge)}
        object.__setattr__(self, "exclude", tuple(sorted(set(self.exclude))))
        object.__setattr__(self, "merge", merge)
        taken = [*self.exclude, *(one for members in merge.values() for one in members)]
        for name in taken:
            if taken.count(name) > 1:
                raise UsageError(
                    f"{EXCLUDE_FLAG} and {MERGE_FLAG} name class {name!r} more than once; "
                    "it can be one thing only"
                )
        for name in merge:
            if name in self.exclude:
                raise UsageError(f"{MERGE_FLAG} makes class {name!r}, which {EXCLUDE_FLAG} names")

    def __bool__(self) -> bool:
        return bool(self.exclude or self.merge)

    def of(self, label: str) -> str | None:
        """Return the class that a label counts as; None where it is left out."""
        if label in self.exclude:
            return None
        return next((name for name, parts in self.merge.items() if label in parts), label)

    def excluded(self, labels: pd.Series[Any]) -> pd.Series[bool]:
        """Return which labels are of a class that is left out; NaN is of none."""
        return labels.isin(self.exclude)

    def merged(self, labels: pd.Series[Any]) -> pd.Series[Any]:
        """Return the labels with merged classes taken together; the others stay, NaN too."""
        names = {part: name for name, parts in self.merge.items() for part in parts}
        return labels.map(lambda label: names.get(label, label)) if names else labels

    def then(self, other: ClassMap) -> ClassMap:
        """Return this map and then another as one.

        It also takes labels that this map was applied to before: its names are among the classes
        of the result.
        """
        parts_of = [parts for map_ in (self, other) for parts in map_.merge.values()]
        members = {part for parts in parts_of for part in parts}
        known = {*self.exclude, *self.merge, *other.exclude, *other.merge, *members}
        exclude, merge = [], dict[str, list[str]]()
        for label in sorted(known):
            between = self.of(label)
            found = None if between is None else other.of(between)
            if found is None:
                exclude.append(label)
            elif found != label:
                merge.setdefault(found, []).append(label)
        for name, found_parts in merge.items():
            if name in members:  # one of the classes gave the new one its name
                found_parts.append(name)
        return ClassMap(tuple(exclude), {name: tuple(parts) for name, parts in merge.items()})

    @property
    def text(self) -> str:
        """What it does, in words: ``classes left out: benign; papillary = a + b``."""
        parts = [f"classes left out: {', '.join(self.exclude)}"] if self.exclude else []
        parts += [f"{name} = {' + '.join(members)}" for name, members in self.merge.items()]
        return "; ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {
            "exclude": list(self.exclude),
            "merge": {name: list(parts) for name, parts in self.merge.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ClassMap:
        """Return the map that `to_json` wrote.

        Raises:
            ParseError: it is of another shape.
            UsageError: it contradicts itself.
        """
        return json_record(cls, data, "the map of classes")


ALL_CLASSES = ClassMap()
"""The map that changes nothing."""


def parse_classes(
    exclude: Sequence[str], merge: Sequence[str], known: Collection[str], where: str
) -> ClassMap:
    """Return the map that options ask for.

    Args:
        exclude: values of ``--exclude-class``.
        merge: values of ``--merge``, as ``A+B=C``. Names may hold + and = where the known classes
            leave one reading.
        known: the classes that there are.
        where: whose they are, for messages.

    Raises:
        UsageError: a value is not understood, names a class that there is not, or would take in
            another class of the new one's name.
    """
    for name in exclude:
        _require(EXCLUDE_FLAG, name, known, where)
    found: dict[str, tuple[str, ...]] = {}
    for text in merge:
        name, parts = _parse_merge(text, known, where)
        if name in found:
            raise UsageError(
                f"{MERGE_FLAG} {text}: give all classes of {name!r} in one {MERGE_FLAG}"
            )
        found[name] = parts
    made = ClassMap(tuple(exclude), found)
    for name in made.merge:
        if made.of(name) != name:
            raise UsageError(f"{MERGE_FLAG} makes class {name!r}, and another takes it away")
        if name in known and name not in made.merge[name]:
            raise UsageError(
                f"{MERGE_FLAG} {'+'.join(made.merge[name])}={name}: {name!r} is a class of "
                f"{where} itself; name it too ({name}+{'+'.join(made.merge[name])}={name}), or "
                "choose another name"
            )
    return made


def _parse_merge(text: str, known: Collection[str], where: str) -> tuple[str, tuple[str, ...]]:
    places = [place for place, letter in enumerate(text) if letter == "="]
    readings = {
        (text[place + 1 :].strip(), parts)
        for place in places
        if text[place + 1 :].strip()
        for parts in _readings(text[:place].split("+"), known)
    }
    if len(readings) == 1:
        return readings.pop()
    if readings:
        raise UsageError(
            f"{MERGE_FLAG} {text}: can be read in {len(readings)} ways; rename a class"
        )
    left, equals, name = text.rpartition("=")
    if not equals or not left.strip() or not name.strip():
        raise UsageError(f"{MERGE_FLAG} {text}: give classes and the new one, as A+B=C")
    for part in left.split("+"):
        _require(f"{MERGE_FLAG} {text}", part.strip(), known, where)
    raise UsageError(f"{MERGE_FLAG} {text}: names a class twice")


def _readings(pieces: Sequence[str], known: Collection[str]) -> Iterator[tuple[str, ...]]:
    """Yield the lists of known classes that these pieces are when joined by + again."""
    if not pieces:
        yield ()
    for end in range(1, len(pieces) + 1):
        first = "+".join(pieces[:end]).strip()
        if first in known:
            yield from (
                (first, *rest) for rest in _readings(pieces[end:], known) if first not in rest
            )


def _require(flag: str, name: str, known: Collection[str], where: str) -> None:
    if name in known:
        return
    folded = {one.casefold(): one for one in sorted(known)}
    near = [folded[one] for one in get_close_matches(name.casefold(), folded, n=1)]
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(
        f"{flag}: no crop of {where} is of class {name!r} "
        f"(classes: {', '.join(sorted(known)) or 'none'}){meant}"
    )
