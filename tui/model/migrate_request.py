"""What a user can wish for when a domain is to go to another host."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from tui.model.finding import Acceptance

MOST_CONNECTIONS = 255
"""Side by side; QEMU counts no further."""


class CopyStorage(StrEnum):
    """What goes along of the disks that the other host does not share."""

    NONE = "none"
    ALL = "all"
    """All that the guest sees of them, into one image each."""
    INC = "inc"
    """The active layer of each, onto the layers below, which are brought there first unless they are there."""


class TimeoutAction(StrEnum):
    """What happens to a migration that takes too long."""

    SUSPEND = "suspend"
    POSTCOPY = "postcopy"
    ABORT = "abort"


class Tune(StrEnum):
    """What can be changed of a migration while it runs."""

    BANDWIDTH = "bandwidth"
    DOWNTIME = "downtime"
    POSTCOPY = "postcopy"
    """The guest goes over now, and the rest of its memory is fetched afterwards."""
    SUSPEND = "suspend"
    """The guest stands still until it has arrived."""
    CALL_BACK = "call-back"
    """It stays where it is."""


@dataclass(frozen=True, slots=True)
class Transport:
    """How the data go from host to host; libvirt's words and defaults."""

    p2p: bool = False
    """The hosts talk to each other, and go on when this program is gone."""
    tls: bool = False
    tls_destination: str | None = None
    """What the certificate of the other host is for; ``None`` is the name or address that is connected to."""
    migrate_uri: str | None = None
    """Where the memory goes, as ``tcp://host-b``."""
    disks_uri: str | None = None
    disks_port: int | None = None
    listen_address: str | None = None
    bandwidth: int = 0
    """Limit in bytes per second, for the memory and for each disk; 0 is none."""
    parallel: int = 0
    """Connections for the memory; 0 is one, in the usual way."""
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class Convergence:
    """What is done about a guest that changes its memory or its disks faster than they can be sent."""

    auto_converge: bool = False
    """It is slowed down."""
    postcopy: bool = False
    """It may be switched over before all of its memory is there, from where there is no way back."""
    max_downtime: int | None = None
    """Milliseconds for which it may stand still at the end."""
    synchronous_writes: bool = False
    """What it writes waits until the copy has it too."""
    timeout: float | None = None
    """Seconds."""
    timeout_action: TimeoutAction = TimeoutAction.SUSPEND


@dataclass(frozen=True, slots=True)
class MigrateRequest:
    """Take a domain to another host, with its memory, its storage and its snapshots."""

    uuid: str
    destination: str
    """The URI of the other host."""
    storage: CopyStorage | None = None
    """``None`` is what its disks need."""
    targets: tuple[str, ...] = ()
    """The disks that are copied; none are all that the other host does not share."""
    maps: tuple[tuple[str, str], ...] = ()
    """Paths here, and what they are there; the longest that is a path or a directory above it counts."""
    name: str | None = None
    """What it is called there; ``None`` is as here."""
    persistent: bool | None = None
    """Whether the other host keeps a definition; ``None`` is as it is here."""
    undefine_source: bool | None = None
    """Whether this host forgets it; ``None`` is yes, if the other one keeps a definition."""
    transport: Transport = Transport()
    convergence: Convergence = Convergence()
    offline: bool = False
    """Only the definition goes, of a domain that is off."""
    unsafe: bool = False
    """libvirt goes on though the storage does not look as if both hosts had it."""
    change_protection: bool = False
    abort_on_error: bool = False
    accepted: frozenset[Acceptance] = frozenset()

    @property
    def definition_alone(self) -> MigrateRequest:
        """The same for a domain that is off."""
        return replace(self, offline=True, storage=CopyStorage.NONE, convergence=Convergence())


@dataclass(frozen=True, slots=True)
class MigrationTuneRequest:
    """Change how a domain goes on that is on its way to another host."""

    uuid: str
    tune: Tune
    value: int = 0
    """Of a bandwidth bytes per second, 0 for no limit; of a downtime milliseconds."""
