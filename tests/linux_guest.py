"""Linux guests for a test, with a journalling file system on each disk, and an agent if wanted.

They write numbered files all the time and say on the serial console which are on the disk for good. What their disks
must hold at any later moment is told by ``tests.linux_content``.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from lxml import etree

from tests import linux_kernel
from tests.guests import Guest
from tests.hypervisor import MIB
from tests.outside import wait_for
from tui.lab.guest import domain_xml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.hypervisor import Hypervisor

MEMORY: Final = 192
"""MiB; the kernel unpacks itself and its files into it."""
SYSTEM_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
"""An ordinary user's path often lacks the tools for file systems."""

_BOOT: Final = 60.0
"""Seconds for a boot under emulation on a machine with much else to do; 3 are usual."""
_SYNCED: Final = re.compile(r"^synced (\w+) (\d+) ([0-9a-f]{64})\r?\n", re.MULTILINE)
_SEED: Final = 256 * 1024
"""Bytes of the file that a new file system holds."""
_SYNCHRONOUS: Final = "0x80008"
"""Flags of a file whose every write goes to the disk at once, and which has extents as any file has."""
_CHANNEL: Final = """
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
"""
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class LinuxDisk:
    """A disk to make. Every layer holds what the guest wrote while it was the active one."""

    layers: int = 1
    format: str = "qcow2"
    """The base's; every layer above it is qcow2."""
    relative_backing: bool = False
    base: Path | None = None
    """The base, made by ``make_base``, if it is not the disk's own; then ``layers`` counts it and is 2 at least."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A file of which the guest said that it is on the disk for good."""

    target: str
    number: int
    """Counted from 1 over all disks, without a gap."""
    sum: str
    """The SHA-256 of its content."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What a guest boots from, where the hypervisor sees it."""

    image: Path
    initramfs: Path


def install_kernel(directory: Path) -> Kernel:
    """Put the kernel and its initial RAM disk into a directory.

    Raises:
        linux_kernel.UnobtainableError: they cannot be had on this machine.
    """
    tools = ("mkfs.ext4", "e2fsck", "debugfs")
    if missing := [tool for tool in tools if not shutil.which(tool, path=SYSTEM_PATH)]:
        msg = f"not installed: {', '.join(missing)}"
        raise linux_kernel.UnobtainableError(msg)
    parts = linux_kernel.obtain()
    made = Kernel(directory / "linux.kernel", directory / "linux.initramfs")
    # A copy, because libvirt changes the owner of what a guest boots from.
    shutil.copyfile(parts.kernel, made.image)
    linux_kernel.write_initramfs(made.initramfs, parts)
    return made


class LinuxGuest(Guest):
    """A running Linux. Its disks are written to in turn."""

    @property
    def console(self) -> str:
        """What the guest has said so far."""
        path = self.directory / "console.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def ticks(self) -> list[Tick]:
        """What the guest has said to be on its disks, in order.

        Raises:
            AssertionError: the guest has stopped, and why, as for a disk that it could not write to.
        """
        console = self.console
        if "failed: " in console or "Kernel panic" in console:
            msg = f"in {self.name}: {console[-2000:]}"
            raise AssertionError(msg)
        return [Tick(target, int(number), total) for target, number, total in _SYNCED.findall(console)]

    def last(self) -> int:
        """The number that was said last; 0 for none."""
        ticks = self.ticks()
        return ticks[-1].number if ticks else 0

    def goes_on(self, rounds: int = 5) -> int:
        """Wait until every disk has been written to so many times more, and return the last number.

        The usual number fills clusters that no later write copies from one layer up into the next.
        """
        wanted = self.last() + rounds * len(self.targets)
        try:
            wait_for(lambda: self.last() >= wanted, _BOOT, f"{self.name} writes")
        except AssertionError as error:
            error.add_note(self.console[-2000:])
            raise
        return self.last()

    def ask_agent(self, command: str) -> Any:
        """Have the guest agent carry out a command, and return its answer."""
        return json.loads(self.virsh("qemu-agent-command", json.dumps({"execute": command})))["return"]

    def agent_answers(self) -> bool:
        """Whether the agent is up and libvirt is connected to it."""
        return "return" in self.virsh("qemu-agent-command", '{"execute": "guest-ping"}', check=False)

    def take_layer(self, disks: dict[str, LinuxDisk], number: int) -> None:
        """Give disks, by target, a new active layer, as somebody did who took a snapshot of them."""
        specs = []
        for target in self.targets:
            if target not in disks:
                specs += ["--diskspec", f"{target},snapshot=no"]
                continue
            path = self.directory / f"{self.name}-{target}-{number}.qcow2"
            make_overlay(path, self._made[target][-1], relative=disks[target].relative_backing)
            specs += ["--diskspec", f"{target},snapshot=external,driver=qcow2,file={path}"]
            self._made[target] = (*self._made[target], path)
        flags = ("--disk-only", "--atomic", "--no-metadata", "--reuse-external")
        self.virsh("snapshot-create-as", *flags, *specs)


