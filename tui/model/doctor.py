"""What is wrong on a host, or left over, and what to do about it. Nothing is changed here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tui.model.abandoned import advice
from tui.model.command import own, snapshot_deletion, typed, virsh
from tui.model.domain import Definition, Domain
from tui.model.facts import parent_of
from tui.model.finding import Finding, fine, warning
from tui.model.hierarchy import SnapshotView
from tui.model.hierarchy_losses import absent_layers, losses
from tui.model.hierarchy_roles import unfit
from tui.model.host import HostState
from tui.model.job import Phase
from tui.model.journal import Entry
from tui.model.quantity import duration, size
from tui.model.text import counted, printable


@dataclass(frozen=True, slots=True)
class Volume:
    """An image that a storage pool lists."""

    path: str
    pool: str
    allocated: int | None = None
    """Bytes that it takes."""


@dataclass(frozen=True, slots=True)
class PutAway:
    """Old images of a domain that wait in a directory."""

    uuid: str
    mark: str
    """The plan that put them away; it may have done so in several directories."""
    directory: str
    since: float
    names: tuple[str, ...] | None = None
    """What lies there; ``None`` where nobody could see."""
    allocated: int | None = None
    """Bytes that it takes."""


@dataclass(frozen=True, slots=True)
class LeftImages:
    """Images that a plan has left where they were, or made and left."""

    uuid: str
    domain: str
    plan: str
    """Its id."""
    title: str
    since: float
    """When it ended, seconds since the epoch."""
    images: tuple[tuple[str, int], ...]
    """Their paths, and the bytes that they take."""


@dataclass(frozen=True, slots=True)
class DoctorFacts:
    """All that is looked at."""

    state: HostState
    """With the chains of domains that are off followed as far as they can be read."""
    domain: str | None = None
    """The UUID of the one domain that is meant; ``None`` is the whole host."""
    persistent: dict[str, Definition] = field(default_factory=dict)
    """By UUID: the persistent definitions of running domains."""
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By UUID: journal entries that cannot be read, a sentence each."""
    volumes: tuple[Volume, ...] = ()
    needed: frozenset[str] = frozenset()
    """Paths that snapshots name."""
    put_away: tuple[PutAway, ...] = ()
    missing: frozenset[str] = frozenset()
    """Of the images of these domains, those that are surely not there."""
    views: tuple[SnapshotView, ...] = ()
    """The snapshots of those of these domains that have any."""
    now: float = 0.0
    left: tuple[LeftImages, ...] = ()
    """Those that are there, the latest plan first."""


def examine(facts: DoctorFacts) -> tuple[Finding, ...]:
    """Look for what is left over from anything; a single finding says that there is nothing."""
    domains = [d for d in facts.state.domains if facts.domain in (None, d.uuid)]
    findings = [
        finding
        for domain in domains
        for check in (_gone, _plans, _mirrors, _definitions, _unknown_chains, _quarantines, _snapshots)
        for finding in check(domain, facts)
    ]
    used = _used(facts)
    left = _left_unused(facts, used)
    findings += _left_images(facts, left)
    if facts.domain is None:
        findings += _images(facts, used.union(*(images for _, images in left)))
    return tuple(findings) or (fine("healthy", "Nothing is left over, and nothing is amiss."),)


def _gone(domain: Domain, facts: DoctorFacts) -> Iterator[Finding]:
    """Images that a guest needs, and somebody has removed."""
    for why, what in absent_layers(domain, facts.missing.__contains__):
        yield warning("image-gone", why, what)


def _plans(domain: Domain, facts: DoctorFacts) -> Iterator[Finding]:
    """Journals that nobody carries on, and those that cannot be read."""
    name = printable(domain.name)
    for entry in facts.state.entries_of(domain.uuid):
        if not facts.state.abandons(entry):
            who = f"{name} is {printable(domain.standing)}" if domain.arriving_from else name
            yield fine("plan-in-progress", f"{who}: {entry.who} is at “{printable(entry.title)}”.")
        elif entry.step is not None:
            yield warning(
                "plan-interrupted",
                f"{name}: “{printable(entry.title)}” of {entry.who} was cut off at {entry.progress}.",
                printable(advice(facts.state, entry)),
            )
        elif entry.snapshot is not None and not _mirrored(entry, facts):
            yield warning(
                "mirrors-gone",
                f"{name}: the mirrors of the snapshot {printable(entry.snapshot.name)} have ended.",
                f"End the rest of it: {printable(entry.snapshot.deletions)}.",
            )
        else:
            yield from _left_over(domain, entry, facts)
    for problem in facts.problems.get(domain.uuid, ()):
        yield warning("plan-unreadable", f"{name}: {printable(problem)}.", "Look at virsh metadata.")


