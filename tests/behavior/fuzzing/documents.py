"""Mutations of JSON and CSV that keep them JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import random
from typing import Any

from tests.behavior.fuzzing.case import Change

HOSTILE: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2.5, 1e308, -0.0, 10**30, math.nan, math.inf, "", " ", "☃",
    "\x1b[2J", "\ud800", "../../x", "a/b", "NaN", "1", "0.5", [], {}, [[]], [None], {"": None},
    "x" * 10_000, [0] * 1000,
)  # fmt: skip
CELLS = (
    "", " ", "NA", "nan", "None", "-1", "0", "1e999", "1,5", "0,25", "☃", "é", "e\u0301", "a\nb",
    'a"b', "\x00", "\x1b[2J", "=1+1", "../x", "a/b", "x" * 10_000, "\ufeff", "true", "test",
    "train",
)  # fmt: skip
DEEP = 100_000
"""Nesting that no recursion survives."""
_DEEP_MARK = "a deep place"


def mutate_json(rng: random.Random, data: bytes) -> Change:
    """Change one or two nodes.

    Raises:
        ValueError: it is no JSON, or holds no more than one value.
    """
    document = json.loads(data)
    changes = [_change_node(rng, document) for _ in range(rng.choice((1, 1, 1, 2)))]
    text = json.dumps(document, indent=rng.choice((None, 2)), ensure_ascii=rng.random() < 0.5)
    opening, closing = rng.choice((("[", "]"), ('{"a":', "}")))
    text = text.replace(f'"{_DEEP_MARK}"', opening * DEEP + "1" + closing * DEEP)
    if rng.random() < 0.05 and text.startswith("{") and len(text) > 2:
        key = rng.choice(list(document))
        text = text[:-1] + f", {json.dumps(key)}: {rng.choice(('null', '1', '[]'))}}}"
        changes.append(f"{key!r} twice")
    return Change("; ".join(changes), text.encode("utf-8", "surrogatepass"))


def _change_node(rng: random.Random, document: Any) -> str:
    places: list[tuple[Any, Any, str]] = []
    _collect(document, "", places)
    if not places:
        raise ValueError("a single value")
    node, key, path = rng.choice(places)
    what = rng.choice(("hostile", "hostile", "hostile", "left out", "another's", "twice", "deep"))
    if what == "deep" and rng.random() < 0.7:
        what = "number"
    if what == "left out":
        del node[key]
    elif what == "another's":
        other, its, _ = rng.choice(places)
        # a copy: a node below itself has no end
        node[key] = json.loads(json.dumps(other[its]))
    elif what == "twice" and isinstance(node, list):
        node.insert(key, node[key])
    elif what == "twice":
        node[f"{key}{rng.choice(('', '2', ' '))}"] = node.pop(key)
    elif what == "deep":
        node[key] = _DEEP_MARK
    elif what == "number" and isinstance(node[key], int | float):
        node[key] = rng.choice((node[key] + 1, -node[key], node[key] / 2, node[key] * 1000))
    else:
        node[key] = rng.choice(HOSTILE)
        what = f"{node[key]!r:.40}"
    return f"{path}: {what}"


def _collect(node: Any, path: str, places: list[tuple[Any, Any, str]]) -> None:
    keys = list(node) if isinstance(node, dict) else range(len(node))
    for key in keys:
        places.append((node, key, f"{path}/{key}"))
        if isinstance(node[key], dict | list):
            _collect(node[key], f"{path}/{key}", places)


def mutate_csv(rng: random.Random, data: bytes) -> Change:
    """Change cells, rows or columns, or how they are written.

    Raises:
        ValueError: it is no table.
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8"))))
    except csv.Error as error:
        raise ValueError("no table") from error
    if not rows or not rows[0]:
        raise ValueError("no table")
    changes = [_change_table(rng, rows) for _ in range(rng.choice((1, 1, 2)))]
    written = io.StringIO()
    separator = rng.choice((",", ",", ",", ";", "\t", "|"))
    end = rng.choice(("\n", "\n", "\r\n", "\r"))
    csv.writer(written, delimiter=separator, lineterminator=end).writerows(rows)
    encoding = rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"))
    changes.append(f"written with {separator!r}, {end!r}, {encoding}")
    return Change("; ".join(changes), written.getvalue().encode(encoding, "replace"))


def _change_table(rng: random.Random, rows: list[list[str]]) -> str:
    row = rng.randrange(len(rows))
    column = rng.randrange(max(len(rows[row]), 1))
    what = rng.choice(
        ("cell", "cell", "cell", "row out", "row twice", "column out", "longer", "swap")
    )
    if what == "row out" and len(rows) > 1:
        del rows[row]
    elif what == "row twice":
        rows.insert(rng.randint(0, len(rows)), list(rows[row]))
    elif what == "column out":
        for each in rows:
            del each[column : column + 1]
    elif what == "longer":
        rows[row] += [rng.choice(CELLS)] * rng.choice((1, 3))
    elif what == "swap":
        other = rng.randrange(len(rows))
        rows[row], rows[other] = rows[other], rows[row]
    elif rows[row]:
        rows[row][column] = rng.choice(CELLS)
        what = f"cell {rows[row][column]!r:.20}"
    return f"row {row + 1}, column {column + 1}: {what}"
