"""What speaks against the way that a domain takes to another host: its network, and its certificates."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from tui.model.finding import Finding, fine, refused, warning
from tui.model.migrate_case import MigrateCase
from tui.model.migrate_network import is_number, parts_of
from tui.model.migrate_request import MigrateRequest
from tui.model.migrate_tls import Certificates
from tui.model.text import counted, listed, printable

_MEMORY_SCHEMES = ("tcp", "rdma", "unix")
_DISKS_SCHEMES = ("tcp", "unix")
_SERVER = ("ca-cert.pem", "server-cert.pem", "server-key.pem")
_CLIENT = ("ca-cert.pem",)
_PROOF = ("client-cert.pem", "client-key.pem")
"""What a client needs more where a server wants to know who it is."""
_FEW, _LONGEST = 6, 60


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
        found = parts_of(uri) if uri is not None else None
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
    found = parts_of(uri) if uri is not None else None
    return found is None or (found.scheme != "unix" and _port(uri) is None)


def _port(uri: str | None) -> int | None:
    found = parts_of(uri) if uri is not None else None
    return found.port if found is not None else None


def _is_loopback(address: str) -> bool:
    return is_number(address) and ipaddress.ip_address(address.partition("%")[0]).is_loopback


def check_tls(case: MigrateCase) -> Iterator[Finding]:
    """Whether both hosts have what TLS takes, where it is wished."""
    facts = case.facts
    if not case.request.transport.tls or case.request.offline:
        return
    client = (*_CLIENT, *_PROOF) if facts.tls.verifies else _CLIENT
    sides = ((facts.there, facts.tls.there, _SERVER), (facts.host, facts.tls.here, client))
    lacking = [finding for side in sides for finding in _check_side(*side)]
    yield from lacking
    if not lacking and facts.tls.here and facts.tls.there:
        yield fine("tls-certificates", "Both hosts have certificates for TLS.")


def _check_side(host: str, known: Certificates | None, needed: tuple[str, ...]) -> Iterator[Finding]:
    missing = [name for name in needed if known is not None and name not in known.files]
    if known is not None and missing:
        yield refused(
            "tls-certificates",
            f"{printable(host)} lacks in {printable(known.directory)} what TLS needs: "
            f"{listed(missing, _FEW, _LONGEST)}.",
            "Put it there, or set migrate_tls_x509_cert_dir in its qemu.conf.",
        )
