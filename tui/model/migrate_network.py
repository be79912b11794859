"""What is known of the way that a domain takes to another host."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from tui.model.migrate_request import MigrateRequest

_BIG = "256"
"""What a machine takes the bytes 1 and 0 for that has the larger one first."""
_LISTENS = "0A"
"""The state of a socket in the kernel's tables that waits for others."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What could be asked."""

    host: str | None = None
    """To which the source connects: what the user names, or what the other host calls itself."""
    addresses: tuple[str, ...] | None = None
    """What the source takes that for; ``None`` where nobody could ask it."""
    listening: frozenset[tuple[str, int]] | None = None
    """The addresses and ports of the other host at which something listens; ``None`` where nobody could see."""
    ports: range = range(49152, 49216)
    """Those from which the other host takes what nobody names."""
    sure: bool = True
    """Whether the configuration of the other host, which may name others, was seen, and can be what it goes by."""

    def taken(self, port: int, address: str | None) -> bool:
        """Whether nobody else can listen at that port, at all addresses or at the one that is named."""
        alone = address is not None and is_number(address) and not _is_any(address)
        return any(
            known == port and (not alone or one == address or _is_any(one))
            for one, known in self.listening or ()
        )


def parse_listening(answer: Sequence[str]) -> frozenset[tuple[str, int]]:
    """Where something listens, from what the machine takes the bytes 1 and 0 for, and its tables of sockets."""
    order: Literal["big", "little"] = "big" if answer[0].strip() == _BIG else "little"
    rows = (line.split() for line in answer)
    found = (row[1].partition(":") for row in rows if len(row) > 3 and row[3] == _LISTENS)  # noqa: PLR2004
    return frozenset((_address(address, order), int(port, 16)) for address, _, port in found)


def _address(text: str, order: Literal["big", "little"]) -> str:
    """As people write it; the kernel's words of four bytes stand there as numbers of the machine."""
    words = (int(text[start : start + 8], 16).to_bytes(4, order) for start in range(0, len(text), 8))
    return str(ipaddress.ip_address(b"".join(words)))


def parse_addresses(answer: str) -> tuple[str, ...] | None:
    """What ``getent ahosts`` says; ``None`` where it could not be asked, which stands there as ``?``."""
    lines = [line.split() for line in answer.splitlines()]
    if ["?"] in lines:
        return None
    return tuple(dict.fromkeys(line[0] for line in lines if line))


def ports_of(settings: Mapping[str, str] | None) -> tuple[range, bool]:
    """Those of the configuration of a host, or of libvirt's own choice, and whether that is sure."""
    usual = NetworkFacts().ports
    if settings is None:
        return usual, False
    first, last = settings.get("migration_port_min", ""), settings.get("migration_port_max", "")
    begin = int(first) if first.isdecimal() else usual.start
    end = int(last) + 1 if last.isdecimal() else usual.stop
    # What makes no range was written after the daemon began, which would not have done so with it.
    return (range(begin, end), True) if begin < end else (usual, False)


def host_of_memory(request: MigrateRequest, own_name: str | None, settings: Mapping[str, str]) -> str | None:
    """To which host the source connects; ``None`` where that is to none, or is not known."""
    if request.offline:
        return None
    if request.transport.migrate_uri is None:
        return settings.get("migration_host") or own_name
    found = parts_of(request.transport.migrate_uri)
    return found.hostname if found is not None and found.scheme != "unix" else None


def parts_of(uri: str) -> SplitResult | None:
    """A URI in its parts; ``None`` where it is none."""
    try:
        found = urlsplit(uri)
        found.port  # noqa: B018  it raises
    except ValueError:
        return None
    return found


def is_number(host: str) -> bool:
    """Whether it is an address, which nobody has to look up."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_any(address: str) -> bool:
    return ipaddress.ip_address(address).is_unspecified
