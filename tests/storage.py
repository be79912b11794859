"""Storage pools, network disks and file systems for a test; gone when the test ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.hypervisor import MIB, UnavailableError
from tests.outside import wait_for
from tui.lab import images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hypervisor import Hypervisor

_numbers = count(1)


class Pool:
    """A storage pool on a directory.

    Attributes:
        name: the pool's name.
        path: its directory.
    """

    def __init__(self, hypervisor: Hypervisor, name: str, path: Path) -> None:
        """Define and start it."""
        self.name: Final = name
        self.path: Final = path
        self._hypervisor = hypervisor
        hypervisor.virsh("pool-define-as", name, "dir", "--target", path)
        hypervisor.virsh("pool-start", name)

    def volume(self, name: str, size: int = 64 * MIB, image_format: str = "qcow2") -> Path:
        """Create a volume, and return its path."""
        options = ("--capacity", f"{size}B", "--format", image_format)
        self._hypervisor.virsh("vol-create-as", self.name, name, *options)
        return Path(self._hypervisor.virsh("vol-path", name, "--pool", self.name).strip())

    def volumes(self) -> list[str]:
        """The names that the pool lists, without looking at the directory again."""
        lines = self._hypervisor.virsh("vol-list", self.name).splitlines()
        return [line.split()[0] for line in lines if line.strip()]

    def remove(self) -> None:
        """Forget it; the directory stays."""
        self._hypervisor.virsh("pool-destroy", self.name, check=False)
        self._hypervisor.virsh("pool-undefine", self.name, check=False)


class NbdServer:
    """A new image, served to the network by qemu-nbd.

    Attributes:
        image: the file behind it, always raw, so that it can be looked at from outside.
        export: the disk's name on the network.
        socket: the UNIX socket, or None if it listens on a port.
        port: the port on the loopback address, or None.
        uri: as ``qemu-img`` takes it.
    """

    def __init__(self, directory: Path, size: int = 64 * MIB, *, tcp: bool = False) -> None:
        """Serve an empty image of ``size`` bytes from ``directory``, which must exist."""
        self.export: Final = f"disk{next(_numbers)}"
        self.image: Final = directory / f"{self.export}.raw"
        self.socket: Final = None if tcp else directory / f"{self.export}.sock"
        self.port: Final = _free_port() if tcp else None
        place = f"127.0.0.1:{self.port}" if tcp else ""
        query = "" if tcp else f"?socket={self.socket}"
        self.uri: Final = f"nbd{'' if tcp else '+unix'}://{place}/{self.export}{query}"
        images.create(self.image, "raw", size)
        ready = directory / f"{self.export}.pid"  # written when it listens
        where = ["--bind=127.0.0.1", f"--port={self.port}"] if tcp else [f"--socket={self.socket}"]
        options = [
            "--persistent",
            "--shared=0",
            "--format=raw",
            f"--export-name={self.export}",
            f"--pid-file={ready}",
        ]
        # Killed with this process, whichever way that ends.
        command = ["setpriv", "--pdeathsig=KILL", "qemu-nbd", *where, *options, str(self.image)]
        self._process = subprocess.Popen(command, start_new_session=True)
        try:
            wait_for(ready.exists, what="qemu-nbd listens")
        except BaseException:
            self.stop()
            raise

    @property
    def source(self) -> str:
        """The ``<source>`` element for a ``<disk type='network'>``."""
        transport = (
            f"transport='unix' socket='{self.socket}'"
            if self.socket
            else f"name='127.0.0.1' port='{self.port}'"
        )
        return f"<source protocol='nbd' name='{self.export}'><host {transport}/></source>"

    def stop(self) -> None:
        """End the server, as a crash of its host would, and remove the image."""
        with self._process:
            self._process.send_signal(signal.SIGKILL)
        for path in (self.image, self.socket, self.image.with_suffix(".pid")):
            if path is not None:
                path.unlink(missing_ok=True)


@contextmanager
def cloning_file_system(hypervisor: Hypervisor, size: int = 512 * MIB, kind: str = "btrfs") -> Iterator[Path]:
    """A new btrfs or xfs, mounted here and, at the same place, where the host's guests see it.

    Raises:
        UnavailableError: this machine or this user cannot mount one.
    """
    with (
        _image(hypervisor.root / "cloning.disk", size) as image,
        _mounted(hypervisor, image, kind) as place,
    ):
        yield place


@contextmanager
def slow_file_system(hypervisor: Hypervisor, size: int, rate: int) -> Iterator[Path]:
    """A new ext4 on a disk that takes ``rate`` bytes per second at most, mounted as the other one.

    Raises:
        UnavailableError: this machine or this user cannot mount one.
    """
    root = hypervisor.root
    with ExitStack() as stack:
        disk = stack.enter_context(_image(root / "fast.disk", size))
        export = stack.enter_context(_image(root / "slow.disk", 0))
        ready = root / "slow.pid"
        options = (
            f"--object=throttle-group,id=slow,x-bps-write={rate}",
            f"--blockdev=driver=file,filename={disk},node-name=fast",
            "--blockdev=driver=throttle,node-name=slow,throttle-group=slow,file=fast",
            f"--export=type=fuse,id=slow,node-name=slow,mountpoint={export},writable=on",
            f"--pidfile={ready}",
        )
        # Killed with this process, whichever way that ends.
        command = ["setpriv", "--pdeathsig=KILL", "qemu-storage-daemon", *options]
        try:
            daemon = stack.enter_context(subprocess.Popen(command, start_new_session=True))
        except FileNotFoundError as error:
            msg = f"{error.filename} is not installed"
            raise UnavailableError(msg) from None
        stack.callback(daemon.terminate)
        wait_for(ready.exists, what="qemu-storage-daemon serves the disk")
        yield stack.enter_context(_mounted(hypervisor, export, "ext4"))


@contextmanager
def _image(path: Path, size: int) -> Iterator[Path]:
    with path.open("wb") as file:
        file.truncate(size)
    try:
        yield path
    finally:
        path.unlink()


@contextmanager
def _mounted(hypervisor: Hypervisor, image: Path, kind: str) -> Iterator[Path]:
    """A new file system in an image."""
    if os.geteuid() != 0:
        msg = "only root can mount one"
        raise UnavailableError(msg)
    place = image.with_suffix("")
    with ExitStack() as stack:
        device = administer("losetup", "--find", "--show", str(image)).strip()
        stack.callback(administer, "losetup", "--detach", device)
        administer(f"mkfs.{kind}", "-q", device)
        place.mkdir()
        stack.callback(place.rmdir)
        administer("mount", "-t", kind, device, str(place))
        stack.callback(administer, "umount", str(place))
        # libvirtd does not see what is mounted outside of its namespace after its start.
        there = ("nsenter", f"--target={hypervisor.pid}", "--mount", "--")
        administer(*there, "mount", "-t", kind, device, str(place))
        stack.callback(administer, *there, "umount", str(place))
        yield place


def administer(*command: str) -> str:
    """Run a program of the administrator's, and give what it printed.

    Raises:
        UnavailableError: it is not installed, or failed.
    """
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, check=False, text=True, timeout=60
        )
    except FileNotFoundError:
        msg = f"{command[0]} is not installed"
        raise UnavailableError(msg) from None
    if done.returncode:
        msg = f"{' '.join(command)}: {done.stderr.strip()}"
        raise UnavailableError(msg)
    return done.stdout


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
