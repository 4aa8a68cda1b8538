"""What all tests share: the real slides, where they are at hand, and how properties are tried."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.events import let_interrupt

if "PYTEST_XDIST_WORKER" in os.environ:  # beside others of its kind, a core for each
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no fault: no example is too slow. Each run draws other examples, in continuous
# integration too: most runs are there, and what they try is what finds the defect that none of a
# fixed few shows. One that fails is printed so that it can be tried again anywhere.
settings.register_profile(
    "tests",
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tests")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let CUDA's libraries warn: what they say has never been seen, and time on a GPU is short."""
    for item in items:
        if item.get_closest_marker("cuda") is not None:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a CUDA device, before anything is made for it."""
    if item.get_closest_marker("cuda") is not None:
        import torch  # here, for most tests have no use for it

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device, and torch finds none")


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
