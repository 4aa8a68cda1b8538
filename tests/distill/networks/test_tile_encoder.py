"""Networks that make one vector of a tile."""

import json
import re
from pathlib import Path

import pytest
import torch

from distill.errors import UsageError
from distill.networks import (
    KNOWN_ENCODERS,
    NetworkSpec,
    build_encoder,
    parse_options,
    vector_length,
)

timm = pytest.importorskip("timm", reason="timm is an optional extra")
VIT, CNN = "timm/test_vit", "timm/test_efficientnet"
FIXED = {"img_size": 96, "dynamic_img_size": False}
MILLIONS = {
    "uni": 303.35,
    "uni2-h": 681.39,
    "virchow2": 631.24,
    "h-optimus-0": 1134.77,
    "h-optimus-1": 1134.77,
    "prov-gigapath": 1134.95,
    "conch-trunk": 86.25,
    "phikon-v2": 303.35,
}
"""Parameters, as published: 303 M, 681 M, 631 M, 1.1 B, 1.1 B, 1.1 B; CONCH's trunk is a ViT-B.
Phikon-v2's are 1.21 GB of float32."""

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "foundation-models.md"


def tiles(side: int, count: int = 3) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", [VIT, CNN])
def test_the_vector_is_what_timm_hands_to_its_classifier(name: str) -> None:
    encoder = build_encoder(NetworkSpec(name), seed=2)
    own = timm.create_model(name.partition("/")[2], num_classes=0).eval()
    own.load_state_dict(encoder.backbone.network.state_dict())
    side = encoder.side
    assert side == own.pretrained_cfg["input_size"][1]
    found = encoder(tiles(side))
    assert found.shape == (3, vector_length(encoder, side))
    assert torch.equal(found, own(tiles(side)))


def test_tokens_of_a_transformer() -> None:
    """Register tokens are left out of the mean."""
    options = {"reg_tokens": 4, "dynamic_img_size": True}
    made = {
        pool: build_encoder(NetworkSpec(VIT, options), pool, seed=2)
        for pool in ("token", "mean", "token+mean")
    }
    found = {pool: encoder(tiles(64)) for pool, encoder in made.items()}
    features = made["token"].backbone.network.forward_features(tiles(64))
    assert features.shape[1] == 1 + 4 + 16
    assert torch.equal(found["token"], features[:, 0])
    assert torch.equal(found["mean"], features[:, 5:].mean(1))
    assert torch.equal(found["token+mean"], torch.cat([found["token"], found["mean"]], 1))


def test_a_map_has_no_class_token() -> None:
    with pytest.raises(UsageError, match="--pool token: the network has no class token"):
        build_encoder(NetworkSpec(CNN), "token")
    encoder = build_encoder(NetworkSpec(CNN), "mean")
    features = encoder.backbone.network.forward_features(tiles(64))
    assert torch.equal(encoder(tiles(64)), features.mean((2, 3)))


def test_torchvision_gives_the_mean_of_its_map() -> None:
    encoder = build_encoder(NetworkSpec("torchvision/resnet18"))
    assert encoder.side == 224
    assert torch.equal(encoder(tiles(64)), encoder.backbone(tiles(64)).mean((2, 3)))
    assert vector_length(encoder, 64) == encoder(tiles(64)).shape[1]


def test_a_network_of_a_fixed_size_takes_that_and_says_so_of_others() -> None:
    encoder = build_encoder(NetworkSpec(VIT, FIXED))
    assert encoder.side == 96
    assert vector_length(encoder, 96) == 64
    with pytest.raises(UsageError, match="--tile 64 does not fit the network"):
        vector_length(encoder, 64)


def test_an_enlarged_tile_is_what_the_network_takes() -> None:
    encoder = build_encoder(NetworkSpec(VIT, FIXED, enlarge=4))
    assert encoder.side == 24
    assert encoder(tiles(24)).shape == (3, 64)
    with pytest.raises(UsageError, match="give --tile"):
        _ = build_encoder(NetworkSpec(VIT, FIXED, enlarge=5)).side


def test_nothing_of_it_learns_and_no_tile_sees_another() -> None:
    for name in (VIT, CNN):
        encoder = build_encoder(NetworkSpec(name)).train()
        assert not any(module.training for module in encoder.modules())
        assert not any(parameter.requires_grad for parameter in encoder.parameters())
        given = tiles(160, 5)
        alone = torch.cat([encoder(one[None]) for one in given])
        torch.testing.assert_close(encoder(given), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (NetworkSpec("resnet10"), "timm/NAME or torchvision/NAME"),
        (NetworkSpec(VIT, {"mlp_layer": "Wide"}), "mlp_layer=Wide is none of Mlp"),
    ],
)
def test_what_is_no_encoder_is_refused(spec: NetworkSpec, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build_encoder(spec)


def test_a_network_that_pools_nothing_says_what_to_give() -> None:
    encoder = build_encoder(NetworkSpec(VIT, {"global_pool": ""}))
    with pytest.raises(UsageError, match="--pool network"):
        vector_length(encoder, encoder.side)


@pytest.mark.parametrize("name", KNOWN_ENCODERS)
def test_published_encoders_are_made_at_their_real_shapes(name: str) -> None:
    """On the meta device: shapes alone. The count of parameters is that of the publication."""
    known = KNOWN_ENCODERS[name]
    with torch.device("meta"):
        encoder = build_encoder(NetworkSpec(known.network, known.network_options), known.pool)
    assert encoder.figures == known.figures
    assert encoder.side == known.side
    assert vector_length(encoder, known.side) == known.length
    count = sum(parameter.numel() for parameter in encoder.parameters()) / 1e6
    assert count == pytest.approx(MILLIONS[name], abs=0.01)


@pytest.mark.parametrize("name", KNOWN_ENCODERS)
def test_the_tables_of_the_page_say_what_a_preset_is(name: str) -> None:
    known = KNOWN_ENCODERS[name]
    text = PAGE.read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if re.match(r"\|.*`" + name + "`", line)
    ]
    models, options = rows
    network, side, vector = models[2:5]
    assert f"timm/{network.strip('`')}" == known.network
    assert (int(side), vector) == (known.side, f"{known.length}, {known.pool}")
    given = parse_options(options[1].strip("`").split())
    assert json.dumps(given, sort_keys=True) == json.dumps(dict(known.options), sort_keys=True)
    assert known.match == "name" or f"`--weights-match {known.match}`" in options[2]
    numbers = [float(one) for one in re.findall(r"\d\.\d+", options[2])]
    imagenet = [0.485, 0.456, 0.406, 0.229, 0.224, 0.225]
    assert (numbers or imagenet) == [*known.figures[0], *known.figures[1]]
