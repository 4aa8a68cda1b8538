import pandas as pd

from distill.kd.targets.schema import pixels_sha256


def test_the_hash_of_pixels_changes_with_any_sum_of_the_crops_and_no_other() -> None:
    columns = ["height", "width", *(f"{k}_{c}" for k in ("sum", "sumsq") for c in "rgb")]
    rows = [[crop, level, *range(n, n + 8)] for n, (crop, level) in enumerate(
        [("a", "10x"), ("a", "5x"), ("b", "10x"), ("b", "5x")])]  # fmt: skip
    table = pd.DataFrame(rows, columns=["crop", "level", *columns])
    one = pixels_sha256(table, ["b", "a"], ["10x", "5x"])
    assert one == pixels_sha256(table[::-1], ["a", "b"], ["10x", "5x"])
    assert pixels_sha256(table, ["a"], ["10x"]) == pixels_sha256(table[:1], ["a"], ["10x"])
    for name in columns:
        changed = table.copy()
        changed.loc[2, name] += 1
        assert pixels_sha256(changed, ["a", "b"], ["10x", "5x"]) != one
        assert pixels_sha256(changed, ["a"], ["10x", "5x"]) == pixels_sha256(
            table, ["a"], ["10x", "5x"]
        )
