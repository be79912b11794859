"""Whether a ``<domainsnapshot>`` is what it should be, by the RELAX NG schema in this package."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib.resources import files

from lxml import etree

from tui.model import xml
from tui.model.text import printable

_MOST_TRIALS = 400
"""Parts that are tried as the culprit; a longer document gets the schema's own words."""
_OPAQUE = frozenset({"domain", "inactiveDomain", "cookie", "revertDisks", "metadata_cache"})
"""Elements into which the schema does not look."""
_LONGEST_VALUE = 80


def check_schema(text: str) -> None:
    """See that a snapshot has all that it needs and nothing that libvirt would pass over in silence.

    Raises:
        xml.InvalidXML: when it has not; the message names the line and the part that is wrong.
    """
    root = xml.parse(text)
    schema = _schema()
    if schema.validate(root):
        return
    raise xml.InvalidXML(_culprit(root, schema) or _own_words(schema))


@cache
def _schema() -> etree.RelaxNG:
    return etree.RelaxNG(_grammar())


def _grammar() -> xml.Element:
    return xml.parse(files("tui.model").joinpath("domainsnapshot.rng").read_text(encoding="utf-8"))


@cache
def _known() -> frozenset[str]:
    return frozenset(name for found in _grammar().iter("{*}element") if (name := found.get("name")))


def _is_unknown(element: xml.Element) -> bool:
    return element.tag not in _known()


def _culprit(root: xml.Element, schema: etree.RelaxNG) -> str | None:
    """The smallest single part without which all would be well: the schema's own words rarely name it."""
    if root.tag != "domainsnapshot":
        return f"line {root.sourceline}: <{_name(root)}> is not a domainsnapshot"
    for opaque in list(root.iter(*_OPAQUE)):
        # What lies in there is right in any case, and may be long.
        del opaque[:]
    parts = list(_parts(root))
    for element, attribute in parts:
        parent = element.getparent()
        free = parent is not None and parent.tag == "source"
        if attribute is None and not free and etree.QName(element).namespace is None and _is_unknown(element):
            return _sentence(element, None)
    for number, (element, attribute) in enumerate(parts[:_MOST_TRIALS]):
        copied = deepcopy(root)
        other, _same = list(_parts(copied))[number]
        if attribute is not None:
            del other.attrib[attribute]
        elif (parent := other.getparent()) is not None:
            parent.remove(other)
        if schema.validate(copied):
            return _sentence(element, attribute)
    return None


def _parts(root: xml.Element) -> Iterator[tuple[xml.Element, str | None]]:
    """Every attribute and every element below the root, the innermost first."""
    for child in xml.elements(root):
        if child.tag not in _OPAQUE:
            yield from _parts(child)
        yield from ((child, str(name)) for name in child.attrib)
        yield child, None


def _sentence(element: xml.Element, attribute: str | None) -> str:
    line, name = f"line {element.sourceline}", _name(element)
    if attribute is not None:
        value = printable(element.get(attribute, ""), _LONGEST_VALUE)
        return f"line {element.sourceline}: {printable(attribute)}='{value}' cannot stand in <{name}>"
    parent = element.getparent()
    where = _name(parent) if parent is not None else "it"
    if _is_unknown(element):
        return f"{line}: <{name}> is nothing that <{where}> can have"
    content = printable((element.text or "").strip(), _LONGEST_VALUE)
    if content and not len(element):
        return f"{line}: <{name}> in <{where}> cannot be '{content}'"
    return f"{line}: <{name}> cannot stand in <{where}> as it is"


def _name(element: xml.Element) -> str:
    return printable(str(element.tag), _LONGEST_VALUE)


def _own_words(schema: etree.RelaxNG) -> str:
    """What the schema complained of last is the innermost."""
    entries = list(schema.error_log)
    if not entries:
        return "this XML is not a domainsnapshot"
    return f"line {entries[-1].line}: {printable(entries[-1].message, _LONGEST_VALUE * 2)}"
