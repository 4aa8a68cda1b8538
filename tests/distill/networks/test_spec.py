"""How a network is named."""

import json

import pytest

from distill.errors import UsageError
from distill.networks import NETWORKS, NetworkSettings, NetworkSpec, parse_options


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec("resnet10"),
        NetworkSpec("resnet18", enlarge=4, stem_stride=1),
        NetworkSpec("timm/vit_tiny_patch16_224", {"img_size": 96, "class_token": False}),
        NetworkSpec("torchvision/resnet18", norm_to="group"),
    ],
)
def test_settings_and_options_say_all_of_a_network(spec: NetworkSpec) -> None:
    written = json.loads(json.dumps(spec.settings()))
    assert NetworkSpec.from_settings(spec.name, written) == spec
    assert NetworkSettings.of(spec).spec == spec


def test_a_network_as_it_comes_has_no_settings() -> None:
    for name in (*NETWORKS, "timm/resnet18"):
        assert NetworkSpec(name).settings() == {}
    assert NetworkSpec("resnet10").plain
    assert not NetworkSpec("resnet10", enlarge=2).plain
    assert not NetworkSpec("timm/resnet18").plain


def test_values_are_json_where_they_can_be() -> None:
    given = ("img_size=224", "dynamic_img_size=true", "act_layer=silu", "x=[1, 2]", "y==")
    assert parse_options(given) == {
        "img_size": 224,
        "dynamic_img_size": True,
        "act_layer": "silu",
        "x": [1, 2],
        "y": "=",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("img_size",), "img_size: give it as KEY=VALUE"),
        (("=3",), "give it as KEY=VALUE"),
        (("a b=3",), "give it as KEY=VALUE"),
        (("a=3", "a=4"), "--network-option a is given twice"),
    ],
)
def test_options_that_are_none_are_refused(given: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_options(given)


@pytest.mark.parametrize("name", ["resnet11", "timm/", "timm/../x", "timm", "hub/resnet18", ""])
def test_names_of_nothing_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"is none of resnet10, .*timm/NAME"):
        NetworkSpec(name)


def test_settings_without_effect_are_refused() -> None:
    with pytest.raises(UsageError, match="--network-option is for timm/NAME"):
        NetworkSpec("resnet10", {"a": 1})
    with pytest.raises(UsageError, match="resnet10 has group norms already"):
        NetworkSpec("resnet10", norm_to="group")


@pytest.mark.parametrize(
    "settings",
    [
        {"enlarge": 0},
        {"enlarge": 1.5},
        {"enlarge": True},
        {"stem_stride": 0},
        {"stem_stride": "1"},
        {"norm_to": "layer"},
        {"options": [1]},
        {"more": 1},
    ],
)
def test_damaged_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        NetworkSpec.from_settings("timm/resnet18", settings)
