"""What was measured while a plan was carried out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from tui.model.quantity import fine_duration, size


@dataclass(frozen=True, slots=True)
class Figures:
    """Numbers of one plan, or of a part of it; ``None`` is not known, or makes no sense there."""

    still_seconds: float | None = None
    """The longest time for which the guest stood still at once, as its host told."""
    downtime_ms: int | None = None
    """The same of a migration, as libvirt has measured it."""
    total_ms: int | None = None
    """How long a migration took, as libvirt has measured it."""
    setup_ms: int | None = None
    """What of that went by before any memory was sent."""
    memory: int | None = None
    """Bytes of memory that were sent."""
    rounds: int | None = None
    """How often all of the memory that had changed was sent."""
    disks: int | None = None
    """Bytes of disks that were copied, as far as that was seen."""

    @property
    def standstill(self) -> float | None:
        """Seconds for which the guest stood still, the measured ones where there are any."""
        return self.still_seconds if self.downtime_ms is None else self.downtime_ms / 1000

    @property
    def words(self) -> tuple[str, ...]:
        """What is known, for people, the most important first."""
        words = []
        if self.standstill is not None:
            words.append(f"the guest stood still for {fine_duration(self.standstill)}")
        if self.memory is not None:
            rounds = f" in {self.rounds} rounds" if self.rounds and self.rounds > 1 else ""
            words.append(f"{size(self.memory)} of memory{rounds}")
        if self.disks is not None:
            words.append(f"{size(self.disks)} of disks")
        return tuple(words)


def together(parts: Iterable[Figures]) -> Figures:
    """Of amounts the sum, of times the longest."""
    known = list(parts)
    sums = {"memory", "disks"}
    values = {
        field.name: [value for part in known if (value := getattr(part, field.name)) is not None]
        for field in fields(Figures)
    }
    return Figures(**{name: (sum if name in sums else max)(found) for name, found in values.items() if found})
