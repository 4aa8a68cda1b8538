"""Dotted names in the documentation and in docstrings, and whether each of them exists."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
OURS = ("wsistore", "distill", "bench", "tools", "examples")
"""Packages whose docstrings are read, and whose names must exist."""

_CODE = re.compile(r"`+([^`]+)`+")
_DOTTED = re.compile(r"(?<![\w./-])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?![\w/-])")
_RUN = re.compile(r"python -m ([A-Za-z_][\w.]*\w)")
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILES = (
    "csv", "json", "jsonl", "toml", "png", "jpg", "svg", "svs", "tif", "tiff", "mrxs", "xml",
    "geojson", "safetensors", "onnx", "md", "html", "py", "pyi", "txt", "yml",
)  # fmt: skip
_KEYS = {
    "attributes.distill_embeddings", "attributes.distill_targets", "attributes.ome",
    "attributes.wsistore", "baseline.NAME", "baseline.long", "bootstrap.unit",
    "data.store_settings", "distill.augment.draw", "kd.paper",
    "kd.soft", "kd.views30",
    "EMB.part",
    "ops.conv", "ops.norm", "openslide.bounds", "properties.classification", "TARGETS.part",
    "teacher.backbone", "tool.importlinter", "train.loss", "train.teacher", "val.loss",
}  # fmt: skip
"""Keys, columns and sections of files, names of methods that files hold, and parts of a network:
dotted, and no names of Python."""
_ELSEWHERE = {"dask_kubernetes"}
"""Packages that a page speaks of and that nobody needs here."""


class Mention(NamedTuple):
    """A dotted name, and where it is written: a page, or a definition with its parameters."""

    name: str
    place: str
    parameters: frozenset[str] = frozenset()


def mentions() -> Iterator[Mention]:
    """Yield every dotted name in code quotes of pages and docstrings, but for names of files."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        yield from _of_text(page.read_text(encoding="utf-8"), str(page.relative_to(ROOT)))
    for package in OURS:
        for file in sorted((ROOT / package).rglob("*.py")):
            place = str(file.relative_to(ROOT))
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    text = ast.get_docstring(node) or ""
                    yield from _of_text(text, place, _parameters(node))


def _of_text(text: str, place: str, parameters: frozenset[str] = frozenset()) -> Iterator[Mention]:
    for command in _RUN.findall(text):
        yield Mention(command, place)
    for language, program in _FENCED.findall(text):
        if language == "python":
            yield from (Mention(name, place) for name in _imported(program))
    for code in _CODE.findall(_FENCED.sub("", text)):
        for name in _DOTTED.findall(code):
            if name.rpartition(".")[2] not in _FILES and name not in _KEYS:
                yield Mention(name, place, parameters)


def _imported(program: str) -> Iterator[str]:
    """Yield the full names that a program imports of this project, and what it takes from them."""
    tree, known = ast.parse(program), dict[str, str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            known |= {
                alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names
            }
    ours = {alias: name for alias, name in known.items() if name.partition(".")[0] in OURS}
    yield from ours.values()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in ours
        ):
            yield f"{ours[node.value.id]}.{node.attr}"


def _parameters(node: ast.AST) -> frozenset[str]:
    if not isinstance(node, ast.FunctionDef):
        return frozenset()
    return frozenset(
        argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)
    )


def exists(mention: Mention) -> bool:
    """Tell whether a dotted name leads anywhere.

    It may be the full name of something that can be imported; a member of a class of this project,
    whatever the module (``Store.url``, or ``store.url`` of an object of that class); or a member of
    a module of this project that goes by its last name.
    """
    head, *rest = mention.name.split(".")
    if head in mention.parameters or head == "self" or head in _ELSEWHERE:
        return True
    if rest and rest[0] in _members().get(head[0].upper() + head[1:], ()):
        return True
    if any(_leads(".".join([module, *rest])) for module in _modules().get(head, ())):
        return True
    return _leads(mention.name)


def _leads(name: str) -> bool:
    """Tell whether a full name can be imported, member by member."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        module = ".".join(parts[:end])
        try:
            found: object = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if isinstance(found, type) and part in _members().get(found.__name__, set()):
                return True
            if not hasattr(found, part):
                return False
            found = inspect.getattr_static(found, part)
        return True
    return False


@cache
def _modules() -> dict[str, list[str]]:
    """Return the full names of this project's modules, by their last name."""
    found: dict[str, list[str]] = {}
    for package in OURS:
        for file in (ROOT / package).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            full = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.setdefault(full.rpartition(".")[2], []).append(full)
    return found


@cache
def _members() -> dict[str, set[str]]:
    """Return the methods, fields and attributes of this project's classes, by the class's name."""
    found: dict[str, set[str]] = {}
    bases: dict[str, set[str]] = {}
    for package in OURS:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, set()).update(_defined(node))
                    names = {base.id for base in node.bases if isinstance(base, ast.Name)}
                    bases.setdefault(node.name, set()).update(names)
    for _ in found:  # as deep as inheritance can be
        grown = {name: set().union(*(found.get(b, ()) for b in bases[name])) for name in found}
        if all(grown[name] <= found[name] for name in found):
            break
        for name, more in grown.items():
            found[name] |= more
    return found


def _defined(node: ast.ClassDef) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef):
            yield part.name
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            yield part.target.id
        elif isinstance(part, ast.Assign):
            yield from (name.id for name in part.targets if isinstance(name, ast.Name))
        elif isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store):
            yield part.attr
