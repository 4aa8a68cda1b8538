"""Numbers and points in the elements of XML files, and elements that hold none."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from wsistore.errors import SlideError


def number(element: Element, attribute: str, where: str) -> float:
    """Return a numeric attribute.

    Raises:
        SlideError: it is missing or no number.
    """
    value = element.get(attribute)
    try:
        return float(value or "")
    except ValueError as error:
        raise SlideError(f"{where}: has {attribute} {value!r}, which is no number") from error


def points(elements: list[Element], where: str) -> list[tuple[float, float]]:
    """Return the attributes X and Y of some elements.

    Raises:
        SlideError: one is missing or no number.
    """
    return [(number(e, "X", where), number(e, "Y", where)) for e in elements]


def refuse_unknown_elements(root: Element, known: frozenset[str], file: str) -> None:
    """Refuse a document without regions that holds more than an empty one can.

    Args:
        root: the document's root.
        known: the tags that a document without regions may have.
        file: its name, for the message.

    Raises:
        SlideError: there is another tag, or an element with X and Y.
    """
    for element in root.iter():
        if element.tag not in known or {"x", "y"} <= {name.lower() for name in element.attrib}:
            raise SlideError(
                f"{file}: holds <{element.tag}> and no region of a known kind; is it ASAP's, "
                "Aperio's or HALO's?"
            )
