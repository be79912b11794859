"""What can honestly be said of a job's future, from what the last ticks saw."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.model.job import Job, Phase, Sample
from tui.model.quantity import duration, rate, size

WINDOW = 10.0
"""Seconds of samples that count: long enough to smooth a burst, short enough to follow a changed limit."""
MEASURED = 0.5
"""Seconds between two samples before a rate means anything."""
TREND = 2.0
"""Seconds before a shrinking remainder is believed."""
STANDSTILL = 5.0
"""Seconds before a remainder that does not shrink is held against the job: a copy advances in jumps."""
FAR = 30 * 86400.0
"""Seconds from which a forecast is no number worth telling."""
AT_LIMIT = 0.8
"""The part of a limit from which the limit is what holds a job back."""


class Verdict(StrEnum):
    """Where a job is going."""

    UNKNOWN = "unknown"
    CONVERGES = "converges"
    STALLED = "stalled"
    """Nothing moves."""
    DIVERGES = "diverges"
    """It copies, and what remains does not shrink."""
    IN_SYNC = "in sync"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is known, and one sentence of it for people. Unknown numbers are ``None``."""

    rate: float | None
    """Bytes copied per second."""
    guest_rate: float | None
    """Bytes per second that the guest writes to the disk."""
    lag: int | None
    """Bytes that a mirror in sync is behind."""
    seconds: float | None
    """Until it is in sync, or done where a job has no such state; 0 for a mirror in sync."""
    verdict: Verdict
    sentence: str


def forecast(job: Job) -> Forecast:
    """Look at the job's samples and say what follows from them, and no more than that."""
    if job.phase.ended:
        return Forecast(None, None, None, None, Verdict.UNKNOWN, job.phase.value)
    samples = _window(job.samples)
    copied = _slope([(s.at, s.cur) for s in samples])
    guest = _slope(_last_rise([(s.at, s.guest_written) for s in samples if s.guest_written is not None]))
    match job.phase:
        case Phase.IN_SYNC:
            return _held(job, copied, guest)
        case Phase.PIVOTING | Phase.CANCELLING:
            return _ending(job, copied, guest)
        case _:
            return _copying(job, samples, copied, guest)


def _held(job: Job, copied: float | None, guest: float | None) -> Forecast:
    lag = job.progress.remaining if job.progress else None
    words = ["in sync"]
    if lag is not None:
        words.append(f"lag {size(lag)}")
    if guest is not None:
        words.append(f"guest writes {rate(round(guest))}")
    return Forecast(copied, guest, lag, 0.0, Verdict.IN_SYNC, ", ".join(words))


def _ending(job: Job, copied: float | None, guest: float | None) -> Forecast:
    """Neither pivot nor cancel gets through until nothing is left to write: a busy guest can prevent both."""
    held = job.in_sync_since is not None
    lag = job.progress.remaining if job.progress and held else None
    sentence = job.phase.value
    if lag:
        sentence += f", {size(lag)} behind: pause the guest if this does not end"
    return Forecast(copied, guest, lag, None, Verdict.IN_SYNC if held else Verdict.UNKNOWN, sentence)


def _copying(job: Job, samples: list[Sample], copied: float | None, guest: float | None) -> Forecast:
    span = samples[-1].at - samples[0].at if samples else 0.0
    remaining = _remaining(samples[-1]) if samples else 0
    shrunk = _remaining(samples[0]) - remaining if samples else 0
    if copied is None or span < TREND:
        return Forecast(copied, guest, None, None, Verdict.UNKNOWN, "measuring…")
    if shrunk > 0 and remaining:
        seconds = remaining / (shrunk / span)
        return Forecast(copied, guest, None, seconds, Verdict.CONVERGES, _arrival(job, seconds))
    if span < STANDSTILL or not remaining:
        # Nothing remains and yet libvirt has not said that it is in sync: only libvirt knows when.
        return Forecast(copied, guest, None, None, Verdict.UNKNOWN, "measuring…")
    if copied == 0:
        sentence = f"stands still: nothing was copied in the last {duration(span)}"
        return Forecast(copied, guest, None, None, Verdict.STALLED, sentence)
    sentence = f"will not converge at this speed: {_advice(job, copied)}"
    return Forecast(copied, guest, None, None, Verdict.DIVERGES, sentence)


def _arrival(job: Job, seconds: float) -> str:
    state = "in sync" if job.type.mirrors else "done"
    if seconds > FAR:
        return f"not {state} within a month at this speed"
    return f"{state} in about {duration(max(1.0, seconds))}"


def _advice(job: Job, copied: float) -> str:
    limit = job.progress.bandwidth if job.progress else 0
    if limit and copied >= AT_LIMIT * limit:
        return "raise the limit or use synchronous writes"
    return "the destination is too slow for what the guest writes, use synchronous writes"


def _remaining(sample: Sample) -> int:
    return max(0, sample.end - sample.cur)


def _window(samples: tuple[Sample, ...]) -> list[Sample]:
    """The latest samples that mean something and belong together, oldest first."""
    chosen: list[Sample] = []
    for sample in reversed(samples):
        # QEMU answers 0/0, 0/1 or 1/1 before it knows.
        if sample.end <= 1:
            break
        if chosen:
            newer = chosen[-1]
            # A clock or a copy that goes back is another run of the job.
            if sample.at >= newer.at or sample.cur > newer.cur or chosen[0].at - sample.at > WINDOW:
                break
        chosen.append(sample)
    chosen.reverse()
    return chosen


def _last_rise(points: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """The points since a counter last fell back, as it does when QEMU starts anew."""
    start = 0
    for index in range(1, len(points)):
        if points[index][1] < points[index - 1][1]:
            start = index
    return points[start:]


def _slope(points: list[tuple[float, int]]) -> float | None:
    """Units per second from the first to the last point, ``None`` when they are too close to tell."""
    span = points[-1][0] - points[0][0] if points else 0.0
    if span < MEASURED:
        return None
    return (points[-1][1] - points[0][1]) / span
