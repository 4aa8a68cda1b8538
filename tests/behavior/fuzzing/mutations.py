"""Mutations of bytes and of text, decided by random numbers alone."""

from __future__ import annotations

import io
import random
import re
import struct
from collections.abc import Callable

import tifffile

from tests.behavior.fuzzing.case import Change
from tests.behavior.fuzzing.documents import mutate_csv, mutate_json

NUMBERS = (
    "0", "-1", "1", "0.0", "-0.5", "1e308", "-1e400", "1e-320", "nan", "inf", "-Infinity",
    "99999999999999999999", "2147483648", "4294967295", "0x10", "1,5", "١٢", "1 000", "", "null",
)  # fmt: skip
STRANGE = (
    "\x00", "\x1b[2J", "\u202e", "\u200b", "\ufeff", "☃", "é", "e\u0301", '"', "'", "\\", "../",
    "/", "<", "&#0;", "&x;", ">", "{", "}", "[", "]", ",", ";", "\t", "\r", "\n", "=1+1", "%s",
    "a" * 5000, "[" * 3000, '{"a":' * 3000, "<a>" * 3000,
)  # fmt: skip
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "latin-1", "utf-7")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"\w+")
_EXTREMES = {
    1: (0, 1, 0x7F, 0x80, 0xFF),
    2: (0, 1, 0x7FFF, 0x8000, 0xFFFF),
    4: (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 0x01000000),
    8: (0, 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1),
}

Bytes = Callable[[random.Random, bytes], Change]


def mutate(rng: random.Random, data: bytes, suffix: str) -> Change:
    """Return a changed file.

    Args:
        rng: decides all.
        data: its bytes, not empty.
        suffix: of its name, which tells what else than its bytes may be changed.
    """
    kinds: list[Bytes] = [_bytes]
    if suffix in _STRUCTURED:
        kinds += 3 * list(_STRUCTURED[suffix])
    try:
        return rng.choice(kinds)(rng, data)
    except _UnfitError:
        return _bytes(rng, data)


class _UnfitError(Exception):
    """The file has nothing that a mutation changes."""


def _place(rng: random.Random, data: bytes, length: int = 1) -> int:
    """Return where to change bytes: anywhere, or near the ends, where headers are."""
    last = max(len(data) - length, 0)
    near = min(last, 512)
    return rng.choice((rng.randint(0, last), rng.randint(0, near), last - rng.randint(0, near)))


def _bytes(rng: random.Random, data: bytes) -> Change:
    if not data:
        return Change("bytes put into an empty file", rng.randbytes(rng.randint(1, 64)))
    return rng.choice((_flip, _flip, _number, _number, _truncate, _insert, _cut, _swap, _zero))(
        rng, data
    )


def _flip(rng: random.Random, data: bytes) -> Change:
    changed, places = bytearray(data), [_place(rng, data) for _ in range(rng.choice((1, 1, 2, 8)))]
    for place in places:
        changed[place] ^= rng.choice((1 << rng.randrange(8), 0xFF, rng.randint(1, 255)))
    return _over(f"bytes {sorted(places)} flipped", data, changed)


def _number(rng: random.Random, data: bytes) -> Change:
    size = rng.choice((1, 2, 4, 4, 8))
    place, value = _place(rng, data, size), rng.choice(_EXTREMES[size])
    order = rng.choice(("little", "big"))
    changed = bytearray(data)
    changed[place : place + size] = value.to_bytes(size, order)  # type: ignore[arg-type]
    return _over(f"{size} bytes at {place} are {value:#x}, {order}", data, changed[: len(data)])


