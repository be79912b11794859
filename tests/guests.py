"""Real guests for a test, on a private hypervisor; gone when the test ends.

A guest is a boot sector under software emulation: it starts in a fraction of a second and writes to its first
disk, or leaves it alone.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from lxml import etree

from tests.hypervisor import MIB, VirshError
from tests.outside import PATIENCE, is_open, wait_for
from tui.lab import images
from tui.lab.guest import boot_sector, domain_xml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.hypervisor import Hypervisor

IDLE: Final = b"\xf4\xeb\xfd".ljust(510, b"\0") + b"\x55\xaa"
"""A boot sector that writes nothing: halt, and halt again."""

_PREFIXES: Final = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "fdc": "fd"}
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """A disk to make: images that hold some data, and the device that shows them to the guest."""

    size: int = 64 * MIB
    """Bytes that the guest sees."""
    layers: int = 1
    """Images in the chain. Every one above the base is qcow2."""
    format: str = "qcow2"
    """The base's format."""
    data: int = 4 * MIB
    """Bytes that each layer holds; a layer hides half of what the layer below holds."""
    bus: str = "virtio"
    device: str = "disk"
    target: str | None = None
    """None takes the next free name of the bus."""
    readonly: bool = False
    shareable: bool = False
    relative_backing: bool = False
    """Name backing files relative to the image, as a chain that may be moved as a whole does."""
    directory: Path | None = None
    """Where the images go if not into the guest's directory; it must exist and is not removed."""
    driver: dict[str, str] = field(default_factory=dict)
    """More attributes of ``<driver>``: cache, discard, detect_zeroes."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """A ``<mirror>`` in live XML."""

    job: str
    ready: str | None
    format: str | None
    source: str | None
    """What it names: a file, a device, or a network disk's name."""


class Guest:
    """A domain, seen and handled as by an administrator: through virsh.

    Attributes:
        hypervisor: the host that it was defined on.
        name: the domain's name.
        uuid: the domain's UUID, as text.
        directory: where its images are; other files may be put there, and all are removed after the test.
    """

    def __init__(
        self, hypervisor: Hypervisor, name: str, uuid: str, directory: Path, made: dict[str, tuple[Path, ...]]
    ) -> None:
        """Name a domain; nothing is done to it."""
        self.hypervisor: Final = hypervisor
        self.name: Final = name
        self.uuid: Final = uuid
        self.directory: Final = directory
        self._made = made

    def virsh(self, command: str, *arguments: str | Path, check: bool = True) -> str:
        """Run a command of virsh's that takes the domain first."""
        return self.hypervisor.virsh(command, self.uuid, *arguments, check=check)

    @property
    def targets(self) -> list[str]:
        """The disks that images were made for, in order."""
        return list(self._made)

    def images(self, target: str = "vda") -> list[Path]:
        """The images made for a disk, base first; what the disk uses now may be others."""
        return list(self._made[target])

    def xml(self, *, inactive: bool = False) -> str:
        """The domain's XML: live while it runs, or with ``inactive`` that of its next start."""
        return self.virsh("dumpxml", *(["--inactive"] if inactive else []))

    def disk(self, target: str = "vda", *, inactive: bool = False) -> etree._Element:
        """The ``<disk>`` with a target.

        Raises:
            AssertionError: there is none.
        """
        for disk in etree.fromstring(self.xml(inactive=inactive)).iterfind("devices/disk"):
            if disk.find(f"target[@dev='{target}']") is not None:
                return disk
        msg = f"{self.name} has no disk {target}"
        raise AssertionError(msg)

    def source(self, target: str = "vda", *, inactive: bool = False) -> str | None:
        """What a disk's active layer is: a file, a device, a network disk's name; None for an empty drive."""
        return _source(self.disk(target, inactive=inactive))

    def chain(self, target: str = "vda") -> list[str]:
        """The chain that libvirt says is in use, active layer first."""
        found = []
        layer: etree._Element | None = self.disk(target)
        while layer is not None:
            if (source := _source(layer)) is not None:
                found.append(source)
            layer = layer.find("backingStore")
        return found

    def mirror(self, target: str = "vda") -> Mirror | None:
        """The mirror in a disk's live XML."""
        element = self.disk(target).find("mirror")
        if element is None:
            return None
        driver = element.find("format")
        return Mirror(
            job=element.get("job", ""),
            ready=element.get("ready"),
            format=None if driver is None else driver.get("type"),
            source=_source(element),
        )

    def wait_ready(self, target: str = "vda", timeout: float = PATIENCE) -> None:
        """Wait until libvirt says that a disk's mirror is in sync."""

        def ready() -> bool:
            mirror = self.mirror(target)
            return mirror is not None and mirror.ready == "yes"

        wait_for(ready, timeout, f"{self.name} {target} in sync")

    def state(self) -> str:
        """As virsh calls it: running, paused, shut off."""
        return self.virsh("domstate").strip()

    @property
    def pid(self) -> int:
        """The QEMU process of the running guest."""
        return int((self.hypervisor.root / "run/libvirt/qemu" / f"{self.name}.pid").read_text())

    def has_open(self, path: Path) -> bool:
        """Whether its QEMU has a file open."""
        return is_open(self.pid, path)

    def remove(self) -> None:
        """End the domain, with all that libvirt knows about it, and remove its images.

        Raises:
            VirshError: libvirt still has it afterwards.
        """
        left = self.hypervisor.virsh_each(
            ("destroy", self.uuid),  # It may be off, or gone.
            # A transient domain has vanished by that.
            ("undefine", self.uuid, "--managed-save", "--snapshots-metadata", "--checkpoints-metadata"),
            ("list", "--all", "--uuid"),
        )
        if self.uuid in left.split():
            msg = f"{self.name} cannot be removed:\n{self.hypervisor.log()}"
            raise VirshError(msg)
        shutil.rmtree(self.directory, ignore_errors=True)


