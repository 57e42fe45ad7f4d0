"""XML of strangers, within limits and without declarations, which could expand or load data."""

from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_BYTES: Final = 256 << 10
_MAX_ELEMENTS: Final = 5_000
_MAX_DEPTH: Final = 32


class UnreadableXmlError(ValueError):
    """Not XML, or XML that is not accepted."""


def parse(content: bytes) -> Element:
    """Parse a document. Names of elements have no namespaces.

    Raises UnreadableXmlError if it is not well-formed, declares a document type (and so could
    declare entities), or exceeds the limits.
    """
    if len(content) > MAX_BYTES:
        raise UnreadableXmlError(f"more than {MAX_BYTES:,} bytes")
    try:
        # Some cameras send the terminating zero of a C string.
        return _Parser().parse(content.rstrip(b"\0 \r\n\t"))
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise UnreadableXmlError(str(error)) from None


def texts(element: Element, name: str) -> list[str]:
    """Return the texts of all elements with this name, without outer blanks."""
    return [(found.text or "").strip() for found in element.iter(name)]


class _Parser:
    """Builds the tree of one document."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._depth = self._elements = 0
        self._expat = expat.ParserCreate(namespace_separator=" ")
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._refuse
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._builder.data

    def parse(self, content: bytes) -> Element:
        self._expat.Parse(content, True)
        return self._builder.close()

    def _refuse(self, *_: object) -> None:
        raise UnreadableXmlError("it declares a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > _MAX_DEPTH or self._elements > _MAX_ELEMENTS:
            raise UnreadableXmlError("it has too many elements")
        self._builder.start(name.rpartition(" ")[2], attributes)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._builder.end(name.rpartition(" ")[2])
