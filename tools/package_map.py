"""Draw the packages for docs/explanation/design.md, from their imports and contracts.

Each row holds what may not know what stands above it, see ``[tool.importlinter]``. An arrow goes
from a package to one that it imports; where a longer way of arrows leads there too, it is left out.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "packages.svg"
WIDTH, ROW, BOX, BAR, GUTTER, LANE, TOP = 680, 38, 27, 12, 110, 11, 40
Edges = set[tuple[str, str]]


def layers(root: str) -> list[list[str]]:
    """Return the rows of a root package's layers contract, the highest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for contract in settings["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers" and contract["containers"] == [root]:
            return [[name.strip() for name in row.split("|")] for row in contract["layers"]]
    raise KeyError(f"pyproject.toml has no layers contract of {root}")


def imports(root: str) -> Edges:
    """Return which packages of a root import which, imports inside functions too."""
    found = set()
    for path in (ROOT / root).rglob("*.py"):
        source = path.relative_to(ROOT / root).with_suffix("").parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                top, _, rest = name.partition(".")
                if top == root and rest and rest.split(".")[0] != source:
                    found.add((source, rest.split(".")[0]))
    known = {name for row in layers(root) for name in row}
    return {(a, b) for a, b in found if a in known and b in known}


def reduced(edges: Edges) -> Edges:
    """Return the edges that no longer way replaces; there are no circles."""
    following: dict[str, set[str]] = {}
    for a, b in edges:
        following.setdefault(a, set()).add(b)

    def reached(start: Iterable[str]) -> set[str]:
        seen: set[str] = set()
        waiting = list(start)
        while waiting:
            for name in following.get(waiting.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return seen

    return {(a, b) for a, b in edges if b not in reached(following[a] - {b})}


def purpose(root: str, name: str) -> str:
    """Return the first sentence of a package's or module's docstring."""
    path = ROOT / root / name
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"\.\s|\n\n", text)[0].replace("\n", " ").replace("``", "").rstrip(".")


def lanes(arrows: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Give each arrow, from row to row, a lane where it meets no other; short ones first."""

    def apart(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one[1] <= other[0] or other[1] <= one[0]

    taken: list[list[tuple[int, int]]] = []
    found = {}
    for arrow in sorted(set(arrows), key=lambda a: (a[1] - a[0], a)):
        free = (n for n, lane in enumerate(taken) if all(apart(arrow, other) for other in lane))
        number = next(free, len(taken))
        if number == len(taken):
            taken.append([])
        taken[number].append(arrow)
        found[arrow] = number
    return found


def panel(root: str, left: int) -> tuple[list[str], int]:
    """Return the SVG of one root package, and its height; a bar stands beside siblings."""
    rows = layers(root)
    at = {name: number for number, name in enumerate(name for row in rows for name in row)}
    parts = [f'<text class="root" x="{left + BAR}" y="26">{root}</text>']
    start, width = left + BAR, WIDTH - GUTTER - BAR

    def top(name: str) -> int:
        return TOP + at[name] * ROW

    for row in (row for row in rows if len(row) > 1):
        y1, y2 = top(row[0]), top(row[-1]) + BOX
        parts.append(f'<path class="bar" d="M{left + 3} {y1}V{y2}"/>')
    for name in at:
        said = purpose(root, name)
        room = int((width - 8 * len(name) - 30) / 5.7)
        if len(said) > room:
            said = said[: said.rfind(" ", 0, room)].rstrip(" ,;:") + " …"
        parts.append(
            f'<rect x="{start}" y="{top(name)}" width="{width}" height="{BOX}" rx="5"/>'
            f'<text class="name" x="{start + 10}" y="{top(name) + 19}">{escape(name)}'
            f'<tspan class="said" dx="10">{escape(said)}</tspan></text>'
        )
    arrows = sorted((at[a], at[b]) for a, b in reduced(imports(root)))
    lane = lanes(arrow for arrow in arrows if arrow[1] - arrow[0] > 1)
    right = start + width
    for a, b in arrows:
        if b - a == 1:
            path = f"M{start + width // 2} {TOP + a * ROW + BOX}V{TOP + b * ROW - 2}"
        else:
            edge = right + 10 + LANE * lane[a, b]
            low, high = TOP + a * ROW + BOX * 0.68, TOP + b * ROW + BOX * 0.32
            path = f"M{right} {low:.1f}H{edge}V{high:.1f}H{right + 3}"
        parts.append(f'<path d="{path}" marker-end="url(#head)"/>')
    return parts, TOP + len(at) * ROW


def picture() -> str:
    """Return the picture of both packages as SVG: distill stands above wsistore, which it uses."""
    groups, height = [], 0
    for root in ("distill", "wsistore"):
        parts, size = panel(root, 10)
        groups.append("\n".join([f'<g transform="translate(0 {height})">', *parts, "</g>"]))
        height += size + 16
    body = "\n".join(groups)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" role="img"
viewBox="0 0 {WIDTH + 20} {height}">
<title>The packages of wsistore and distill: each imports only what stands below it</title>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
orient="auto">
<path class="head" d="M0 0L8 4L0 8Z"/></marker></defs>
<style>
svg {{ background: #fff; font-family: system-ui, sans-serif; font-size: 13px; }}
rect {{ fill: #eef3f8; stroke: #7d95ad; }}
path {{ fill: none; stroke: #7d95ad; stroke-width: 1.2; }}
.bar {{ stroke-width: 3; }}
.head {{ fill: #7d95ad; stroke: none; }}
text {{ fill: #1c2733; }}
.root {{ font-size: 18px; font-weight: 700; }}
.name {{ font-weight: 600; }}
.said {{ font-weight: 400; font-size: 11px; fill: #4a5b6c; }}
</style>
{body}
</svg>
"""


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