class Guests:
    """Makes guests, and removes them."""

    def __init__(self, hypervisor: Hypervisor) -> None:
        """Make them on this host unless told otherwise."""
        self._hypervisor = hypervisor
        self._made: list[Guest] = []

    def __call__(
        self,
        name: str | None = None,
        disks: Sequence[DiskSpec | str] = (DiskSpec(),),
        *,
        persistent: bool = True,
        running: bool = True,
        delay: int | None = 4,
        burst: int = 1,
        walk: int = 16,
        drives: int = 1,
        devices: str = "",
        hypervisor: Hypervisor | None = None,
    ) -> Guest:
        """Make a guest with its images.

        Args:
            name: the domain's name; None makes one up that was not used before.
            disks: in order; a string is a ``<disk>`` element as libvirt wants it.
            persistent: define it; otherwise it is transient, and thus runs.
            running: start it.
            delay: ticks of 55 ms to sleep after each burst of writes; 0 writes as fast as it can (some
                100 MiB/s); None never writes.
            burst: writes of 32 KiB between two sleeps, a power of two up to 128. The default is a write in 220 ms:
                while the firmware waits for one, it takes a whole processor of the host, for milliseconds.
            walk: MiB at the start of the disk that are written over and over, a power of two.
            drives: how many disks it writes to, 1 or 2; 2 takes the first two.
            devices: more elements for ``<devices>``.
            hypervisor: the host, if not the usual one.
        """
        host = hypervisor or self._hypervisor
        name = name or f"guest{next(_numbers)}"
        uuid = uuid4()
        directory = host.root / f"images-{name}"
        directory.mkdir()
        made: dict[str, tuple[Path, ...]] = {}
        guest = Guest(host, name, str(uuid), directory, made)
        self._made.append(guest)  # before anything can fail
        sector = IDLE if delay is None else boot_sector(mib=walk, delay=delay, burst=burst, drives=drives)
        elements = []
        for index, spec in enumerate(disks):
            if isinstance(spec, str):
                elements.append(etree.fromstring(spec))
                continue
            target = spec.target or _target(spec.bus, elements)
            made[target] = make_chain(spec, spec.directory or directory, f"{name}-{target}")
            if index == 0:
                images.install_boot_sector(made[target][0], spec.format, sector)
            elements.append(_disk(spec, target, made[target]))
        document = directory / "domain.xml"
        document.write_text(_domain(name, uuid, elements, devices, drives))
        if not persistent:
            host.virsh("create", document)
        elif running:
            host.virsh_each(("define", document), ("start", guest.uuid))
        else:
            host.virsh("define", document)
        return guest

    def remove(self) -> None:
        """Remove them all, also when one of them makes trouble."""
        failures = []
        while self._made:
            try:
                self._made.pop().remove()
            except VirshError as error:
                failures.append(error)
        if failures:
            msg = "guests are left over"
            raise ExceptionGroup(msg, failures)


