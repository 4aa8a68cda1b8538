import io

import numpy as np
from PIL import Image

from distill.runs.curves import picture, table

RECORDS = [
    {"epoch": n, "train": {"loss": 1 / n}, "val": {"loss": 2 / n}, "kept": n < 3, "seconds": 0.5}
    for n in (1, 2, 3)
]


def test_the_table_has_a_row_an_epoch_and_no_nesting() -> None:
    assert table(RECORDS[:2]) == (
        "epoch,train.loss,val.loss,kept,seconds\n1,1.0,2.0,True,0.5\n2,0.5,1.0,True,0.5\n"
    )
    assert table([]) == "\n"


def test_the_start_has_a_row_without_training_figures_and_a_point_of_its_own() -> None:
    start = {"epoch": 0, "val": {"loss": 0.5}, "kept": True, "seconds": 0.25}
    assert table([start, *RECORDS[:1]]) == (
        "epoch,train.loss,val.loss,kept,seconds\n0,,0.5,True,0.25\n1,1.0,2.0,True,0.5\n"
    )
    assert table([start]) == "epoch,val.loss,kept,seconds\n0,0.5,True,0.25\n"
    for records in ([start], [start, *RECORDS]):
        assert picture(records, "from weights").startswith(b"\x89PNG")


def test_the_picture_shows_both_subsets_and_the_epoch_kept() -> None:
    pixels = np.asarray(Image.open(io.BytesIO(picture(RECORDS, "runs/$a$"))).convert("RGB"))
    for color in ((0x3B, 0x6E, 0xA8), (0xC8, 0x55, 0x3D), (0x77, 0x77, 0x77)):
        assert (abs(pixels.astype(int) - color).sum(-1) < 12).sum() > 20
    alone = [{key: value for key, value in RECORDS[0].items() if key != "val"}]
    assert picture(alone, "one epoch, no val").startswith(b"\x89PNG")
