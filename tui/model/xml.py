"""The one way into lxml. XML from a host, a file or a clipboard is hostile until it has passed here."""

from __future__ import annotations

import re
from copy import deepcopy

from lxml import etree

from tui.model.text import printable

Element = etree._Element  # noqa: SLF001  lxml has no public name for it

MAX_SIZE = 4 * 1024 * 1024
"""Bytes. libvirt's protocol carries no longer strings, so nothing real is refused."""

_MAX_REASON = 160

# What may precede a document type declaration: a declaration of the encoding, comments, instructions.
# Possessive, so that a hostile prolog costs one pass.
_PROLOG = re.compile(r"\ufeff?(?:\s++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)

_DIGITS = re.compile(r"[0-9]{1,20}")


class InvalidXML(ValueError):
    """The text is not XML that this program reads; the message is a sentence."""


def parse(text: str, limit: int = MAX_SIZE) -> Element:
    """Parse a document without network, DTD, entity expansion or recovery.

    Args:
        text: the document.
        limit: the most characters that are read.

    Raises:
        InvalidXML: when it is too long, has a document type declaration, is nested absurdly or is not
        well-formed.
    """
    if len(text) > limit:
        raise InvalidXML(f"this XML is {len(text)} characters long, more than libvirt can carry")
    prolog = _PROLOG.match(text)
    if text.startswith("<!DOCTYPE", prolog.end() if prolog else 0):
        raise InvalidXML("this XML has a document type declaration, which is never read")
    # The encoding named in a declaration is void in a string that is decoded already: bytes with an encoding
    # of our choice are the only form in which lxml disregards it.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except UnicodeEncodeError as error:
        raise InvalidXML("this is not XML: it contains half a character") from error
    except etree.XMLSyntaxError as error:
        raise InvalidXML(
            f"this is not well-formed XML: {printable(error.msg or 'it cannot be parsed', _MAX_REASON)}"
        ) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidXML("this XML has a document type declaration, which is never read")
    return root


def children(parent: Element, *tags: str) -> list[Element]:
    """The child elements of these names, comments and instructions left out."""
    return [child for child in parent if child.tag in tags]


def child(parent: Element | None, *tags: str) -> Element | None:
    """The first child element of one of these names."""
    return None if parent is None else next((found for found in parent if found.tag in tags), None)


def elements(parent: Element) -> list[Element]:
    """All child elements, comments and instructions left out."""
    return [found for found in parent if isinstance(found.tag, str)]


def attribute(element: Element | None, name: str) -> str | None:
    """An attribute, ``None`` where it is absent or empty."""
    return None if element is None else element.get(name) or None


def required(element: Element, name: str) -> str:
    """An attribute.

    Raises:
        KeyError: when it is absent.
    """
    value = element.get(name)
    if value is None:
        raise KeyError(name)
    return value


def content(parent: Element, tag: str) -> str | None:
    """The text of a child, stripped, ``None`` where it is absent or empty."""
    found = child(parent, tag)
    return ((found.text or "").strip() or None) if found is not None else None


def number(text: str | None) -> int | None:
    """A decimal number as libvirt writes it, ``None`` for anything else."""
    return int(text) if text is not None and _DIGITS.fullmatch(text) else None


def serialise(element: Element) -> str:
    """The element alone, in one line where whitespace carries no meaning."""
    copied = deepcopy(element)
    for part in copied.iter():
        if len(part) and not (part.text or "").strip():
            part.text = None
        if not (part.tail or "").strip():
            part.tail = None
    return etree.tostring(copied, encoding="unicode", with_tail=False)
