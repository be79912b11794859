"""Which commands the footer names: those that do something where the cursor is, in words that fit what they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tui.app.command import Command, Panel
from tui.app.commands import footer
from tui.app.verbs import out_of_place, why_not, why_not_in_plan
from tui.app.widgets.migrations import BUTTONS
from tui.app.widgets.queue import out_of_place as out_of_place_in_queue
from tui.app.widgets.queue import why_not as why_not_in_queue
from tui.model.job import Job
from tui.model.journal import Entry
from tui.model.migration import Migration
from tui.model.queue import Item

_OF_JOBS = frozenset({"pivot", "keep", "cancel", "speed", "details", "dismiss-job"})
_OF_MIGRATIONS = frozenset({"cancel", "speed", "details"})
_OF_ARRIVALS = frozenset({"details", "dismiss-job"})
_RECOVER = frozenset({"resume", "undo"})
_BEGIN = frozenset({"mirror", "move", "migrate"})


@dataclass(frozen=True, slots=True)
class Focus:
    """What the footer goes by."""

    panel: Panel
    jobs: tuple[Job | None, ...] = (None,)
    """Those of the disks that a key is for now."""
    plan: Entry | None = None
    """The plan in progress of the disk under the cursor."""
    interrupted: bool = False
    """Whether nobody carries that plan on any more."""
    barred: Mapping[str, str] = field(default_factory=dict)
    """What cannot be done with it then, resume or undo, and why."""
    leftover: bool = False
    """Whether an interrupted copy has left an image of these disks behind."""
    migration: Migration | None = None
    """Of the domain, on its way to another host."""
    arrived: bool = False
    """Whether a migration is under the cursor that has ended."""
    item: Item | None = None
    """The item of the queue under the cursor."""
    paused: bool = False
    """Whether the queue is."""


def named(focus: Focus) -> list[Command]:
    """The commands that are of use there."""
    hidden = _hidden(focus)
    return [worded(command, focus) for command in footer(focus.panel) if command.id not in hidden]


def possible(command: str, focus: Focus) -> bool:
    """Whether a command does anything there."""
    if focus.panel is Panel.QUEUE and command not in _RECOVER:
        return not why_not_in_queue(focus.item, command)
    if focus.arrived and command in _OF_JOBS:
        return command in _OF_ARRIVALS
    if focus.migration is not None and command in _OF_JOBS | _RECOVER | _BEGIN:
        return command in _of_migration(focus.migration)
    if command == "cancel" and focus.leftover:
        return True
    if command in _OF_JOBS:
        plan_forbids = why_not_in_plan(focus.plan, command)
        return not plan_forbids and not any(why_not(job, command) for job in focus.jobs or (None,))
    return command not in focus.barred


def _of_migration(migration: Migration) -> frozenset[str]:
    return _OF_MIGRATIONS - {"cancel"} if migration.over else _OF_MIGRATIONS


def _hidden(focus: Focus) -> frozenset[str]:
    recover = frozenset() if focus.interrupted else _RECOVER
    match focus.panel:
        case Panel.QUEUE:
            # Whoever runs it here has not been interrupted, whatever its heartbeat says.
            open_still = focus.item is None or not focus.item.state.ended
            busy = {"queue-pause", "queue-limits"} if focus.interrupted else set()
            return out_of_place_in_queue(focus.item) | (_RECOVER if open_still else recover | busy)
        case Panel.JOBS | Panel.DOMAINS if focus.arrived or focus.migration is not None:
            kept = (
                _OF_ARRIVALS if focus.arrived or focus.migration is None else _of_migration(focus.migration)
            )
            return _RECOVER | _BEGIN | (_OF_JOBS - kept)
        case Panel.JOBS:
            job = focus.jobs[0] if focus.jobs else None
            broken_off = focus.interrupted and not (job and job.phase.ended)
            moot = frozenset({"pivot", "keep", "cancel"}) if job else _OF_JOBS
            return recover | out_of_place(job) | (moot if broken_off else frozenset())
        case Panel.DOMAINS if focus.interrupted:
            return _BEGIN | {"pivot", "cancel", "speed"}
        case Panel.DOMAINS:
            running = any(job and not job.phase.ended for job in focus.jobs)
            unused = _BEGIN if running else {"pivot", "migrate"} if focus.leftover else {"pivot", "cancel"}
            return recover | unused | {"speed"}
        case _:
            return recover


def worded(command: Command, focus: Focus) -> Command:
    """As it is called while it does something else than usual."""
    if command.id == "queue-pause" and focus.paused:
        return replace(command, title="Start the queue")
    if focus.migration is not None and command.id in BUTTONS:
        return replace(command, title=BUTTONS[command.id])
    if command.id == "cancel" and focus.leftover:
        return replace(command, title="Tidy up")
    return command
