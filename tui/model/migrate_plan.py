"""A wish to take a domain to another host and what is known of both make a plan."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model.brought import Brought, brought, named
from tui.model.chain_steps import MakeImage
from tui.model.command import own
from tui.model.facts import PathKind
from tui.model.finding import Finding, any_refusal, in_order
from tui.model.migrate_case import MigrateCase, MigratedDisk, MigrateFacts, migrate_case
from tui.model.migrate_checks import check_domain, check_hosts, check_options, check_snapshots, check_there
from tui.model.migrate_disk_checks import check_disks
from tui.model.migrate_layer_checks import check_layers
from tui.model.migrate_request import MigrateRequest
from tui.model.migrate_steps import (
    BringBack,
    CompareThere,
    CopyLayersThere,
    MakeThere,
    Migrate,
    MigrateStep,
    ProveArrival,
    SetAside,
)
from tui.model.migrate_way_checks import check_network, check_tls, sent_to
from tui.model.packed import packed
from tui.model.plan import Plan
from tui.model.quantity import duration, rate, size
from tui.model.storage import BlockSource
from tui.model.text import listed, printable

_FEW, _LONGEST = 6, 60


def plan_migrate(request: MigrateRequest, facts: MigrateFacts, plan_id: str) -> Plan:
    """Make the plan, with all that speaks for and against it."""
    case = migrate_case(request, facts)
    along = brought(case)
    copied = tuple(one for one in along if one.copied)
    findings: list[Finding] = list(check_hosts(case))
    if not findings:
        findings += check_domain(case)
        findings += check_there(case)
        findings += check_options(case)
        findings += check_network(case)
        findings += check_tls(case)
        findings += check_disks(case, along)
        findings += check_layers(case, along)
        findings += check_snapshots(case, along)
    refused = any_refusal(findings)
    return Plan(
        plan_id,
        f"Migrate {printable(facts.domain.name)} to {printable(facts.there or request.destination)}",
        facts.domain.uuid,
        facts.domain.name,
        in_order(findings),
        () if refused else tuple(_steps(case, along)),
        facts=tuple(_facts(case, along)) if not facts.unreached else (),
        needs=_needs(case, copied),
        free=_free(case, copied),
        memory=facts.wanted.memory if facts.wanted and facts.domain.state.active else None,
        free_memory=facts.wanted.free_memory if facts.wanted else None,
    )


def _made(case: MigrateCase) -> tuple[MigratedDisk, ...]:
    """The disks for which an image is made there."""
    return tuple(d for d in case.copied if d.there.place.kind is PathKind.MISSING or d.pooled)


def _needs(case: MigrateCase, copied: tuple[Brought, ...]) -> int | None:
    sizes = [disk.size for disk in _made(case)] + [one.file.taken for one in copied]
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


def _free(case: MigrateCase, copied: tuple[Brought, ...]) -> int | None:
    places = [disk.there.place for disk in _made(case)] + [one.there.place for one in copied]
    return min((place.free for place in places if place.free is not None), default=None)


def _steps(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[MigrateStep]:
    request, facts, domain = case.request, case.facts, case.facts.domain
    yield from _compared(case, tuple(one for one in along if not one.copied))
    for disk in _made(case) if facts.reached else ():
        yield MakeThere(request.destination, facts.there, _image(case, disk))
    yield from _carried(case, tuple(one for one in along if one.copied))
    snapshots = facts.hierarchy.snapshots
    names = tuple(one.name for one in snapshots)
    current = facts.hierarchy.current
    kept = packed(one.xml for one in snapshots)
    if snapshots:
        yield SetAside(domain.uuid, domain.name, names, kept, current.name if current else None)
    places = case.places
    yield _migrate(case, places)
    if snapshots or facts.checkpoints:
        yield BringBack(
            domain.uuid,
            case.name,
            names,
            kept,
            current.name if current else None,
            tuple(places),
            tuple(places.values()),
            tuple(one.name for one in facts.checkpoints),
            packed(one.xml for one in facts.checkpoints) if facts.checkpoints else "",
        )
    on = [(disk.target, disk.path) for disk in case.disks if disk.path is not None]
    yield ProveArrival(
        domain.uuid,
        case.name,
        facts.source_uri,
        facts.host,
        tuple(target for target, _path in on),
        tuple(path for _target, path in on),
        persistent=case.persistent,
        undefined=case.undefine_source or not domain.persistent,
        running=domain.state.active,
        autostart=facts.autostart,
    )


def _compared(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[MigrateStep]:
    """What lies there already is as what it is taken for, before anything begins."""
    if along:
        domain, copies = case.facts.domain, tuple(one.copy for one in along)
        yield CompareThere(
            domain.uuid,
            domain.name,
            case.request.destination,
            case.facts.there,
            _kept(case),
            copies,
            tuple(one.file.header for one in along),
        )


def _carried(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[MigrateStep]:
    """What stands still: each file is made first, so that whoever takes this back knows it."""
    domain, request, there = case.facts.domain, case.request, case.facts.there
    for one in along:
        # Its own header comes with its content.
        image = MakeImage(domain.uuid, domain.name, "", one.path, "raw", one.file.size or 0)
        yield MakeThere(request.destination, there, image)
    if along:
        yield CopyLayersThere(
            domain.uuid,
            domain.name,
            request.destination,
            there,
            _kept(case),
            tuple(one.copy for one in along),
            tuple(one.file.taken for one in along),
            request.transport.bandwidth,
        )


def _kept(case: MigrateCase) -> tuple[str, ...]:
    return tuple(disk.target for disk in case.disks if disk.keeps_chain and disk.below)


def _image(case: MigrateCase, disk: MigratedDisk) -> MakeImage:
    """The image that a disk is copied into, of the very size."""
    below = disk.below[0] if disk.keeps_chain and disk.below else None
    still = case.facts.still.get(disk.active.path)
    # One that names the layer below beside itself does so there.
    name = named(case, still) or still.backing if still else None
    return MakeImage(
        case.facts.domain.uuid,
        case.facts.domain.name,
        disk.target,
        disk.path or "",
        disk.format,
        disk.size or 0,
        backing=(name or below[1]) if below else None,
        backing_format=(below[0].format or "raw") if below else None,
        layout=case.layout(disk) or (),
    )


def _migrate(case: MigrateCase, places: dict[str, str]) -> Migrate:
    request, facts = case.request, case.facts
    return Migrate(
        facts.domain.uuid,
        facts.domain.name,
        request.destination,
        facts.there,
        facts.there_uuid,
        case.name,
        targets=tuple(disk.target for disk in case.copied),
        storage=case.storage,
        befores=tuple(places),
        afters=tuple(places.values()),
        flattened=tuple(disk.target for disk in case.copied if not disk.keeps_chain),
        pooled=tuple((disk.path or "", disk.size or 0) for disk in case.copied if disk.pooled),
        persistent=case.persistent,
        undefine_source=case.undefine_source,
        transport=request.transport,
        convergence=request.convergence,
        offline=request.offline,
        unsafe=request.unsafe,
        change_protection=request.change_protection,
        abort_on_error=request.abort_on_error,
    )


def _facts(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[tuple[str, str]]:
    facts, request = case.facts, case.request
    renamed = f", there {printable(case.name)}" if case.name != facts.domain.name else ""
    yield "domain", f"{printable(facts.domain.name)}, {facts.domain.state}{renamed}"
    yield "from", printable(facts.host)
    yield "to", f"{printable(facts.there)}  {printable(request.destination)}"
    if facts.wanted is not None and facts.wanted.memory is not None and facts.domain.state.active:
        yield "memory", size(facts.wanted.memory)
    for disk in case.disks:
        yield "disk", f"{printable(disk.target)}  {_words(disk)}"
    for one in along[:_FEW]:
        fate = f"{size(one.file.taken)}, copied first" if one.copied else "there already, compared first"
        kind = "layer" if one.file.format else "memory file"
        yield kind, f"{printable(one.file.path)} as {printable(one.path)}  {fate}"
    if len(along) > _FEW:
        yield "layers", f"and {len(along) - _FEW} more"
    count = len(facts.hierarchy.snapshots)
    if count:
        current = facts.hierarchy.current
        marked = f"; {printable(current.name)} is current" if current else ""
        yield "snapshots", f"{count}{marked}"
    if facts.checkpoints:
        names = listed((one.name for one in facts.checkpoints), _FEW, _LONGEST)
        yield "checkpoints", f"{len(facts.checkpoints)}: {names}"
    place = sent_to(case)
    if place:
        yield "memory to", place
    if request.transport.bandwidth:
        yield (
            "bandwidth",
            f"{rate(request.transport.bandwidth)} for the memory, each disk, and what is copied first",
        )
    if request.convergence.timeout:
        action = request.convergence.timeout_action
        yield "after", f"{duration(request.convergence.timeout)}: {action}"
    yield "definition", _definitions(case)
    back = printable(own("undo" if request.offline else "cancel", facts.domain.name))
    yield "undo", f"until the guest is switched over: {back}, or interrupt it"


def _words(disk: MigratedDisk) -> str:
    place = printable(disk.path or "on the network")
    if not disk.copied:
        return f"stays on {place}"
    what = "its active layer is copied to" if disk.keeps_chain else "is copied to"
    kind = "device" if isinstance(disk.active.source, BlockSource) else disk.format
    amount = f", {size(disk.size)}" if disk.size else ""
    return f"{what} {place}  {printable(kind)}{amount}"


def _definitions(case: MigrateCase) -> str:
    there = "kept there" if case.persistent else "not kept there"
    if not case.facts.domain.persistent:
        return there
    return f"{there}, {'forgotten here' if case.undefine_source else 'kept here too'}"