def _truncate(rng: random.Random, data: bytes) -> Change:
    end = rng.choice((0, _place(rng, data), len(data) - 1, len(data) // 2))
    return Change(f"cut off at {end} of {len(data)}", data[:end])


def _insert(rng: random.Random, data: bytes) -> Change:
    place = _place(rng, data)
    more = rng.choice((rng.randbytes(rng.randint(1, 64)), bytes(rng.randint(1, 4096)), data[:4096]))
    return Change(f"{len(more)} bytes put in at {place}", data[:place] + more + data[place:])


def _cut(rng: random.Random, data: bytes) -> Change:
    place, length = _place(rng, data), rng.choice((1, 2, 16, 512))
    return Change(f"{length} bytes cut out at {place}", data[:place] + data[place + length :])


def _swap(rng: random.Random, data: bytes) -> Change:
    length = max(1, min(rng.choice((4, 12, 64, 1024)), len(data) // 2))
    first, second = _place(rng, data, length), _place(rng, data, length)
    changed = bytearray(data)
    one, other = data[first : first + length], data[second : second + length]
    changed[first : first + length], changed[second : second + length] = other, one
    return _over(f"{length} bytes at {first} and {second} swapped", data, changed)


def _zero(rng: random.Random, data: bytes) -> Change:
    length = rng.choice((4, 64, 1024))
    place = _place(rng, data, length)
    changed = bytearray(data)
    value = rng.choice((0, 0xFF))
    changed[place : place + length] = bytes([value]) * len(changed[place : place + length])
    return _over(f"{length} bytes at {place} are {value:#x}", data, changed)


def _over(what: str, data: bytes, changed: bytearray) -> Change:
    places = [n for n, (one, other) in enumerate(zip(data, changed, strict=True)) if one != other]
    return Change(what, bytes(changed), (places[0], places[-1]) if places else (0, -1))


def _tiff(rng: random.Random, data: bytes) -> Change:
    """Change the type, count or value of a directory's entry."""
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            entries = [
                (tag.offset, tag.valueoffset, tag.name) for p in tiff.pages for tag in p.tags
            ]
            big, order = tiff.is_bigtiff, tiff.byteorder
    except Exception as error:
        raise _UnfitError from error
    entry, value, name = rng.choice(entries)
    number = order + ("Q" if big else "I")
    what, place, form = rng.choice((
        ("code", entry, order + "H"), ("type", entry + 2, order + "H"),
        ("count", entry + 4, number), ("value", entry + (12 if big else 8), number),
        ("first number", value, order + rng.choice("HI")),
    ))  # fmt: skip
    size = struct.calcsize(form)
    old = int.from_bytes(data[place : place + size], "little" if order == "<" else "big")
    new = rng.choice((*_EXTREMES[size], old + 1, abs(old - 1), old * 2, rng.randint(0, 20)))
    changed = bytearray(data)
    changed[place : place + size] = struct.pack(form, new % (1 << 8 * size))
    return _over(f"{what} of tag {name} is {new}, not {old}", data, changed[: len(data)])


def _text(rng: random.Random, data: bytes) -> Change:
    """Change numbers, words, lines or the encoding."""
    text = data.decode("utf-8", "surrogateescape")
    if not text:
        raise _UnfitError
    changes = []
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        what, text = rng.choice((_numeral, _numeral, _word, _line, _strange))(rng, text)
        changes.append(what)
    if rng.random() < 0.1:
        encoding = rng.choice(ENCODINGS)
        encoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return Change(f"{'; '.join(changes)}; in {encoding}", encoded.encode(encoding, "replace"))
    return Change("; ".join(changes), text.encode("utf-8", "surrogateescape"))


def _numeral(rng: random.Random, text: str) -> tuple[str, str]:
    found = list(_NUMBER.finditer(text))
    if not found:
        return _strange(rng, text)
    one, new = rng.choice(found), rng.choice(NUMBERS)
    return f"{one[0]!r} is {new!r}", text[: one.start()] + new + text[one.end() :]


def _word(rng: random.Random, text: str) -> tuple[str, str]:
    found = list(_WORD.finditer(text))
    if not found:
        return _strange(rng, text)
    one, other = rng.choice(found), rng.choice(found)
    new = rng.choice((other[0], "", one[0] * 2, one[0].upper(), rng.choice(STRANGE)))
    return f"{one[0]!r} is {new[:20]!r}", text[: one.start()] + new + text[one.end() :]


def _line(rng: random.Random, text: str) -> tuple[str, str]:
    lines = text.splitlines(keepends=True)
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    what = rng.choice(("left out", "repeated", "swapped", "blank"))
    if what == "left out":
        del lines[one]
    elif what == "repeated":
        lines.insert(other, lines[one])
    elif what == "swapped":
        lines[one], lines[other] = lines[other], lines[one]
    else:
        lines.insert(one, "\n")
    return f"line {one + 1} {what}", "".join(lines) or "\n"


def _strange(rng: random.Random, text: str) -> tuple[str, str]:
    place, new = rng.randint(0, len(text)), rng.choice(STRANGE)
    return f"{new[:20]!r} at {place}", text[:place] + new + text[place:]


def _json(rng: random.Random, data: bytes) -> Change:
    try:
        return mutate_json(rng, data)
    except ValueError as error:
        raise _UnfitError from error


def _csv(rng: random.Random, data: bytes) -> Change:
    try:
        return mutate_csv(rng, data)
    except ValueError as error:
        raise _UnfitError from error


_TIFF: tuple[Bytes, ...] = (_tiff,)
_STRUCTURED: dict[str, tuple[Bytes, ...]] = {
    ".tif": _TIFF, ".tiff": _TIFF, ".svs": _TIFF, ".ndpi": _TIFF,
    ".json": (_json, _json, _text), ".geojson": (_json, _json, _text), ".jsonl": (_text,),
    ".csv": (_csv, _text), ".xml": (_text,), ".annotations": (_text,), ".toml": (_text,),
}  # fmt: skip
