"""Weights files of small networks, as others write them."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from distill.networks import NetworkSpec, build_encoder

VIT, CNN = "timm/test_vit", "timm/test_efficientnet"


def pretrained(folder: Path, name: str, seed: int = 11) -> Path:
    """Write random weights behind a prefix, with a head of their own and figures of batch norms."""
    held = build_encoder(NetworkSpec(name), seed=seed).backbone.network.state_dict()
    generator = torch.Generator().manual_seed(seed)
    for key, value in held.items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.1, generator=generator)
        if key.endswith("running_var"):
            value.uniform_(0.5, 2, generator=generator)
    named = {f"model.{key}": value for key, value in held.items()}
    file = folder / f"{name.partition('/')[2]}-{seed}.safetensors"
    save_file({**named, "model.head.weight": torch.ones(9, 9)}, file)
    return file
