"""Gathering what a plan must know of the host, with as few calls as that takes, and making the plan.

Files are looked at directly only where the host is this machine. Elsewhere the storage pools are asked, and
what they do not know stays unknown, which the plan says.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tui.engine import places, promised
from tui.engine.connection import Connection
from tui.engine.copy_facts import copy_facts, disk_facts, placed
from tui.engine.errors import HostError
from tui.engine.files import Files
from tui.engine.hierarchy_facts import hierarchy_facts
from tui.engine.live_facts import live_facts
from tui.engine.look import Look, jobs_on, look_at, snapshots_of, uses_of
from tui.engine.merge_facts import merge_facts
from tui.engine.migrate_facts import migrate_facts
from tui.engine.move_facts import move_facts, promised_where
from tui.engine.remote_facts import remote_facts
from tui.engine.steps import happened
from tui.model.arriving import plan_arriving
from tui.model.begin_steps import StartCopy, StartPull
from tui.model.copy_plan import plan_copy
from tui.model.disk import Disk
from tui.model.end_plan import plan_end, plan_speed
from tui.model.facts import EndFacts
from tui.model.finding import in_order, refused
from tui.model.hierarchy_plan import plan_hierarchy
from tui.model.hierarchy_request import (
    SnapshotDeleteRequest,
    SnapshotImportRequest,
    SnapshotRevertRequest,
)
from tui.model.host import HostState
from tui.model.journal import Entry
from tui.model.live_plan import plan_live_snapshot
from tui.model.merge_plan import plan_merge
from tui.model.migrate_plan import plan_migrate
from tui.model.migrate_request import MigrateRequest, MigrationTuneRequest
from tui.model.move_plan import plan_move
from tui.model.plan import Plan
from tui.model.pull_checks import LISTS_IMAGES, check_pulls, survives
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.remote_copy import plan_remote_copy
from tui.model.request import (
    CommitRequest,
    CopyRequest,
    Ending,
    EndRequest,
    LiveSnapshotRequest,
    MoveRequest,
    PullRequest,
    RecoverRequest,
    RemoteCopyRequest,
    Request,
    SnapshotEndRequest,
    SnapshotRequest,
    SpeedRequest,
)
from tui.model.snapshot_case import TakeFacts, mirror_request, overlay_request, taken_disks
from tui.model.snapshot_end_plan import SnapshotEndFacts, plan_snapshot_end
from tui.model.snapshot_plan import plan_snapshot
from tui.model.storage import FileSource, Layer
from tui.model.text import printable
from tui.model.tune_plan import plan_tune

if TYPE_CHECKING:
    from tui.engine.host import Host


def make_plan(
    request: Request,
    connection: Connection,
    state: HostState,
    plan_id: str,
    now: float,
    *,
    made: float | None = None,
    under_way: tuple[Entry, ...] = (),
    files: Files | None = None,
    host: Host | None = None,
) -> Plan:
    """Look at the host and make the plan; changes nothing.

    ``made`` is when it was made first, unless that is now; ``under_way`` are the plans that are carried out here;
    ``files`` handles the images of the host, where that can be done from here; ``host`` is the host itself, for plans
    that are about another one as well.

    Raises:
        HostError: when the host cannot be asked.
    """
    look = look_at(request.uuid, connection, state, now, under_way)
    if look is None:
        return _unknown_domain(request, state, plan_id)
    if arriving := plan_arriving(look.domain, plan_id):
        # Who asked it anything more would keep its host from calling it back.
        return arriving
    if isinstance(request, LISTS_IMAGES | PullRequest | MigrateRequest):
        look = look.with_jobs()
    plan = _planned(request, look, plan_id, made=now if made is None else made, files=files, host=host)
    if survives(state.hypervisor) or any(finding.check == "job-running" for finding in plan.findings):
        return plan
    pulled = frozenset(step.target for step in plan.ahead if isinstance(step, StartPull))
    beside = check_pulls(request, look.domain, look.jobs, pulled)
    return replace(plan, findings=in_order((*plan.findings, *beside)))


def _planned(  # noqa: C901, PLR0911, PLR0912  one for each kind of request
    request: Request, look: Look, plan_id: str, *, made: float, files: Files | None, host: Host | None
) -> Plan:
    match request:
        case CopyRequest():
            taken = promised.promised_to(request.destination, look)
            return promised.told(plan_copy(request, copy_facts(request, look), plan_id), taken)
        case CommitRequest() | PullRequest():
            return plan_merge(request, merge_facts(request.target, look), plan_id)
        case MoveRequest():
            facts = move_facts(request, look, plan_id, files)
            return promised.told(plan_move(request, facts, plan_id), promised_where(facts, look))
        case SnapshotRequest():
            return plan_snapshot(request, _take_facts(request, look), plan_id)
        case LiveSnapshotRequest():
            return plan_live_snapshot(request, live_facts(request, look, files), plan_id, made)
        case SnapshotEndRequest():
            return plan_snapshot_end(request, _snapshot_end_facts(request, look), plan_id)
        case SnapshotImportRequest() | SnapshotDeleteRequest() | SnapshotRevertRequest():
            return plan_hierarchy(request, hierarchy_facts(request, look, files), plan_id)
        case RemoteCopyRequest() | MigrateRequest():
            if host is None:
                message = "what is about two hosts is planned by one of them"
                raise ValueError(message)
            if isinstance(request, MigrateRequest):
                going = migrate_facts(request, look, host)
                return promised.told(plan_migrate(request, going, plan_id), going.promised)
            known = remote_facts(request, look, host)
            return promised.told(plan_remote_copy(request, known, plan_id), known.promised)
        case MigrationTuneRequest():
            return plan_tune(request, look.domain, look.state.migrations.get(request.uuid), plan_id)
        case RecoverRequest():
            return plan_recover(request, _recover_facts(request, look, host), plan_id)
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


def _recover_facts(request: RecoverRequest, look: Look, host: Host | None) -> RecoverFacts:
    here = frozenset(entry.id for entry in look.under_way)
    disks = [disk for disk in look.domain.disks if not disk.empty]
    away = any(entry.migration for entry in look.entries)
    return RecoverFacts(
        look.domain,
        look.entries,
        jobs_on(disks, look),
        here,
        look.now,
        host_uuid=look.connection.host_uuid() if away else "",
        migrating=away and look.migrates(),
        done=host is not None and not request.undo and _done(request, look.entries, host),
    )


def _done(request: RecoverRequest, entries: Sequence[Entry], host: Host) -> bool:
    """Whether the step was done at which the plan was cut off; what cannot be looked at is taken to be ahead."""
    steps = [entry.step for entry in entries if request.plan in (None, entry.id) and entry.step is not None]
    with suppress(HostError):
        return len(steps) == 1 and happened(steps[0], host)
    return False


# Snapshots


def _take_facts(request: SnapshotRequest, look: Look) -> TakeFacts:
    disks = taken_disks(request.snapshot, look.domain) if look.domain.state.active else ()
    known = {disk.target: disk_facts(disk.target, look) for disk in disks}
    return TakeFacts(
        look.domain,
        snapshots_of(look.connection, look.domain),
        {d.target: placed(overlay_request(request, d), known[d.target], look) for d in disks},
        {d.target: placed(mirror_request(request, d), known[d.target], look) for d in disks if d.mirror},
    )


def _snapshot_end_facts(request: SnapshotEndRequest, look: Look) -> SnapshotEndFacts:
    entry = next((e for e in look.entries if e.snapshot and e.snapshot.name == request.name), None)
    snapshot, copies = (entry.snapshot, entry.copies) if entry else (None, ())
    end = EndRequest(request.uuid, snapshot.targets if snapshot else (), request.ending)
    layers = {copy.path: Layer(FileSource(copy.path), copy.format) for copy in copies if not copy.creates}
    headers = {
        path: places.look_here(layer, None, reuse=True, owner=None, own=look.own).image
        if look.local
        else None
        for path, layer in layers.items()
    }
    return SnapshotEndFacts(_end_facts(end, look), snapshots_of(look.connection, look.domain), headers)


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
        now=look.now,
        migration=look.state.migrations.get(domain.uuid),
        migrating=look.migrates(),
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
    return EndFacts(
        look.domain,
        running,
        look.entries,
        now=look.now,
        migration=look.state.migrations.get(request.uuid),
        migrating=look.migrates(),
    )