class LinuxGuests:
    """Makes Linux guests, and removes them."""

    def __init__(self, hypervisor: Hypervisor, kernel: Kernel) -> None:
        """Make them on this host, of that kernel."""
        self._hypervisor = hypervisor
        self._kernel = kernel
        self._made = ExitStack()

    def __call__(
        self, disks: Sequence[LinuxDisk] = (LinuxDisk(),), *, agent: bool = False, within: Path | None = None
    ) -> LinuxGuest:
        """Boot a guest, and let it write until its disks have the wanted layers.

        Args:
            disks: in order, vda first.
            agent: run the guest agent, and wait until it answers.
            within: a directory to make that of the guest in; None takes the host's own place.
        """
        name = f"linux{next(_numbers)}"
        uuid = uuid4()
        directory = (within or self._hypervisor.root) / f"images-{name}"
        directory.mkdir()
        made = {
            f"vd{letter}": _first_layers(disk, directory, f"{name}-vd{letter}")
            for letter, disk in zip(ascii_lowercase, disks, strict=False)
        }
        guest = LinuxGuest(self._hypervisor, name, str(uuid), directory, made)
        self._made.callback(guest.remove)
        document = directory / "domain.xml"
        document.write_text(self._domain(guest, agent=agent))
        self._hypervisor.virsh_each(("define", document), ("start", guest.uuid))
        guest.goes_on()
        if agent:
            wait_for(guest.agent_answers, _BOOT, "the agent")
        wanted = dict(zip(made, disks, strict=True))
        for number in range(1, max(disk.layers for disk in disks)):
            growing = {
                target: disk
                for target, disk in wanted.items()
                if len(guest.images(target)) == number < disk.layers
            }
            if growing:
                guest.take_layer(growing, number)
                guest.goes_on()
        return guest

    def remove(self) -> None:
        """Remove them all, also when one of them makes trouble."""
        self._made.close()

    def _domain(self, guest: LinuxGuest, *, agent: bool) -> str:
        domain = etree.fromstring(domain_xml(guest.name, [], memory_mib=MEMORY, uuid=UUID(guest.uuid)))
        system, devices = domain.find("os"), domain.find("devices")
        assert system is not None
        assert devices is not None
        words = f"console=ttyS0 loglevel=1 agent={'yes' if agent else 'no'}"
        values = {"kernel": self._kernel.image, "initrd": self._kernel.initramfs, "cmdline": words}
        for tag, value in values.items():
            etree.SubElement(system, tag).text = str(value)
        for target in guest.targets:
            active = guest.images(target)[-1]
            disk = etree.SubElement(devices, "disk", type="file", device="disk")
            etree.SubElement(disk, "driver", name="qemu", type=active.suffix[1:])
            etree.SubElement(disk, "source", file=str(active))
            etree.SubElement(disk, "target", dev=target, bus="virtio")
        serial = etree.SubElement(devices, "serial", type="file")
        # What it goes on to say at another host, or after a start, comes after what it has said.
        etree.SubElement(serial, "source", path=str(guest.directory / "console.log"), append="on")
        if agent:
            devices.append(etree.fromstring(_CHANNEL))
        return etree.tostring(domain, encoding="unicode")


def make_base(path: Path, size: int = 256 * MIB) -> Path:
    """Make a disk with an ext4 file system; the ending of the name is its format.

    It holds what a guest would have written as number 0.
    """
    seed = path.with_name(f"{path.name}.seed")
    seed.mkdir()
    content = seed_of(path)
    total = hashlib.sha256(content).hexdigest()
    (seed / f"0-{total}").write_bytes(content)
    (seed / "latest").write_text(f"{f'0 {total}':<80}")
    (seed / "beat").write_text(f"{0:<80}")
    plain = path.with_name(f"{path.name}.plain")
    with plain.open("wb") as file:
        file.truncate(size)
    # Complete from the start: no kernel thread goes on to write tables, which would be in no guest's file.
    extended = "lazy_itable_init=0,lazy_journal_init=0"
    run("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", extended, "-d", str(seed), str(plain))
    shutil.rmtree(seed)
    run("debugfs", "-w", "-R", f"sif beat flags {_SYNCHRONOUS}", str(plain))
    if path.suffix == ".raw":
        plain.rename(path)
    else:
        run("qemu-img", "convert", "-f", "raw", "-O", path.suffix[1:], str(plain), str(path))
        plain.unlink()
    return path


def make_overlay(path: Path, below: Path, *, relative: bool = False) -> Path:
    """Make a layer over an image whose format is its name's ending."""
    name = os.path.relpath(below, path.parent) if relative else str(below)
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", name, "-F", below.suffix[1:], str(path))
    return path


def seed_of(base: Path) -> bytes:
    """The content of the file that a new file system holds; the same for the same name."""
    return random.Random(base.name).randbytes(_SEED)  # noqa: S311  nothing secret


def run(*command: str, status: Sequence[int] = (0,)) -> str:
    """Run a tool and return what it says, all of it.

    Raises:
        AssertionError: it ended with a status that was not expected.
    """
    done = subprocess.run(
        command,
        env={**os.environ, "LC_ALL": "C", "PATH": SYSTEM_PATH},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        errors="replace",
        timeout=60,
    )
    assert done.returncode in status, f"{' '.join(command)}: {done.returncode}: {done.stdout}"
    return done.stdout


def _first_layers(disk: LinuxDisk, directory: Path, stem: str) -> tuple[Path, ...]:
    if disk.base is None:
        return (make_base(directory / f"{stem}-0.{disk.format}"),)
    overlay = make_overlay(directory / f"{stem}-1.qcow2", disk.base, relative=disk.relative_backing)
    return disk.base, overlay
