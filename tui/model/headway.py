"""How far a plan is with all that it copies: the mirrors of its disks, and the layers below them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import CompareImages, CopyImages, TakeOverlay
from tui.model.host import HostState
from tui.model.job import Job, Phase
from tui.model.journal import Entry
from tui.model.live_steps import TakeTogether
from tui.model.quantity import duration, percent_so_far
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.steps import Step

_SOON = 1.0
"""Seconds after which a rate says something."""


@dataclass(frozen=True, slots=True)
class Below:
    """What a move has still to do below a mirror that is in sync: no guest may go over before that is done."""

    word: str
    """What it is at, in one word."""
    amount: tuple[int, int] | None = None
    """Bytes that are there, and bytes to copy; ``None`` where this program does not know."""
    mirror: str = "mirror"
    """What is in sync."""
    rate: float | None = None
    """Bytes per second; ``None`` where that is not known."""

    @property
    def percent(self) -> int | None:
        """In whole percent, never 100."""
        return None if self.amount is None else percent_so_far(*self.amount)

    @property
    def words(self) -> str:
        """As ``layers 36 %``."""
        return self.word if self.percent is None else f"{self.word} {self.percent} %"

    @property
    def seconds(self) -> float | None:
        """Until they are there, at that rate."""
        return None if self.amount is None or not self.rate else (self.amount[1] - self.amount[0]) / self.rate

    @property
    def outlook(self) -> str:
        """How long it takes, for people; nothing where that is not known."""
        return f"there in about {duration(self.seconds)}" if self.seconds else ""


def below(state: HostState, uuid: str, target: str) -> Below | None:
    """What is still to be done below the mirror of a disk; ``None`` unless it is in sync and there is something."""
    job = state.job(uuid, target)
    if job is None or job.phase is not Phase.IN_SYNC:
        return None
    entry = next((e for e in state.entries_of(uuid) if e.id == job.plan), None)
    if entry is None or not (entry.moves and entry.filling):
        return None
    overlay = any(isinstance(step, TakeOverlay) and target in step.targets for step in entry.steps)
    mirror = "overlay" if overlay else "mirror"
    if state.interrupted(uuid, target) is entry:
        return Below("interrupted", mirror=mirror)
    word = "comparing" if isinstance(entry.step, CompareImages) else "layers"
    return Below(word, _filled(state, entry.step), mirror, _rate(state, entry.step))


def rate_of(state: HostState) -> float:
    """Bytes per second at which all plans of this program fill images now."""
    return sum(_rate(state, entry.step) or 0.0 for entry in state.entries)


def percent_now(state: HostState, entry: Entry | None) -> int | None:
    """How much is there of the images that the plan's present step fills, in whole percent, never 100."""
    filled = _filled(state, entry.step) if entry else None
    return None if filled is None else percent_so_far(*filled)


def percent_of(state: HostState, entry: Entry | None) -> int | None:
    """How much of all that a plan copies is there, in whole percent, never 100; ``None`` while that is not known."""
    amounts = list(_amounts(state, entry)) if entry else []
    known = [amount for amount in amounts if amount is not None]
    if not known or len(known) < len(amounts):
        return None
    return percent_so_far(sum(done for done, _ in known), sum(total for _, total in known))


def _amounts(state: HostState, entry: Entry) -> Iterator[tuple[int, int] | None]:
    for place, step in enumerate(entry.steps):
        match step:
            case CopyImages():
                filled = _filled(state, step)
                if place >= entry.reached:
                    yield filled
                elif filled is not None:
                    # What was told last may have been short of the end; what another program has done is not known.
                    yield (filled[1], filled[1])
            case StartCopy(target=target):
                job = state.job(entry.uuid, target)
                yield _mirrored(job) if job and job.plan == entry.id else None


def filled_by(step: Step | None) -> tuple[str, ...]:
    """The files that a step fills, and of which it tells how far they are."""
    match step:
        case CopyImages(images=images):
            return tuple(image.path for image in images)
        case TakeTogether(overlays=TakeSnapshot(memory=str() as path)):
            return (path,)
        case _:
            return ()


def _filled(state: HostState, step: Step | None) -> tuple[int, int] | None:
    amounts = [state.files[path] for path in filled_by(step) if path in state.files]
    return (sum(done for done, _ in amounts), sum(total for _, total in amounts)) if amounts else None


def _rate(state: HostState, step: Step | None) -> float | None:
    """Bytes per second since the filling began."""
    times = [state.told[path] for path in filled_by(step) if path in state.told]
    filled = _filled(state, step)
    took = max(last for _, last in times) - min(first for first, _ in times) if times else 0.0
    return filled[0] / took if filled and filled[0] < filled[1] and took >= _SOON else None


def _mirrored(job: Job) -> tuple[int, int] | None:
    ends = [sample.end for sample in job.samples[-1:]]
    if job.progress is not None and job.progress.known:
        ends = [job.progress.end]
    if not ends:
        # It got in sync before anybody looked, so there was next to nothing to copy.
        return (0, 0) if job.phase is Phase.IN_SYNC else None
    if job.phase is Phase.COPYING:
        return (job.progress.cur, ends[0]) if job.progress and job.progress.known else None
    return (ends[0], ends[0])
