"""What is known of the way that a domain takes to another host, and what speaks against it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, urlsplit

from tui.model.finding import Finding, refused, warning
from tui.model.text import counted, printable

if TYPE_CHECKING:
    from tui.model.migrate_case import MigrateCase
    from tui.model.migrate_request import MigrateRequest

_MEMORY_SCHEMES = ("tcp", "rdma", "unix")
_DISKS_SCHEMES = ("tcp", "unix")
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
    found = _split(request.transport.migrate_uri)
    return found.hostname if found is not None and found.scheme != "unix" else None


def is_number(host: str) -> bool:
    """Whether it is an address, which nobody has to look up."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def check_network(case: MigrateCase) -> Iterator[Finding]:
    """Whether the source finds the other host, and ports are free there."""
    if case.request.offline:
        return
    wrong = list(_check_uris(case.request))
    yield from wrong
    if not wrong:
        yield from _check_name(case)
        yield from _check_ports(case)


def sent_to(case: MigrateCase) -> str | None:
    """Where the memory goes, for people."""
    network = case.facts.network
    if network.host is None:
        return None
    host = printable(network.host)
    if is_number(network.host):
        return host
    if network.addresses is None:
        return f"{host}; {printable(case.facts.host)} could not be asked whether it knows that name"
    return f"{host}, {printable(network.addresses[0])}" if network.addresses else host


def _check_uris(request: MigrateRequest) -> Iterator[Finding]:
    transport = request.transport
    for flag, uri, schemes, example in (
        ("--migrate-uri", transport.migrate_uri, _MEMORY_SCHEMES, "tcp://host-b"),
        ("--disks-uri", transport.disks_uri, _DISKS_SCHEMES, "tcp://host-b:49153"),
    ):
        found = _split(uri) if uri is not None else None
        if uri is not None and (found is None or found.scheme not in schemes):
            kinds = f"{', '.join(schemes[:-1])} or {schemes[-1]}"
            reason = f"{printable(uri)} is no place to send to: it begins with none of {kinds}."
            yield refused("options", reason, f"Write it as {example}: {flag}")
    ports = _named(request)
    if len(set(ports.values())) < len(ports):
        yield refused("options", "Memory and disks cannot go to the same port.", "Name another: --disks-port")


def _check_name(case: MigrateCase) -> Iterator[Finding]:
    network, there, here = case.facts.network, printable(case.facts.there), printable(case.facts.host)
    if network.host is None:
        return
    host, by_user = printable(network.host), case.request.transport.migrate_uri is not None
    calls = f"{here} is to connect to {host}" if by_user else f"{there} calls itself {host}"
    remedy = "Name an address of it: --migrate-uri tcp://ADDRESS"
    if not by_user and network.host.startswith("localhost"):
        yield refused("host-name", f"{calls}, which is another host to every host.", remedy)
    elif network.addresses == () and not is_number(network.host):
        weighed = refused if by_user or network.sure else warning
        yield weighed("host-name", f"{calls}, and {here} does not know that name.", remedy)
    elif not by_user and network.addresses and all(map(_is_loopback, network.addresses)):
        yield warning("host-name", f"{calls}, which {here} takes for itself.", remedy)


def _check_ports(case: MigrateCase) -> Iterator[Finding]:
    network, there, request = case.facts.network, printable(case.facts.there), case.request
    if network.listening is None:
        return
    address = request.transport.listen_address
    for flag, port in _named(request).items():
        if network.taken(port, address):
            reason = f"Something at {there} listens at the port {port} already."
            yield refused("port-taken", reason, f"Name another, or leave it to libvirt: {flag}")
    needed = int(_chosen_by_libvirt(request.transport.migrate_uri))
    if case.copied and request.transport.disks_port is None:
        needed += request.transport.disks_uri is None
    free = sum(not network.taken(port, address) for port in network.ports)
    if free < needed:
        first, last = network.ports[0], network.ports[-1]
        count = counted(needed, "is", "are")
        yield refused(
            "no-port",
            f"Of the ports {first} to {last} of {there} {free or 'none'} is free, and {count} needed.",
            "Wait until another migration to it has ended, or name others: --migrate-uri and --disks-port",
        )


def _named(request: MigrateRequest) -> dict[str, int]:
    """The ports that are named, by the flag that names them."""
    transport = request.transport
    found = {
        "--migrate-uri": _port(transport.migrate_uri),
        "--disks-uri": _port(transport.disks_uri),
        "--disks-port": transport.disks_port,
    }
    return {flag: port for flag, port in found.items() if port is not None}


def _chosen_by_libvirt(uri: str | None) -> bool:
    found = _split(uri) if uri is not None else None
    return found is None or (found.scheme != "unix" and _port(uri) is None)


def _port(uri: str | None) -> int | None:
    found = _split(uri) if uri is not None else None
    return found.port if found is not None else None


def _split(uri: str) -> SplitResult | None:
    try:
        found = urlsplit(uri)
        found.port  # noqa: B018  it raises
    except ValueError:
        return None
    return found


def _is_any(address: str) -> bool:
    return ipaddress.ip_address(address).is_unspecified


def _is_loopback(address: str) -> bool:
    return is_number(address) and ipaddress.ip_address(address.partition("%")[0]).is_loopback
