"""Snapshots by methods of which libvirt keeps no record: in the tree beside the others, and deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tui.model.command import typed
from tui.model.domain import Domain
from tui.model.facts import who
from tui.model.finding import Finding, in_order, refused, warning
from tui.model.hierarchy import Hierarchy, KnownSnapshot, SnapshotKind, StateDisk, arranged
from tui.model.hierarchy_case import HierarchyFacts
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.live_steps import DropHeld
from tui.model.methods import Method
from tui.model.mirrored_snapshot import Kind
from tui.model.plan import Plan
from tui.model.snapshot_note import Held, NotedSnapshot, namespace, parse_noted
from tui.model.text import printable
from tui.model.xml import InvalidXML

_KINDS = {
    Method.BTRFS: SnapshotKind.BTRFS,
    Method.LVM: SnapshotKind.LVM,
    Method.MANUAL: SnapshotKind.MANUAL,
}


def notes_of(domain: Domain) -> tuple[NotedSnapshot, ...]:
    """What a domain remembers, as far as this version can read it."""
    found = []
    for text in domain.definition.noted_snapshots:
        try:
            found.append(parse_noted(text))
        except InvalidXML:
            continue
    return tuple(found)


def note_of(domain: Domain, name: str) -> NotedSnapshot | None:
    """What a domain remembers of a snapshot."""
    return next((note for note in notes_of(domain) if note.name == name), None)


def with_noted(hierarchy: Hierarchy, notes: Iterable[NotedSnapshot]) -> Hierarchy:
    """The tree, with the snapshots, or the parts of them, that only the notes know."""
    known = dict(hierarchy.by_name)
    for note in notes:
        disks = tuple(_disk(held) for held in note.disks)
        kinds = {_KINDS[held.method] for held in note.disks if held.method in _KINDS}
        old = known.get(note.name)
        if old is not None:
            known[note.name] = replace(old, kind=SnapshotKind.MIXED, disks=(*old.disks, *disks))
            continue
        known[note.name] = KnownSnapshot(
            note.name,
            parent=note.parent if note.parent in hierarchy.by_name else None,
            kind=kinds.pop() if len(kinds) == 1 else SnapshotKind.MIXED,
            state="disk-snapshot",
            created=int(note.created),
            description=note.description or None,
            disks=disks,
        )
    found = arranged(known.values())
    return replace(found, problems=hierarchy.problems)


def _disk(held: Held) -> StateDisk:
    return StateDisk(held.target, Kind.MANUAL, base=held.path, base_format=held.format)


# Deleting


def plan_forget(
    request: SnapshotDeleteRequest,
    facts: HierarchyFacts,
    note: NotedSnapshot,
    known: Plan | None,
    plan_id: str,
) -> Plan:
    """Delete what only the notes know of a snapshot, and with ``known`` what libvirt knows of it."""
    domain = facts.domain
    files = tuple(
        held.path for held in note.disks if held.method is Method.BTRFS and held.path and held.pool is None
    )
    volumes = tuple(
        (held.target, held.pool, held.volume, held.path or "")
        for held in note.disks
        if held.pool is not None and held.volume is not None
    )
    step = DropHeld(
        domain.uuid,
        domain.name,
        tuple(held.target for held in note.disks),
        note.name,
        namespace(note.mark),
        note.created,
        paths=() if request.metadata_only else files,
        volumes=() if request.metadata_only else volumes,
    )
    findings = [*(known.findings if known else ()), *_check(request, facts, note)]
    if known is not None:
        return replace(known, findings=in_order(findings), steps=(step, *known.steps))
    verb = "Forget" if request.metadata_only else "Delete"
    return Plan(
        plan_id,
        f"{verb} the snapshot {printable(note.name)} of {printable(domain.name)}",
        domain.uuid,
        domain.name,
        in_order(findings),
        (step,),
        journalled=False,
        facts=(("domain", printable(domain.name)), ("goes", printable(note.name))),
    )


def _check(request: SnapshotDeleteRequest, facts: HierarchyFacts, note: NotedSnapshot) -> Iterator[Finding]:
    name = printable(note.name)
    if not request.itself:
        yield refused("no-children", f"Nothing descends from the snapshot {name}.", "There is nothing to do.")
        return
    if request.metadata_only:
        yield warning(
            "note-only",
            f"Nobody will know any more which files and volumes hold {name}, and they stay.",
            "Note them down first.",
        )
        return
    yield warning("state-lost", f"The state of {name} is given up for good; what the guest has now stays.")
    for held in note.disks:
        users = who(facts.users_of(held.path or ""))
        if held.path and users:
            yield refused(
                "held-in-use",
                f"{printable(held.path)} is used by {', '.join(users)}.",
                "End that use first, or have the snapshot forgotten alone: --metadata-only.",
            )
        if held.method is Method.MANUAL:
            yield warning(
                "by-hand",
                f"What was made by hand of {printable(held.target)} is not known here, and stays.",
                "Remove it as you made it.",
            )


def going_back(note: NotedSnapshot) -> Finding:
    """That libvirt cannot, and how it is done."""
    ways = "; ".join(filter(None, map(_way, note.disks)))
    how = f"Shut the guest down, and then: {ways}" if ways else "Bring it back as you held it."
    return refused(
        "by-other-means",
        f"libvirt does not know all of the snapshot {printable(note.name)}, and cannot take the guest back to it.",
        how,
    )


def _way(held: Held) -> str:
    match held:
        case Held(method=Method.BTRFS, path=str(path), target=target):
            return f"{printable(typed('cp', '--reflink=auto', '--', path))} to where {printable(target)} lies"
        case Held(method=Method.LVM, pool=str(pool), volume=str(volume)):
            return printable(typed("lvconvert", "--merge", f"{pool}/{volume}"))
        case _:
            return ""
