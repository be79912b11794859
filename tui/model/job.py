"""Block jobs: where they are, how fast they go, and when they will be in sync."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.model.disk import MirrorReady
from tui.model.finding import Finding
from tui.model.quantity import percent_so_far
from tui.model.request import Ending
from tui.model.storage import Chain, Layer


class Phase(StrEnum):
    """The life of a job."""

    COPYING = "copying"
    IN_SYNC = "in sync"
    PIVOTING = "pivoting"
    CANCELLING = "cancelling"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (Phase.DONE, Phase.CANCELLED, Phase.FAILED)


MIRROR_PHASES = {
    MirrorReady.NO: Phase.COPYING,
    MirrorReady.YES: Phase.IN_SYNC,
    MirrorReady.ABORT: Phase.CANCELLING,
    MirrorReady.PIVOT: Phase.PIVOTING,
}
"""The phase that the ``ready`` of a ``<mirror>`` tells."""


class JobType(StrEnum):
    """What a job does, in virsh's words."""

    COPY = "copy"
    ACTIVE_COMMIT = "active-commit"
    COMMIT = "commit"
    PULL = "pull"
    BACKUP = "backup"
    UNKNOWN = "unknown"

    @property
    def mirrors(self) -> bool:
        """Whether it has a ``<mirror>``, gets in sync and then waits to be ended; the others end by themselves."""
        return self in (JobType.COPY, JobType.ACTIVE_COMMIT)


class JobEvent(StrEnum):
    """What libvirt's BLOCK_JOB_2 event can say."""

    READY = "ready"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def terminal(self) -> bool:
        """Whether the job is over."""
        return self is not JobEvent.READY


@dataclass(frozen=True, slots=True)
class Progress:
    """One answer of virDomainGetBlockJobInfo, in bytes."""

    cur: int
    end: int
    bandwidth: int
    """Limit in bytes per second; 0 is no limit."""
    type: JobType = JobType.UNKNOWN

    @property
    def known(self) -> bool:
        """Whether the numbers mean anything: QEMU answers 0/0, 0/1 or 1/1 before it knows."""
        return self.end > 1

    @property
    def remaining(self) -> int | None:
        """Bytes still to copy, or the lag of a mirror in sync; ``None`` while unknown."""
        return max(0, self.end - self.cur) if self.known else None


@dataclass(frozen=True, slots=True)
class Sample:
    """What one tick saw."""

    at: float
    """Seconds on the host's monotonic clock."""
    cur: int
    end: int
    guest_written: int | None = None
    """Bytes the guest has written to this disk since it started; ``None`` when the host did not say."""


@dataclass(frozen=True, slots=True)
class Job:
    """One block job of one disk."""

    number: int
    """Distinguishes a job from an earlier one on the same disk; counts up in one run of this program."""
    uuid: str
    domain: str
    target: str
    type: JobType
    phase: Phase
    source: Layer | None
    """The active layer when the job was first seen."""
    destination: Chain
    named: str = ""
    """What people call the destination, where the definition knows but the address of what serves it."""
    progress: Progress | None = None
    samples: tuple[Sample, ...] = ()
    """The last minutes, oldest first."""
    started: float | None = None
    """Wall clock, seconds since the epoch; ``None`` for a job that was found and not started here."""
    in_sync_since: float | None = None
    ended: float | None = None
    ending: Ending | None = None
    """How it is being ended, as the journal says."""
    plan: str | None = None
    """The id of the plan in the journal that this job belongs to; ``None`` for somebody else's job."""
    last_event: JobEvent | None = None
    starting: bool = False
    """The call that starts it has not returned yet, so that its mirror may not be there yet."""
    vanished: float | None = None
    """Wall clock at which its mirror was first missing from the live XML while no event had said why."""
    remark: str | None = None
    """One sentence on how it ended, or why it stands still."""
    proof: tuple[Finding, ...] = ()
    """What was checked after a pivot."""

    @property
    def key(self) -> tuple[str, str]:
        """Domain UUID and disk target: what a key press is bound to."""
        return (self.uuid, self.target)

    @property
    def place(self) -> str | None:
        """Where it goes, for people."""
        active = self.destination.active
        return self.named or (active.path if active else None)

    @property
    def pivotable(self) -> bool:
        """Whether libvirt would accept a pivot now."""
        return self.phase is Phase.IN_SYNC and self.type.mirrors

    @property
    def percent(self) -> int | None:
        """Whole percent of a job on its way, never rounded up, never 100; ``None`` while unknown.

        A mirror in sync has none: that is a state, not the end of a way, and how far it lags behind may move.
        """
        if self.phase in (Phase.IN_SYNC, Phase.PIVOTING) or self.phase.ended:
            return None
        return percent_so_far(self.progress.cur, self.progress.end) if self.progress else None

    @property
    def filled(self) -> int | None:
        """How much of a bar is full, in percent: all of it where both sides are the same."""
        return 100 if self.phase in (Phase.IN_SYNC, Phase.PIVOTING, Phase.DONE) else self.percent
