"""The destination of a copy as libvirt takes it, and a disk's new place in a definition."""

from __future__ import annotations

from dataclasses import replace

from lxml import etree

from tui.model import xml
from tui.model.read_storage import read_chain, read_layer
from tui.model.storage import Chain, DirSource, Layer, UnknownSource, VhostUserSource, VhostVdpaSource
from tui.model.write_storage import append_chain, set_driver, source_element, type_of

_NO_DESTINATION = (DirSource, UnknownSource, VhostUserSource, VhostVdpaSource)

_CARRIED = frozenset(
    {"file", "dev", "dir", "path", "pool", "volume", "mode", "type", "namespace", "managed", "format"}
    | {"protocol", "name", "query", "tls", "tlsHostname"}
)
"""Attributes of a source that are carried over."""

_IDLE = frozenset({"index", "startupPolicy"})
"""Those that mean nothing to a copy."""


def destination_xml(layer: Layer, *, backing: Chain | None = None) -> str:
    """Write the ``<disk>`` for virDomainBlockCopy.

    Args:
        layer: the place to write to, and in which format.
        backing: what the destination stands on; a complete chain without layers says that it stands on
            nothing, ``None`` says nothing.

    Raises:
        xml.InvalidXML: when libvirt takes no such place, or XML cannot carry its name.
    """
    for part in (layer, *(backing.layers if backing else ())):
        if isinstance(part.source, _NO_DESTINATION):
            raise xml.InvalidXML(f"a copy cannot be written to a {type_of(part.source)} source")
    disk = etree.Element("disk", type=type_of(layer.source))
    if layer.format or layer.metadata_cache is not None:
        driver = etree.SubElement(disk, "driver", name="qemu")
        set_driver(driver, layer)
    disk.append(source_element(layer))
    if backing:
        append_chain(disk, backing)
    etree.indent(disk)
    return etree.tostring(disk, encoding="unicode")


def parse_destination(text: str) -> Chain:
    """Read a destination that a user gives as ``<disk>``; it is written anew, so nothing may be lost.

    Returns:
        The place to write to as the first layer, then the backing chain where the XML names one; complete
        only where it says that the chain ends.

    Raises:
        xml.InvalidXML: when it is no disk, has no source that can be written to, or says what would be lost.
    """
    root = xml.parse(text)
    if root.tag != "disk":
        raise xml.InvalidXML("this XML is not a disk")
    for ignored in xml.children(root, "mirror"):
        root.remove(ignored)
    first = read_layer(root)
    if first is None:
        raise xml.InvalidXML("this disk has no source, so there is nowhere to write to")
    for source in root.iter("source"):
        lost = sorted(set(source.attrib) - _CARRIED - _IDLE)
        if lost:
            raise xml.InvalidXML(f"the attribute {lost[0]!r} of a source is not known here and would be lost")
    found = read_chain(root, first)
    if len(found.layers) != _places(root):
        raise xml.InvalidXML("the backing chain of this disk has a layer without a source, or more than one")
    # libvirt's numbers are those of another running guest.
    chain = Chain(tuple(_unnumbered(layer) for layer in found.layers), found.complete)
    # Whoever starts the copy would find out too late that it cannot be written.
    destination_xml(chain.layers[0], backing=chain.below)
    return chain


def _places(disk: xml.Element) -> int:
    """How many layers are spoken of, with a usable source or without."""
    nested = disk.iter("backingStore", "backingFile")
    flat = sum(1 for _ in disk.iter("backing"))
    return (
        1
        + flat
        + sum(
            len(xml.children(part, "source")) or bool(part.get("type") or xml.elements(part))
            for part in nested
        )
    )


def _unnumbered(layer: Layer) -> Layer:
    store = layer.data_store
    return replace(layer, index=None, data_store=store and replace(store, index=None))


def domain_with_disk_source(text: str, target: str, layer: Layer) -> str:
    """An inactive domain XML in which a disk lies in another place; all else stays as it is.

    This is what libvirt itself does to the definition after a pivot: source and format are those of the new
    image; the old image's backing chain, encryption and login go; security labels stay where the new image
    has none.

    Raises:
        xml.InvalidXML: when there is no such disk, or the layer cannot be written.
    """
    root = xml.parse(text)
    disk = next(
        (
            disk
            for devices in xml.children(root, "devices")
            for disk in xml.children(devices, "disk")
            if xml.attribute(xml.child(disk, "target"), "dev") == target
        ),
        None,
    )
    if root.tag != "domain" or disk is None:
        raise xml.InvalidXML("this domain has no such disk")
    source = source_element(layer)
    old = xml.child(disk, "source")
    driver = xml.child(disk, "driver")
    if driver is None:
        driver = etree.Element("driver", name="qemu")
        disk.insert(0, driver)
    set_driver(driver, layer)
    if old is None:
        driver.addnext(source)
    else:
        _keep(old, source)
        source.tail = old.tail
        disk.replace(old, source)
    disk.set("type", type_of(layer.source))
    for gone in xml.children(disk, "backingStore", "mirror", "encryption", "auth"):
        _remove(gone)
    return etree.tostring(root, encoding="unicode")


def _keep(old: xml.Element, new: xml.Element) -> None:
    policy = old.get("startupPolicy")
    if policy:
        new.set("startupPolicy", policy)
    if xml.child(new, "seclabel") is None:
        new.extend(xml.children(old, "seclabel"))


def _remove(element: xml.Element) -> None:
    """Remove an element alone: lxml would take the text behind it along."""
    parent, previous = element.getparent(), element.getprevious()
    if parent is None:
        return
    if element.tail and element.tail.strip():
        if previous is not None:
            previous.tail = (previous.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)
