"""What a user asks for. A request and the state of the host make a plan."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.model.finding import Acceptance
from tui.model.hierarchy_request import SnapshotDeleteRequest, SnapshotImportRequest, SnapshotRevertRequest
from tui.model.methods import Method, Quiesce, Wish
from tui.model.migrate_request import MigrateRequest, MigrationTuneRequest
from tui.model.mirrored_snapshot import Snapshot
from tui.model.storage import Chain


class Then(StrEnum):
    """What happens when a mirror is in sync."""

    HOLD = "hold"
    """It stays in sync until somebody decides."""
    PIVOT = "pivot"
    """The guest goes over to the destination."""
    KEEP = "keep"
    """The mirror ends; the destination stays as a copy of that instant."""


class Ending(StrEnum):
    """How a job is ended."""

    PIVOT = "pivot"
    KEEP = "keep"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """Mirror one disk of a running domain. Flags that need a copy exist only here."""

    uuid: str
    target: str
    destination: Chain
    """The place to write to, as its first layer; further layers only where the user's XML names a backing
    chain, ``complete`` only where it says that the chain ends. A format of ``None`` means the source's."""
    shallow: bool = False
    """Copy only the active layer; the destination stands on the source's backing file."""
    reuse_external: bool = False
    """Write into an image that exists already."""
    bandwidth: int = 0
    """Limit in bytes per second; 0 is none."""
    granularity: int = 0
    """Bytes; 0 is QEMU's choice."""
    buf_size: int = 0
    """Bytes; 0 is QEMU's choice."""
    synchronous_writes: bool = False
    transient_job: bool = False
    then: Then = Then.HOLD
    timeout: float | None = None
    """Seconds to wait for in sync before the copy is cancelled; ``None`` waits for ever."""
    accepted: frozenset[Acceptance] = frozenset()


