import pytest

from distill.cli.experiment.epochs import with_updates


@pytest.mark.parametrize(
    ("options", "times", "expected"),
    [
        ({"epochs": 20, "lr": 0.1}, 8, {"epochs": 160, "lr": 0.1}),
        ({"epochs": 20}, 2.37, {"epochs": 47}),
        ({"epochs": 20}, 1, {"epochs": 20}),
        ({"epochs": 3}, 0.1, {"epochs": 1}),
        ({"epochs": 20, "patience": 5}, 3, {"epochs": 60, "patience": 15}),
        ({"epochs": 20, "warmup-epochs": 2}, 3, {"epochs": 60, "warmup-epochs": 6}),
        (
            {"epochs": 20, "schedule": "step", "step-epochs": 7},
            2,
            {"epochs": 40, "schedule": "step", "step-epochs": 14},
        ),
        ({"preset": "dipalma2021"}, 4, {"preset": "dipalma2021", "epochs": 400}),
        ({"head": "logistic"}, 4, {"head": "logistic"}),
    ],
)
def test_what_counts_in_epochs_is_multiplied(
    options: dict[str, object], times: float, expected: dict[str, object]
) -> None:
    assert with_updates(options, times) == expected


def test_the_usual_number_counts_where_none_is_said() -> None:
    (said,) = with_updates({}, 2).values()
    assert said == 2 * 100
