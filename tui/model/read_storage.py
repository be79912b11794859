"""Sources, layers and chains from libvirt's XML."""

from __future__ import annotations

import re
from collections.abc import Callable

from tui.model import xml
from tui.model.storage import (
    BlockSource,
    Chain,
    DirSource,
    Encryption,
    FileSource,
    Layer,
    NetworkHost,
    NetworkSource,
    NvmeSource,
    Slice,
    Source,
    UnknownSource,
    VhostUserSource,
    VhostVdpaSource,
    VolumeSource,
)

# Where the type is not said, the name of the attribute tells it: libvirt's default, older representations.
_TYPE_OF_ATTRIBUTE = {
    "file": "file",
    "dev": "block",
    "dir": "dir",
    "protocol": "network",
    "pool": "volume",
    "path": "vhostuser",
}

_NAMED_BY_ONE: dict[str, tuple[Callable[[str], Source], str]] = {
    "file": (FileSource, "file"),
    "block": (BlockSource, "dev"),
    "dir": (DirSource, "dir"),
    "vhostuser": (VhostUserSource, "path"),
    "vhostvdpa": (VhostVdpaSource, "dev"),
}

_UNITS = {
    "bytes": 1,
    "b": 1,
    "k": 1024,
    "kib": 1024,
    "m": 1024**2,
    "mib": 1024**2,
    "g": 1024**3,
    "gib": 1024**3,
}

_PCI_PARTS = {"domain": 4, "bus": 2, "slot": 2, "function": 1}
_PCI_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,8}")

_MODELLED = frozenset(
    {"host", "snapshot", "config", "address", "slices", "encryption", "dataStore", "privateData"}
)


def read_source(kind: str | None, element: xml.Element | None) -> Source | None:
    """The place that a ``<source>`` names, ``None`` for a drive without a medium.

    Args:
        kind: the ``type`` of the element around it; where it is ``None`` the attributes tell.
        element: the ``<source>``, or an element that carries its attributes.
    """
    if kind is None:
        present = element.attrib if element is not None else ()
        kind = next((of for name, of in _TYPE_OF_ATTRIBUTE.items() if name in present), "file")
    if element is None:
        return None
    if kind in _NAMED_BY_ONE:
        make, name = _NAMED_BY_ONE[kind]
        value = xml.attribute(element, name)
        return make(value) if value else None
    match kind:
        case "volume":
            return _read_volume(element)
        case "network":
            return _read_network(element)
        case "nvme":
            return _read_nvme(element)
        case _:
            return UnknownSource(kind)


def _read_volume(element: xml.Element) -> VolumeSource | None:
    pool, volume = xml.attribute(element, "pool"), xml.attribute(element, "volume")
    return VolumeSource(pool, volume, xml.attribute(element, "mode")) if pool and volume else None


def _read_network(element: xml.Element) -> NetworkSource | None:
    protocol = xml.attribute(element, "protocol")
    if protocol is None:
        return None
    hosts = tuple(
        NetworkHost(*(xml.attribute(host, name) for name in ("name", "port", "transport", "socket")))
        for host in xml.children(element, "host")
    )
    return NetworkSource(
        protocol,
        xml.attribute(element, "name"),
        hosts,
        query=xml.attribute(element, "query"),
        tls=xml.attribute(element, "tls"),
        snapshot=xml.attribute(xml.child(element, "snapshot"), "name"),
        tls_hostname=xml.attribute(element, "tlsHostname"),
        config=xml.attribute(xml.child(element, "config"), "file"),
    )


def _read_nvme(element: xml.Element) -> Source | None:
    namespace = xml.attribute(element, "namespace")
    address = xml.child(element, "address")
    if namespace is None or address is None:
        return None
    parts = [xml.attribute(address, name) or "0" for name in _PCI_PARTS]
    if not all(_PCI_NUMBER.fullmatch(part) for part in parts):
        return UnknownSource("nvme")
    numbers = [int(part, 16 if part[:2] in ("0x", "0X") else 10) for part in parts]
    domain, bus, slot, function = (f"{n:0{w}x}" for n, w in zip(numbers, _PCI_PARTS.values(), strict=True))
    managed = xml.attribute(element, "managed") == "yes"
    return NvmeSource(namespace, f"{domain}:{bus}:{slot}.{function}", managed=managed)


