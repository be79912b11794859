"""Gathering what a plan must know of the host, with as few calls as that takes, and making the plan.

Files are looked at directly only where the host is this machine. Elsewhere the storage pools are asked, and
what they do not know stays unknown, which the plan says.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import PurePath

from tui.engine import journal, places, promised
from tui.engine.connection import Connection
from tui.engine.look import (
    POOLS_OF_FILES,
    Look,
    job_info,
    jobs_on,
    layers_of,
    look_at,
    snapshots_of,
    unfollowed,
    unless_refused,
    uses_of,
)
from tui.model import xml
from tui.model.copy_checks import BLOCK_COPY_SINCE
from tui.model.copy_plan import plan_copy
from tui.model.disk import Disk
from tui.model.end_plan import plan_end, plan_speed
from tui.model.facts import (
    CopyFacts,
    EndFacts,
    PathFacts,
    PathKind,
    Sizes,
    Use,
    same_name,
)
from tui.model.finding import refused
from tui.model.host import HostState
from tui.model.journal import Entry
from tui.model.merge_case import MergeFacts
from tui.model.merge_plan import plan_merge
from tui.model.move_case import MoveFacts, chosen, copy_request, moved_disks
from tui.model.move_checks import images_of
from tui.model.move_plan import plan_move
from tui.model.plan import Plan
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import (
    CommitRequest,
    CopyRequest,
    Ending,
    EndRequest,
    MergeRequest,
    MoveRequest,
    PullRequest,
    RecoverRequest,
    Request,
    SpeedRequest,
)
from tui.model.steps import StartCopy
from tui.model.storage import BlockSource, FileSource, Layer
from tui.model.text import printable


def make_plan(  # noqa: PLR0911  one for each kind of request
    request: Request,
    connection: Connection,
    state: HostState,
    plan_id: str,
    now: float,
    *,
    under_way: tuple[Entry, ...] = (),
) -> Plan:
    """Look at the host and make the plan; changes nothing. ``under_way`` are the plans that are carried out here.

    Raises:
        HostError: when the host cannot be asked.
    """
    look = look_at(request.uuid, connection, state, now, under_way)
    if look is None:
        return _unknown_domain(request, state, plan_id)
    match request:
        case CopyRequest():
            taken = _promised(request.destination.active, look)
            return promised.told(plan_copy(request, _copy_facts(request, look), plan_id), taken)
        case CommitRequest() | PullRequest():
            return plan_merge(request, _merge_facts(request, look), plan_id)
        case MoveRequest():
            facts = _move_facts(request, look, plan_id)
            taken = promised.promised_in(facts.directory, look) if facts.directory else {}
            return promised.told(plan_move(request, facts, plan_id), taken)
        case RecoverRequest():
            return plan_recover(request, _recover_facts(look), plan_id)
        case EndRequest():
            return plan_end(request, _end_facts(request, look), plan_id)
        case SpeedRequest():
            return plan_speed(request, _speed_facts(request, look), plan_id)


def _unknown_domain(request: Request, state: HostState, plan_id: str) -> Plan:
    known = state.domain(request.uuid)
    name = known.name if known else request.uuid
    finding = refused(
        "no-such-domain",
        f"{printable(name)} does not exist on {printable(state.name)} any more.",
        "Choose one of the domains that are listed.",
    )
    return Plan(plan_id, f"Nothing to do for {printable(name)}", request.uuid, name, (finding,), ())


def _copy_facts(request: CopyRequest, look: Look) -> CopyFacts:
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
    sizes = unless_refused(lambda: connection.block_sizes(domain.uuid, disk.target))
    return replace(
        facts,
        sizes=Sizes(sizes.capacity, sizes.allocation, sizes.physical) if sizes else None,
        running=job_info(disk, look),
        checkpoints=unless_refused(lambda: connection.checkpoints(domain.uuid)),
        layers=layers_of(disk, look),
        destination=(place := _destination(request, look)),
        uses=_uses_with_names(request, place, look),
    )


def _merge_facts(request: MergeRequest, look: Look) -> MergeFacts:
    domain = look.domain
    disk = domain.disk(request.target)
    facts = MergeFacts(domain, disk, entries=look.entries, now=look.now)
    if disk is None or disk.empty or not domain.state.active:
        return facts
    sizes = unless_refused(lambda: look.connection.block_sizes(domain.uuid, disk.target))
    # A commit changes images on which others may stand that are off, and no definition lists their chains.
    whole = look.followed()
    return replace(
        facts,
        capacity=sizes.capacity if sizes else None,
        running=job_info(disk, look),
        layers=layers_of(disk, look),
        room=tuple(_free_beside(layer, look) for layer in disk.chain.layers),
        uses=uses_of(whole),
        unfollowed=unfollowed(whole),
        snapshots=snapshots_of(look.connection, domain.uuid),
    )


def _free_beside(layer: Layer, look: Look) -> int | None:
    if isinstance(layer.source, BlockSource):
        # A device does not grow, and how much of it an image has used is not seen from outside.
        return None
    if not look.local:
        return places.look_there(look.connection, layer).free
    return places.look_here(layer, None, reuse=False, owner=look.domain.definition.owner, own=look.own).free


def _destination(request: CopyRequest, look: Look) -> PathFacts:
    layer = request.destination.active
    if layer is None:
        return PathFacts()
    if not look.local:
        place = places.look_there(look.connection, layer)
    else:
        place = places.look_here(
            layer,
            request.destination.below.active,
            reuse=request.reuse_external,
            owner=look.domain.definition.owner,
            own=look.own,
        )
    return promised.less(place, _promised(layer, look))


def _promised(layer: Layer | None, look: Look) -> dict[str, int]:
    """What others will still write to where a new image lies."""
    path = layer.local_path if layer and isinstance(layer.source, FileSource) else None
    return promised.promised_in(os.path.dirname(path) or "/", look) if path else {}  # noqa: PTH120  to the byte


# Who needs which path


def _uses_with_names(request: CopyRequest, place: PathFacts, look: Look) -> dict[str, tuple[Use, ...]]:
    """Who needs which path, the destination's other names included."""
    layer = request.destination.active
    path = layer.local_path if layer else None
    overwrites = path is not None and place.kind in (PathKind.FILE, PathKind.BLOCK)
    uses = uses_of(look.followed() if overwrites else look)
    if path is None or not (look.local and overwrites):
        return uses
    name = same_name(path)
    others = [
        use for used, users in uses.items() if used != name and places.same_file(used, path) for use in users
    ]
    if others:
        uses[name] = (*uses.get(name, ()), *others)
    return uses


