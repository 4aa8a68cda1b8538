"""A rich console that no name, label or message can steer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from wsistore.formatting.texts import unsafe, visible_lines


class SafeConsole(Console):
    """A console that reads no markup in what it is given and shows what is unsafe escaped."""

    def __init__(self, **options: Any) -> None:
        """Make one; the options are rich's."""
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does, texts by `wsistore.texts.visible_lines`."""
        shown = (visible_lines(each) if isinstance(each, str) else each for each in objects)
        super().print(*shown, **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield segments as rich does; those of text hold nothing unsafe but line breaks."""
        for segment in super().render(renderable, options):
            if segment.control or not unsafe(segment.text):
                yield segment
            else:
                yield Segment(visible_lines(segment.text), segment.style)
