"""What may be done to a job now, and the sentence for why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tui.model.job import Job, JobType, Phase
from tui.model.journal import Entry
from tui.model.request import Ending

BUTTONS = ("pivot", "keep", "cancel")
"""Ids of the commands that a running job has buttons for."""

_WHILE_IT_RUNS = (*BUTTONS, "speed")


def why_not(job: Job | None, command: str) -> str | None:  # noqa: PLR0911  one for each command
    """Why a command cannot be given to a job in its present phase, one sentence; ``None`` when it can."""
    if job is None:
        return "There is no block job on this disk."
    name = f"{job.domain} {job.target}"
    if job.phase.ended:
        return (
            None
            if command in {"dismiss-job", "details"}
            else f"The job of {name} has ended: {job.phase.value}."
        )
    match command:
        case "pivot" | "keep" | "pivot-paused":
            return _why_no_end(job, command, name)
        case "cancel":
            return f"{name} is being cancelled already." if job.phase is Phase.CANCELLING else None
        case "speed":
            return None if job.phase in {Phase.COPYING, Phase.IN_SYNC} else f"{name} is {job.phase.value}."
        case "dismiss-job":
            return f"The job of {name} is running: x cancels it."
        case _:
            return None


def why_not_in_plan(plan: Entry | None, command: str) -> str | None:
    """Why the plan that a job is a part of forbids a command, one sentence; ``None`` where it does not."""
    if plan and plan.snapshot and command == "keep":
        return "This mirror belongs to a snapshot: p pivots to all of its mirrors, x gives them up."
    if plan and plan.layered and command == "keep":
        return "This mirror is a part of a move: p pivots, x takes the move back."
    if plan and plan.filling and command in {"pivot", "pivot-paused"}:
        return "The lower layers are not complete there yet."
    return None


def _why_no_end(job: Job, command: str, name: str) -> str | None:
    verb = "Keep" if command == "keep" else "Pivot"
    if not job.type.mirrors or (command == "keep" and job.type is not JobType.COPY):
        return f"{verb} is for mirrors: the job of {name} is of the type {job.type.value}."
    match job.phase:
        case Phase.IN_SYNC:
            return None
        case Phase.COPYING | Phase.PIVOTING if command == "pivot-paused":
            # A pivot that waits for a guest that outruns its destination ends once the guest is paused.
            return None
        case Phase.COPYING:
            far = "" if job.percent is None else f" ({job.percent} %)"
            return f"{verb} is possible once {name} is in sync; it is still copying{far}."
        case _:
            return f"{name} is {job.phase.value} already."


_RECOVER = {"resume": "R goes on", "undo": "X takes it back"}


def ways_on(barred: Mapping[str, str]) -> str:
    """The keys that an interrupted plan has, as ``R goes on, X takes it back``; why where it has none."""
    keys = ", ".join(words for command, words in _RECOVER.items() if command not in barred)
    return keys or next(iter(barred.values()))


def why_not_recovered(barred: Mapping[str, str], command: str) -> str | None:
    """Why an interrupted plan cannot be resumed, or not be undone, and which key does the other."""
    if command not in barred:
        return None
    other = next((f" {words}." for verb, words in _RECOVER.items() if verb not in barred), "")
    return f"{barred[command]}{other}"


def out_of_place(job: Job | None) -> frozenset[str]:
    """The commands that a job of its type never has, will not have any more, or not before it has ended."""
    if job is None or job.type is JobType.COPY:
        never: frozenset[str] = frozenset()
    else:
        never = frozenset({"keep"} if job.type.mirrors else {"pivot", "pivot-paused", "keep"})
    return never | (frozenset(_WHILE_IT_RUNS) if job and job.phase.ended else {"dismiss-job"})


def why_not_together(jobs: Sequence[Job | None], command: str) -> str | None:
    """As ``why_not`` for several disks of one domain: the first reason that there is."""
    return next((reason for job in jobs if (reason := why_not(job, command))), None)


def ending_of(command: str) -> Ending:
    """How a command ends a job."""
    return Ending.PIVOT if command == "pivot-paused" else Ending(command)
