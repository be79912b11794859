"""An interrupted plan and what is known of the host make a plan to go on with it, or to take it back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tui.model.begin_steps import Begin, StartCopy
from tui.model.chain_steps import CopyImages
from tui.model.command import own, virsh
from tui.model.domain import Domain
from tui.model.facts import Running
from tui.model.finding import Finding, fine, refused, warning
from tui.model.hierarchy_steps import DefineSnapshots, DeleteSnapshots, RemoveMemories
from tui.model.journal import Entry
from tui.model.migrate_steps import CopyLayersThere, MigrateStep
from tui.model.plan import Plan
from tui.model.request import RecoverRequest
from tui.model.steps import AwaitEnd, AwaitSync, EndJobs, Undo, Undoable
from tui.model.text import printable


@dataclass(frozen=True, slots=True)
class RecoverFacts:
    """All that the checks look at."""

    domain: Domain
    entries: tuple[Entry, ...] = ()
    running: tuple[Running, ...] = ()
    here: frozenset[str] = frozenset()
    """Ids of the plans that this program carries out at this moment."""
    now: float = 0.0
    host_uuid: str = ""
    """By which the host knows itself; empty where no plan is about another one."""
    migrating: bool = False
    """Whether the domain is on its way."""
    done: bool = False
    """Whether the host shows that the step was done which the plan had reached."""


def plan_recover(request: RecoverRequest, facts: RecoverFacts, plan_id: str) -> Plan:
    """Make the plan."""
    name = printable(facts.domain.name)
    entries = [entry for entry in facts.entries if request.plan in (None, entry.id)]
    if len(entries) > 1 and not request.undo:
        # Those that are held have nothing more to do.
        entries = [entry for entry in entries if entry.step is not None] or entries
    if len(entries) != 1:
        return Plan(
            plan_id,
            f"Nothing to {'undo' if request.undo else 'resume'} on {name}",
            facts.domain.uuid,
            facts.domain.name,
            (_no_single(name, entries),),
            (),
        )
    (entry,) = entries
    findings = list(_check(entry, facts, undo=request.undo))
    verb = "Undo" if request.undo else "Resume"
    about = (
        ("domain", name),
        ("plan", printable(entry.title)),
        ("begun by", entry.who),
        (
            "reached",
            f"{entry.progress}: {printable(entry.step.title)}" if entry.step else "all steps are done",
        ),
    )
    title = f"{verb} “{printable(entry.title)}”"
    if request.undo:
        past = [*_check_past(entry, facts)]
        findings += [*past, *_check_undo(entry, facts, past=bool(past)), *_check_overlays(entry, facts)]
        return Plan(
            plan_id,
            title,
            facts.domain.uuid,
            facts.domain.name,
            tuple(findings),
            # What would be removed is what the guest is on.
            () if past else tuple(_undoing(entry, facts)),
            journalled=False,
            closes=(entry.id,),
            facts=about,
        )
    findings += _check_resume(entry, facts)
    if isinstance(entry.step, CopyImages | CopyLayersThere):
        findings.append(fine("copied-again", "The lower layers are copied from their beginning once more."))
    if facts.done and entry.step:
        findings.append(fine("step-done", f"“{printable(entry.step.title)}” has been done already."))
    return Plan(
        entry.id,
        title,
        facts.domain.uuid,
        facts.domain.name,
        tuple(findings),
        entry.steps,
        facts=about,
        resumed=entry,
        done=facts.done,
    )


def _no_single(name: str, entries: list[Entry]) -> Finding:
    if not entries:
        return refused("no-plan", f"No interrupted plan is left on {name}.", "There is nothing to do.")
    plans = ", ".join(f"{entry.id} (“{printable(entry.title)}”)" for entry in entries)
    return refused("several-plans", f"{name} has several plans: {plans}.", "Name one with --plan.")


def _check(entry: Entry, facts: RecoverFacts, *, undo: bool) -> Iterator[Finding]:
    owner = entry.subject
    if entry.id in facts.here and undo:
        yield fine("plan-in-progress", "It is being carried out here, and is stopped first.")
    elif entry.id in facts.here or not entry.stale(facts.now):
        yield refused(
            "plan-in-progress",
            f"{owner} is at work on it.",
            "Wait until that has ended; without a sign of life it is open to all after 90 seconds.",
        )
    elif facts.migrating:
        # Nobody can write a sign of life into a domain that is on its way.
        yield refused(
            "migrating",
            f"{printable(facts.domain.name)} is on its way to another host.",
            f"Wait for the end of that, or call it back: {own('cancel', facts.domain.name)}",
        )
    else:
        yield fine("plan-left-over", f"{owner} does not work on it any more.")


def _check_resume(entry: Entry, facts: RecoverFacts) -> Iterator[Finding]:
    ahead = entry.steps[entry.reached :]
    if not ahead:
        how = f"{printable(entry.snapshot.deletions)}." if entry.snapshot else "Pivot, or undo it."
        yield refused("nothing-ahead", "All its steps are done: it waits for a pivot.", how)
        return
    needless = DefineSnapshots | DeleteSnapshots | RemoveMemories | MigrateStep
    if not facts.domain.state.active and not all(isinstance(step, needless) for step in ahead):
        yield refused(
            "domain-not-running",
            f"{printable(facts.domain.name)} is {facts.domain.state}.",
            "Start the guest, and undo the plan.",
        )
        return
    waits = {
        target
        for step in ahead
        if isinstance(step, AwaitSync | AwaitEnd | EndJobs)
        for target in (step.targets if isinstance(step, EndJobs) else (step.target,))
    }
    # Of several jobs of a disk the latest counts: those before it have done what they were for.
    begun = {step.target: step for step in entry.steps[: entry.reached] if isinstance(step, Begin)}
    for step in begun.values():
        if step.target in waits and not _there(step, facts):
            yield refused(
                "job-gone",
                f"The {step.job} of {printable(step.target)} is gone, so that the plan cannot go on.",
                "Undo it, and begin anew.",
            )


def _there(step: Begin, facts: RecoverFacts) -> bool:
    """Whether the job runs, or has done what it was for."""
    if any(job.target == step.target and job.type is step.job for job in facts.running):
        return True
    if isinstance(step, StartCopy) or step.job.mirrors:
        return facts.domain.is_on(step.target, step.path)
    disk = facts.domain.disk(step.target)
    return disk is not None and set(step.paths).isdisjoint(layer.path for layer in disk.chain.layers)


def _check_past(entry: Entry, facts: RecoverFacts) -> Iterator[Finding]:
    """Whether there is no way back, but one on."""
    name = printable(facts.domain.name)
    go_on = f"Go on with it: {printable(own('resume', facts.domain.name))}"
    if entry.migration is not None and (entry.arrived or entry.migration.host_uuid == facts.host_uuid):
        host = printable(entry.migration.host)
        yield refused("past-the-switch", f"{name} is at {host} already, and does not come back.", go_on)
    if entry.snapshot is not None:
        for step in _gone_over(entry, facts):
            yield refused(
                "past-the-pivot",
                f"{printable(step.target)} is on its mirror {printable(step.path)} already.",
                f"Bring it to its end: {entry.snapshot.deletion('--pivot')}",
            )
    # The other disks belong with the one that is where it was to go, and what is merged is so for good.
    over = isinstance(entry.step, DeleteSnapshots) or any(_gone_over(entry, facts))
    if over and not list(_check_resume(entry, facts)):
        what = "The guest has gone over already, and what is left to do is small."
        yield refused("past-the-pivot", what, go_on)


def _check_undo(entry: Entry, facts: RecoverFacts, *, past: bool) -> Iterator[Finding]:
    if entry.layered and not facts.domain.state.active:
        yield refused(
            "domain-not-running",
            f"{printable(facts.domain.name)} is {facts.domain.state}; what is in its overlay can be merged back "
            "only while it runs.",
            "Start the guest first.",
        )
    for step in _gone_over(entry, facts) if not past else ():
        yield warning(
            "pivoted",
            f"{printable(step.target)} is on {printable(step.path)} already, and stays there.",
            "Mirror back to return.",
        )


def _gone_over(entry: Entry, facts: RecoverFacts) -> Iterator[Begin]:
    """The mirrors that the guest is on; a pull fills the layer that it is on in any case."""
    for step in entry.steps[: entry.reached + 1]:
        if isinstance(step, Begin) and step.job.mirrors and facts.domain.is_on(step.target, step.path):
            yield step


def _check_overlays(entry: Entry, facts: RecoverFacts) -> Iterator[Finding]:
    """Whether the overlays of a snapshot are still the active layers, so that they can be merged back."""
    snapshot = entry.snapshot
    if snapshot is None:
        return
    mirrors = {copy.target: copy.path for copy in entry.copies}
    for target, path, base in zip(snapshot.targets, snapshot.paths, snapshot.bases, strict=True):
        active = facts.domain.active_layer(target)
        if active is not None and active.path not in (path, base, mirrors.get(target)):
            # Another plan on this disk would be refused for the sake of this one.
            onto = ("--base", path, "--active", "--wait", "--pivot")
            yield refused(
                "layer-above",
                f"{printable(target)} is on {printable(active.path)} by now, which is none of this snapshot's images.",
                f"Merge that first: {printable(virsh('blockcommit', facts.domain.name, target, *onto))}",
            )


def _undoing(entry: Entry, facts: RecoverFacts) -> Iterator[Undo]:
    """What was begun, the last first."""
    for index in range(min(entry.reached, len(entry.steps) - 1), -1, -1):
        step = entry.steps[index]
        if isinstance(step, Undoable):
            removes = _removed_with(step, facts)
            yield Undo(step, entry.started, failed=index == entry.reached, removes=removes)


def _removed_with(step: Undoable, facts: RecoverFacts) -> str:
    """The image that a copy made, whether the copy still runs or not; one that the guest is on stays."""
    if not isinstance(step, StartCopy) or not step.creates or facts.domain.is_on(step.target, step.path):
        return ""
    return step.path
