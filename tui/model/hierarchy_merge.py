"""Deleting an external snapshot where libvirt does not: its overlays are merged by block jobs, and it is forgotten.

An overlay is committed into what it stands on. Where others need that image as it is, its data are pulled up into the
overlay instead, and the image stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tui.model.begin_steps import Begin, StartPull
from tui.model.command import own
from tui.model.facts import same_name
from tui.model.finding import Finding, in_order, refused, warning
from tui.model.hierarchy import KnownSnapshot, StateDisk
from tui.model.hierarchy_case import (
    DELETES_EXTERNAL,
    HierarchyFacts,
    check_states,
    children_of,
    deletes_after,
    deletion,
    forgetting,
    live_overlay,
    names_of,
    needers,
    outside,
    unfollowed,
)
from tui.model.hierarchy_steps import DeleteSnapshots
from tui.model.merge_case import MergeFacts
from tui.model.merge_plan import plan_merge
from tui.model.plan import Plan
from tui.model.request import CommitRequest, Ending, MergeRequest, PullRequest, Then
from tui.model.steps import AwaitEnd, AwaitSync, EndJobs, Step
from tui.model.text import listed, printable


def check_merging(snapshot: KnownSnapshot, facts: HierarchyFacts) -> Iterator[Finding]:
    """Why libvirt does not merge its overlays, and whether that is done here instead."""
    unable, shared = _unable(snapshot, facts), list(_shared(snapshot, facts))
    if not unable and not shared:
        for disk in outside(snapshot):
            what = f"the overlay of {printable(snapshot.name)}"
            yield from check_states(live_overlay(disk, facts) or "", what, facts)
        if facts.unfollowed:
            yield from (unfollowed(disk.base or "", facts) for disk in outside(snapshot))
        return
    check = "base-shared" if shared else "external-unsupported"
    why = " ".join(filter(None, (unable, *(reason for _disk, reason in shared))))
    named = [one for one in children_of(snapshot, facts) if _needs_overlays(one, snapshot, facts)]
    if not all(_takes(disk, facts) for disk, _reason in shared):
        yield refused(check, why, forgetting(facts, snapshot))
    elif named:
        # Their records name, as what holds their state, the very overlays that would be merged.
        first = "; ".join(deletion(facts, one) for one in named)
        yield refused(check, why, f"Delete what comes after it first: {first}")
    elif not facts.domain.state.active:
        yield refused(
            check, why, "Start the guest, and delete it then: its overlays are merged while the guest runs."
        )
    else:
        pulled = [disk.target for disk, _reason in shared]
        committed = [disk.target for disk in outside(snapshot) if disk.target not in pulled]
        ways = (
            [f"commits the overlay of {listed(committed, _FEW)} into what it stands on"] if committed else []
        )
        ways += [f"pulls what the overlay of {listed(pulled, _FEW)} stands on up into it"] if pulled else []
        name = printable(snapshot.name)
        yield warning("merged-here", f"{why} So virt-mirror {', '.join(ways)}, and has {name} forgotten.")


_FEW = 8


def _takes(disk: StateDisk, facts: HierarchyFacts) -> bool:
    """Whether an overlay can take what lies in the image below it.

    A pull ends in what the guest writes to, and takes all between along; states inside of the overlay are not filled
    by it, and read what they do not have from what it stands on then.
    """
    overlay = live_overlay(disk, facts) or ""
    info = facts.images.get(overlay)
    return facts.domain.is_on(disk.target, overlay) and not (info and info.snapshots)


def merges_for(snapshot: KnownSnapshot, facts: HierarchyFacts) -> tuple[MergeRequest, ...]:
    """What merges its overlays, where ``check_merging`` lets that be done here; none where libvirt does it."""
    shared = {disk.target for disk, _reason in _shared(snapshot, facts)}
    if not shared and not _unable(snapshot, facts):
        return ()
    # Nothing may run beside a pull.
    disks = sorted(outside(snapshot), key=lambda disk: disk.target in shared)
    return tuple(_merge(disk, facts, pulls=disk.target in shared) for disk in disks)


def plan_in_part(
    merge: MergeRequest, known: MergeFacts, snapshot: KnownSnapshot, facts: HierarchyFacts, plan_id: str
) -> Plan:
    """The plan of one of these, as a part of the deletion; ``known`` is of the chain that it is about."""
    # The snapshot itself goes, and those that share what is pulled keep it, which is not in this chain then.
    apart = {snapshot.name}
    if isinstance(merge, PullRequest):
        apart |= set(_sharing(snapshot, merge.target, facts))
    if known.snapshots is not None:
        known = replace(known, snapshots=tuple(one for one in known.snapshots if one.name not in apart))
    plan = plan_merge(merge, known, plan_id)
    return replace(plan, findings=tuple(_insisting(one, merge, snapshot, facts) for one in plan.findings))


def _insisting(
    finding: Finding, merge: MergeRequest, snapshot: KnownSnapshot, facts: HierarchyFacts
) -> Finding:
    """Nobody can take a loss upon himself here, or have the base stay as it is; whoever wants that merges by hand."""
    if finding.check == "base-modified":
        return replace(finding, remedy="")
    if finding.acceptance is None:
        return finding
    words = ["commit", facts.domain.name, merge.target]
    if isinstance(merge, PullRequest):
        words[0] = "pull"
    elif facts.domain.is_on(merge.target, merge.top or ""):
        words += ["--pivot"]
    else:
        words += ["--wait", "--top", merge.top or ""]
    words += ["--base", merge.base] if merge.base else []
    by_hand = f"{printable(own(*words))}; then {deletion(facts, snapshot, '--metadata-only')}"
    remedy = f"Mend that first, or merge by hand, where it can be accepted: {by_hand}"
    return replace(finding, acceptance=None, remedy=remedy)


def in_its_place(plan: Plan, merges: tuple[Plan, ...]) -> Plan:
    """The plan of a deletion by libvirt, with merges in the place of what it would merge."""
    if not merges:
        return plan
    deleting, *rest = (
        replace(step, metadata_only=True, targets=(), overlays=())
        if isinstance(step, DeleteSnapshots)
        else step
        for step in plan.steps
    )
    findings = [finding for one in (plan, *merges) for finding in one.findings]
    told = [(label, value) for label, value in plan.facts if label != "undo"]
    pulls = [step for one in merges for step in one.steps if isinstance(step, StartPull)]
    return replace(
        plan,
        findings=in_order(findings),
        steps=(*_together(merges), deleting, *rest),
        journalled=True,
        facts=tuple(dict.fromkeys([*told, *(fact for one in merges for fact in one.facts)])),
        chains=tuple(
            replace(chain, gone="stays") if _pulling(one) else chain for one in merges for chain in one.chains
        ),
        leaves=tuple(path for step in pulls for path in step.paths),
    )


def _together(merges: tuple[Plan, ...]) -> Iterator[Step]:
    """Their steps: no disk goes over before all can, so that a commit that fails leaves the others in their chains."""
    commits = [step for one in merges if not _pulling(one) for step in one.steps]
    ends = [step for step in commits if isinstance(step, EndJobs)]
    begun = {step.target: step.path for step in commits if isinstance(step, Begin)}
    yield from (step for step in commits if isinstance(step, Begin))
    yield from (step for step in commits if isinstance(step, AwaitSync | AwaitEnd))
    if ends:
        targets = tuple(target for end in ends for target in end.targets)
        paths = tuple(begun[target] for target in targets)
        yield EndJobs(ends[0].uuid, ends[0].domain, targets, Ending.PIVOT, paths=paths)
    yield from (step for step in commits if not isinstance(step, Begin | AwaitSync | AwaitEnd | EndJobs))
    yield from (step for one in merges if _pulling(one) for step in one.steps)


def _pulling(merge: Plan) -> bool:
    return any(isinstance(step, StartPull) for step in merge.steps)


def _merge(disk: StateDisk, facts: HierarchyFacts, *, pulls: bool) -> MergeRequest:
    uuid, overlay = facts.domain.uuid, live_overlay(disk, facts) or ""
    paths = facts.domain.paths(disk.target)
    place = [same_name(path) for path in paths].index(same_name(overlay))
    if pulls:
        below = paths[place + 2 :]
        return PullRequest(uuid, disk.target, base=below[0] if below else None)
    info = facts.images.get(overlay)
    return CommitRequest(
        uuid,
        disk.target,
        top=paths[place],
        base=paths[place + 1] if paths[place + 1 :] else disk.base,
        # As libvirt does, unless something lies inside that it does not know.
        delete=not (info and info.snapshots),
        then=Then.PIVOT,
    )


def _unable(snapshot: KnownSnapshot, facts: HierarchyFacts) -> str:
    """Why libvirt cannot delete it, whatever stands on its images."""
    parent = facts.hierarchy.get(snapshot.parent or "")
    if facts.libvirt is not None and facts.libvirt < DELETES_EXTERNAL:
        version = ".".join(map(str, facts.libvirt))
        return f"libvirt {version} cannot delete external snapshots; 9.0 is the first that can."
    if parent is not None and not deletes_after(parent, facts.libvirt):
        name = printable(snapshot.name)
        return f"libvirt deletes no external snapshot that comes after an {parent.kind} one, as {name} does."
    return ""


def _shared(snapshot: KnownSnapshot, facts: HierarchyFacts) -> Iterator[tuple[StateDisk, str]]:
    """Its disks that stand on what others need as well, and who does, as a sentence."""
    for disk in outside(snapshot):
        own, base = (facts.domain.uuid, disk.target), disk.base or ""
        users = needers(facts, base, _sharing(snapshot, disk.target, facts), own)
        if users:
            yield (
                disk,
                f"{names_of(users)} needs {printable(base)} as it is: nothing may be merged into that.",
            )


def _sharing(snapshot: KnownSnapshot, target: str, facts: HierarchyFacts) -> list[str]:
    """The other snapshots whose overlays of a disk stand on the same image."""
    held = snapshot.disk(target)
    base = same_name(held.base or "") if held else ""
    return [
        one.name
        for one in facts.hierarchy.snapshots
        if one.name != snapshot.name
        and any(other.target == target and same_name(other.base or "") == base for other in outside(one))
    ]


def _needs_overlays(child: KnownSnapshot, snapshot: KnownSnapshot, facts: HierarchyFacts) -> bool:
    """Whether the state of one that comes after it lies in its overlays, or above them."""
    overlays = {same_name(live_overlay(disk, facts) or "") for disk in outside(snapshot)}
    return bool(outside(child)) or any(same_name(path) in overlays for path in child.files)
