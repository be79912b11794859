"""Storage pools and network disks for a test; gone when the test ends."""

from __future__ import annotations

import signal
import socket
import subprocess
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.hypervisor import MIB
from tests.outside import wait_for
from tui.lab import images

if TYPE_CHECKING:
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


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
