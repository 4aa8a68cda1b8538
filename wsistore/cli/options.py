"""Options that several commands take, so that they read alike."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wsistore.errors import UsageError
from wsistore.files import NO_LOCK_FLAG, parse_json
from wsistore.formatting import micrometers
from wsistore.levels import DEFAULT_LEVELS
from wsistore.parallel import TIMEOUT
from wsistore.readers import AUTO, READERS
from wsistore.slides import BY_NAME, ID_RULES
from wsistore.storage import open_root

labels_option = click.option(
    "--labels", type=click.Path(path_type=Path), help="CSV: slide, patient, label[, mpp][, id]."
)
id_option = click.option(
    "--id", "rule", type=click.Choice(ID_RULES), default=BY_NAME, show_default=True,
    help="Slides' ids: the file's name; the given folder's name and the path below it; or the "
    "column 'id' of --labels.",
)  # fmt: skip
levels_option = click.option(
    "--levels", default=",".join(DEFAULT_LEVELS), show_default=True,
    help="Magnifications to store; 10x is 1 µm/px.",
)  # fmt: skip
exact_mpp_option = click.option(
    "--exact-mpp", is_flag=True, help="Scale each slide to exactly the nominal µm/px."
)


class Micrometers(click.ParamType[float]):
    """A positive length in µm, with a decimal point or comma and perhaps a unit."""

    name = "um"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return µm."""
        try:
            return micrometers(value)
        except ValueError as error:
            self.fail(f"{error}; write µm per pixel, such as 0.25", param, ctx)


mpp_option = click.option(
    "--mpp", type=Micrometers(), help="µm per level-0 pixel of these slides; wins over the file."
)
reader_option = click.option(
    "--reader", type=click.Choice([AUTO, *READERS]), default=AUTO, show_default=True,
    help="Who reads the slides; auto takes the first that can.",
)  # fmt: skip
apply_icc_option = click.option(
    "--apply-icc", is_flag=True,
    help="Convert colours to sRGB by each slide's ICC profile; else pixels stay as stored.",
)  # fmt: skip

no_lock_option = click.option(
    NO_LOCK_FLAG, is_flag=True,
    help="Take no locks, on a file system without any. Nothing else may write there meanwhile.",
)  # fmt: skip

timeout_option = click.option(
    "--timeout", type=click.FloatRange(min=0), default=TIMEOUT, show_default=True,
    help="Seconds without progress after which a slide is given up; 0 for no limit.",
)  # fmt: skip


def _storage(context: click.Context, option: click.Parameter, given: tuple[str, ...]) -> Any:
    """Return the options of a store's file system, from ``KEY=VALUE`` texts.

    ``true``, ``false`` and what is in braces are read as JSON; anything else is text, numbers too:
    a key of digits stays what it is.
    """
    found: dict[str, Any] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not (key and sign):
            raise UsageError(f"--storage-option {text} is not KEY=VALUE")
        try:
            known = value in ("true", "false") or value.startswith("{")
            found[key] = parse_json(value) if known else value
        except ValueError as error:
            raise UsageError(f"--storage-option {key}: the value {error}") from error
    return found


storage_option = click.option(
    "--storage-option", "storage", multiple=True, metavar="KEY=VALUE", callback=_storage,
    help="Option of the file system of a store's URL; repeatable.",
)  # fmt: skip


def store_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument STORE, a path or a URL, and --storage-option.

    The command gets ``store``, a `wsistore.storage.base.StoreRoot`.
    """

    @click.argument("store")
    @storage_option
    @functools.wraps(command)
    def wrapped(*args: Any, store: str, storage: dict[str, Any], **kwargs: Any) -> None:
        command(*args, store=open_root(store, storage), **kwargs)

    return wrapped
