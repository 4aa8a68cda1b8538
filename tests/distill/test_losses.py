"""The losses against equations 1 to 3 written out in float64 numpy, loops and all."""

import math

import numpy as np
import pytest
import torch

from distill.losses import pixel_loss, soft_loss, total_loss


def slow_max_pool(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    bins = []
    for n, cells in zip(image.shape[-2:], size, strict=True):
        bins.append([(i * n // cells, -(-(i + 1) * n // cells)) for i in range(cells)])
    return np.array(
        [[image[..., a:b, c:d].max((-2, -1)) for c, d in bins[1]] for a, b in bins[0]]
    ).transpose(2, 3, 0, 1)


def cubic(x: float, a: float = -0.75) -> float:
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def bicubic_matrix(n: int, cells: int) -> np.ndarray:
    matrix = np.zeros((cells, n))
    for i in range(cells):
        centre = (i + 0.5) * n / cells - 0.5
        for j in range(math.floor(centre) - 1, math.floor(centre) + 3):
            matrix[i, min(max(j, 0), n - 1)] += cubic(centre - j)
    return matrix


def slow_bicubic(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = (bicubic_matrix(n, c) for n, c in zip(image.shape[-2:], size, strict=True))
    return np.einsum("ih,bchw,jw->bcij", rows, image, columns)


def slow_softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


SHAPES = [
    ((7, 11), (3, 4)),
    ((13, 5), (4, 2)),
    ((8, 8), (2, 2)),
    ((9, 17), (1, 3)),
    ((5, 5), (5, 5)),
]


@pytest.mark.parametrize(("high", "low"), SHAPES)
def test_pixel_loss_is_equation_3_with_both_resizers(
    high: tuple[int, int], low: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    teacher, student = rng.normal(size=(2, 6, *high)), rng.normal(size=(2, 6, *low))
    half_max = ((slow_max_pool(teacher, low) - student) ** 2).mean()
    half_bicubic = ((slow_bicubic(teacher, low) - student) ** 2).mean()
    s, t = torch.from_numpy(student), torch.from_numpy(teacher)
    assert float(pixel_loss(s, t)) == pytest.approx((half_max + half_bicubic) / 2, rel=1e-12)
    assert float(pixel_loss(s, t, ("max",))) == pytest.approx(half_max, rel=1e-12)
    assert float(pixel_loss(s, t, ("bicubic",))) == pytest.approx(half_bicubic, rel=1e-12)


def test_pixel_loss_pulls_the_student_to_the_mean_of_the_two_resized_maps() -> None:
    rng = np.random.default_rng(1)
    teacher, student = rng.normal(size=(1, 3, 9, 7)), rng.normal(size=(1, 3, 4, 3))
    s = torch.from_numpy(student).requires_grad_()
    pixel_loss(s, torch.from_numpy(teacher)).backward()
    middle = (slow_max_pool(teacher, (4, 3)) + slow_bicubic(teacher, (4, 3))) / 2
    assert s.grad is not None
    np.testing.assert_allclose(s.grad.numpy(), 2 * (student - middle) / student.size, atol=1e-15)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_soft_loss_is_equation_2(temperature: float) -> None:
    rng = np.random.default_rng(2)
    s, t = rng.normal(size=(5, 3)) * 4, rng.normal(size=(5, 3)) * 4
    p, q = slow_softmax(t / temperature), slow_softmax(s / temperature)
    wanted = (p * np.log(p / q)).sum(1).mean() * temperature**2
    found = soft_loss(torch.from_numpy(s), torch.from_numpy(t), temperature)
    assert float(found) == pytest.approx(wanted, rel=1e-12)
    assert float(soft_loss(torch.from_numpy(t), torch.from_numpy(t), temperature)) == 0


def test_soft_loss_survives_a_teacher_that_is_certain() -> None:
    certain, unsure = torch.tensor([[500.0, -500.0]]), torch.tensor([[0.0, 0.0]])
    assert float(soft_loss(unsure, certain)) == pytest.approx(math.log(2))


def test_total_loss_is_the_weighted_sum() -> None:
    soft, pixel = torch.tensor(2.0), torch.tensor(3.0)
    assert float(total_loss(soft, pixel)) == 5
    assert float(total_loss(soft, pixel, 0.5, 2)) == 7


def test_maps_of_other_channels_or_no_resizer_are_refused() -> None:
    with pytest.raises(ValueError, match="same batch and channels"):
        pixel_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 1, 3, 3))
    with pytest.raises(ValueError, match="at least one resizer"):
        pixel_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3), ())
