"""What options of an evaluation may be, as plain data: `--help` names it, and needs no table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

AGGREGATES = "mean|area|max|top-N[:CLASS]"
"""What `Aggregate.parse` takes, for `--help`; ":CLASS" goes with max too."""


@dataclass(frozen=True)
class Aggregate:
    """How the probabilities of crops become those of their slide, or patient.

    With p_ik the probability of class k of crop i, of n crops, the slide's P_k is

    - mean: Σ_i p_ik / n;
    - area: Σ_i a_i p_ik / Σ_i a_i, with a_i the area of the crop's box;
    - top-N: m_k / Σ_j m_j, where m_k is the mean of the N largest p_ik of class k. Each class has
      crops of its own, as in Lu et al. 2023 (MI-Zero); divided, for the m_k sum to 1 or more;
    - top-N:c: the mean of p_ik over the N crops with the largest p_ic, for every k. The crops that
      show most of class c decide, as in Campanella et al. 2019: with two classes P_c is the mean of
      the N largest p_ic, and the other class has 1 - P_c.

    Where there are fewer than N crops all of them count. "max" is top-1.

    Attributes:
        way: "mean", "area" or "top".
        top: N; 0 for the others.
        of: the class whose probability chooses the crops; None where each class has its own.
    """

    way: str
    top: int = 0
    of: str | None = None

    @classmethod
    def parse(cls, text: str) -> Aggregate:
        """Read what `str` writes, and top-1 for max.

        Raises:
            ValueError: it is something else; the message says what it may be.
        """
        if text in ("mean", "area"):
            return cls(text)
        found = re.fullmatch(r"(?:max|top-([1-9][0-9]*))(?::(.+))?", text, re.DOTALL)
        if found is None:
            raise ValueError(
                f"{text!r} is none of mean, area, max, top-3 (or another number), max:CLASS, "
                "top-3:CLASS"
            )
        return cls("top", int(found[1] or 1), found[2])

    def __str__(self) -> str:
        """Return what `--aggregate` takes, in one spelling: "top-3:tumor"."""
        if self.way != "top":
            return self.way
        return ("max" if self.top == 1 else f"top-{self.top}") + (f":{self.of}" if self.of else "")

    def wrong_for(self, classes: Sequence[str]) -> str:
        """Say why a network with these classes cannot be aggregated so; "" if it can."""
        if self.of is None or self.of in classes:
            return ""
        return f"{self}: {self.of!r} is none of the classes {', '.join(classes)}"

    @property
    def words(self) -> str:
        """What a slide's or patient's probability is: completes "… is"."""
        return self.made_of("crop")

    def made_of(self, part: str) -> str:
        """Return `words` for what is made of crops, or of slides."""
        if self.way != "top":
            area = "the area of its box" if part == "crop" else "the area of its crops"
            weight = area if self.way == "area" else "the same"
            return f"the mean over its {part}s, each weighing {weight}"
        crops = part if self.top == 1 else f"{self.top} {part}s"
        if self.of is not None:
            over = f"that of the {crops}" if self.top == 1 else f"the mean over the {crops}"
            return f"{over} with the highest probability of {self.of}{self._fewer}"
        over = "the highest" if self.top == 1 else f"the mean of the {self.top} highest"
        return f"of each class {over} of its {part}s{self._fewer}, divided by the sum over classes"

    @property
    def _fewer(self) -> str:
        return "" if self.top == 1 else " (all, where there are fewer)"
