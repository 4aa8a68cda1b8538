"""The losses against equations 1 to 3 written out in float64 numpy, loops and all."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from distill.kd.losses import (
    RESIZERS,
    attention_loss,
    attention_map,
    hint,
    hint_loss,
    pixel_loss,
    resized,
    resized_attention,
    soft_loss,
    total_loss,
)


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
        center = (i + 0.5) * n / cells - 0.5
        for j in range(math.floor(center) - 1, math.floor(center) + 3):
            matrix[i, min(max(j, 0), n - 1)] += cubic(center - j)
    return matrix


def slow_bicubic(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = (bicubic_matrix(n, c) for n, c in zip(image.shape[-2:], size, strict=True))
    return np.einsum("ih,bchw,jw->bcij", rows, image, columns)


def slow_antialias(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    matrices = []
    for n, cells in zip(image.shape[-2:], size, strict=True):
        factor = max(n / cells, 1.0)
        matrix = np.array(
            [
                [cubic((j - (i + 0.5) * n / cells + 0.5) / factor, -0.5) for j in range(n)]
                for i in range(cells)
            ]
        )
        matrices.append(matrix / matrix.sum(1, keepdims=True))
    return np.einsum("ih,bchw,jw->bcij", matrices[0], image, matrices[1])


def slow_average_pool(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    bins = []
    for n, cells in zip(image.shape[-2:], size, strict=True):
        bins.append([(i * n // cells, -(-(i + 1) * n // cells)) for i in range(cells)])
    return np.array(
        [[image[..., a:b, c:d].mean((-2, -1)) for c, d in bins[1]] for a, b in bins[0]]
    ).transpose(2, 3, 0, 1)


def slow_bilinear(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    matrices = []
    for n, cells in zip(image.shape[-2:], size, strict=True):
        matrix = np.zeros((cells, n))
        for i in range(cells):
            center = max((i + 0.5) * n / cells - 0.5, 0.0)
            low = math.floor(center)
            matrix[i, low] += 1 - (center - low)
            matrix[i, min(low + 1, n - 1)] += center - low
        matrices.append(matrix)
    return np.einsum("ih,bchw,jw->bcij", matrices[0], image, matrices[1])


def slow_nearest(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = (
        [math.floor(Fraction(i * n, cells)) for i in range(cells)]
        for n, cells in zip(image.shape[-2:], size, strict=True)
    )
    return image[..., rows, :][..., columns]


SLOW = {
    "max": slow_max_pool,
    "bicubic": slow_bicubic,
    "bicubic-antialias": slow_antialias,
    "average": slow_average_pool,
    "bilinear": slow_bilinear,
    "nearest": slow_nearest,
}


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
    parts = {"soft": soft, "pixel": pixel}
    assert float(total_loss(parts, {"soft": 1, "pixel": 1})) == 5
    assert float(total_loss(parts, {"soft": 0.5, "pixel": 2, "attention": 9})) == 7
    with pytest.raises(ValueError, match="at least one part"):
        total_loss({}, {})


def test_maps_of_other_channels_or_no_resizer_are_refused() -> None:
    with pytest.raises(ValueError, match="same batch, channels and cells"):
        pixel_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 1, 3, 3))
    with pytest.raises(ValueError, match="at least one resizer"):
        pixel_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3), ())


@pytest.mark.parametrize(("high", "low"), SHAPES)
@pytest.mark.parametrize("power", [1, 2])
def test_every_resizer_and_distance_is_as_written_out(
    high: tuple[int, int], low: tuple[int, int], power: int
) -> None:
    rng = np.random.default_rng(3)
    teacher, student = rng.normal(size=(2, 6, *high)), rng.normal(size=(2, 6, *low))
    assert SLOW.keys() == RESIZERS.keys()
    means = {
        name: (abs(make(teacher, low) - student) ** power).mean() for name, make in SLOW.items()
    }
    s, t = torch.from_numpy(student), torch.from_numpy(teacher)
    distance = {1: "l1", 2: "mse"}[power]
    for name, wanted in means.items():
        assert float(pixel_loss(s, t, (name,), distance)) == pytest.approx(wanted, rel=1e-12)
    every = float(pixel_loss(s, t, tuple(SLOW), distance))
    assert every == pytest.approx(sum(means.values()) / 6, rel=1e-12)


def test_nearest_takes_the_cell_that_whole_numbers_say_where_torch_rounds_to_the_one_before() -> (
    None
):
    image = torch.arange(26.0).view(1, 1, 1, 26)
    wanted = [i * 26 // 22 for i in range(22)]
    assert RESIZERS["nearest"](image, (1, 22)).flatten().tolist() == wanted
    torchs = F.interpolate(image, (1, 22), mode="nearest").flatten().tolist()
    assert [i for i in range(22) if torchs[i] != wanted[i]] == [11]
    for high, low in SHAPES:
        large = torch.rand(2, 3, *high)
        assert torch.equal(
            RESIZERS["nearest"](large, low), F.interpolate(large, low, mode="nearest")
        )


@pytest.mark.parametrize(
    "resizers",
    [
        ("max",),
        ("nearest",),
        ("max", "bicubic"),
        ("max", "bicubic-antialias"),
        ("average", "bilinear"),
        ("max", "average", "nearest"),
    ],
)
def test_the_mean_map_and_a_constant_give_the_pixel_loss_and_its_gradient(
    resizers: tuple[str, ...],
) -> None:
    rng = np.random.default_rng(4)
    teacher = torch.from_numpy(rng.normal(size=(1, 3, 9, 7)))
    student = torch.from_numpy(rng.normal(size=(1, 3, 4, 3))).requires_grad_()
    direct = pixel_loss(student, teacher, resizers)
    taught = hint(resized(teacher, (4, 3), resizers))
    by_hint = hint_loss(student, taught)
    assert float(by_hint.detach()) == pytest.approx(float(direct.detach()), rel=1e-12)
    wanted, found = (torch.autograd.grad(loss, student)[0] for loss in (direct, by_hint))
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-15)
    if len(resizers) == 2:
        a, b = (r.numpy() for r in resized(teacher, (4, 3), resizers))
        assert float(taught.constant) == pytest.approx(((a - b) ** 2).mean() / 4, rel=1e-12)
        assert float(taught.constant) > 0
    elif len(resizers) == 1:
        assert float(taught.constant) == 0


def test_attention_takes_the_channels_that_speak_for_the_class_only() -> None:
    rng = np.random.default_rng(5)
    features, gradient = rng.random((2, 4, 3, 5)), rng.normal(size=(2, 4, 3, 5))
    wanted = np.zeros((2, 3, 5))
    for image in range(2):
        for channel in range(4):
            weight = np.where(gradient[image, channel] > 0, gradient[image, channel], 0).mean()
            wanted[image] += weight * features[image, channel]
        wanted[image] /= math.sqrt((wanted[image] ** 2).sum())
    found = attention_map(torch.from_numpy(features), torch.from_numpy(gradient))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)
    np.testing.assert_allclose((found**2).sum((1, 2)).numpy(), 1, rtol=1e-12)


def test_attention_is_zero_where_nothing_speaks_for_the_class() -> None:
    features, against = torch.rand(1, 2, 3, 3), -torch.rand(1, 2, 3, 3)
    assert not attention_map(features, against).any()


def test_attention_loss_is_the_squared_distance_of_unit_maps() -> None:
    one, other = torch.zeros(2, 4, 4), torch.zeros(2, 4, 4)
    one[:, 0, 0] = other[0, 0, 0] = other[1, 3, 3] = 1
    assert float(attention_loss(one, other)) == pytest.approx((0 + 2) / 2)
    halves = torch.rand(1, 8, 6, dtype=torch.float64)
    small = resized_attention(halves, (4, 3))
    blocks = halves.numpy().reshape(1, 4, 2, 3, 2).mean((2, 4))
    np.testing.assert_allclose(small.numpy(), blocks / np.sqrt((blocks**2).sum()), rtol=1e-12)


def test_gradients_agree_with_finite_differences() -> None:
    torch.manual_seed(0)
    double = {"dtype": torch.float64}
    logits, taught = torch.randn(2, 3, **double, requires_grad=True), torch.randn(2, 3, **double)
    assert torch.autograd.gradcheck(lambda s: soft_loss(s, taught, 2.0), logits)
    small = torch.randn(1, 2, 3, 2, **double, requires_grad=True)
    large = torch.randn(1, 2, 7, 5, **double)
    for distance in ("mse", "l1"):
        assert torch.autograd.gradcheck(
            lambda s, d=distance: pixel_loss(s, large, distance=d), small
        )
    assert torch.autograd.gradcheck(lambda s: hint_loss(s, hint(resized(large, (3, 2)))), small)
    features = torch.rand(1, 3, 2, 2, **double, requires_grad=True)
    gradient = torch.randn(1, 3, 2, 2, **double, requires_grad=True)
    target = resized_attention(torch.rand(1, 4, 4, **double), (2, 2))
    assert torch.autograd.gradcheck(
        lambda f, g: attention_loss(attention_map(f, g), target), (features, gradient)
    )
