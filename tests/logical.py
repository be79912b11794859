"""Pools of logical volumes for a test: LVM's own where the kernel has a device mapper, or loop devices in its place."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests import stand_in_lvm
from tests.hypervisor import MIB, UnavailableError
from tests.storage import administer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hypervisor import Hypervisor

EXTENT: Final = 4 * MIB
_TOOLS: Final = ("lvs", "vgs", "pvs", "lvcreate", "lvremove", "lvchange", "vgchange", "vgscan")
_numbers = count(1)


class LogicalPool:
    """A started pool on a volume group.

    Attributes:
        name: of the pool and of the group.
        path: the directory of its devices.
        tools: a directory with the tools for it, if they are not the system's.
    """

    def __init__(self, hypervisor: Hypervisor, name: str, tools: Path | None = None) -> None:
        """Define and start it."""
        self.name: Final = name
        self.tools: Final = tools
        self.path: Final = Path("/dev", name)
        self._hypervisor = hypervisor
        xml = hypervisor.root / f"{name}.xml"
        xml.write_text(
            f"<pool type='logical'><name>{name}</name><source><name>{name}</name></source>"
            f"<target><path>{self.path}</path></target></pool>"
        )
        if "type='logical' supported='yes'" not in hypervisor.virsh("pool-capabilities"):
            raise UnavailableError("libvirt has no driver for pools of logical volumes")
        hypervisor.virsh("pool-define", xml)
        hypervisor.virsh("pool-start", name)

    def volumes(self) -> list[str]:
        """The names of the volumes that are really there."""
        self._hypervisor.virsh("pool-refresh", self.name)
        lines = self._hypervisor.virsh("vol-list", self.name).splitlines()
        return [line.split()[0] for line in lines if line.strip()]

    def make(self, name: str, size: int) -> None:
        """Make a volume, as somebody else would."""
        self._hypervisor.virsh("vol-create-as", self.name, name, str(size))

    def remove(self) -> None:
        """Delete its volumes, and forget it."""
        for name in self.volumes():
            self._hypervisor.virsh("vol-delete", name, "--pool", self.name)
        self._hypervisor.virsh("pool-destroy", self.name, check=False)
        self._hypervisor.virsh("pool-undefine", self.name, check=False)


@contextmanager
def lvm(hypervisor: Hypervisor, size: int = 512 * MIB, extent: int = EXTENT) -> Iterator[LogicalPool]:
    """A pool on a volume group of LVM's, on a loop device.

    Raises:
        UnavailableError: this machine or this user cannot have one.
    """
    _need_root()
    try:
        # The node may be there without the driver.
        with Path("/dev/mapper/control").open("rb"):
            pass
    except OSError as error:
        msg = f"the kernel has no device mapper: {error.strerror}"
        raise UnavailableError(msg) from None
    name = _name()
    with ExitStack() as stack:
        device = stack.enter_context(_loop_device(hypervisor.root / f"{name}.pv", size + extent))
        administer("pvcreate", "--yes", device)
        stack.callback(administer, "pvremove", "--yes", "--force", device)
        administer("vgcreate", "--physicalextentsize", f"{extent}b", name, device)
        stack.callback(administer, "vgremove", "--yes", name)
        pool = LogicalPool(hypervisor, name)
        stack.callback(pool.remove)
        yield pool


@contextmanager
def stand_in(hypervisor: Hypervisor, size: int = 512 * MIB, extent: int = EXTENT) -> Iterator[LogicalPool]:
    """A pool whose volumes are loop devices: libvirt is real, and finds other tools where it looks for LVM's.

    Raises:
        UnavailableError: this machine or this user cannot have one.
    """
    _need_root()
    name, place = _name(), hypervisor.root / "lvm"
    with ExitStack() as stack:
        # Whether there are loop devices at all.
        with _loop_device(hypervisor.root / "probe", MIB):
            pass
        (place / name).mkdir(parents=True)
        stack.callback(shutil.rmtree, place)
        (place / name / "group").write_text(json.dumps({"size": size, "extent": extent}))
        devices = Path("/dev", name)
        devices.mkdir()
        stack.callback(devices.rmdir)
        tools = stack.enter_context(_tools(hypervisor, place))
        pool = LogicalPool(hypervisor, name, tools)
        stack.callback(pool.remove)
        yield pool


@contextmanager
def _tools(hypervisor: Hypervisor, place: Path) -> Iterator[Path]:
    """Show libvirt alone the tools where it has been told that LVM's are, and name a directory of them for others."""
    there = Path("/sbin").resolve()
    real, shown = place / "real", place / "shown"
    real.mkdir()
    shown.mkdir()
    for path in there.iterdir():
        (shown / path.name).symlink_to(real / path.name)
    tool = place / "tool"
    tool.write_text(f"#!{sys.executable} -IS\n{Path(stand_in_lvm.__file__).read_text()}")
    tool.chmod(0o755)
    tools = place / "tools"
    tools.mkdir()
    for name in _TOOLS:
        (shown / name).unlink(missing_ok=True)
        for directory in (shown, tools):
            (directory / name).symlink_to(tool)
    inside = ("nsenter", f"--target={hypervisor.pid}", "--mount", "--")
    with ExitStack() as stack:
        for source, target in ((there, real), (shown, there)):
            administer(*inside, "mount", "--bind", str(source), str(target))
            stack.callback(administer, *inside, "umount", str(target))
        yield tools


@contextmanager
def _loop_device(path: Path, size: int) -> Iterator[str]:
    with ExitStack() as stack:
        with path.open("wb") as file:
            stack.callback(path.unlink)
            file.truncate(size)
        device = administer("losetup", "--find", "--show", str(path)).strip()
        stack.callback(administer, "losetup", "--detach", device)
        yield device


def _need_root() -> None:
    if os.geteuid() != 0:
        msg = "only root can make devices"
        raise UnavailableError(msg)


def _name() -> str:
    return f"vm-test-{os.getpid()}-{next(_numbers)}"
