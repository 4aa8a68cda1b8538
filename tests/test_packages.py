"""The packages' own rules that import-linter does not know; docs/explanation/design.md says why."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tools.package_map import PICTURE, picture, reduced
from wsistore.storage import METADATA, layout

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(p for name in ("wsistore", "distill") for p in (ROOT / name).rglob("*.py"))
PACKAGES = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for name in ("wsistore", "distill")
    for path in (ROOT / name).rglob("__init__.pyi")
)
LINES_OF_A_MODULE, LINES_OF_A_FUNCTION, PARAMETERS = 300, 60, 12
"""At most; of a function without its docstring. A command has a parameter for each of its options,
and what is compiled has one for each array."""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the modules that names are imported from, by line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def room(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the package on the top level that a module is in, or the module itself there."""
    return parts[:2]


def inner_imports(path: Path) -> list[str]:
    """Return where a module reaches into another package, past what that hands on."""
    own = room(path.relative_to(ROOT).with_suffix("").parts)
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for line, module in imports(path)
        if (parts := tuple(module.split(".")))[0] in ("wsistore", "distill")
        and len(parts) > 2
        and room(parts) != own
    ]


def test_packages_take_of_each_other_what_their_roots_hand_on() -> None:
    assert [found for path in MODULES for found in inner_imports(path)] == []


def test_reaching_into_a_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "distill" / "kd" / "task.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from distill.kd.losses import hint\nfrom distill.data import Sample\n"
        "def late():\n    from distill.data.subsets import select\n"
    )
    assert inner_imports(path) == ["distill/kd/task.py:4 imports distill.data.subsets"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_a_package_hands_on_is_there(package: str) -> None:
    module = import_module(package)
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_a_module_can_be_held_in_the_head() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: count for path, count in lines.items() if count > LINES_OF_A_MODULE} == {}


def too_large(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return what is too much of a function; empty where nothing is."""
    told = ast.get_docstring(function, clean=False) is not None
    first = function.body[min(int(told), len(function.body) - 1)]
    lines = (function.end_lineno or 0) - first.lineno + 1
    if lines > LINES_OF_A_FUNCTION:
        return f"{function.name} has {lines} lines"
    given = function.args
    count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
    made_for_many = ("click.command", "njit")
    if count > PARAMETERS and not any(
        ast.unparse(decorator).startswith(made_for_many) for decorator in function.decorator_list
    ):
        return f"{function.name} has {count} parameters"
    return ""


def test_so_can_a_function() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {said}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (said := too_large(node))
    ]
    assert found == []


def test_the_picture_of_the_packages_is_the_one_that_their_imports_draw() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(), "run: python -m tools.package_map"


def test_a_longer_way_of_arrows_replaces_the_shorter() -> None:
    assert reduced({("a", "b"), ("b", "c"), ("a", "c")}) == {("a", "b"), ("b", "c")}


def store_files_spelled(path: Path) -> list[str]:
    """Return where a module spells a file of a store; a sentence may name one."""
    names = {layout.SPLITS, layout.CROPS_CSV, layout.LEVELS_CSV, layout.SLIDES_CSV, METADATA}
    return [
        f"{path.relative_to(ROOT)}:{node.lineno} spells {node.value}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and names & set(node.value.split("/"))
    ]


OWN_FILES = {"distill/embeddings/schema.py": {METADATA, "crops.csv"},
             "distill/kd/targets/schema.py": {METADATA, "crops.csv"},
             "distill/pooling/output.py": {"slides.csv"},
             "distill/predict/folder.py": {"slides.csv"}}  # fmt: skip
"""What distill itself writes under names that a store has too, by where it spells them."""


def test_distill_spells_no_file_of_a_store() -> None:
    own = {(place, name) for place, names in OWN_FILES.items() for name in names}
    found = {
        (said.partition(":")[0], said.rpartition(" ")[2])
        for path in MODULES
        if path.is_relative_to(ROOT / "distill")
        for said in store_files_spelled(path)
    }
    assert found == own


def test_a_spelled_file_of_a_store_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "leakage.py"
    path.write_text(
        '"""Reads crops.csv."""\nTABLES = ("crops.csv",)\n'
        'def split(store, name):\n    return f"{store}/splits/{name}.csv", store / "splits"\n'
    )
    assert sorted(store_files_spelled(path)) == [
        "leakage.py:2 spells crops.csv",
        "leakage.py:4 spells /splits/",
        "leakage.py:4 spells splits",
    ]
