"""What a mirror form holds, as it was typed, and the request that it amounts to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from tui.app.dialogs.limit import parse_limit
from tui.app.dialogs.numbers import parse_port
from tui.app.glyphs import Glyphs
from tui.model.destination import parse_destination
from tui.model.finding import Acceptance
from tui.model.hierarchy_file import InvalidMap, parse_maps
from tui.model.quantity import parse_size
from tui.model.request import CopyRequest, RemoteCopyRequest, Then
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkHost, NetworkSource, Source
from tui.model.xml import InvalidXML

Value = TypeVar("Value")

NOT_WHOLE = "Name the file by its whole path, from / on."
"""What is wrong with a path that depends on where one stands, since libvirt stands nowhere."""


class Kind(StrEnum):
    """How the destination is named."""

    FILE = "file"
    BLOCK = "block"
    NBD = "nbd"
    XML = "xml"
    HOST = "host"
    """A path at another host."""


class Part(StrEnum):
    """The parts of the form that can be wrong."""

    PLACE = "place"
    XML = "xml"
    BANDWIDTH = "bandwidth"
    GRANULARITY = "granularity"
    BUFFER = "buffer"
    NAME = "name"
    MEMORY = "memory"
    LIMIT = "limit"
    DISK = "disk"
    MIRROR = "mirror"
    """That of one of the disks."""
    MAPS = "maps"
    URI = "uri"
    STORAGE = "storage"
    DOWNTIME = "downtime"
    TIMEOUT = "timeout"
    CONNECTIONS = "connections"
    DISKS_TO = "disks-to"
    NBD_PORT = "nbd-port"
    DOMAINS = "domain-0"
    """The first of them, under which it is said what is wrong with all."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The form as it stands."""

    kind: Kind = Kind.FILE
    place: str = ""
    """A path, a device, or the URI of a network disk."""
    xml: str = ""
    format: str = ""
    """Empty for the source's."""
    shallow: bool = False
    reuse_external: bool = False
    bandwidth: str = ""
    granularity: str = ""
    buffer: str = ""
    synchronous_writes: bool = False
    transient_job: bool = False
    then: Then = Then.HOLD
    accepted: frozenset[Acceptance] = frozenset()
    host: str = ""
    """The URI of the other host."""
    nbd_address: str = ""
    nbd_port: str = ""
    mistakes: Mapping[Part, str] = field(default_factory=dict)
    """What the fields themselves know to be wrong."""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """What is missing or wrong, a sentence for each part."""

    sentences: Mapping[Part, str] = field(default_factory=dict)


def parsed(parse: Callable[[str], Value], text: str, part: Part, mistakes: dict[Part, str]) -> Value | None:
    """What a field says; ``None`` where it makes no sense, which goes to the mistakes."""
    try:
        return parse(text)
    except ValueError as error:
        mistakes[part] = sentence(str(error))
        return None


def request_of(choices: Choices, uuid: str, target: str) -> CopyRequest | RemoteCopyRequest | Mistakes:
    """The request that the form stands for, or what keeps it from being one."""
    mistakes = dict(choices.mistakes)
    where = Part.XML if choices.kind is Kind.XML else Part.PLACE
    destination = Chain()
    try:
        destination = _destination(choices)
    except ValueError as error:
        mistakes[where] = sentence(str(error))
    numbers: dict[Part, int] = {}
    readers: tuple[tuple[Part, str, Callable[[str], int]], ...] = (
        (Part.BANDWIDTH, choices.bandwidth, parse_limit),
        (Part.GRANULARITY, choices.granularity, parse_size),
        (Part.BUFFER, choices.buffer, parse_size),
    )
    for part, text, reader in readers:
        numbers[part] = (parsed(reader, text, part, mistakes) or 0) if text.strip() else 0
    port = parsed(parse_port, choices.nbd_port, Part.NBD_PORT, mistakes)
    if mistakes:
        return Mistakes(mistakes)
    wish = CopyRequest(
        uuid=uuid,
        target=target,
        destination=destination,
        shallow=choices.shallow,
        reuse_external=choices.reuse_external,
        bandwidth=numbers[Part.BANDWIDTH],
        granularity=numbers[Part.GRANULARITY],
        buf_size=numbers[Part.BUFFER],
        synchronous_writes=choices.synchronous_writes,
        transient_job=choices.transient_job,
        then=choices.then,
        accepted=choices.accepted,
    )
    if choices.kind is not Kind.HOST:
        return wish
    return RemoteCopyRequest(wish, choices.host, choices.nbd_address.strip() or None, port)


def parse_nbd(uri: str) -> NetworkSource:
    """A network disk from its URI, as qemu-img writes it.

    Raises:
        ValueError: with a sentence, when it is none.
    """
    example = "A network disk is named as nbd://host:10809/export or nbd+unix:///export?socket=/path."
    try:
        parts = urlsplit(uri)
        port = parts.port
        query = parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise ValueError(example) from error
    export = unquote(parts.path.removeprefix("/")) or None
    socket = query[0][1] if len(query) == 1 and query[0][0] == "socket" else None
    match parts.scheme:
        case "nbd" | "nbds" if parts.hostname and not parts.query and not parts.username:
            host = NetworkHost(parts.hostname, None if port is None else str(port))
            tls = "yes" if parts.scheme == "nbds" else None
            return NetworkSource("nbd", export, (host,), tls=tls)
        case "nbd+unix" if not parts.netloc and socket and socket.startswith("/"):
            return NetworkSource("nbd", export, (NetworkHost(transport="unix", socket=socket),))
        case _:
            raise ValueError(example)


def _destination(choices: Choices) -> Chain:
    if choices.kind is Kind.XML:
        if not choices.xml.strip():
            message = "Write the destination as <disk>."
            raise ValueError(message)
        try:
            return parse_destination(choices.xml)
        except InvalidXML as error:
            raise ValueError(str(error)) from error
    layer = Layer(_source(choices.kind, choices.place.strip()), choices.format or None)
    return Chain((layer,), complete=False)


def _source(kind: Kind, place: str) -> Source:
    if not place:
        message = {
            Kind.BLOCK: "Name the block device to write to.",
            Kind.NBD: "Name the network disk to write to, as nbd://host:10809/export.",
        }.get(kind, "Name the image to write to.")
        raise ValueError(message)
    if not place.isprintable():
        message = "This contains a control character."
        raise ValueError(message)
    match kind:
        case Kind.BLOCK:
            return BlockSource(place)
        case Kind.NBD:
            return parse_nbd(place)
        case _:
            return FileSource(place)


def sentence(text: str) -> str:
    """What is wrong as it stands under a field."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "…")) else f"{text}."


def told_maps(text: str, glyphs: Glyphs) -> str:
    """How an image map is understood, all of it, since a line shows but a part; nothing where it is wrong or empty."""
    try:
        return "; ".join(f"{old} {glyphs.to} {new}" for old, new in parse_maps(text))
    except InvalidMap:
        return ""
