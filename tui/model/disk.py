"""Disks of a domain and the mirrors they have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.model.storage import Chain, Layer, VhostUserSource, VhostVdpaSource


class Device(StrEnum):
    """What the guest sees."""

    DISK = "disk"
    LUN = "lun"
    CDROM = "cdrom"
    FLOPPY = "floppy"


class MirrorJob(StrEnum):
    """Why there is a mirror."""

    COPY = "copy"
    ACTIVE_COMMIT = "active-commit"
    CONCLUDING = ""
    """For a moment at its end libvirt shows a mirror without a job."""
    UNKNOWN = "unknown"
    """A job this program has never heard of."""


class MirrorReady(StrEnum):
    """How far a mirror is, in libvirt's words."""

    NO = "no"
    """The attribute is absent: still copying."""
    YES = "yes"
    ABORT = "abort"
    """An abort was accepted and is not finished."""
    PIVOT = "pivot"
    """A pivot was accepted and is not finished."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """The second place that the guest's writes go to."""

    job: MirrorJob
    ready: MirrorReady
    chain: Chain

    @property
    def destination(self) -> Layer | None:
        """The layer that is written."""
        return self.chain.active


@dataclass(frozen=True, slots=True)
class Driver:
    """The tuning that a mirror inherits from the guest's disk."""

    name: str | None = None
    cache: str | None = None
    io: str | None = None
    discard: str | None = None
    detect_zeroes: str | None = None
    error_policy: str | None = None
    rerror_policy: str | None = None
    copy_on_read: bool = False
    iothread: str | None = None
    queues: str | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """One drive of a domain."""

    target: str
    """The name libvirt and this program know it by, as ``vda``."""
    bus: str | None
    device: Device
    chain: Chain
    driver: Driver = Driver()
    readonly: bool = False
    shareable: bool = False
    transient: bool = False
    mirror: Mirror | None = None
    serial: str | None = None
    snapshot: str | None = None
    """What a snapshot does with this disk by default: ``internal``, ``external``, ``manual`` or ``no``."""

    @property
    def empty(self) -> bool:
        """Whether this is a drive without a medium."""
        return not self.chain.layers

    @property
    def outside_qemu(self) -> bool:
        """Whether another process serves the blocks, so that QEMU has nothing to copy."""
        active = self.chain.active
        return active is not None and isinstance(active.source, VhostUserSource | VhostVdpaSource)

    @property
    def local_paths(self) -> frozenset[str]:
        """Every file and device this disk uses now, its mirror's too."""
        mirror = self.mirror.chain.local_paths if self.mirror else frozenset[str]()
        return self.chain.local_paths | mirror
