"""How fast a job went over time, from what its ticks saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from tui.model.job import Sample


@dataclass(frozen=True, slots=True)
class Point:
    """The rates between two ticks, in bytes per second."""

    ago: float
    """Seconds before the latest tick, negative."""
    copied: float
    guest: float | None
    """``None`` where the host did not say what the guest wrote."""


def rates(samples: Sequence[Sample]) -> tuple[Point, ...]:
    """One point for each two ticks that belong together.

    A counter or a clock that goes back is another run of the job, and 0/0, 0/1 and 1/1 are what QEMU answers
    before it knows: neither says anything of a rate.
    """
    points = []
    for before, after in pairwise(samples):
        seconds = after.at - before.at
        if seconds <= 0 or after.cur < before.cur or min(before.end, after.end) <= 1:
            continue
        guest = None
        if (
            before.guest_written is not None
            and after.guest_written is not None
            and after.guest_written >= before.guest_written
        ):
            guest = (after.guest_written - before.guest_written) / seconds
        points.append(Point(after.at - samples[-1].at, (after.cur - before.cur) / seconds, guest))
    return tuple(points)
