"""The text of a user's file: an encoding that is not certain is refused."""

from __future__ import annotations

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KINDS = (
    (b"PK\x03\x04", "an Excel or OpenDocument workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a Rich Text document"),
)
_LETTERS = frozenset(map(chr, (*range(0xC0, 0xD7), *range(0xD8, 0xF7), *range(0xF8, 0x100))))
_SIGNS = frozenset("€‚„…‘’“”–—\u00a0§©«°±²³µ·»¡¿ª®ºˆ×")
_BETWEEN_LETTERS = frozenset("’·\u00a0")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")


class EncodingError(ValueError):
    """The bytes are no text of a known encoding; the message says what they are."""


def kind_of(head: bytes) -> str:
    """Return what a file is that is no text, such as ``"a TIFF image"``; empty where it may be one.

    Args:
        head: the first bytes of the file.
    """
    return next((kind for magic, kind in _KINDS if head.startswith(magic)), "")


def decode(data: bytes) -> tuple[str, str]:
    """Return the text of some bytes, and the name of their encoding where it had to be guessed.

    UTF-8, with its mark or without, and UTF-16 and UTF-32 with theirs are known. Anything else is
    Windows-1252 only where no other code page makes better sense of it: see `_western`.

    Returns:
        The text, and ``"Windows-1252"`` or the empty string.

    Raises:
        EncodingError: it is none of these.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            try:
                text = data.decode(name)
            except UnicodeDecodeError as error:
                shown = name.removesuffix("-sig").upper()
                raise EncodingError(f"starts as {shown} and is damaged ({error.reason})") from error
            before, nul, _ = text.partition("\0")
            if nul:
                line = before.count("\n") + 1
                raise EncodingError(f"holds a NUL character in line {line}")
            return text, ""
    if b"\0" in data:
        half = len(data) // 2
        if max(data[0::2].count(0), data[1::2].count(0)) > 0.8 * half:
            raise EncodingError("is UTF-16 without its byte order mark")
        raise EncodingError(f"holds a NUL byte in line {data.partition(bytes(1))[0].count(10) + 1}")
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError as error:
        byte, line = data[error.start], data[: error.start].count(b"\n") + 1
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        text = ""
    if not text or not _western(text):
        raise EncodingError(
            f"is neither UTF-8 nor plainly Windows-1252 (byte 0x{byte:02x} in line {line})"
        )
    return text, "Windows-1252"


def _western(text: str) -> bool:
    """Tell whether text decoded as Windows-1252 reads as words of a western language.

    Cyrillic, Greek or East Asian bytes give runs of accented letters; Central European and Mac ones
    give signs, or capitals, in the midst of words.
    """
    for run in _FOREIGN.finditer(text):
        before = text[max(run.start() - 1, 0) : run.start()]
        after = text[run.end() : run.end() + 1]
        part = run.group()
        if len(part) > 2 and not set(part) <= _SIGNS:
            return False
        for place, character in enumerate(part):
            left = part[place - 1] if place else before
            right = part[place + 1] if place + 1 < len(part) else after
            inside = left.isalpha() and right.isalpha()
            if character in _LETTERS:
                odd = character.isupper() and left.islower()
            else:
                odd = character not in _SIGNS or (inside and character not in _BETWEEN_LETTERS)
            if odd:
                return False
    return True