def make_chain(spec: DiskSpec, directory: Path, stem: str) -> tuple[Path, ...]:
    """Make a disk's images in a directory, with the data that the spec wants, base first."""
    made: list[Path] = []
    for number in range(spec.layers):
        layer_format = spec.format if number == 0 else "qcow2"
        path = directory / f"{stem}-{number}.{layer_format}"
        if number == 0:
            images.create(path, layer_format, spec.size)
        else:
            below = made[-1]
            backing = Path(os.path.relpath(below, directory)) if spec.relative_backing else below
            images.create_overlay(path, backing, spec.format if number == 1 else "qcow2")
        if spec.data:
            # From the middle on, away from where the guest writes.
            start = min(spec.size // 2 + number * spec.data // 2, spec.size - spec.data)
            images.fill(path, layer_format, [(start, spec.data)], pattern=number + 1)
        made.append(path)
    return tuple(made)


def _domain(name: str, uuid: UUID, disks: Sequence[etree._Element], devices: str, drives: int) -> str:
    domain = etree.fromstring(domain_xml(name, [], uuid=uuid))
    parent = domain.find("devices")
    system = domain.find("os")
    if parent is None or system is None:
        raise AssertionError
    if drives > 1:
        # The firmware ignores every disk that it isn't told to boot from, and numbers the others in order.
        for boot in system.findall("boot"):
            system.remove(boot)
        for order, disk in enumerate(disks[:drives], start=1):
            etree.SubElement(disk, "boot", order=str(order))
    parent.extend(disks)
    parent.extend(etree.fromstring(f"<devices>{devices}</devices>"))
    return etree.tostring(domain, encoding="unicode")


def _disk(spec: DiskSpec, target: str, made: Sequence[Path]) -> etree._Element:
    disk = etree.Element("disk", type="file", device=spec.device)
    image_format = spec.format if spec.layers == 1 else "qcow2"
    etree.SubElement(disk, "driver", {"name": "qemu", "type": image_format, **spec.driver})
    etree.SubElement(disk, "source", file=str(made[-1]))
    etree.SubElement(disk, "target", dev=target, bus=spec.bus)
    for flag in ("readonly", "shareable"):
        if getattr(spec, flag):
            etree.SubElement(disk, flag)
    return disk


def _target(bus: str, disks: Sequence[etree._Element]) -> str:
    taken = {target.get("dev") for disk in disks for target in disk.iterfind("target")}
    prefix = _PREFIXES[bus]
    return next(f"{prefix}{letter}" for letter in ascii_lowercase if f"{prefix}{letter}" not in taken)


def _source(element: etree._Element) -> str | None:
    source = element.find("source")
    if source is None:
        return None
    return next(
        (source.get(key) for key in ("file", "dev", "dir", "name", "volume") if source.get(key)), None
    )
