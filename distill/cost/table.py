"""Costs as a table on a terminal, one column a level, and as CSV, one row a level."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from wsistore import terminal, texts

Block = Mapping[str, Any]
Line = tuple[str, Callable[[Block], str]]


def cost_table(report: Mapping[str, Any]) -> Table:
    """Return a report's levels as columns and its quantities as rows, each with its unit."""
    blocks: Sequence[Block] = report["levels"]
    title = (
        f"{report['run']}: " if report["run"] else ""
    ) + f"{report['network']}, {report['classes']} classes, {report['parameters']:,} parameters"
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=terminal.text(title))
    shown.caption = terminal.text(caption(report))
    shown.add_column("one forward pass")
    for block in blocks:
        shown.add_column(terminal.text(block["level"]), justify="right", no_wrap=True)
    for section in _sections(blocks):
        for name, cell in section:
            shown.add_row(terminal.text(name), *(cell(block) for block in blocks))
        shown.add_section()
    return shown


def caption(report: Mapping[str, Any]) -> str:
    """Say what a MAC, a FLOP, a GiB and a second of the table are."""
    said = [
        "MAC: multiply-adds of convolution and linear layers, and 5 per element of a group norm "
        "(as fvcore). FLOP: 2 per multiply-add of convolution and linear layers, nothing else (as "
        "torch). Memory: estimated, float32, one crop, without the network."
    ]
    if report["device"]:
        device = report["device"]
        said.append(
            f"Seconds: measured on {device['name']} ({device['type']}), {device['threads']} CPU "
            "threads, from uint8 pixels in memory to logits, median of "
            f"{report['repeats']} passes"
            + ("." if report["store"] is None else "; a slide: all crops of the median one.")
        )
    agreed = [block["agreement"] for block in report["levels"]]
    worst = max(agreed, key=lambda one: abs(one["difference"]))
    sizes = ", ".join(f"{one['height']} × {one['width']}" for one in agreed)
    if worst["difference"] == 0:
        said.append(f"fvcore and the meta-device counter agree to the last MAC at {sizes}.")
    else:
        said.append(
            f"fvcore and the meta-device counter DIFFER by {worst['difference']:+.3%} at "
            f"{worst['height']} × {worst['width']}; MAC here are the meta-device counter's."
        )
    return " ".join(said)


def cost_csv(report: Mapping[str, Any]) -> bytes:
    """Return one row a level, with a header; nested names are joined by dots, as in the JSON."""
    general = ("network", "run", "classes", "parameters", "store", "split", "subset")
    rows = [
        {
            **{name: _cell(report[name]) for name in general},
            **_flat(block),
            **_flat({"device": report["device"]}),
        }
        for block in report["levels"]
    ]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    return texts.csv_cell(value) if isinstance(value, str) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            flat[prefix + name] = " x ".join(map(str, value))
        elif value is not None:
            flat[prefix + name] = _cell(value)
    return flat


def _sections(blocks: Sequence[Block]) -> list[list[Line]]:
    """Return the rows, in groups."""
    several = blocks[0]["slides"] is not None
    sizes = ("median crop", "largest crop") if several else ("input",)
    pers = ("crop", "slide") if several else ("crop",)
    about: list[Line] = []
    if several:
        about += [
            ("µm per pixel, median", lambda b: f"{b['mpp']:.3g}"),
            ("crops", lambda b: f"{b['crops']:,}"),
            ("slides", lambda b: f"{b['slides']:,}"),
        ]
    about += [(f"{crop}, px", _size(_key(crop))) for crop in sizes]
    sections = [about]
    for unit in ("gmac", "gflop"):
        whiches = ("median", "mean", "max") if several else ("median",)
        sections.append([_count(unit, per, which, several) for per in pers for which in whiches])
    kinds = {
        "inference": "memory to answer",
        "training": "memory to train, all maps kept",
        "training_least": "memory to train, in strips",
    }
    sections.append(
        [
            (f"{words}, {crop}" if several else words, _memory(_key(crop), f"{kind}_bytes"))
            for kind, words in kinds.items()
            for crop in sizes
        ]
    )
    if any(block["seconds_per_crop"] for block in blocks):
        names = [f"seconds, median {per}" if several else "seconds" for per in pers]
        cells = [_seconds(f"seconds_per_{per}") for per in pers]
        sections.append(list(zip(names, cells, strict=True)))
    return sections


def _key(crop: str) -> str:
    return "median_crop" if crop == "input" else crop.replace(" ", "_")


def _size(name: str) -> Callable[[Block], str]:
    return lambda block: "{} × {}".format(*block[name])


def _count(unit: str, per: str, which: str, several: bool) -> Line:
    name = f"{unit.upper()} per {per}" + (f", {which}" if several else "")
    return name, lambda block: _three(block[f"{unit}_per_{per}"][which])


def _memory(crop: str, kind: str) -> Callable[[Block], str]:
    def cell(block: Block) -> str:
        size = block["memory"][crop][kind]
        return f"{_three(size / 2**30)} GiB" if size >= 2**30 else f"{_three(size / 2**20)} MiB"

    return cell


def _seconds(name: str) -> Callable[[Block], str]:
    return lambda block: _three(block[name]["median"]) if block[name] else "–"


def _three(value: float) -> str:
    """Return a number with three digits, and no exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:#.3g}".rstrip(".")
