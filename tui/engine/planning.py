"""Gathering what a plan must know of the host, with as few calls as that takes, and making the plan.

Files are looked at directly only where the host is this machine. Elsewhere the storage pools are asked, and
what they do not know stays unknown, which the plan says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit

from tui.engine import journal, places
from tui.engine.connection import Connection
from tui.engine.errors import HostError, NoConnection
from tui.engine.images import ImageError, read_chain
from tui.engine.uri import is_local
from tui.model.copy_checks import BLOCK_COPY_SINCE
from tui.model.copy_plan import plan_copy
from tui.model.definition import parse_domain
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.end_plan import plan_end, plan_speed
from tui.model.facts import (
    CopyFacts,
    EndFacts,
    LayerFacts,
    PathFacts,
    PathKind,
    Running,
    Sizes,
    Use,
    UseKind,
    running_on,
    same_name,
)
from tui.model.finding import refused
from tui.model.host import HostState
from tui.model.job import Progress
from tui.model.journal import Entry
from tui.model.merge_case import MergeFacts, SnapshotFacts
from tui.model.merge_plan import plan_merge
from tui.model.plan import Plan
from tui.model.request import (
    CommitRequest,
    CopyRequest,
    Ending,
    EndRequest,
    MergeRequest,
    PullRequest,
    Request,
    SpeedRequest,
)
from tui.model.snapshot import files_of
from tui.model.steps import StartCopy
from tui.model.storage import BlockSource, Chain, Layer
from tui.model.text import printable
from tui.model.xml import InvalidXML

Answer = TypeVar("Answer")

_OWN_DAEMONS = ("/session", "/embed")
"""Paths of the URIs whose libvirt and QEMU run as the user who connects."""


def make_plan(request: Request, connection: Connection, state: HostState, plan_id: str, now: float) -> Plan:
    """Look at the host and make the plan; changes nothing.

    Raises:
        HostError: when the host cannot be asked.
    """
    look = _look(request.uuid, connection, state, now)
    if look is None:
        return _unknown_domain(request, state, plan_id)
    match request:
        case CopyRequest():
            return plan_copy(request, _copy_facts(request, look), plan_id)
        case CommitRequest() | PullRequest():
            return plan_merge(request, _merge_facts(request, look), plan_id)
        case EndRequest():
            return plan_end(request, _end_facts(request, look), plan_id)
        case SpeedRequest():
            return plan_speed(request, _speed_facts(request, look), plan_id)


@dataclass(frozen=True, slots=True)
class _Look:
    """The domain as it is now, and the host around it as it was last seen."""

    connection: Connection
    state: HostState
    domain: Domain
    entries: tuple[Entry, ...]
    local: bool
    now: float

    @property
    def own(self) -> bool:
        """Whether QEMU and libvirt run as the user of this process."""
        return self.local and urlsplit(self.state.uri).path in _OWN_DAEMONS


def _look(uuid: str, connection: Connection, state: HostState, now: float) -> _Look | None:
    reading = connection.read(uuid)
    if reading is None:
        return None
    try:
        definition = parse_domain(reading.xml)
    except InvalidXML as error:
        message = f"The definition of this domain cannot be read: {error}."
        raise HostError(message, remedy="Look at it with virsh dumpxml.") from error
    entries, _problems = journal.read(definition.plans, uuid)
    domain = Domain(definition, reading.state, reading.persistent)
    return _Look(connection, state, domain, entries, is_local(state.uri), now)


def _unknown_domain(request: Request, state: HostState, plan_id: str) -> Plan:
    known = state.domain(request.uuid)
    name = known.name if known else request.uuid
    finding = refused(
        "no-such-domain",
        f"{printable(name)} does not exist on {printable(state.name)} any more.",
        "Choose one of the domains that are listed.",
    )
    return Plan(plan_id, f"Nothing to do for {printable(name)}", request.uuid, name, (finding,), ())


def _copy_facts(request: CopyRequest, look: _Look) -> CopyFacts:
    connection, domain = look.connection, look.domain
    disk = domain.disk(request.target)
    version = look.state.libvirt
    facts = CopyFacts(
        domain,
        disk,
        libvirt=version,
        supports_block_copy=version is None or version >= BLOCK_COPY_SINCE,
        entries=look.entries,
        now=look.now,
    )
    if disk is None or disk.empty or not domain.state.active:
        return facts
    sizes = _unless_refused(lambda: connection.block_sizes(domain.uuid, disk.target))
    return replace(
        facts,
        sizes=Sizes(sizes.capacity, sizes.allocation, sizes.physical) if sizes else None,
        running=_progress(disk, look),
        checkpoints=_unless_refused(lambda: connection.checkpoints(domain.uuid)),
        layers=_layers(disk, look),
        destination=(place := _destination(request, look)),
        uses=_uses_with_names(request, place, look),
    )


def _merge_facts(request: MergeRequest, look: _Look) -> MergeFacts:
    domain = look.domain
    disk = domain.disk(request.target)
    facts = MergeFacts(domain, disk, entries=look.entries, now=look.now)
    if disk is None or disk.empty or not domain.state.active:
        return facts
    sizes = _unless_refused(lambda: look.connection.block_sizes(domain.uuid, disk.target))
    return replace(
        facts,
        capacity=sizes.capacity if sizes else None,
        running=_progress(disk, look),
        layers=_layers(disk, look),
        room=tuple(_free_beside(layer, look) for layer in disk.chain.layers),
        # A commit changes images on which others may stand that are off, and no definition lists their chains.
        uses=_uses(look, follow=look.local),
        unfollowed=_unfollowed(look),
        snapshots=_snapshots(look),
    )


def _free_beside(layer: Layer, look: _Look) -> int | None:
    if isinstance(layer.source, BlockSource):
        # A device does not grow, and how much of it an image has used is not seen from outside.
        return None
    if not look.local:
        return places.look_there(look.connection, layer).free
    return places.look_here(layer, None, reuse=False, owner=look.domain.definition.owner, own=look.own).free


def _unfollowed(look: _Look) -> tuple[str, ...]:
    """The disks of this host whose chains nobody can see to their end."""
    return tuple(
        f"{printable(domain.name)} {printable(disk.target)}"
        for domain in look.state.domains
        for disk in domain.disks
        if not (_followed(disk.chain) if look.local else disk.chain).complete
    )


def _snapshots(look: _Look) -> tuple[SnapshotFacts, ...] | None:
    found = _unless_refused(lambda: look.connection.snapshots(look.domain.uuid))
    if found is None:
        return None
    try:
        return tuple(SnapshotFacts(name, files_of(text)) for name, text in found.items())
    except InvalidXML:
        return None


def _unless_refused(call: Callable[[], Answer]) -> Answer | None:
    """An answer, or ``None`` where the host has none; a lost connection is no answer."""
    try:
        return call()
    except NoConnection:
        raise
    except HostError:
        return None


def _layers(disk: Disk, look: _Look) -> tuple[LayerFacts, ...]:
    if look.local:
        return tuple(places.layer_here(layer) for layer in disk.chain.layers)
    return tuple(places.layer_there(look.connection, layer) for layer in disk.chain.layers)


def _destination(request: CopyRequest, look: _Look) -> PathFacts:
    layer = request.destination.active
    if layer is None:
        return PathFacts()
    if not look.local:
        return places.look_there(look.connection, layer)
    return places.look_here(
        layer,
        request.destination.below.active,
        reuse=request.reuse_external,
        owner=look.domain.definition.owner,
        own=look.own,
    )


# Who needs which path


def _uses_with_names(request: CopyRequest, place: PathFacts, look: _Look) -> dict[str, tuple[Use, ...]]:
    """Who needs which path, the destination's other names included."""
    layer = request.destination.active
    path = layer.local_path if layer else None
    overwrites = path is not None and place.kind in (PathKind.FILE, PathKind.BLOCK)
    uses = _uses(look, follow=look.local and overwrites)
    if path is None or not (look.local and overwrites):
        return uses
    name = same_name(path)
    others = [
        use for used, users in uses.items() if used != name and places.same_file(used, path) for use in users
    ]
    if others:
        uses[name] = (*uses.get(name, ()), *others)
    return uses