def _left_over(domain: Domain, entry: Entry, facts: DoctorFacts) -> Iterator[Finding]:
    """What was made for mirrors that have ended with nobody there to tidy up."""
    name = printable(domain.name)
    for copy in entry.copies:
        if facts.state.leftover(domain.uuid, copy.target) == copy.place:
            served = entry.serving
            left = f"{served.place} at {served.host}" if served else copy.path
            yield warning(
                "copy-left-over",
                f"{name}: {printable(left)} is left of “{printable(entry.title)}”, whose mirror has ended.",
                f"Tidy up: {printable(own('cancel', domain.name, copy.target))}",
            )


def _mirrored(entry: Entry, facts: DoctorFacts) -> bool:
    return any(job.plan == entry.id for job in facts.state.active_jobs)


def _mirrors(domain: Domain, facts: DoctorFacts) -> Iterator[Finding]:
    """Mirrors that wait for somebody."""
    for job in facts.state.active_jobs:
        if job.uuid != domain.uuid or not job.type.mirrors:
            continue
        entry = next((e for e in facts.state.entries_of(job.uuid) if e.id == job.plan), None)
        if entry is not None and (entry.step is not None or not entry.stale(facts.state.refreshed)):
            # Somebody is at it, or the plan as a whole was told already.
            continue
        named = printable(job.domain), printable(job.target)
        disk = " ".join(named)
        waits = "in sync and waits" if job.phase is Phase.IN_SYNC else job.phase.value
        whose = "nobody follows it" if entry else "it was not begun by virt-mirror"
        if entry is not None and entry.snapshot is not None:
            what = f"mirror of the snapshot {printable(entry.snapshot.name)}"
            how = printable(entry.snapshot.deletions)
        elif entry is not None and entry.serving is not None:
            what = f"copy to {printable(entry.serving.host)}"
            how = f"{own('keep', *named)}, or {own('cancel', *named)}"
        else:
            what = job.type
            back = own("undo", named[0]) if entry and entry.moves else own("cancel", *named)
            how = f"{own('pivot', *named)}, or {back}"
        yield warning("mirror-unfollowed", f"{disk}: the {what} is {waits}, and {whose}.", f"End it: {how}.")


def _definitions(domain: Domain, facts: DoctorFacts) -> Iterator[Finding]:
    """Persistent definitions that would start the guest on other images than it runs on."""
    definition = facts.persistent.get(domain.uuid)
    if definition is None:
        return
    for disk in domain.disks:
        other = definition.disk(disk.target)
        now, later = disk.chain.active, other.chain.active if other else None
        if now is not None and later is not None and now.source != later.source:
            yield warning(
                "definition-stale",
                f"{printable(domain.name)} {printable(disk.target)} is on {printable(now.path)}, and its next start "
                f"would be on {printable(later.path)}.",
                f"Name the former there: {printable(virsh('edit', domain.name))}",
            )


def _unknown_chains(domain: Domain, facts: DoctorFacts) -> Iterator[Finding]:  # noqa: ARG001  as its siblings
    """Chains that nobody can see to their end: what stands on what is then a guess."""
    for disk in domain.disks:
        if disk.chain.layers and not disk.chain.complete:
            yield warning(
                "chain-unknown",
                f"{printable(domain.name)} {printable(disk.target)}: nobody says on what "
                f"{printable(disk.chain.layers[-1].path)} stands.",
                "Look with qemu-img info --backing-chain.",
            )


