"""XML of any origin: no document type, hence no entities to expand and no files to fetch."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from wsistore.errors import SlideError


class _Builder(TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        # entities can only be declared in a document type; this runs before any of them is read
        raise ParseError("it declares a document type, for which there is no use here")


def parse_xml(data: bytes, file: str) -> Element:
    """Return the root of an XML document.

    Args:
        data: the file's bytes.
        file: its name, for messages.

    Raises:
        SlideError: it is not well-formed, in an unknown encoding, or declares a document type.
    """
    parser = XMLParser(target=_Builder())
    try:
        parser.feed(data)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise SlideError(f"{file}: cannot be read as XML: {error}") from error
    return root
