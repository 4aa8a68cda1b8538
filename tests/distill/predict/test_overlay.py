"""The picture of a slide with its crops."""

import numpy as np
import pandas as pd
import pytest

from distill.evaluation.predictions import UNIT_COLUMNS, Predictions
from distill.predict.overlay import MARGIN, NARROWEST, NOTE, PALETTE, TITLE, color_of, draw_overlay
from distill.predict.slide_logits import CropLogits, SlideLogits

CLASSES = ("$x_1$ <b>", "b" * 200, *(f"class {n}" for n in range(9)))


def slide(warnings: tuple[str, ...] = ()) -> SlideLogits:
    """1000 × 800 pixels with a crop in the middle and one that ends with the slide."""
    boxes = [(100, 200, 300, 400), (640, 480, 360, 320)]
    crops = tuple(
        CropLogits(f"s/{number}", box, 1.0, None, (9, 9), np.zeros(len(CLASSES)))
        for number, box in enumerate(boxes)
    )
    facts = {"width": 1000, "height": 800, "mpp": 0.5}
    return SlideLogits("s", "s.svs", "ok", facts=facts, warnings=warnings, crops=crops)


def answers(predicted: list[int]) -> tuple[Predictions, Predictions]:
    rows = [(f"s/{number}", "s", "s", None, 1.0) for number in range(2)]
    table = pd.DataFrame(rows, columns=UNIT_COLUMNS["crop"])
    chances = np.full((2, len(CLASSES)), 0.01)
    chances[[0, 1], predicted] = 0.9
    crops = Predictions("crop", CLASSES, table, chances, np.array(predicted, np.intp))
    return crops, crops.by("slide")


@pytest.mark.parametrize("warnings", [(), ("one\nline", "w" * 500)])
def test_outlines_lie_on_the_boxes_in_the_color_of_the_class(warnings: tuple[str, ...]) -> None:
    """The slide is shown at half its size, below the lines of the head."""
    picture = np.full((400, 500, 3), 200, np.uint8)
    drawn = np.asarray(draw_overlay(slide(warnings), picture, CLASSES, answers([0, 10]), "note"))
    left, top = MARGIN + (NARROWEST - 500) // 2, TITLE + NOTE * (1 + len(warnings)) + 6
    shown = drawn[top : top + 400, left : left + 500]
    for color, (x0, y0, x1, y1) in (
        (PALETTE[0], (50, 100, 200, 300)),
        (PALETTE[2], (320, 240, 500, 400)),
    ):
        middle = (y0 + y1) // 2, (x0 + x1) // 2
        for y, x in (
            (y0 + 2, middle[1]), (y1 - 3, middle[1]), (middle[0], x0 + 2), (middle[0], x1 - 3),
        ):  # fmt: skip
            assert tuple(shown[y, x]) == color
        assert tuple(shown[middle]) == (200, 200, 200)
        assert tuple(shown[y0 + 30, x0 + 30]) == (200, 200, 200)
    assert tuple(shown[30, 400]) == (200, 200, 200)
    assert color_of(10) == color_of(2)


def test_a_slide_without_crops_is_shown_bare() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (70, 40, 3), np.uint8)
    empty = SlideLogits(
        "s", "s.svs", "empty", "no tissue was found",
        facts={"width": 400, "height": 700, "mpp": 0.5},
    )  # fmt: skip
    drawn = np.asarray(draw_overlay(empty, picture, CLASSES, None, "note"))
    left, top = MARGIN + (NARROWEST - 40) // 2, TITLE + NOTE + 6
    np.testing.assert_array_equal(drawn[top : top + 70, left : left + 40], picture)
