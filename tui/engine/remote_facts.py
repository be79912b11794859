"""What must be known of two hosts before a disk is copied from one to the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tui.engine.copy_facts import disk_facts
from tui.engine.errors import HostError
from tui.engine.files import Files
from tui.engine.look import Look, uses_in
from tui.engine.promised import remaining
from tui.engine.promised_there import promised_at
from tui.engine.ssh import host_of
from tui.model.facts import CopyFacts, PathFacts, PathKind, parent_of
from tui.model.remote_copy import RemoteFacts
from tui.model.request import RemoteCopyRequest
from tui.model.storage import FileSource, Layer

if TYPE_CHECKING:
    from tui.engine.host import Host

HERE = "127.0.0.1"
_BOUND = 1
"""The column of the kernel's tables of sockets in which their own addresses stand, as ``0100007F:2A39``."""
_LOOK = """command -v qemu-nbd >/dev/null && echo yes || echo no
set -- ${SSH_CONNECTION:-}
echo "${3:-}"
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null || :"""
"""Whether there is a server, by which address ssh got there, and the kernel's sockets."""


def remote_facts(request: RemoteCopyRequest, look: Look, host: Host) -> RemoteFacts:
    """Look at both hosts; ``host`` is the one that has the domain."""
    facts = RemoteFacts(
        disk_facts(request.copy.target, look), look.state.name, "", tries=host.files is not None
    )
    try:
        facts = replace(facts, copy=_read(facts.copy, host))
        there = host.peer(request.destination)
        there_uuid = there.connection().host_uuid()
        same_host = there_uuid == look.connection.host_uuid()
        facts = replace(facts, there=there.state.name, same_host=same_host)
        files = there.files
        if files is None:
            return facts
        uses = uses_in(there.state.domains, there.state.entries)
        facts = replace(facts, copy=replace(facts.copy, uses=uses))
        facts = _reached(request, facts, files, address=_address(request, host, there))
        parent = parent_of(_file(request) or "")
        return _beside(facts, promised_at([parent], look, there, there_uuid).get(parent, {}))
    except HostError as error:
        return replace(facts, unreached=str(error))


def _read(copy: CopyFacts, host: Host) -> CopyFacts:
    """With what the header of the active layer says; the pools of a host elsewhere know little of it."""
    if host.local or host.files is None or copy.disk is None or not copy.layers:
        return copy
    return replace(copy, layers=(host.files.layer(copy.disk.chain.layers[0]), *copy.layers[1:]))


def _beside(facts: RemoteFacts, promised: dict[str, int]) -> RemoteFacts:
    """With as much free there as other plans leave."""
    place = facts.copy.destination
    place = replace(place, free=remaining(place.free, promised))
    return replace(facts, copy=replace(facts.copy, destination=place), promised=promised)


def _address(request: RemoteCopyRequest, host: Host, there: Host) -> str | None:
    """By which the other host is reached, as far as the URIs tell."""
    if there.local:
        return HERE if host.local else None
    return host_of(request.destination)


def _reached(
    request: RemoteCopyRequest, facts: RemoteFacts, files: Files, address: str | None
) -> RemoteFacts:
    serves, by, *sockets = files.ask(_LOOK).splitlines()
    bound = [
        fields[_BOUND] for line in sockets if len(fields := line.split()) > _BOUND and ":" in fields[_BOUND]
    ]
    path = _file(request)
    place = _place(path, files) if path is not None else PathFacts()
    return replace(
        facts,
        copy=replace(facts.copy, destination=place),
        reached=True,
        serves=serves == "yes",
        # What a name means there may be another thing: many a host takes its own for a loopback address.
        address=by if by and address not in (None, HERE) else address,
        taken=frozenset(int(one.rpartition(":")[2], 16) for one in bound),
    )


def _file(request: RemoteCopyRequest) -> str | None:
    """Where the image is to lie there."""
    match request.copy.destination.active:
        case Layer(source=FileSource(path=path)):
            return path
        case _:
            return None


def _place(path: str, files: Files) -> PathFacts:
    parent = parent_of(path)
    writable = files.writable(parent)
    return PathFacts(
        kind=PathKind.FILE if path in files.existing([path]) else PathKind.MISSING,
        parent_exists=writable is not None,
        searchable=True,
        writable=writable,
        free=files.free(parent),
    )
