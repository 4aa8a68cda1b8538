"""Looks are shared where draws are, and every artifact gets its views in its own order."""

from distill.data.augmentation import AugmentationParams, sample_params
from distill.kd.targets.schema import CropTargets
from distill.kd.targets.views import TargetSlot, View, group_views, plan_views


def lessons(crops: str, plain: str, cells: tuple[int, int]) -> list[CropTargets]:
    """Two views of each crop, drawn by its place in the subset, and a plain one of others."""
    drawn = [
        CropTargets(c, *cells, (sample_params(0, 1, i), sample_params(0, 2, i)))
        for i, c in enumerate(crops)
    ]
    return [*drawn, *(CropTargets(c, *cells, (None,)) for c in plain)]


def test_levels_with_the_same_crops_share_every_look() -> None:
    fine, coarse = lessons("ab", "v", (4, 6)), lessons("ab", "v", (1, 2))
    found = plan_views([fine, coarse], "abv")
    assert [look.crop for look in found] == ["a", "a", "b", "b", "v"]
    for number, look in enumerate(found):
        turned = look.draw is not None and look.draw.turns % 2
        sizes = [(6, 4), (2, 1)] if turned else [(4, 6), (1, 2)]
        assert look.wanted == (TargetSlot(0, number, sizes[0]), TargetSlot(1, number, sizes[1]))


def test_a_crop_that_one_level_lacks_shifts_the_draws_of_those_behind_it() -> None:
    fine, coarse = lessons("abc", "uv", (4, 6)), lessons("ac", "v", (1, 2))
    found = plan_views([fine, coarse], "abcuv")
    crops = [look.crop for look in found]
    # c is second in the coarse subset: other draws, looks of its own
    assert crops == [*"aabbcccc", "u", "v"]
    shared = [look for look in found if len(look.wanted) == 2]
    assert [look.crop for look in shared] == [*"aa", "v"]
    for number, artifact in enumerate((fine, coarse)):
        views: list[tuple[str, AugmentationParams | None]] = []
        for look in found:
            for want in look.wanted:
                if want.artifact == number:
                    assert want.view == len(views)
                    views.append((look.crop, look.draw))
        assert views == [(lesson.crop, one) for lesson in artifact for one in lesson.draws]


def test_groups_hold_what_the_limit_allows_and_a_large_crop_is_alone() -> None:
    looks = [View(crop, None, ()) for crop in "aaabbcaa"]
    pixels = {"a": 40, "b": 70, "c": 500}
    cut = [[look.crop for look in group] for group in group_views(looks, pixels, 120)]
    assert cut == [["a", "a", "a"], ["b"], ["b"], ["c"], ["a", "a"]]
    assert [len(group) for group in group_views(looks, pixels, 0)] == [1] * 8
    assert list(group_views([], pixels, 10)) == []