@dataclass(frozen=True, slots=True)
class RemoteCopyRequest:
    """Mirror one disk of a running domain into an image that is made and served for that at another host."""

    copy: CopyRequest
    """The wish, its destination a path at the other host."""
    destination: str
    """The URI of the other host."""
    address: str | None = None
    """Where the server listens; ``None`` is by what the host is reached."""
    port: int | None = None
    """``None`` is one that is free."""

    @property
    def uuid(self) -> str:
        """The domain."""
        return self.copy.uuid


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """Write what upper layers of a disk hold down into a lower one. Layers are named as ``vda[3]`` or by path."""

    uuid: str
    target: str
    top: str | None = None
    """The uppermost layer to merge; ``None`` is the active one."""
    base: str | None = None
    """The layer that takes the data; ``None`` is the last of the chain, or the next below with ``shallow``."""
    shallow: bool = False
    delete: bool = False
    """Remove the merged images afterwards."""
    keep_relative: bool = False
    bandwidth: int = 0
    """Limit in bytes per second; 0 is none."""
    then: Then = Then.HOLD
    """What happens when the commit of an active layer is in sync; the others end by themselves."""
    accepted: frozenset[Acceptance] = frozenset()


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Bring what lower layers of a disk hold up into the active one."""

    uuid: str
    target: str
    base: str | None = None
    """The layer that stays below, as ``vda[3]`` or by path; ``None`` leaves the active layer on its own."""
    keep_relative: bool = False
    bandwidth: int = 0
    """Limit in bytes per second; 0 is none."""
    accepted: frozenset[Acceptance] = frozenset()


@dataclass(frozen=True, slots=True)
class EndRequest:
    """End the jobs of some disks of one domain, together."""

    uuid: str
    targets: tuple[str, ...]
    ending: Ending
    pause: bool = False
    """Pause the guest until the jobs have ended, for a guest that outruns its destination."""
    wait: bool = False
    """Wait first until all of them are in sync; else a disk that is not refuses the plan."""


@dataclass(frozen=True, slots=True)
class SpeedRequest:
    """Change the limit of a running job."""

    uuid: str
    target: str
    bandwidth: int
    """Bytes per second; 0 is no limit."""


class How(StrEnum):
    """What becomes of the chain of a disk that is moved."""

    KEEP_CHAIN = "keep-chain"
    """All layers go along."""
    FLATTEN = "flatten"
    """One image holds what all layers held."""
    SHALLOW = "shallow"
    """Only the active layer goes; it stands on the layers where they are."""


class Shared(StrEnum):
    """What becomes of layers of a moved chain that other disks stand on as well."""

    COPY = "copy"
    """They are copied, and take room twice."""
    LEAVE = "leave"
    """They stay where they are, and the moved layers stand on them there."""
    REUSE = "reuse"
    """Images of the same names that lie at the destination take their place, once they were found equal."""


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """Move disks of a running domain into a directory or a storage pool."""

    uuid: str
    directory: str
    """A path, or ``pool:NAME``."""
    targets: tuple[str, ...] = ()
    """The disks; all that can be written to where none is named."""
    how: How | None = None
    """``None`` keeps a chain where there is one."""
    format: str | None = None
    """Of flattened images; ``None`` is that of the active layer, and raw in a logical pool."""
    bandwidth: int = 0
    """Limit in bytes per second for each mirror, and for all lower layers together; 0 is none."""
    synchronous_writes: bool = False
    then: Then = Then.PIVOT
    merge_overlay: bool = False
    """Fold the overlay that keeping a chain takes back into the layer below, after the pivot."""
    shared: Shared = Shared.COPY
    delete_source: bool = False
    """Put the old images into quarantine after the pivot."""
    accepted: frozenset[Acceptance] = frozenset()


@dataclass(frozen=True, slots=True)
class RecoverRequest:
    """Go on with an interrupted plan of a domain, or take back what it did."""

    uuid: str
    undo: bool
    plan: str | None = None
    """Its id, where there are several."""


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """Take a snapshot of the disks of a running domain, some of them with a mirror of what is new since then."""

    uuid: str
    snapshot: Snapshot
    """What is wanted, its name included; disks that it does not speak of are as libvirt has it."""
    reuse_external: bool = False
    """Overlays and mirrors are images that exist already, and whose headers say what they stand on."""
    bandwidth: int = 0
    """Limit in bytes per second for each mirror; 0 is none."""
    synchronous_writes: bool = False
    validate: bool = False
    """libvirt checks the XML against its schema as well."""
    quiesce: Quiesce = Quiesce.AUTO
    limit: float = 30.0
    """Seconds for which the guest may stand still, frozen by its agent."""
    accepted: frozenset[Acceptance] = frozenset()


@dataclass(frozen=True, slots=True)
class LiveSnapshotRequest:
    """Hold the state of the disks of a running domain at one instant, each by the method that suits it."""

    uuid: str
    name: str
    description: str = ""
    disks: tuple[Wish, ...] = ()
    """What is said of single disks; the others are as follows from their storage."""
    method: Method | None = None
    """For the disks of which none is said; ``None`` is the best for each."""
    quiesce: Quiesce = Quiesce.AUTO
    pause: bool = False
    """The guest may be paused for the instant."""
    limit: float = 30.0
    """Seconds for which the guest may stand still."""
    command: str = ""
    """The user's own, for disks that are snapshot by hand."""
    asks: bool = False
    """There is no command, and the user says when he has done his part."""
    memory: str | None = None
    """The file that the memory of the guest goes to as well; it goes on meanwhile unless it may be paused."""
    metadata: bool = True
    """libvirt keeps a record of it."""
    reuse_external: bool = False
    """The overlays are images that exist already."""
    validate: bool = False
    """libvirt checks the XML against its schema as well."""
    accepted: frozenset[Acceptance] = frozenset()


@dataclass(frozen=True, slots=True)
class SnapshotEndRequest:
    """End the mirrors of a snapshot, and have libvirt forget it."""

    uuid: str
    name: str
    ending: Ending
    """The guest goes over to the mirrors, or they are cancelled; they cannot be kept."""
    compare: bool = True
    """Before a pivot, see that what a mirror stands on holds the same as what the overlay stands on."""


MergeRequest = CommitRequest | PullRequest
Request = (
    CopyRequest
    | RemoteCopyRequest
    | MergeRequest
    | MoveRequest
    | SnapshotRequest
    | LiveSnapshotRequest
    | SnapshotEndRequest
    | SnapshotImportRequest
    | SnapshotDeleteRequest
    | SnapshotRevertRequest
    | MigrateRequest
    | MigrationTuneRequest
    | RecoverRequest
    | EndRequest
    | SpeedRequest
)
