"""A domain: what its XML says, and what the host says of its state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tui.model.disk import Disk
from tui.model.storage import Layer

NAMESPACE = "urn:virt-mirror:"
"""What the namespaces of this program's elements in ``<metadata>`` begin with."""
PLAN_NAMESPACE = f"{NAMESPACE}plan:"
QUARANTINE_NAMESPACE = f"{NAMESPACE}quarantine:"
SNAPSHOT_NAMESPACE = f"{NAMESPACE}snapshot:"
"""Those of each kind; a plan's id follows."""


class RunState(StrEnum):
    """The state of a domain, in virsh's words."""

    RUNNING = "running"
    IDLE = "idle"
    PAUSED = "paused"
    IN_SHUTDOWN = "in shutdown"
    SHUT_OFF = "shut off"
    CRASHED = "crashed"
    SUSPENDED = "pmsuspended"
    UNKNOWN = "no state"

    @property
    def active(self) -> bool:
        """Whether a QEMU process exists, so that blocks can be copied."""
        return self not in (RunState.SHUT_OFF, RunState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Definition:
    """What one domain XML says."""

    name: str
    uuid: str
    disks: tuple[Disk, ...] = ()
    title: str | None = None
    hypervisor: str | None = None
    """``kvm``, ``qemu``, ``test``…"""
    owner: tuple[int, int] | None = None
    """User and group of QEMU, from the live ``<seclabel model='dac'>``; ``None`` where it is not said."""
    memory: int | None = None
    """Bytes that the guest can have."""
    agent: bool = False
    """Whether an agent in the guest has opened its channel; only a live definition says so."""
    plans: tuple[str, ...] = ()
    """The XML of this program's plans in progress, one string each, as found in ``<metadata>``."""
    quarantines: tuple[str, ...] = ()
    """The XML of its notes on old images that were put away, likewise."""
    noted_snapshots: tuple[str, ...] = ()
    """The XML of its notes on snapshots of which libvirt does not know all, likewise."""
    problems: tuple[str, ...] = ()
    """What could not be understood and is missing here, a sentence each."""

    @property
    def local_paths(self) -> frozenset[str]:
        """Every file and device that it names."""
        return frozenset(path for disk in self.disks for path in disk.local_paths)

    def disk(self, target: str) -> Disk | None:
        """The disk of that target name, or ``None``."""
        return next((disk for disk in self.disks if disk.target == target), None)

    def active_layer(self, target: str) -> Layer | None:
        """What the guest writes to on a disk; ``None`` without such a disk, or without a medium."""
        disk = self.disk(target)
        return disk.chain.active if disk else None


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain as the host shows it."""

    definition: Definition
    """The live definition of an active domain, else the persistent one."""
    state: RunState
    persistent: bool
    arriving_from: str | None = None
    """The host that it comes from, for people, while it is on its way from there to here."""

    @property
    def name(self) -> str:
        """The name."""
        return self.definition.name

    @property
    def uuid(self) -> str:
        """The UUID, which stays when the name changes."""
        return self.definition.uuid

    @property
    def standing(self) -> str:
        """Its state, for people."""
        return f"arriving from {self.arriving_from}" if self.arriving_from else self.state.value

    @property
    def disks(self) -> tuple[Disk, ...]:
        """All drives in the order of the definition."""
        return self.definition.disks

    @property
    def local_paths(self) -> frozenset[str]:
        """Every file and device that its disks use now."""
        return self.definition.local_paths

    @property
    def chain_paths(self) -> frozenset[str]:
        """Those of them in chains: not what is being copied to."""
        return frozenset(path for disk in self.disks for path in disk.chain.local_paths)

    def disk(self, target: str) -> Disk | None:
        """The disk of that target name, or ``None``."""
        return self.definition.disk(target)

    def active_layer(self, target: str) -> Layer | None:
        """What the guest writes to on a disk; ``None`` without such a disk, or without a medium."""
        return self.definition.active_layer(target)

    def paths(self, target: str) -> list[str]:
        """The layers of a disk by their paths, the active one first; none without such a disk, or without a medium."""
        disk = self.disk(target)
        return [layer.path for layer in disk.chain.layers] if disk is not None else []

    def is_on(self, target: str, path: str) -> bool:
        """Whether the guest writes to the image at a path."""
        active = self.active_layer(target)
        return active is not None and active.path == path
