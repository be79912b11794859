"""What a command line asks for, as values."""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.finding import Acceptance
from tui.model.request import Ending, How, Then


@dataclass(frozen=True, slots=True)
class Consent:
    """How a command that writes is let through."""

    dry_run: bool = False
    yes: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True)
class ListCommand:
    """Show domains, disks, chains and jobs."""

    domain: str | None = None
    json: bool = False


@dataclass(frozen=True, slots=True)
class JobsCommand:
    """Show jobs, once or as they change."""

    watch: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True)
class CopyCommand:
    """Mirror one disk."""

    domain: str
    disk: str
    destination: str | None = None
    """A path or address; ``None`` when the destination is described in ``xml``."""
    xml: str | None = None
    """A file that holds a ``<disk>``."""
    format: str | None = None
    shallow: bool = False
    reuse_external: bool = False
    blockdev: bool = False
    bandwidth: int = 0
    """Bytes per second; 0 is no limit."""
    granularity: int = 0
    buf_size: int = 0
    synchronous_writes: bool = False
    transient_job: bool = False
    timeout: float | None = None
    wait: bool = False
    """Stay until it is in sync, or until what comes then is done."""
    then: Then = Then.HOLD
    accepted: frozenset[Acceptance] = frozenset()
    consent: Consent = Consent()


@dataclass(frozen=True, slots=True)
class CommitCommand:
    """Merge upper layers of a disk down into a lower one."""

    domain: str
    disk: str
    top: str | None = None
    base: str | None = None
    shallow: bool = False
    delete: bool = False
    keep_relative: bool = False
    bandwidth: int = 0
    """Bytes per second; 0 is no limit."""
    wait: bool = False
    """Stay until it is done, or in sync where the active layer is merged."""
    pivot: bool = False
    accepted: frozenset[Acceptance] = frozenset()
    consent: Consent = Consent()


@dataclass(frozen=True, slots=True)
class PullCommand:
    """Bring lower layers of a disk up into the active one."""

    domain: str
    disk: str
    base: str | None = None
    keep_relative: bool = False
    bandwidth: int = 0
    """Bytes per second; 0 is no limit."""
    wait: bool = False
    """Stay until it is done."""
    accepted: frozenset[Acceptance] = frozenset()
    consent: Consent = Consent()


@dataclass(frozen=True, slots=True)
class EndCommand:
    """Pivot, keep or cancel."""

    ending: Ending
    domain: str
    disks: tuple[str, ...] = ()
    """All that have a job when none is named."""
    pause: bool = False
    wait: bool = False
    """Wait first until all of them are in sync."""
    consent: Consent = Consent()


@dataclass(frozen=True, slots=True)
class SpeedCommand:
    """Change the limit of a job."""

    domain: str
    disk: str
    bandwidth: int
    """Bytes per second; 0 is no limit."""
    consent: Consent = Consent()


@dataclass(frozen=True, slots=True)
class MoveCommand:
    """Move disks into a directory."""

    domain: str
    directory: str
    """A path, or ``pool:NAME``."""
    disks: tuple[str, ...] = ()
    """All that can be written to when none is named."""
    how: How | None = None
    format: str | None = None
    bandwidth: int = 0
    """Bytes per second for each disk; 0 is no limit."""
    synchronous_writes: bool = False
    hold: bool = False
    merge_overlay: bool = False
    accepted: frozenset[Acceptance] = frozenset()
    consent: Consent = Consent()


@dataclass(frozen=True, slots=True)
class RecoverCommand:
    """Go on with an interrupted plan, or take it back."""

    domain: str
    undo: bool
    plan: str | None = None
    consent: Consent = Consent()


@dataclass(frozen=True, slots=True)
class DoctorCommand:
    """Look for what is wrong or left over."""

    domain: str | None = None
    json: bool = False


@dataclass(frozen=True, slots=True)
class DemoCommand:
    """The lab, and the screen on it."""

    keep: bool = False


BeginCommand = CopyCommand | CommitCommand | PullCommand
"""Commands that begin a job, which goes on when they return."""
WriteCommand = BeginCommand | MoveCommand | RecoverCommand | EndCommand | SpeedCommand
Command = ListCommand | JobsCommand | DoctorCommand | WriteCommand | DemoCommand


@dataclass(frozen=True, slots=True)
class Invocation:
    """A whole command line."""

    uris: tuple[str, ...] = ()
    """Hosts named with ``-c``; none means the default one."""
    read_only: bool = False
    ascii_only: bool = False
    command: Command | None = None
    """``None`` opens the screen."""