def _uses(look: _Look, *, follow: bool) -> dict[str, tuple[Use, ...]]:
    """Who needs which path.

    Args:
        look: the host.
        follow: whether to read the chains that no definition lists, those of domains that are off, from the
            images: dear on a large host, and only of use when something is to be overwritten.
    """
    uses: dict[str, list[Use]] = {}
    for path, use in _all_uses(look, follow=follow):
        uses.setdefault(same_name(path), []).append(use)
    return {path: tuple(dict.fromkeys(users)) for path, users in uses.items()}


def _all_uses(look: _Look, *, follow: bool) -> Iterator[tuple[str, Use]]:
    others = [domain for domain in look.state.domains if domain.uuid != look.domain.uuid]
    for domain in (look.domain, *others):
        for disk in domain.disks:
            chain = _followed(disk.chain) if follow else disk.chain
            for path in chain.local_paths:
                yield path, Use(domain.uuid, domain.name, disk.target, UseKind.LAYER)
            for path in disk.mirror.chain.local_paths if disk.mirror else ():
                yield path, Use(domain.uuid, domain.name, disk.target, UseKind.MIRROR)
    entries = (*look.entries, *(e for e in look.state.entries if e.uuid != look.domain.uuid))
    for entry in entries:
        for copy in entry.copies:
            yield copy.path, Use(copy.uuid, copy.domain, copy.target, UseKind.PLAN, entry.id)


