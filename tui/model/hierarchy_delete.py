"""A wish to delete snapshots and what is known of the host make a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tui.model.command import own, typed
from tui.model.facts import same_name
from tui.model.finding import Finding, any_refusal, in_order, refused, warning
from tui.model.hierarchy import KnownSnapshot, SnapshotKind
from tui.model.hierarchy_case import (
    DELETES_EXTERNAL,
    HierarchyFacts,
    check_inside,
    check_mirrors,
    check_name,
    check_quiet,
    children_of,
    deletion,
    forgetting,
    inside,
    live_overlay,
    names_of,
    outside,
    unknown,
)
from tui.model.hierarchy_merge import check_merging, in_its_place, merges_for, plan_in_part
from tui.model.hierarchy_noted import note_of, plan_forget
from tui.model.hierarchy_removed import check_aside, removed_with, stands_aside
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.hierarchy_steps import DeleteSnapshots, RemoveMemories
from tui.model.plan import Plan
from tui.model.request import MergeRequest
from tui.model.text import printable


def plan_delete(request: SnapshotDeleteRequest, facts: HierarchyFacts, plan_id: str) -> Plan:
    """Make the plan."""
    request = _plain(request, facts)
    note = note_of(facts.domain, request.name)
    if note is None:
        return _plan_known(request, facts, plan_id)
    known = facts.hierarchy.get(request.name) is not None
    return plan_forget(request, facts, note, _plan_known(request, facts, plan_id) if known else None, plan_id)


def merges_of(request: SnapshotDeleteRequest, facts: HierarchyFacts) -> tuple[MergeRequest, ...]:
    """The commits and pulls that stand in for a deletion by libvirt; none where it deletes, or nobody can."""
    request = _plain(request, facts)
    snapshot = facts.hierarchy.get(request.name)
    if snapshot is None or snapshot.kind is not SnapshotKind.EXTERNAL:
        return ()
    if request.metadata_only or request.children or stands_aside(snapshot, facts):
        return ()
    if any_refusal(_check_external(facts, snapshot)):
        return ()
    return merges_for(snapshot, facts)


def _plain(request: SnapshotDeleteRequest, facts: HierarchyFacts) -> SnapshotDeleteRequest:
    """The request as one for the snapshot alone, where nothing descends from it."""
    alone = request.itself and not facts.hierarchy.below(request.name)
    return replace(request, children=False) if alone else request


def _plan_known(request: SnapshotDeleteRequest, facts: HierarchyFacts, plan_id: str) -> Plan:
    """Of one that libvirt knows."""
    domain, hierarchy = facts.domain, facts.hierarchy
    snapshot = hierarchy.get(request.name)
    verb = "Forget" if request.metadata_only else "Delete"
    title = f"{verb} the snapshot {printable(request.name)} of {printable(domain.name)}"
    if snapshot is None:
        finding = unknown(request.name, facts)
        return Plan(plan_id, title, domain.uuid, domain.name, (finding,), (), journalled=False)
    below = hierarchy.below(snapshot.name) if request.children else ()
    names = ((snapshot.name,) if request.itself else ()) + below
    findings = list(_check(request, facts, snapshot, names))
    known = [one for name in names if (one := hierarchy.get(name))]
    aside = () if request.metadata_only else tuple(path for one in known for path in removed_with(one, facts))
    merged = () if request.metadata_only or aside else tuple(disk for one in known for disk in outside(one))
    lie = () if request.metadata_only else tuple(disk for one in known for disk in inside(one) if disk.base)
    images = {disk.base or "": disk.base_format or "" for disk in lie}
    step = DeleteSnapshots(
        domain.uuid,
        domain.name,
        names,
        metadata_only=request.metadata_only,
        targets=tuple(disk.target for disk in merged),
        overlays=tuple(live_overlay(disk, facts) or "" for disk in merged),
        paths=tuple(images),
        formats=tuple(images.values()),
        removed=aside,
    )
    plan = Plan(
        plan_id,
        title if len(names) < _SEVERAL else f"{title}, {len(names)} snapshots in all",
        domain.uuid,
        domain.name,
        in_order(findings),
        (step, *_removals(request, facts, names)) if names else (),
        journalled=False,
        facts=tuple(_facts(request, facts, names)),
    )
    if plan.refused:
        return plan
    merges = (plan_in_part(merge, chain, snapshot, facts, plan_id) for merge, chain in facts.merges)
    return in_its_place(plan, tuple(merges))


_SEVERAL = 2
_FEW = 4


def _memories(facts: HierarchyFacts, names: tuple[str, ...]) -> dict[str, str]:
    """The files with the memory of the guest that no other snapshot names, and whose they are."""
    held = {
        one.memory_file: one.name
        for one in facts.hierarchy.snapshots
        if one.memory_file and one.name in names
    }
    stay = {one.memory_file for one in facts.hierarchy.snapshots if one.name not in names}
    return {path: name for path, name in held.items() if path not in stay}


def _removals(
    request: SnapshotDeleteRequest, facts: HierarchyFacts, names: tuple[str, ...]
) -> Iterator[RemoveMemories]:
    """What libvirt may leave, where it can be reached."""
    held = _memories(facts, names)
    there = {path: held[path] for path in held if path in (facts.existing or ())}
    if there and not request.metadata_only:
        whose = tuple(name for name in names if name in there.values())
        yield RemoveMemories(facts.domain.uuid, facts.domain.name, whose, tuple(there))


def _check_memories(
    request: SnapshotDeleteRequest, facts: HierarchyFacts, names: tuple[str, ...]
) -> Iterator[Finding]:
    """Say which of them stay."""
    for path, name in _memories(facts, names).items():
        where, remove = printable(path), printable(typed("rm", "--", path))
        if request.metadata_only:
            yield warning(
                "memory-stays",
                f"The memory of the guest at {printable(name)} stays in {where}, and nothing names it any more.",
                f"Remove it when nobody needs it: {remove}",
            )
        elif facts.existing is None:
            yield warning(
                "memory-stays",
                f"Nobody can remove {where} from here, the memory of the guest at {printable(name)}, and libvirt "
                "before 9.9 leaves it.",
                f"Remove it on the host afterwards: {remove}",
            )


def _facts(
    request: SnapshotDeleteRequest, facts: HierarchyFacts, names: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    yield "domain", printable(facts.domain.name)
    yield "goes", names_of(names)
    current = facts.hierarchy.current
    if current is not None and current.name in names:
        stays = next((up for up in facts.hierarchy.above(current.name) if up not in names), None)
        yield "current then", printable(stays) if stays else "none"
    yield "images", "stay as they are" if request.metadata_only else "what the guest writes now stays"
    yield "undo", _bringing_back(facts) if request.metadata_only else "none"


def _bringing_back(facts: HierarchyFacts) -> str:
    """How those that were forgotten are defined again."""
    return f"{printable(own('snapshot', 'import', facts.domain.name, 'FILE'))}, with what was exported before"


def _check(
    request: SnapshotDeleteRequest, facts: HierarchyFacts, snapshot: KnownSnapshot, names: tuple[str, ...]
) -> Iterator[Finding]:
    domain, name = printable(facts.domain.name), printable(snapshot.name)
    if not names:
        yield refused("no-children", f"Nothing descends from the snapshot {name}.", "There is nothing to do.")
        return
    mirrored = list(check_mirrors(names, facts))
    yield from mirrored
    if mirrored:
        return
    yield from _check_memories(request, facts, names)
    if request.metadata_only:
        yield warning(
            "metadata-only",
            f"libvirt forgets {names_of(names)}, and with that which images they need: nothing keeps anybody from "
            "changing or removing those.",
            f"Keep the records first: {own('snapshot', 'export', domain)}",
        )
        yield from _check_named(facts, names)
        return
    yield from check_quiet(facts)
    yield warning(
        "state-lost",
        f"The state of {names_of(names)} is given up for good; what the guest has now stays.",
    )
    known = [one for one in map(facts.hierarchy.get, names) if one]
    strange = [one for one in known if one.kind in (SnapshotKind.MIXED, SnapshotKind.MANUAL)]
    for one in strange:
        yield refused(
            "kind-unsupported",
            f"The snapshot {printable(one.name)} is {one.kind}, and libvirt deletes no such data.",
            forgetting(facts, one),
        )
    external = [one for one in known if one.kind is SnapshotKind.EXTERNAL]
    if external and request.children:
        # Those of branches that the guest has left may need the very images that would be merged.
        left, youngest = _left(facts), known[::-1]
        order = sorted(youngest, key=lambda one: one.name not in left)
        each = "; ".join(_ending(facts, one, left) for one in order)
        yield refused(
            "external-children",
            "libvirt deletes external snapshots one at a time, which merges their overlays, and not with all that "
            "descend from them.",
            f"Delete them one by one, the youngest first: {each}",
        )
        return
    for one in external:
        yield from _check_external(facts, one)
    for one in known:
        if one.kind is SnapshotKind.INTERNAL:
            yield from check_inside(one, facts)
            if facts.domain.state.active:
                yield from check_name(one, facts, f"Shut {domain} off first.")


def _check_named(facts: HierarchyFacts, names: tuple[str, ...]) -> Iterator[Finding]:
    """Say of what stays that libvirt makes it name other images."""
    if facts.libvirt is not None and facts.libvirt < DELETES_EXTERNAL:
        return
    hierarchy = facts.hierarchy
    overlays = {disk.path for name in names for disk in outside(hierarchy.by_name[name])}
    below = {one for name in names for one in hierarchy.below(name)} - set(names)
    changed = [one.name for one in hierarchy.snapshots if one.name in below and one.named & overlays]
    if changed:
        yield warning(
            "images-renamed",
            "libvirt takes the overlays of what it forgets for merged into what they stand on, and has "
            f"{names_of(changed)} name that instead: unless they are merged, these states lie elsewhere than it says "
            "then.",
            f"Have these forgotten too, or bring all back later: {_bringing_back(facts)}",
        )


def _check_external(facts: HierarchyFacts, snapshot: KnownSnapshot) -> Iterator[Finding]:
    name = printable(snapshot.name)
    after = [f"the snapshot {one}" for one in map(printable, facts.hierarchy.children.get(snapshot.name, ()))]
    after += ["what the guest writes now"] if snapshot.current else []
    if len(after) > 1:
        yield refused(
            "branches",
            f"{' and '.join(after[:_FEW])} come right after {name}: what is merged for one would be missing to others.",
            f"Let go of the other branches first: {'; '.join(_letting_go(facts, snapshot))}",
        )
        return
    if stands_aside(snapshot, facts):
        yield from check_aside(snapshot, facts)
        return
    if taking := [disk.target for disk in outside(snapshot) if disk.taking]:
        again = [one for one in children_of(snapshot, facts) if any(one.disk(target) for target in taking)]
        yield refused(
            "deletion-unfinished",
            f"libvirt began to merge what came after {name}, was cut short, and does not delete {name} before that "
            "is done.",
            f"Delete that once more first: {'; '.join(deletion(facts, one) for one in again)}"
            if again
            else forgetting(facts, snapshot),
        )
        return
    misplaced = list(_check_chain(facts, snapshot))
    yield from misplaced or check_merging(snapshot, facts)


def _check_chain(facts: HierarchyFacts, snapshot: KnownSnapshot) -> Iterator[Finding]:
    """Whether its overlays are where the guest writes now."""
    name = printable(snapshot.name)
    for disk in outside(snapshot):
        target = printable(disk.target)
        drive = facts.domain.disk(disk.target)
        paths = [same_name(path) for path in facts.domain.paths(disk.target)]
        now = live_overlay(disk, facts) or ""
        overlay, base = same_name(now), same_name(disk.base or "")
        known = drive is not None and drive.chain.complete
        if not known and overlay not in paths:
            yield refused(
                "chain-unseen",
                f"Nobody can see the chain of {target} to its end, and whether the overlay of {name} is in it.",
                "Start the guest: libvirt shows the whole chain then.",
            )
            continue
        if overlay not in paths or base != _right_below(facts, now, paths):
            yield refused(
                "not-in-chain",
                f"The overlay of {name}, {printable(now or 'unknown')}, does not stand right on "
                f"{printable(disk.base or 'unknown')} in the chain of {target}: it is of another branch, or merged "
                "already.",
                _branch(facts, snapshot),
            )


def _branch(facts: HierarchyFacts, snapshot: KnownSnapshot) -> str:
    """How one of another branch goes: libvirt removes those at its end, where it can go back to them."""
    after = children_of(snapshot, facts)
    if facts.reverts_external and after:
        return f"Delete what comes after it first: {'; '.join(deletion(facts, one) for one in after)}"
    return forgetting(facts, snapshot)


def _left(facts: HierarchyFacts) -> frozenset[str]:
    """The snapshots on branches that what the guest writes now does not come after."""
    hierarchy = facts.hierarchy
    if hierarchy.current is not None:
        line = {hierarchy.current.name, *hierarchy.above(hierarchy.current.name)}
    else:
        paths = {
            (drive.target, same_name(layer.path))
            for drive in facts.domain.disks
            for layer in drive.chain.layers
        }
        line = {
            one.name
            for one in hierarchy.snapshots
            if any((disk.target, same_name(disk.path or "")) in paths for disk in outside(one))
        }
    return frozenset(hierarchy.by_name) - line


def _ending(facts: HierarchyFacts, snapshot: KnownSnapshot, left: frozenset[str]) -> str:
    """What takes it away where nothing comes after it any more: its images stay where libvirt does not touch them."""
    merged = not outside(snapshot) or facts.reverts_external or snapshot.name not in left
    return deletion(facts, snapshot) if merged else deletion(facts, snapshot, "--metadata-only")


def _letting_go(facts: HierarchyFacts, snapshot: KnownSnapshot) -> Iterator[str]:
    """What takes away the branches after it that the guest has left, those that come after others first."""
    left = _left(facts)
    for child in children_of(snapshot, facts):
        if child.name in left:
            below = [one for name in facts.hierarchy.below(child.name) if (one := facts.hierarchy.get(name))]
            yield from (_ending(facts, one, left) for one in reversed([child, *below]))


def _right_below(facts: HierarchyFacts, overlay: str, paths: list[str]) -> str | None:
    """What an overlay stands on: as the chain has it, else as its header says."""
    below = paths[paths.index(same_name(overlay)) + 1 :]
    if below:
        return below[0]
    info = facts.images.get(overlay)
    backing = (info.full_backing_file or info.backing_file) if info else None
    return same_name(backing) if backing else None
