"""What a command says where a device has no memory left for what is no crop's."""

import click
import pytest
import torch

from distill.cli.exits import cli_errors

SAID = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.77 GiB of "
    "which 1.20 GiB is free. Process 7 has 14.5 GiB memory in use."
)


def test_a_full_device_is_one_sentence() -> None:
    with pytest.raises(click.ClickException) as met, cli_errors():
        raise torch.OutOfMemoryError(SAID)
    assert met.value.exit_code == 1
    assert met.value.message == (
        "the device's memory is full (CUDA out of memory. Tried to allocate 2.00 GiB); end what "
        "else uses it, take a smaller network, or use --device cpu"
    )


def test_another_error_of_torch_is_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"), cli_errors():
        raise RuntimeError("size mismatch")
