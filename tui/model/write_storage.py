"""Sources, layers and chains into libvirt's XML."""

from __future__ import annotations

import re
from typing import assert_never

from lxml import etree

from tui.model import xml
from tui.model.storage import (
    BlockSource,
    Chain,
    DirSource,
    Encryption,
    FileSource,
    Layer,
    NetworkSource,
    NvmeSource,
    Source,
    UnknownSource,
    VhostUserSource,
    VhostVdpaSource,
    VolumeSource,
)

_PCI_ADDRESS = re.compile(
    r"(?P<domain>[0-9a-f]+):(?P<bus>[0-9a-f]+):(?P<slot>[0-9a-f]+)\.(?P<function>[0-9a-f]+)", re.IGNORECASE
)


_TYPES: dict[type[Source], str] = {
    FileSource: "file",
    BlockSource: "block",
    VolumeSource: "volume",
    NetworkSource: "network",
    NvmeSource: "nvme",
    VhostUserSource: "vhostuser",
    VhostVdpaSource: "vhostvdpa",
    DirSource: "dir",
}


def type_of(source: Source) -> str:
    """What libvirt calls this type of source."""
    return source.type if isinstance(source, UnknownSource) else _TYPES[type(source)]


def source_element(layer: Layer) -> xml.Element:
    """The ``<source>`` of a layer, with everything that belongs to it but its format and what lies below.

    Raises:
        xml.InvalidXML: when the type of source is unknown, or a name has a character that XML cannot carry.
    """
    element = _place(layer.source)
    if layer.slices:
        holder = etree.SubElement(element, "slices")
        for part in layer.slices:
            _child(holder, "slice", type="storage", offset=str(part.offset), size=str(part.size))
    if layer.encryption:
        element.append(_encryption(layer.encryption))
    element.extend(xml.parse(extra) for extra in layer.extra)
    if layer.data_store:
        store = _child(element, "dataStore", type=type_of(layer.data_store.source))
        # A data file is raw by its nature, said or not.
        store.append(_format(layer.data_store))
        store.append(source_element(layer.data_store))
    return element


def set_driver(driver: xml.Element, layer: Layer) -> None:
    """Make a ``<driver>`` say the format of a layer; what else it says stays."""
    if layer.format:
        _set(driver, type=layer.format)
    for old in xml.children(driver, "metadata_cache"):
        driver.remove(old)
    if layer.metadata_cache is not None:
        driver.append(_metadata_cache(layer.metadata_cache))


def append_chain(holder: xml.Element, chain: Chain) -> None:
    """Add the layers of a chain below ``holder``, each in the one before, and its end where it is known.

    Raises:
        xml.InvalidXML: as ``source_element`` does, and when a layer has no format: QEMU must not probe it.
    """
    for layer in chain.layers:
        if layer.format is None:
            raise xml.InvalidXML("a layer of the backing chain has no format")
        holder = _child(holder, "backingStore", type=type_of(layer.source))
        holder.append(_format(layer))
        holder.append(source_element(layer))
    if chain.complete:
        etree.SubElement(holder, "backingStore")


def _place(source: Source) -> xml.Element:
    element = etree.Element("source")
    match source:
        case FileSource():
            _set(element, file=source.path)
        case BlockSource() | VhostVdpaSource():
            _set(element, dev=source.dev)
        case DirSource():
            _set(element, dir=source.path)
        case VhostUserSource():
            _set(element, type="unix", path=source.path)
        case VolumeSource():
            _set(element, pool=source.pool, volume=source.volume, mode=source.mode)
        case NetworkSource():
            _fill_network(element, source)
        case NvmeSource():
            _fill_nvme(element, source)
        case UnknownSource():
            raise xml.InvalidXML(f"a {source.location} cannot be written as XML")
        case _:
            assert_never(source)
    return element


def _fill_network(element: xml.Element, source: NetworkSource) -> None:
    _set(
        element,
        protocol=source.protocol,
        name=source.name,
        query=source.query,
        tls=source.tls,
        tlsHostname=source.tls_hostname,
    )
    for host in source.hosts:
        _child(element, "host", transport=host.transport, name=host.name, port=host.port, socket=host.socket)
    if source.snapshot:
        _child(element, "snapshot", name=source.snapshot)
    if source.config:
        _child(element, "config", file=source.config)


def _fill_nvme(element: xml.Element, source: NvmeSource) -> None:
    address = _PCI_ADDRESS.fullmatch(source.address)
    if not address:
        raise xml.InvalidXML("the address of an NVMe controller is not one such as 0000:01:00.0")
    _set(element, type="pci", managed="yes" if source.managed else "no", namespace=source.namespace)
    _child(element, "address", **{name: f"0x{digits}" for name, digits in address.groupdict().items()})


def _format(layer: Layer) -> xml.Element:
    element = etree.Element("format")
    _set(element, type=layer.format or "raw")
    if layer.metadata_cache is not None:
        element.append(_metadata_cache(layer.metadata_cache))
    return element


def _metadata_cache(size: int) -> xml.Element:
    element = etree.Element("metadata_cache")
    etree.SubElement(element, "max_size", unit="bytes").text = str(size)
    return element


def _encryption(encryption: Encryption) -> xml.Element:
    element = etree.Element("encryption")
    _set(element, format=encryption.format, engine=encryption.engine)
    if encryption.secret:
        key = "usage" if encryption.by_usage else "uuid"
        _child(element, "secret", type="passphrase", **{key: encryption.secret})
    element.extend(xml.parse(extra) for extra in encryption.extra)
    return element


def _child(parent: xml.Element, tag: str, **attributes: str | None) -> xml.Element:
    element = etree.SubElement(parent, tag)
    _set(element, **attributes)
    return element


def _set(element: xml.Element, **attributes: str | None) -> None:
    for name, value in attributes.items():
        if value is None:
            continue
        try:
            element.set(name, value)
        except ValueError as error:
            raise xml.InvalidXML(
                f"the {name} of a {element.tag} has a character that XML cannot carry"
            ) from error
