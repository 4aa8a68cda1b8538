"""How many patients go where: pure arithmetic on counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def counts(total: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Share ``total`` patients among subsets: largest remainder, none empty.

    Args:
        total: patients of one class.
        fractions: subset → share; shares add up to 1. A subset of share 0 gets none.

    Raises:
        ValueError: there are fewer patients than subsets with a share.
    """
    wanted = {name: total * share for name, share in fractions.items() if share > 0}
    if total < len(wanted):
        raise ValueError(f"{total} patients cannot fill {len(wanted)} subsets")
    # a hair is added so that 0.15 · 100, which is 15 − ε in floating point, floors to 15
    given = {name: int(share + 1e-9) for name, share in wanted.items()}
    order = sorted(wanted, key=lambda name: given[name] - wanted[name])
    for name in order[: total - sum(given.values())]:
        given[name] += 1
    for name in given:
        if given[name] == 0:
            largest = max(given, key=lambda other: given[other])
            given[largest] -= 1
            given[name] = 1
    return {name: given.get(name, 0) for name in fractions}


def fill(wanted: Mapping[str, int], have: Mapping[str, int], newcomers: int) -> dict[str, int]:
    """Share newcomers among subsets whose members stay: the one that lacks most is served first.

    No sharing of the same number of newcomers has a smaller Σ (wanted − have − given)². No more
    newcomers are placed than the subsets lack; nobody leaves a subset that has too many.

    Args:
        wanted: subset → number of patients it should have.
        have: subset → number it has; absent means none.
        newcomers: patients to place.

    Returns:
        Subset → newcomers it gets, in the order of ``wanted``; ties go to the first.
    """
    lack = {name: n - have.get(name, 0) for name, n in wanted.items()}
    given = dict.fromkeys(wanted, 0)
    for _ in range(min(newcomers, sum(max(0, n) for n in lack.values()))):
        name = max(lack, key=lambda each: lack[each])
        lack[name] -= 1
        given[name] += 1
    return given


def deal(have: Sequence[int], load: Sequence[int], newcomers: int) -> list[int]:
    """Deal newcomers of one class to folds, as a dealer deals cards.

    Args:
        have: patients of the class in each fold.
        load: patients of all classes in each fold; decides ties, so that the odd patients of
            several classes do not gather in the first fold.
        newcomers: patients to deal.

    Returns:
        The fold of each newcomer.
    """
    own, all_, dealt = list(have), list(load), []
    for _ in range(newcomers):
        fold = min(range(len(own)), key=lambda each: (own[each], all_[each], each))
        own[fold] += 1
        all_[fold] += 1
        dealt.append(fold)
    return dealt
