"""The plans that have ended: one record each, as it is kept for the times when nobody remembers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from tui.model.begin_steps import Begin, StartCopy
from tui.model.chain_steps import TakeOverlay
from tui.model.domain import Domain
from tui.model.figures import Figures, together
from tui.model.job import Job
from tui.model.live_steps import TakeTogether
from tui.model.migrate_steps import Migrate
from tui.model.plan import Plan
from tui.model.request import EndRequest, RecoverRequest, Request
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.steps import AwaitEnd, AwaitSync

_LARGEST = 2**63 - 1
"""More than this nobody has ever counted."""
_COUNTS = ("downtime_ms", "total_ms", "setup_ms", "memory", "rounds", "disks")


class Result(StrEnum):
    """How a plan ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TAKEN_BACK = "taken back"
    """An interrupted plan was undone."""
    LEFT = "left"
    """Nobody waited for its end any more."""


@dataclass(frozen=True, slots=True)
class Record:
    """One plan that has ended; one that was interrupted and resumed or undone has a record for each time."""

    plan: str
    """Its id; an undo has that of the plan that it took back."""
    kind: str
    """What was asked for, as ``move``."""
    title: str
    uri: str
    hostname: str
    """What people call the host."""
    domain: str
    uuid: str
    owner: str
    """Who ran it, as ``root@host-a:4711``."""
    begun: float
    """Wall clock, seconds since the epoch."""
    ended: float
    steps: tuple[str, ...]
    """Their titles."""
    reached: int
    """Index of the step at which it ended; ``len(steps)`` when all were done."""
    result: Result
    message: str
    """One sentence."""
    figures: Figures
    left: tuple[str, ...] = ()
    """Images that it left, which were still there at its end; nothing where nobody here could see that."""

    @property
    def took(self) -> float:
        """Seconds; a clock that was put back in between makes none of it."""
        return max(0.0, self.ended - self.begun)

    @property
    def progress(self) -> str:
        """How far it came, as ``step 3 of 12``."""
        return f"step {min(self.reached + 1, len(self.steps))} of {len(self.steps)}"

    @property
    def remark(self) -> str:
        """What its sentence says beyond title and result."""
        said = self.message.removeprefix(f"{self.title}: ")
        return "" if said == "done." else said

    def of(self, domain: str) -> bool:
        """Whether it is about the domain of that name or UUID."""
        return domain == self.domain or domain.lower() == self.uuid


class UnreadableRecord(Exception):
    """A line is no record."""


def kind_of(request: Request | None) -> str:
    """What was asked for, in a word or two."""
    match request:
        case None:
            return "unknown"
        case EndRequest():
            return request.ending.value
        case RecoverRequest():
            return "undo" if undoes(request) else "resume"
    name = type(request).__name__.removesuffix("Request")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def undoes(request: Request | None) -> bool:
    """Whether it is that an interrupted plan is taken back."""
    return isinstance(request, RecoverRequest) and request.undo


def left_by(plan: Plan, before: Domain | None, now: Domain | None) -> tuple[str, ...]:
    """The images that a guest was on before a plan, and those that were made for it, of which it uses none now.

    Of a guest that went to another host nobody sees here what it uses there.
    """
    if before is None or now is None or any(isinstance(step, Migrate) for step in plan.steps):
        return ()
    made = set[str]()
    for step in plan.steps:
        match step:
            case StartCopy():
                made.add(step.path)
            case TakeOverlay(paths=paths) | TakeSnapshot(paths=paths):
                made.update(paths)
            case TakeTogether(overlays=TakeSnapshot(paths=paths)):
                made.update(paths)
    # That a mirror has ended may be seen later; whoever asks for what is left looks whether it is in use.
    return tuple(
        sorted(path for path in (before.local_paths | made) - now.chain_paths if path.startswith("/"))
    )


def amounts_of(plan: Plan, reached: int, jobs: Iterable[Job]) -> Figures:
    """What the jobs have copied that the plan began or waited for; only the latter may be another plan's.

    Args:
        plan: what was carried out.
        reached: index of the step that it got to.
        jobs: those that are known of the host, the oldest first.
    """
    begun = plan.steps[: reached + 1]
    own = {step.target for step in begun if isinstance(step, Begin)}
    awaited = {step.target for step in begun if isinstance(step, AwaitSync | AwaitEnd)} - own
    latest = {
        job.target: job
        for job in jobs
        if job.uuid == plan.uuid and (job.target in awaited or (job.target in own and job.plan == plan.id))
    }
    return together(Figures(disks=_copied(job)) for job in latest.values())


def _copied(job: Job) -> int | None:
    if job.progress is not None and job.progress.known:
        return job.progress.cur
    if not job.samples:
        return None
    last = job.samples[-1]
    return last.cur if job.in_sync_since is None else last.end


def document(record: Record) -> dict[str, Any]:
    """As JSON has it."""
    return asdict(record)


def line_of(record: Record) -> str:
    """One line of the file, without its end; all of it is ASCII."""
    return json.dumps(document(record))


def parse_record(line: str) -> Record:
    """Read a line back; what a later version says besides is passed over.

    Raises:
        UnreadableRecord: when it is none.
    """
    try:
        found = json.loads(line)
        texts = ("plan", "kind", "title", "uri", "hostname", "domain", "uuid", "owner", "message")
        steps = _texts(found["steps"])
        return Record(
            **{name: _text(found[name]) for name in texts},
            begun=_seconds(found["begun"]),
            ended=_seconds(found["ended"]),
            steps=steps,
            reached=min(_count(found["reached"]), len(steps)),
            result=Result(found["result"]),
            figures=_figures(found["figures"]),
            left=_texts(found.get("left", [])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UnreadableRecord from error


def _figures(found: dict[str, Any]) -> Figures:
    still = found.get("still_seconds")
    counts = {name: found.get(name) for name in _COUNTS}
    return Figures(
        still_seconds=None if still is None else _seconds(still),
        **{name: None if count is None else _count(count) for name, count in counts.items()},
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_text, value))


def _count(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)