def read_layer(holder: xml.Element, source: xml.Element | None = None) -> Layer | None:
    """The layer that a ``<disk>``, ``<mirror>``, ``<backingStore>`` or ``<dataStore>`` describes, if any.

    Args:
        holder: the element that says type and format.
        source: its source, where that is not the first ``<source>`` in it.

    Raises:
        xml.InvalidXML: when a number in it is none.
    """
    if source is None:
        source = xml.child(holder, "source")
    place = read_source(xml.attribute(holder, "type") if holder is not source else None, source)
    if place is None or source is None:
        return None
    index = xml.number(xml.attribute(source, "index"))
    store = xml.child(source, "dataStore")
    if store is None:
        store = xml.child(holder, "dataStore")
    encryption = xml.child(source, "encryption")
    if encryption is None:
        encryption = xml.child(holder, "encryption")
    others: list[xml.Element] = []
    if source is not holder:
        others = [c for c in xml.elements(source) if c.tag not in _MODELLED]
        if xml.child(source, "auth") is None:
            # Where libvirt wrote it before it was moved into the source, as with the encryption.
            others += xml.children(holder, "auth")[:1]
    return Layer(
        place,
        format=_read_format(holder, source),
        index=index if index is not None else xml.number(xml.attribute(holder, "index")),
        encryption=_read_encryption(encryption),
        slices=_read_slices(source),
        data_store=_read_data_store(store),
        metadata_cache=_read_metadata_cache(holder),
        extra=tuple(xml.serialise(other) for other in others),
    )


def _read_data_store(store: xml.Element | None) -> Layer | None:
    if store is None:
        return None
    source = xml.child(store, "source")
    if source is not None and xml.child(source, "dataStore") is not None:
        # A data file is raw and has none of its own; not to follow one keeps this from recursing.
        raise xml.InvalidXML("a data store has a data store of its own")
    return read_layer(store)


def _read_format(holder: xml.Element, source: xml.Element) -> str | None:
    found = (
        xml.attribute(xml.child(holder, "format"), "type")
        or xml.attribute(xml.child(holder, "driver"), "type")
        or xml.attribute(source, "format")
    )
    return "raw" if found == "aio" else found


def _read_encryption(element: xml.Element | None) -> Encryption | None:
    if element is None:
        return None
    secret: str | None = None
    by_usage = False
    extra: list[str] = []
    for part in xml.elements(element):
        uuid, usage = xml.attribute(part, "uuid"), xml.attribute(part, "usage")
        plain = part.tag == "secret" and part.get("type") == "passphrase" and not len(part)
        if plain and secret is None and (uuid or usage) and not (uuid and usage):
            secret, by_usage = uuid or usage, uuid is None
        else:
            extra.append(xml.serialise(part))
    return Encryption(
        xml.attribute(element, "format") or "default",
        secret,
        by_usage=by_usage,
        engine=xml.attribute(element, "engine"),
        extra=tuple(extra),
    )


def _read_slices(source: xml.Element) -> tuple[Slice, ...]:
    slices = []
    holder = xml.child(source, "slices")
    for part in xml.children(holder, "slice") if holder is not None else ():
        offset, size = xml.number(part.get("offset")), xml.number(part.get("size"))
        if offset is None or size is None:
            raise xml.InvalidXML("a slice of a source has no offset or no size in bytes")
        slices.append(Slice(offset, size))
    return tuple(slices)


def _read_metadata_cache(holder: xml.Element) -> int | None:
    for parent in xml.children(holder, "format", "driver"):
        size = xml.child(xml.child(parent, "metadata_cache"), "max_size")
        if size is not None:
            amount = xml.number((size.text or "").strip())
            unit = _UNITS.get((size.get("unit") or "bytes").lower())
            if amount is None or unit is None:
                raise xml.InvalidXML("the size of a metadata cache is not a number with a unit")
            return amount * unit
    return None


def read_chain(holder: xml.Element, first: Layer | None) -> Chain:
    """The chain that begins with ``first`` and goes on in the children of ``holder``.

    libvirt nests ``<backingStore>``, where an empty element is the end and no element means that nobody
    looked. Three older representations list the whole chain, so that there the last layer is the end: nested
    ``<backingFile>``, one ``<backingFile>`` with several sources, and ``<backing>`` elements in order.
    """
    if first is None:
        return Chain((), complete=True)
    layers = [first]
    listed = False
    while True:
        flat = xml.children(holder, "backing")
        below = xml.child(holder, "backingStore", "backingFile")
        if below is None:
            found = [read_layer(backing, backing) for backing in flat]
            layers += [layer for layer in found if layer]
            return Chain(tuple(layers), complete=(listed or bool(flat)) and None not in found)
        if xml.attribute(below, "type") is None and not xml.elements(below):
            return Chain(tuple(layers), complete=True)
        sources = xml.children(below, "source")
        found = [read_layer(below, source) for source in sources]
        if not found or None in found:
            return Chain(tuple(layers), complete=False)
        layers += [layer for layer in found if layer]
        listed = below.tag == "backingFile"
        holder = below
