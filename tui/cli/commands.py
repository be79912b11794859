"""What a command line asks for, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tui.model.domain import Domain
from tui.model.migrate_request import MigrateRequest
from tui.model.request import Request


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
class TreeCommand:
    """Show the snapshots of a domain."""

    domain: str
    json: bool = False


@dataclass(frozen=True, slots=True)
class ExportCommand:
    """Write the snapshots of a domain to a file."""

    domain: str
    file: str | None = None
    """``None`` is named for the domain."""
    force: bool = False
    """Replace a file that is there."""
    json: bool = False


@dataclass(frozen=True, slots=True)
class WriteCommand:
    """Change something."""

    domain: str
    """Name or UUID."""
    wish: Callable[[Domain], Request]
    """What is wanted, once it is known which domain is meant; raises ``CommandError`` where it makes no sense."""
    waits: bool = True
    """Stay until all is done, or return once a job has begun."""
    consent: Consent = Consent()


@dataclass(frozen=True, slots=True)
class EvacuateCommand:
    """Take the domains of a host to another one."""

    domains: tuple[str, ...]
    """Names or UUIDs, in the order in which they go; none are all that run."""
    spared: tuple[str, ...]
    """Names or UUIDs of those that stay."""
    off: bool
    """Whether those go too that are off, where none are named."""
    wish: Callable[[Domain], MigrateRequest]
    at_once: int = 1
    """How many are on their way at the same time."""
    consent: Consent = Consent()


@dataclass(frozen=True, slots=True)
class DoctorCommand:
    """Look for what is wrong or left over."""

    domain: str | None = None
    json: bool = False


@dataclass(frozen=True, slots=True)
class HistoryCommand:
    """Show the plans that have ended."""

    domain: str | None = None
    """Name or UUID; the domain need not be there any more."""
    limit: int | None = None
    """How many, the latest ones."""
    json: bool = False


@dataclass(frozen=True, slots=True)
class DemoCommand:
    """The lab, and the screen on it."""

    keep: bool = False
    remove: bool = False
    """No screen: end a lab that was kept."""


LookCommand = ListCommand | JobsCommand | DoctorCommand | HistoryCommand | TreeCommand | ExportCommand
"""Those that change nothing on a host."""
WritingCommand = WriteCommand | EvacuateCommand
"""Those that ask before they change something."""
Command = LookCommand | WritingCommand | DemoCommand


@dataclass(frozen=True, slots=True)
class Invocation:
    """A whole command line."""

    uris: tuple[str, ...] = ()
    """Hosts named with ``-c``; none means the default one."""
    read_only: bool = False
    ascii_only: bool = False
    command: Command | None = None
    """``None`` opens the screen."""
