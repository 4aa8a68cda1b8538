"""Vectors are taken from a device while it computes the next."""

from pathlib import Path

import numpy as np
import pytest
import torch

from distill.embeddings import EmbedSettings, embed, encoding
from distill.networks import NetworkSettings, NetworkSpec
from tests.distill.embeddings.weights import CNN, pretrained


def test_vectors_come_from_each_device(device: torch.device) -> None:
    """Also when it has been given more in the meantime."""
    wanted = torch.randn(7, 5, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        found = 2 * wanted.to(device)
        take = encoding.sent(found)
        del found
        later = torch.full((7, 5), 9.0, device=device)
    np.testing.assert_array_equal(take(), 2 * wanted.numpy())
    assert float(later.sum()) == 9.0 * 35


def test_a_batch_is_taken_when_the_next_was_given(
    wide_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a device would have nothing to do while tiles are read."""
    pytest.importorskip("timm", reason="timm is an optional extra")
    happened: list[tuple[str, int]] = []
    real = encoding.sent

    def watched(found: torch.Tensor) -> encoding.Coming:
        number = len({number for _, number in happened})
        happened.append(("given", number))
        take = real(found)

        def taken() -> np.ndarray:
            happened.append(("taken", number))
            return take()

        return taken

    monkeypatch.setattr(encoding, "sent", watched)
    settings = EmbedSettings(
        wide_store, tmp_path / "emb", pretrained(tmp_path, CNN), "10x",
        NetworkSettings.of(NetworkSpec(CNN)), tile=64, device="cpu", threads=1, batch_size=20,
    )  # fmt: skip
    embed(settings, lambda _: None)
    count = len(happened) // 2
    assert count > 2
    wanted = [("given", 0)]
    for number in range(1, count):
        wanted += [("given", number), ("taken", number - 1)]
    assert happened == [*wanted, ("taken", count - 1)]
