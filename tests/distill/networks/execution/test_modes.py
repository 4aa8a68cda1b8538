"""Every way gives the network's own result; the choice is the first that fits."""

import pytest
import torch

from distill.data.normalization import ChannelStats
from distill.networks import build
from distill.networks.execution.memory import OVERHEAD, memory_needed
from distill.networks.execution.modes import ExecutionPlan, execution_plans, forward, plan_name
from distill.networks.execution.streamed_input import StreamedInput
from tests.distill.odd import assert_same, gradients, image, loss, network, tolerance

NET = build("resnet10", 3)


@pytest.mark.parametrize("way", execution_plans(NET), ids=plan_name)
def test_every_way_is_the_network(way: ExecutionPlan, device: torch.device) -> None:
    net, most = network("resnet10").to(device), tolerance(torch.float64, device)
    x = image(61, 90, 0).to(device)
    wanted = net(x)
    loss(wanted, 1).backward()
    grads = gradients(net)
    ours = forward(net, x, way, strip=20_000)
    loss(ours, 1).backward()
    assert_same([ours.logits, ours.features], [wanted.logits, wanted.features], most)
    assert_same(gradients(net), grads, most)


def test_a_crop_that_stays_uint8_gives_what_its_input_gives() -> None:
    crop = torch.randint(0, 256, (3, 50, 41), dtype=torch.uint8, generator=torch.Generator())
    source = StreamedInput(crop, None, ChannelStats((0.5,) * 3, (0.2,) * 3), torch.device("cpu"))
    x = source.rows(0, 50)
    for way in execution_plans(NET)[:3]:
        assert_same([forward(NET, source, way).logits], [NET(x).logits], 1e-5)


def test_ways_have_names_and_one_mode_a_part() -> None:
    assert [plan_name(way) for way in execution_plans(NET)] == [
        "plain",
        "checkpointed",
        "1 part tiled, 4 checkpointed",
        "2 parts tiled, 3 checkpointed",
        "3 parts tiled, 2 checkpointed",
        "4 parts tiled, 1 checkpointed",
        "tiled",
    ]
    with pytest.raises(ValueError, match="2 modes for 5 parts"):
        forward(NET, torch.zeros(1, 3, 8, 8), ("plain", "plain"))


def test_the_estimate_grows_with_the_crop_and_knows_what_autograd_keeps() -> None:
    plain, checkpointed = execution_plans(NET)[:2]
    small, large = (memory_needed(NET, side, side, plain) for side in (1024, 2048))
    assert large - OVERHEAD == pytest.approx(4 * (small - OVERHEAD), rel=1e-3)
    # by hand, per pixel: stem, input 12, convolution 32, ReLU 32, 8-byte places of maxima 16;
    # then five maps of stage 1 at 8 and so on, 50.5 GiB for the paper's largest crop
    kept = memory_needed(NET, 16_832, 19_304, plain) / 2**30
    assert 50 < kept < 75
    assert memory_needed(NET, 2048, 2048, checkpointed) < large