def _followed(chain: Chain) -> Chain:
    if chain.complete or len(chain.layers) != 1:
        return chain
    try:
        return read_chain(chain.layers[0])
    except ImageError:
        # Not readable from here: the chain stays unknown, which is what it is.
        return chain


# Jobs


def _end_facts(request: EndRequest, look: _Look) -> EndFacts:
    domain = look.domain
    if request.targets:
        disks = [disk for disk in domain.disks if disk.target in request.targets]
    elif request.ending is Ending.CANCEL:
        disks = list(domain.disks)
    else:
        disks = [disk for disk in domain.disks if disk.mirror]
    running = _running(disks, look)
    copies = _removable_copies(disks, look) if request.ending is Ending.CANCEL else []
    busy = {job.target for job in running}
    return EndFacts(
        domain,
        running=running,
        entries=look.entries,
        # A path that is to be removed must be in no chain, the unlisted ones included.
        uses=_uses(look, follow=look.local and bool(copies)),
        removable={copy.path: _removable(copy, look, busy=copy.target in busy) for copy in copies},
        owner=journal.owner(),
        now=look.now,
    )


def _removable_copies(disks: list[Disk], look: _Look) -> list[StartCopy]:
    """The copies of these disks whose destination libvirt made."""
    targets = {disk.target for disk in disks}
    copies = [copy for entry in look.entries for copy in entry.copies]
    return [copy for copy in copies if copy.creates and copy.target in targets]


def _removable(copy: StartCopy, look: _Look, *, busy: bool) -> bool:
    """Whether the destination can be removed, and nothing that nobody can see may stand on it.

    While the job runs the guest stands on its source; afterwards it may be on the destination, and that under
    further layers.
    """
    chains = [_followed(disk.chain) if look.local else disk.chain for disk in look.domain.disks]
    if not busy and not all(chain.complete for chain in chains):
        return False
    return look.local or places.known_there(look.connection, copy.path)


def _speed_facts(request: SpeedRequest, look: _Look) -> EndFacts:
    disk = look.domain.disk(request.target)
    running = _running([disk], look) if disk else ()
    return EndFacts(look.domain, running, look.entries, owner=journal.owner(), now=look.now)


def _running(disks: list[Disk], look: _Look) -> tuple[Running, ...]:
    if not look.domain.state.active:
        return ()
    jobs = [running_on(disk, _progress(disk, look)) for disk in disks]
    return tuple(job for job in jobs if job is not None)


def _progress(disk: Disk, look: _Look) -> Progress | None:
    return _unless_refused(lambda: look.connection.job(look.domain.uuid, disk.target))
