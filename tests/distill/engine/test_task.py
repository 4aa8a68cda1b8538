import pytest
import torch

from distill.data.augmentation import AugmentationParams, apply
from distill.data.dataset import LabeledSample, Sample
from distill.data.normalization import ChannelStats, network_input, to_input
from distill.engine.task import SupervisedTask
from distill.networks import build

CPU = torch.device("cpu")
HIGH, LOW = ChannelStats((0.4,) * 3, (0.2,) * 3), ChannelStats((0.5,) * 3, (0.1,) * 3)
SAMPLE = Sample(
    "s/0",
    0,
    {
        "10x": torch.randint(0, 256, (3, 64, 48), dtype=torch.uint8),
        "2.5x": torch.randint(0, 256, (3, 16, 12), dtype=torch.uint8),
    },
)


def test_augmentation_comes_before_standardization() -> None:
    bright = AugmentationParams(
        (("brightness", 1.5), ("contrast", 1), ("saturation", 1), ("hue", 0)), True, False, 0
    )
    image = SAMPLE.images["2.5x"]
    unit = apply(bright, image / 255)
    wanted = (unit - 0.5) / 0.1
    torch.testing.assert_close(network_input(image, bright, LOW, CPU)[0], wanted)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_supervision_is_cross_entropy_and_counts_right_answers(label: int) -> None:
    network = build("resnet10", 3)
    task = SupervisedTask(network, "10x", HIGH, CPU)
    sample = LabeledSample(SAMPLE.crop, 0, SAMPLE.images, label=label)
    (found,) = task.losses([sample], [None])
    logits = network(to_input(SAMPLE.images["10x"], HIGH.mean, HIGH.std)).logits[0]
    torch.testing.assert_close(found["loss"], logits.exp().sum().log() - logits[label])
    assert float(found["accuracy"]) == float(int(logits.argmax()) == label)
