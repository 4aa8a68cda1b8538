"""What all tests share: the real slides, where they are at hand."""

from pathlib import Path

import pytest

from tests.events import let_interrupt

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real slides beside the checkout; see its README for what each file is."""
    if not SHARED.is_dir():
        pytest.skip(f"real slides are not at hand: no folder {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def cmu(shared: Path) -> Path:
    """The real CMU-1-Small-Region slide: 2220 × 2967 pixels of 0.499 µm."""
    return shared / "slides" / "CMU-1-Small-Region.svs"


@pytest.fixture(scope="session")
def cases(shared: Path) -> Path:
    """Folder of inputs from public complaints, a folder each, beside the real slides."""
    folder = shared.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"inputs from public complaints are not at hand: no folder {folder}")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Tests that interrupt processes hold where the tests run in the background of a shell."""
    let_interrupt()
