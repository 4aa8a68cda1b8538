"""What a command line imports: whoever hands slides to worker processes needs little for that."""

import json
import subprocess
import sys
from importlib import import_module

import pytest

import wsistore
from wsistore.readers.registry import READERS

HEAVY = {
    "numpy", "zarr", "pandas", "numba", "scipy", "skimage", "PIL", "tifffile", "tiffslide",
    "openslide", "pyvips", "wsidicom", "pydicom", "fsspec", "matplotlib", "jsonschema",
}  # fmt: skip
"""What takes a tenth of a second or more to import, or brings what does."""


def loaded(code: str) -> set[str]:
    """Return the heavy packages that a fresh process has imported after some code."""
    shown = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return HEAVY & set(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "module", ["wsistore", "wsistore.cli.main", "wsistore.cli.build", "wsistore.cli.plan"]
)
def test_who_hands_slides_to_workers_imports_neither_readers_nor_compiler(module: str) -> None:
    assert loaded(f"import {module}") == set()


def test_a_build_imports_nothing_heavy_to_the_end_of_its_tables() -> None:
    # a slide that fails: its row is written, and read again by the second build
    code = """
import tempfile
from pathlib import Path
from click.testing import CliRunner
from wsistore.cli.main import main
with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "a.svs").write_bytes(b"no slide")
    for _ in range(2):
        command = ["build", f"{folder}/a.svs", "--out", f"{folder}/store", "--workers", "1"]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 1, result.output
    assert (Path(folder) / "store/slides.csv").read_text().count("failed") == 1
"""
    assert loaded(code) == set()


def test_every_public_name_is_found_where_it_is_said_to_be() -> None:
    for name in wsistore.__all__:
        found = getattr(wsistore, name)
        module = getattr(found, "__module__", None)
        if callable(found) and module is not None:
            assert module.startswith("wsistore.")
    assert set(wsistore.__all__) <= set(dir(wsistore))
    for name, place in (("atomic", "wsistore.files"), ("drawing", "wsistore.formatting")):
        assert getattr(wsistore, name) is import_module(f"{place}.{name}")
    with pytest.raises(AttributeError, match="attribute missing"):
        wsistore.missing  # noqa: B018


def test_readers_have_the_names_that_they_are_chosen_by() -> None:
    for name, place in READERS.items():
        module, kind = place.split(":")
        assert getattr(import_module(module), kind).name == name
