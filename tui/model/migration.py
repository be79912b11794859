"""A domain on its way to another host: how far its disks and its memory are, and whether it will arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tui.model.forecast import FAR, GAIN, Forecast, Verdict, forecast_of_disk
from tui.model.job import Sample
from tui.model.quantity import UNKNOWN, duration, percent_so_far, rate, size
from tui.model.text import printable


class MigrationPhase(StrEnum):
    """Where it is, by and large in the order in which it comes there."""

    PREPARING = "preparing"
    """Images are made there, snapshots are set aside, and the hosts agree."""
    COMPARING = "comparing layers"
    LAYERS = "copying layers"
    """What stands still goes first, and the guest does not know of it yet."""
    DISKS = "copying disks"
    IN_SYNC = "in sync"
    """All disks are, and none of the memory has been seen to be sent."""
    MEMORY = "sending memory"
    SWITCHING = "switching over"
    POSTCOPY = "fetching memory"
    """The guest runs at the other host already, and there is no way back."""
    FINISHING = "finishing"
    """The guest has gone over: its snapshots become known there, and all is proved."""
    UNDOING = "taking back"
    """The guest stays: what was done for its way is taken back."""


BEFORE = (MigrationPhase.PREPARING, MigrationPhase.COMPARING, MigrationPhase.LAYERS)
"""Phases in which the guest is not under way itself."""


@dataclass(frozen=True, slots=True)
class LayersOnTheWay:
    """What stands still, and is copied to the other host first."""

    cur: int
    end: int
    """Bytes of all of them."""
    samples: tuple[Sample, ...] = ()
    """What the last looks saw, oldest first."""

    @property
    def outlook(self) -> Forecast:
        """What follows from that."""
        return forecast_of_disk(self.samples, 0, in_sync=False)

    @property
    def percent(self) -> int:
        """In whole percent, never 100 before they were compared."""
        return percent_so_far(self.cur, self.end) or 0


@dataclass(frozen=True, slots=True)
class DiskOnTheWay:
    """A disk that is copied to the other host."""

    target: str
    cur: int
    end: int
    """Bytes; the end grows while the guest writes."""
    in_sync: bool = False
    """libvirt has said so; bytes say nothing of that."""
    limit: int = 0
    """Bytes per second, and the one that it began with: libvirt 9.0 takes no other; 0 is none."""
    samples: tuple[Sample, ...] = ()
    """What the last looks saw, oldest first."""

    @property
    def outlook(self) -> Forecast:
        """What follows from that."""
        return forecast_of_disk(self.samples, self.limit, in_sync=self.in_sync)

    @property
    def percent(self) -> int | None:
        """In whole percent, 100 only when it is in sync."""
        return 100 if self.in_sync else percent_so_far(self.cur, self.end)


@dataclass(frozen=True, slots=True)
class Round:
    """All memory that had changed until then is sent."""

    number: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class MemoryOnTheWay:
    """The memory of the guest."""

    total: int
    remaining: int
    """Bytes; grows while the guest changes it."""
    rate: int | None = None
    """Bytes per second at which it is sent."""
    dirty_rate: int | None = None
    """Bytes per second at which the guest changes it."""
    iteration: int = 0
    """How often all that had changed was sent."""
    rounds: tuple[Round, ...] = ()
    """The last ones that were seen, oldest first."""

    @property
    def percent(self) -> int | None:
        """In whole percent, never 100 before the guest has gone over."""
        return percent_so_far(self.total - self.remaining, self.total)

    @property
    def diverges(self) -> bool:
        """Whether the guest changes so much of it meanwhile that what is left from round to round does not shrink."""
        sizes = [one.size for one in self.rounds]
        if len(sizes) > 1:
            return sizes[-1] > (1 - GAIN) * min(sizes[:-1])
        if self.rate is None or self.dirty_rate is None or self.iteration <= 1:
            return False
        # A guest that changes the same part over and over changes as much anew as was sent of it, and no more.
        return self.dirty_rate >= (1 - GAIN) * self.rate

    @property
    def seconds(self) -> float | None:
        """Until the rest is there; ``None`` where that is not known, or never."""
        if not self.rate or self.diverges:
            return None
        gained = self.rate - (self.dirty_rate or 0)
        return self.remaining / gained if gained > 0 else None

    def words(self, *, speed: bool = True) -> tuple[str, ...]:
        """For people; ``speed`` is whether that belongs to it."""
        words = [f"{size(self.remaining)} left"]
        if self.rate and speed:
            words.append(f"at {rate(self.rate)}")
        if self.dirty_rate:
            words.append(f"changed at {rate(self.dirty_rate)}")
        if self.seconds is not None and self.seconds >= 1:
            words.append(f"about {duration(self.seconds)}")
        return tuple(words)


@dataclass(frozen=True, slots=True)
class Migration:
    """One domain."""

    uuid: str
    domain: str
    host: str
    """Where it goes, for people."""
    phase: MigrationPhase = MigrationPhase.PREPARING
    disks: tuple[DiskOnTheWay, ...] = ()
    memory: MemoryOnTheWay | None = None
    """``None`` until it is being sent."""
    downtime: int | None = None
    """Milliseconds for which the guest is expected to stand still."""
    p2p: bool = False
    """The hosts go on by themselves when this program is gone."""
    postcopy: bool = False
    """It may be switched over before all of its memory is there."""
    auto_converge: bool = False
    """QEMU slows the guest down when its memory does not get on."""
    synced: frozenset[str] = frozenset()
    """Targets of the disks that libvirt has said are in sync."""
    paused: bool = False
    """The guest stands still, and not for the migration's sake."""
    led: bool = True
    """This program has begun it, and heard all that libvirt said of it; of others it tells what can be seen."""
    layers: LayersOnTheWay | None = None
    """``None`` when they are not being copied."""
    targets: tuple[str, ...] = ()
    """The disks that are copied, whether anything is known of them yet or not."""
    doing: str = ""
    """What it does before or after libvirt has it, for people."""

    @property
    def begun(self) -> bool:
        """Whether some of the guest was seen to get there."""
        return any(disk.cur for disk in self.disks) or bool(self.memory and self.memory.percent)

    @property
    def all_synced(self) -> bool:
        """Whether libvirt has said of each disk that is copied that it is in sync."""
        return bool(self.targets) and self.synced.issuperset(self.targets)

    @property
    def over(self) -> str:
        """Why it cannot be called back any more, a sentence; nothing while it can."""
        name, host = printable(self.domain), printable(self.host)
        match self.phase:
            case MigrationPhase.SWITCHING | MigrationPhase.POSTCOPY:
                return f"{name} is being switched over to {host}, and nothing of that can be changed."
            case MigrationPhase.FINISHING:
                return f"{name} has gone over to {host}: the migration cannot be changed or called back any more."
            case MigrationPhase.UNDOING:
                return f"{name} stays: what was done for its way to {host} is being taken back already."
            case _:
                return ""

    @property
    def copying(self) -> tuple[DiskOnTheWay, ...]:
        """The disks that are not in sync."""
        return tuple(disk for disk in self.disks if not disk.in_sync)

    @property
    def rate(self) -> float | None:
        """Bytes per second at which what it is at now is sent."""
        if self.layers is not None:
            return self.layers.outlook.rate
        if self.phase is not MigrationPhase.DISKS:
            return self.memory.rate if self.memory is not None else None
        if any(disk.outlook.rate is None for disk in self.copying):
            return None
        rates = [speed for disk in self.disks if (speed := disk.outlook.rate) is not None]
        return sum(rates) if rates else None

    @property
    def guest_rate(self) -> float | None:
        """Bytes per second that the guest writes to the disks that are copied."""
        rates = [speed for disk in self.disks if (speed := disk.outlook.guest_rate) is not None]
        return sum(rates) if rates else None

    @property
    def seconds(self) -> float | None:
        """Until what it is at now is there, which is as long as its slowest disk takes; ``None`` if not known."""
        if self.layers is not None:
            return self.layers.outlook.seconds
        if self.phase is MigrationPhase.DISKS:
            times = [disk.outlook.seconds for disk in self.copying]
            known = [seconds for seconds in times if seconds is not None]
            return max(known) if known and len(known) == len(times) else None
        return self.memory.seconds if self.memory is not None else None

    @property
    def outrun(self) -> tuple[DiskOnTheWay, ...]:
        """The disks that a guest writes at least as fast as they are copied."""
        if self.phase is not MigrationPhase.DISKS or self.paused:
            return ()
        return tuple(disk for disk in self.copying if disk.outlook.verdict is Verdict.DIVERGES)

    @property
    def outruns(self) -> bool:
        """Whether the guest changes what is sent faster than it is sent, so that it never arrives like that."""
        sent = self.memory is not None and self.phase is MigrationPhase.MEMORY and self.memory.diverges
        return bool(self.outrun) or sent

    @property
    def troubles(self) -> tuple[str, ...]:
        """Why it does not arrive as it goes now, for people."""
        if self.phase is not MigrationPhase.DISKS:
            return ("the guest changes its memory faster than it is sent",) if self.outruns else ()
        outlooks = {disk.target: disk.outlook for disk in self.copying}
        still = [
            f"{target} {outlook.sentence}"
            for target, outlook in outlooks.items()
            if outlook.verdict is Verdict.STALLED
        ]
        if not self.outrun:
            return tuple(still)
        targets = [disk.target for disk in self.outrun]
        faster = all((outlooks[target].guest_rate or 0) > (outlooks[target].rate or 0) for target in targets)
        pace = "faster than" if faster else "as fast as"
        return (f"the guest writes {pace} {_listed(targets)} copied", *still)

    @property
    def percent(self) -> int | None:
        """How much of what it is at now is there, in whole percent."""
        if self.layers is not None:
            return self.layers.percent
        if self.phase is MigrationPhase.DISKS and self.disks:
            return percent_so_far(sum(d.cur for d in self.disks), sum(d.end for d in self.disks)) or 0
        return self.memory.percent if self.memory is not None else None

    @property
    def far(self) -> str:
        """How far it is, as `` 63 %`` behind a word for where it is; nothing once its guest is there."""
        # How much of its memory is there too matters less than that.
        known = self.percent is not None and self.phase is not MigrationPhase.POSTCOPY
        return f" {self.percent} %" if known else ""

    @property
    def words(self) -> str:
        """For people, in one line."""
        percent = "" if self.percent is None else f" {self.percent} %"
        parts = [f"{self.phase}{percent}", *([self.doing] if self.doing else [])]
        if self.phase in (MigrationPhase.LAYERS, MigrationPhase.DISKS):
            parts += [f"at {rate(self.rate)}"] if self.rate is not None else []
        if self.phase is MigrationPhase.LAYERS:
            parts.append(f"there in {about(self.seconds)}")
        if self.phase is MigrationPhase.DISKS:
            parts += [] if self.troubles or not self.copying else [f"in sync in {about(self.seconds)}"]
            parts += [_disk_words(disk) for disk in self.disks] if len(self.disks) > 1 else []
        if self.phase in (MigrationPhase.MEMORY, MigrationPhase.POSTCOPY) and self.memory is not None:
            parts += self.memory.words()
        parts += self.troubles
        if self.paused:
            parts.append("the guest is paused")
        return ", ".join(parts)


def about(seconds: float | None) -> str:
    """How long something takes, as far as that is known: never nothing, which would be now."""
    if seconds is None:
        return UNKNOWN
    return "over a month" if seconds > FAR else f"about {duration(max(1.0, seconds))}"


def _disk_words(disk: DiskOnTheWay) -> str:
    percent = UNKNOWN if disk.percent is None else disk.percent
    return f"{disk.target} in sync" if disk.in_sync else f"{disk.target} {percent} %"


def _listed(targets: Sequence[str]) -> str:
    """As ``vda and vdb are``."""
    return f"{targets[0]} is" if len(targets) == 1 else f"{', '.join(targets[:-1])} and {targets[-1]} are"


def phase_of(disks: tuple[DiskOnTheWay, ...], memory: MemoryOnTheWay | None) -> MigrationPhase:
    """Where it is, as what is sent tells."""
    if memory is not None:
        return MigrationPhase.MEMORY
    return MigrationPhase.DISKS if disks else MigrationPhase.PREPARING
