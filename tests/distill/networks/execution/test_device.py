"""Which device is taken, how much of it is free, and that it computes what the CPU does."""

from collections.abc import Iterator

import pytest
import torch

from distill.embeddings.heads import build_head
from distill.errors import UsageError
from distill.networks import NetworkSpec, build, build_encoder
from distill.networks.execution.device import SHARE, available_gib, resolve_device


@pytest.fixture(autouse=True)
def _flags() -> Iterator[None]:
    """Put torch's settings back."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic
    yield
    cudnn.allow_tf32, matmul.allow_tf32, cudnn.deterministic = before


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with two CUDA devices, as far as torch tells, and no torchrun."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("name", "number"), [("auto", 0), ("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)]
)
def test_a_cuda_device_has_its_number(two: pytest.MonkeyPatch, name: str, number: int) -> None:
    set_to: list[int] = []
    two.setattr(torch._C, "_cuda_setDevice", set_to.append, raising=False)
    found = resolve_device(name)
    assert found == torch.device("cuda", number)
    torch.cuda.set_device(found)  # refuses a device without its number
    assert set_to == [number]


def test_each_process_of_torchrun_has_its_own(two: pytest.MonkeyPatch) -> None:
    two.setenv("LOCAL_RANK", "1")
    two.setenv("LOCAL_WORLD_SIZE", "2")
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda:1")
    with pytest.raises(UsageError, match="each process needs its own; use --device cuda"):
        resolve_device("cuda:0")
    two.setenv("LOCAL_RANK", "2")
    with pytest.raises(UsageError, match="--device cuda:2: torch finds 2 CUDA devices"):
        resolve_device("cuda")


def test_what_is_not_there_is_refused(two: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--device cuda:2: torch finds 2 CUDA devices"):
        resolve_device("cuda:2")
    with pytest.raises(UsageError, match="none of auto, cpu, cuda, cuda:N"):
        resolve_device("gpu")
    two.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="torch finds no CUDA device"):
        resolve_device("cuda")


def test_float32_is_float32_on_cuda_and_nothing_changes_for_the_cpu(
    two: pytest.MonkeyPatch,
) -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.deterministic = False
    resolve_device("cpu")
    assert torch.backends.cudnn.allow_tf32
    resolve_device("cuda:1")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.deterministic


def test_memory_that_torch_keeps_for_itself_is_free(two: pytest.MonkeyPatch) -> None:
    """A second run in one process has what the first has left."""
    two.setattr(torch.cuda, "mem_get_info", lambda device: (2 * 2**30, 80 * 2**30))
    two.setattr(torch.cuda, "memory_reserved", lambda device: 70 * 2**30)
    two.setattr(torch.cuda, "memory_allocated", lambda device: 10 * 2**30)
    assert available_gib(torch.device("cuda:0")) == round(SHARE * 62, 2)


def test_initial_weights_leave_the_generators_of_cuda_alone(two: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    two.setattr(torch.cuda, "manual_seed_all", seeded.append)
    torch.manual_seed(7)
    assert seeded == [7]  # or this test proves nothing
    build("resnet10", 2, seed=1)
    build_head("linear", 4, 2, seed=1)
    build_encoder(NetworkSpec("torchvision/resnet18"), seed=1)
    assert seeded == [7]
