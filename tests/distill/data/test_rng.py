import numpy as np

from distill.data.rng import RandomStream, rng_for


def stream(seed: int, purpose: RandomStream, epoch: int, index: int) -> tuple[int, ...]:
    return tuple(rng_for(seed, purpose, epoch, index).integers(2**63, size=300))


def test_every_argument_makes_another_stream_and_none_runs_into_another() -> None:
    arguments = [
        (seed, purpose, epoch, index)
        for seed in (0, 1, 2**64)
        for purpose in RandomStream
        for epoch in (0, 1, 2)
        for index in (0, 1, 2)
    ]
    numbers = [number for one in arguments for number in stream(*one)]
    assert len(set(numbers)) == len(numbers)
    assert stream(1, RandomStream.ORDER, 2, 3) == stream(1, RandomStream.ORDER, 2, 3)


def test_the_global_generator_is_not_touched() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - this is the state in question
    stream(0, RandomStream.ORDER, 0, 0)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
