from pathlib import Path

import wsistore
from distill.runs.provenance import crops_sha256, location


def test_order_levels_and_pixels_change_the_hash_and_labels_do_not(real_store: Path) -> None:
    store = wsistore.open(real_store)
    crops = ["s0/0", "s1/0"]
    known = crops_sha256(store, crops, ["10x"])
    assert crops_sha256(wsistore.open(real_store), crops, ["10x"]) == known
    changed = wsistore.open(real_store)
    changed.levels.loc[changed.levels["crop"] == "s1/0", "sum_g"] += 1
    relabeled = wsistore.open(real_store)
    relabeled.crops["label"] = "odd"
    assert crops_sha256(relabeled, crops, ["10x"]) == known
    others = [
        crops_sha256(store, crops[::-1], ["10x"]),
        crops_sha256(store, crops[:1], ["10x"]),
        crops_sha256(store, crops, ["10x", "2.5x"]),
        crops_sha256(changed, crops, ["10x"]),
    ]
    assert len({known, *others}) == 5


def test_a_place_is_a_whole_path_or_a_url_as_it_was_given(real_store: Path) -> None:
    url = f"file://{real_store}"
    assert location(url) == url
    assert location(real_store / ".." / real_store.name) == str(real_store.resolve())