# Moves


def _move_facts(request: MoveRequest, look: Look, mark: str) -> MoveFacts:
    directory, problem = _directory(request.directory, look.connection)
    facts = MoveFacts(
        look.domain,
        directory,
        problem,
        local=look.local,
        folds=request.merge_overlay,
        snapshots=snapshots_of(look.connection, look.domain.uuid),
    )
    if directory is None or not look.domain.state.active:
        return facts
    # First what is known of each disk, then what that makes of its images.
    facts = replace(
        facts, copies={disk.target: CopyFacts(look.domain, disk) for disk in chosen(request, look.domain)}
    )
    disks = moved_disks(request, facts, mark)
    copies = {disk.target: _copy_facts(copy_request(request, disk), look) for disk in disks}
    facts = replace(facts, copies=copies, free=_free_in(directory, look))
    if not look.local:
        return facts
    disks = moved_disks(request, facts, mark)
    made = [path for disk in disks for path in images_of(disk)]
    return replace(
        facts,
        readable={path: os.access(path, os.R_OK) for disk in disks for path in disk.chain.local_paths},
        there=frozenset(path for path in made if os.path.lexists(path)),
        writable=os.access(directory, os.W_OK | os.X_OK),
    )


def _directory(wanted: str, connection: Connection) -> tuple[str | None, str]:
    """Where images are to go, or why that is nowhere."""
    if not wanted.startswith("pool:"):
        if not PurePath(wanted).is_absolute():
            return None, f"{printable(wanted)} is no absolute path."
        return wanted.rstrip("/") or "/", ""
    name = wanted.removeprefix("pool:")
    for text in unless_refused(connection.pools) or ():
        pool = xml.parse(text)
        if pool.findtext("name") != name:
            continue
        kind = pool.get("type", "")
        path = pool.findtext("target/path")
        if kind not in POOLS_OF_FILES or not path:
            return None, f"The pool {printable(name)} is of the type {printable(kind)}, which holds no files."
        return path.rstrip("/"), ""
    return None, f"There is no active pool {printable(name)} on this host."


def _free_in(directory: str, look: Look) -> int | None:
    image = Layer(FileSource(f"{directory}/image"), "raw")
    if look.local:
        place = places.look_here(image, None, reuse=False, owner=None, own=look.own)
    else:
        place = places.look_there(look.connection, image)
    return promised.remaining(place.free, promised.promised_in(directory, look))


def _recover_facts(look: Look) -> RecoverFacts:
    disks = [disk for disk in look.domain.disks if not disk.empty]
    here = frozenset(entry.id for entry in look.under_way)
    return RecoverFacts(look.domain, look.entries, jobs_on(disks, look), here, look.now)


# Jobs


def _end_facts(request: EndRequest, look: Look) -> EndFacts:
    domain = look.domain
    if request.targets:
        disks = [disk for disk in domain.disks if disk.target in request.targets]
    elif request.ending is Ending.CANCEL:
        disks = list(domain.disks)
    else:
        disks = [disk for disk in domain.disks if disk.mirror]
    running = jobs_on(disks, look)
    copies = _removable_copies(disks, look) if request.ending is Ending.CANCEL else []
    busy = {job.target for job in running}
    # A path that is to be removed must be in no chain, the unlisted ones included.
    whole = look.followed() if copies else look
    return EndFacts(
        domain,
        running=running,
        entries=look.entries,
        uses=uses_of(whole),
        removable={copy.path: _removable(copy, whole, busy=copy.target in busy) for copy in copies},
        owner=journal.owner(),
        now=look.now,
    )


def _removable_copies(disks: list[Disk], look: Look) -> list[StartCopy]:
    """The copies of these disks whose destination libvirt made."""
    targets = {disk.target for disk in disks}
    copies = [copy for entry in look.entries for copy in entry.copies]
    return [copy for copy in copies if copy.creates and copy.target in targets]


def _removable(copy: StartCopy, look: Look, *, busy: bool) -> bool:
    """Whether the destination can be removed, and nothing that nobody can see may stand on it.

    While the job runs the guest stands on its source; afterwards it may be on the destination, and that under
    further layers.
    """
    if not busy and not all(disk.chain.complete for disk in look.domain.disks):
        return False
    return look.local or places.known_there(look.connection, copy.path)


def _speed_facts(request: SpeedRequest, look: Look) -> EndFacts:
    disk = look.domain.disk(request.target)
    running = jobs_on([disk], look) if disk else ()
    return EndFacts(look.domain, running, look.entries, owner=journal.owner(), now=look.now)