def _quarantines(domain: Domain, facts: DoctorFacts) -> Iterator[Finding]:
    """Old images that wait for being deleted."""
    for kept in facts.put_away:
        if kept.uuid != domain.uuid:
            continue
        directory = printable(kept.directory)
        number = len(kept.names) if kept.names is not None else None
        count = "old images" if number is None else counted(number, "old image")
        age = duration(max(0.0, facts.now - kept.since))
        yield warning(
            "source-quarantined",
            f"{printable(domain.name)}: {count}, {size(kept.allocated)}, put away {age} ago, wait in {directory}.",
            f"When the guest is well: {typed('rm', '-r', '--', kept.directory)}. To have them back, with all that "
            f"was put away with them ({kept.mark}): {typed('mv', '-n', '-t', parent_of(kept.directory), '--')} "
            f"{typed(kept.directory)}/*",
        )


def _snapshots(domain: Domain, facts: DoctorFacts) -> Iterator[Finding]:
    """Those whose states are lost, and what does not fit together."""
    for view in facts.views:
        if view.domain.uuid != domain.uuid:
            continue
        for one in view.hierarchy.snapshots:
            if lost := losses(one, view):
                forget = printable(snapshot_deletion(domain.name, one.name, "--metadata-only"))
                back = any(loss.missing for loss in lost)
                have = "Bring back what is not there, or have" if back else "Have"
                # Whoever forgets it must not take that for the end of it.
                first = "" if facts.missing.isdisjoint(domain.local_paths) else "Save the guest first. "
                yield warning(
                    "snapshot-lost",
                    f"{printable(domain.name)}: the state of the snapshot {printable(one.name)} is lost "
                    f"{'; '.join(map(str, lost))}.",
                    f"{first}{have} the snapshot forgotten: {forget}",
                )
        for problem in unfit(view):
            look = printable(own("snapshot", "tree", domain.name))
            yield warning("snapshots-unfit", f"{printable(domain.name)}: {problem}", f"Look at them: {look}")


_Left = list[tuple[LeftImages, dict[str, int]]]
"""What plans have left and nothing on this host refers to, with the bytes that each image takes."""


def _left_unused(facts: DoctorFacts, used: set[str]) -> _Left:
    if any(disk.chain.layers and not disk.chain.complete for d in facts.state.domains for disk in d.disks):
        # Any of them may be what such a chain stands on.
        return []
    unused = [(left, {path: taken for path, taken in left.images if path not in used}) for left in facts.left]
    return [(left, images) for left, images in unused if images]


def _left_images(facts: DoctorFacts, left: _Left) -> Iterator[Finding]:
    """Images that plans have left on purpose."""
    for plan, images in left:
        if facts.domain in (None, plan.uuid):
            age = duration(max(0.0, facts.now - plan.since))
            yield warning(
                "image-left",
                f"{printable(plan.domain)}: “{printable(plan.title)}” ({printable(plan.plan)}) left "
                f"{', '.join(map(printable, images))}, {size(sum(images.values()))}, {age} ago; nothing on this host "
                "uses that.",
                f"When nothing elsewhere needs it either: {typed('rm', '--', *images)}",
            )


def _images(facts: DoctorFacts, known: set[str]) -> Iterator[Finding]:
    """Images in pools that nothing on this host refers to, and that no plan is known to have left."""
    for volume in facts.volumes:
        if volume.path not in known:
            taken = f", {size(volume.allocated)}" if volume.allocated is not None else ""
            yield warning(
                "image-unused",
                f"{printable(volume.path)} in the pool {printable(volume.pool)}{taken} is in no chain of a domain, "
                "in no snapshot and in no plan of this host.",
                "It may be a template, or another host's: remove it only when you know what it is.",
            )


def _used(facts: DoctorFacts) -> set[str]:
    """Every path that something on this host refers to."""
    used = set(facts.needed)
    for domain in facts.state.domains:
        used |= domain.local_paths
    for definition in facts.persistent.values():
        used |= definition.local_paths
    for entry in facts.state.entries:
        for step in entry.steps:
            used |= {path for name in ("path", "source") if (path := getattr(step, name, None))}
            used |= set(getattr(step, "paths", ()))
            used |= {path for image in getattr(step, "images", ()) for path in (image.source, image.path)}
    return used
