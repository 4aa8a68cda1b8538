"""Weights that are published for `transformers`, in timm's network: the same outputs."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from distill.errors import RunError
from distill.networks import (
    KNOWN_ENCODERS,
    NetworkSpec,
    TileEncoder,
    build_encoder,
    fill_backbone,
    read_tensors,
)
from distill.networks.dinov2_names import dinov2_names

pytest.importorskip("timm", reason="timm is an optional extra")
WIDTH, DEPTH, HEADS, PATCH, SIDE = 24, 3, 3, 4, 16
SPEC = NetworkSpec(
    "timm/vit_large_patch16_224",
    {
        "img_size": SIDE,
        "patch_size": PATCH,
        "embed_dim": WIDTH,
        "depth": DEPTH,
        "num_heads": HEADS,
        "init_values": 1.0,
    },
)


def published(prefix: str = "") -> dict[str, Tensor]:
    """Random tensors of a small Dinov2Model, every one of them, in the order of its modules."""
    block = {
        **{f"norm1.{kind}": (WIDTH,) for kind in ("weight", "bias")},
        **{
            f"attention.{part}.{kind}": (WIDTH, WIDTH)[: 2 if kind == "weight" else 1]
            for part in ("attention.query", "attention.key", "attention.value", "output.dense")
            for kind in ("weight", "bias")
        },
        "layer_scale1.lambda1": (WIDTH,),
        **{f"norm2.{kind}": (WIDTH,) for kind in ("weight", "bias")},
        "mlp.fc1.weight": (4 * WIDTH, WIDTH),
        "mlp.fc1.bias": (4 * WIDTH,),
        "mlp.fc2.weight": (WIDTH, 4 * WIDTH),
        "mlp.fc2.bias": (WIDTH,),
        "layer_scale2.lambda1": (WIDTH,),
    }
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, WIDTH),
        "embeddings.mask_token": (1, WIDTH),
        "embeddings.position_embeddings": (1, (SIDE // PATCH) ** 2 + 1, WIDTH),
        "embeddings.patch_embeddings.projection.weight": (WIDTH, 3, PATCH, PATCH),
        "embeddings.patch_embeddings.projection.bias": (WIDTH,),
        **{f"encoder.layer.{n}.{k}": shape for n in range(DEPTH) for k, shape in block.items()},
        "layernorm.weight": (WIDTH,),
        "layernorm.bias": (WIDTH,),
    }
    draw = torch.Generator().manual_seed(3)
    return {
        prefix + name: torch.randn(shape, generator=draw) * 0.4 for name, shape in shapes.items()
    }


def dinov2(held: dict[str, Tensor], image: Tensor) -> Tensor:
    """(1, 3, 16, 16) to the last hidden state, (1, 17, 24): what Dinov2Model does, step by step."""

    def linear(name: str, x: Tensor) -> Tensor:
        return x @ held[f"{name}.weight"].T + held[f"{name}.bias"]

    def norm(name: str, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * held[f"{name}.weight"] + held[f"{name}.bias"]

    kernel = held["embeddings.patch_embeddings.projection.weight"]
    patches = F.conv2d(
        image, kernel, held["embeddings.patch_embeddings.projection.bias"], stride=PATCH
    )
    x = torch.cat([held["embeddings.cls_token"], patches.flatten(2).transpose(1, 2)], 1)
    x = x + held["embeddings.position_embeddings"]
    for number in range(DEPTH):
        layer = f"encoder.layer.{number}"
        seen, size = norm(f"{layer}.norm1", x), WIDTH // HEADS
        heads = []
        for head in range(HEADS):
            query, key, value = (
                linear(f"{layer}.attention.attention.{part}", seen)[
                    ..., head * size : (head + 1) * size
                ]
                for part in ("query", "key", "value")
            )
            heads.append((query @ key.transpose(1, 2) * size**-0.5).softmax(-1) @ value)
        attended = linear(f"{layer}.attention.output.dense", torch.cat(heads, -1))
        x = attended * held[f"{layer}.layer_scale1.lambda1"] + x
        inner = linear(f"{layer}.mlp.fc1", norm(f"{layer}.norm2", x))
        inner = inner * 0.5 * (1 + torch.erf(inner / 2**0.5))
        x = linear(f"{layer}.mlp.fc2", inner) * held[f"{layer}.layer_scale2.lambda1"] + x
    return norm("layernorm", x)


def encoder() -> TileEncoder:
    return build_encoder(SPEC, "token")


@pytest.mark.parametrize("prefix", ["", "dinov2."])
def test_the_network_of_timm_says_what_dinov2_says(tmp_path: Path, prefix: str) -> None:
    file, made = tmp_path / "model.safetensors", encoder()
    save_file(published(prefix), file)
    match = fill_backbone(made.backbone, read_tensors(file), file, "it", "dinov2")
    image = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))
    wanted = torch.cat([dinov2(published(), one[None]) for one in image])
    with torch.no_grad():
        found = made.backbone.network.forward_features(image)  # type: ignore[operator]
        vectors = made(image)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(vectors, wanted[:, 0], rtol=1e-5, atol=1e-5)
    assert match.unused == (f"{prefix}embeddings.mask_token",)
    assert (match.prefix, match.matched) == (prefix, len(made.backbone.network.state_dict()))
    assert "matched by the names of transformers" in match.text(file, "it")


def test_each_tensor_decides(tmp_path: Path) -> None:
    """No tensor of the file is left out, or taken twice, but for the mask that nobody applies."""
    held = encoder().backbone.network.state_dict()
    used = [theirs for name in held for theirs in dinov2_names(name)]
    assert sorted(used) == sorted(published().keys() - {"embeddings.mask_token"})
    assert dinov2_names("blocks.0.attn.q_norm.weight") == dinov2_names("reg_token") == ()


def test_what_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    held, made = published(), encoder()
    with pytest.raises(RunError, match=r"names are those of transformers.*--weights-match dinov2"):
        fill_backbone(made.backbone, held, file, "it")
    lacking = {
        name: value for name, value in held.items() if "1.attention.attention.key" not in name
    }
    with pytest.raises(RunError, match=r"2 of \d+ tensors are missing, blocks\.1\.attn\.qkv"):
        fill_backbone(made.backbone, lacking, file, "it", "dinov2")
    before = {name: value.clone() for name, value in made.backbone.network.state_dict().items()}
    key = "encoder.layer.2.attention.attention.key.weight"
    odd = {**held, key: torch.zeros(WIDTH + 1, WIDTH)}
    with pytest.raises(RunError, match=rf"{key} is \(25, 24\) where \(24, 24\) is wanted"):
        fill_backbone(made.backbone, odd, file, "it", "dinov2")
    now = made.backbone.network.state_dict()
    assert all(torch.equal(now[name], value) for name, value in before.items())


def test_phikon_v2_is_a_preset_that_takes_them_so() -> None:
    known = KNOWN_ENCODERS["phikon-v2"]
    assert (known.match, known.pool, known.side, known.length) == ("dinov2", "token", 224, 1024)
