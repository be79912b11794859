"""What can honestly be said of a job's future, from what the last ticks saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tui.model.job import Job, Phase, Sample
from tui.model.quantity import duration, rate, size

WINDOW = 10.0
"""Seconds of samples that count: long enough to smooth a burst, short enough to follow a changed limit."""
LEAP = 16 * 1024 * 1024
"""Bytes that QEMU copies at a stroke before it waits for as long as a limit wants."""
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
NOTHING = 1
"""Bytes that remain where nothing does: of a job that is not in sync libvirt never says that all is there."""
GAIN = 0.05
"""The part of what is copied by which the remainder has to shrink: with less the guest keeps up."""
DITHER = 0.75
"""The part of a stroke by which the remainder may seem to shrink, or not to, for the moments at which it is seen."""


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
    limit = job.progress.bandwidth if job.progress else 0
    leap = _leap(job.samples, limit)
    samples = _window(job.samples, leap)
    copied, guest = _rates(samples)
    match job.phase:
        case Phase.IN_SYNC:
            return _held(job.progress.remaining if job.progress else None, copied, guest)
        case Phase.PIVOTING | Phase.CANCELLING:
            return _ending(job, copied, guest)
        case _:
            state = "in sync" if job.type.mirrors else "done"
            return _copying(samples, leap, state, f": {_advice(limit, copied or 0.0)}")


def forecast_of_disk(samples: tuple[Sample, ...], limit: int, *, in_sync: bool) -> Forecast:
    """Say the same of a disk that a migration copies to another host."""
    leap = _leap(samples, limit)
    chosen = _window(samples, leap)
    if in_sync:
        return _held(_remaining(chosen[-1]) if chosen else None, *_rates(chosen))
    return _copying(chosen, leap, "in sync", "")


def _rates(samples: list[Sample]) -> tuple[float | None, float | None]:
    """What is copied, and what the guest writes, in bytes per second."""
    copied = _slope([(s.at, s.cur) for s in samples])
    guest = _slope(_last_rise([(s.at, s.guest_written) for s in samples if s.guest_written is not None]))
    return copied, guest


def _held(lag: int | None, copied: float | None, guest: float | None) -> Forecast:
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


def _copying(samples: list[Sample], leap: float, state: str, advice: str) -> Forecast:
    copied, guest = _rates(samples)
    span = _span(samples)
    if copied is None or span < max(TREND, leap):
        # Between two strokes nothing is copied.
        copied = None if copied is not None and leap and copied * span <= NOTHING else copied
        return Forecast(copied, guest, None, None, Verdict.UNKNOWN, "measuring…")
    last = _last_leap(samples) if leap else []
    overdue = _span(last) >= max(TREND, leap)
    if overdue:
        # By now that would be there, if the guest did not write it anew.
        samples, span = last, _span(last)
    remaining, peak = _remaining(samples[-1]), max(map(_remaining, samples))
    gained, noise = _gained(samples), DITHER * leap / span * copied
    if gained > max(GAIN * copied, noise) and NOTHING < remaining < peak and not overdue:
        seconds = remaining / gained
        return Forecast(copied, guest, None, seconds, Verdict.CONVERGES, _arrival(state, seconds))
    kept_up = gained <= max(GAIN * copied, noise / 2) or (overdue and (guest or 0) >= copied)
    at_rest = peak <= NOTHING and samples[-1].cur - samples[0].cur <= NOTHING
    if span < max(STANDSTILL, 2 * leap) or at_rest or not kept_up:
        # Nothing remains and yet libvirt has not said that it is in sync: only libvirt knows when.
        return Forecast(copied, guest, None, None, Verdict.UNKNOWN, "measuring…")
    if copied == 0:
        sentence = f"stands still: nothing was copied in the last {duration(span)}"
        return Forecast(copied, guest, None, None, Verdict.STALLED, sentence)
    sentence = f"will not converge at this speed{advice}"
    return Forecast(copied, guest, None, None, Verdict.DIVERGES, sentence)


def _arrival(state: str, seconds: float) -> str:
    if seconds > FAR:
        return f"not {state} within a month at this speed"
    return f"{state} in about {duration(max(1.0, seconds))}"


def _advice(limit: int, copied: float) -> str:
    if limit and copied >= AT_LIMIT * limit:
        return "raise the limit or use synchronous writes"
    return "the destination is too slow for what the guest writes, use synchronous writes"


def _leap(samples: Sequence[Sample], limit: int) -> float:
    """Seconds from one stroke to the next; the end that was seen first is nearest to the size of the disk."""
    return min(LEAP, samples[0].end) / limit if limit and samples else 0.0


def _span(samples: list[Sample]) -> float:
    return samples[-1].at - samples[0].at if samples else 0.0


def _last_leap(samples: list[Sample]) -> list[Sample]:
    """The latest samples, since so little has remained that it is copied at a stroke."""
    far = [number for number, sample in enumerate(samples) if _remaining(sample) > LEAP]
    return samples[far[-1] + 1 :] if far else samples


def _gained(samples: list[Sample]) -> float:
    """Bytes per second by which the remainder shrinks, from the older half to the newer one.

    It moves up and down while a guest writes, so that the first and the last of them say little.
    """
    half = len(samples) // 2
    older, newer = samples[:half], samples[-half:]
    span = _mean([s.at for s in newer]) - _mean([s.at for s in older])
    return (_mean([_remaining(s) for s in older]) - _mean([_remaining(s) for s in newer])) / span


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _remaining(sample: Sample) -> int:
    return max(0, sample.end - sample.cur)


def _window(samples: tuple[Sample, ...], leap: float) -> list[Sample]:
    """The latest samples that mean something and belong together, oldest first."""
    chosen: list[Sample] = []
    window = max(WINDOW, 4 * leap)
    for sample in reversed(samples):
        # QEMU answers 0/0, 0/1 or 1/1 before it knows.
        if sample.end <= 1:
            break
        if chosen:
            newer = chosen[-1]
            # A clock or a copy that goes back is another run of the job.
            if sample.at >= newer.at or sample.cur > newer.cur or chosen[0].at - sample.at > window:
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
