"""A host of one's own for a test: a private libvirtd with real QEMU, beside any other on the machine.

It has its own mount and host-name namespace, so that it finds its own configuration and state where libvirt
looks for them, and several of them are several hosts to libvirt. Root is not needed where a user has
subordinate user and group ids.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from tests import keeper

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIB: Final = 1024 * 1024

_PROGRAMS: Final = ("libvirtd", "virsh", "unshare", "qemu-img", "qemu-io", "qemu-nbd", "qemu-system-x86_64")
# libvirt sets supplementary groups. A user namespace allows that only if newgidmap has mapped its groups, and
# --map-auto calls that.
_USER_NAMESPACE: Final = ("unshare", "--user", "--map-root-user", "--map-auto", "--mount")
_PORTS: Final = 64
"""Ports for migrations to one host."""
_FIRST_PORT: Final = 10240
"""From here on up to those that Linux gives to anybody who connects to something."""

_DAEMON: Final = """\
host_uuid = "{uuid}"
unix_sock_dir = "{root}/sock"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:{root}/libvirtd.log"
"""

# Nothing that takes a privilege, one's own cgroup or a second daemon. As libvirt's own user QEMU couldn't
# open /dev/kvm where the probe could, and every call would probe QEMU again.
_QEMU: Final = """\
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
remember_owner = 0
migration_port_min = {first}
migration_port_max = {last}
"""


class UnavailableError(Exception):
    """This machine cannot run a private hypervisor; the message says why."""


class VirshError(Exception):
    """Virsh failed; the message holds the command and what it said."""


class Hypervisor:
    """One libvirtd and its guests. They are gone, with every file, after ``stop`` or the end of this process.

    Attributes:
        name: the host name that libvirt sees and shows.
        root: a short path, the same inside and outside, for images and whatever else a test needs.
        uri: where ``libvirt.open`` and ``virsh -c`` find it.
        pid: libvirtd's process, since its last start.
        small: a small file system to fill up, or None where only root may mount one that both sides see.
    """

    def __init__(self, name: str = "host-a", *, small: int = 48 * MIB) -> None:
        """Start it.

        Args:
            name: the host name; hosts that are to migrate to each other need different ones.
            small: bytes of the file system ``small``; 0 for none.

        Raises:
            UnavailableError: this machine cannot run one; the message says why.
        """
        if missing := [program for program in _PROGRAMS if not _which(program)]:
            msg = f"not installed: {', '.join(missing)}"
            raise UnavailableError(msg)
        privileged = os.geteuid() == 0
        if not privileged:
            _need_user_namespace()
        # /var/tmp, because images don't belong in memory, where /tmp may be. The names of libvirt's sockets
        # below it have 108 bytes at the most.
        self.root: Final = Path(tempfile.mkdtemp(prefix="vm-", dir="/var/tmp"))
        self.name: Final = name
        self.uri: Final = f"qemu+unix:///system?socket={self.root}/sock/libvirt-sock"
        self.small: Final = self.root / "small" if privileged and small else None
        first, self._hold_on_ports = _ports()
        self._prepare(first)
        settings: keeper.Settings = {
            "root": str(self.root),
            "name": name,
            "small": small if self.small else 0,
        }
        command = [sys.executable, keeper.__file__, json.dumps(settings)]
        if not privileged:
            command = [*_USER_NAMESPACE, *command]
        with (self.root / "keeper.log").open("wb") as log:
            # A session of its own: Ctrl-C at the terminal is for the tests, which then end in order.
            self._keeper = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        try:
            self.start_daemon()
        except BaseException:
            self.stop()
            raise

    def virsh(self, *arguments: str | Path, check: bool = True) -> str:
        """Run virsh on this host as an administrator would.

        Returns:
            Its standard output, and with ``check=False`` its standard error after that.

        Raises:
            VirshError: it failed, unless ``check`` is false.
        """
        command = ["virsh", "--quiet", "--connect", self.uri, *map(str, arguments)]
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run(
            command, env=environment, capture_output=True, check=False, text=True, timeout=120
        )
        if check and done.returncode:
            msg = f"virsh {' '.join(map(str, arguments))}: {done.stderr.strip()}"
            raise VirshError(msg)
        return done.stdout if check else done.stdout + done.stderr

    def virsh_each(self, *commands: Sequence[str | Path]) -> str:
        """Run commands of virsh's, one after the other, in one program: to start virsh takes longer than most of them.

        Returns:
            Their standard output.

        Raises:
            VirshError: the last of them failed; what becomes of the others is in the output alone.
        """
        return self.virsh("; ".join(shlex.join(map(str, command)) for command in commands))

    def restart(self, *, kill: bool = False) -> None:
        """Stop libvirtd and start it again; it answers when this returns. The guests run on.

        Args:
            kill: end it as a crash would, without a word.
        """
        self.stop_daemon(kill=kill)
        self.start_daemon()

    def stop_daemon(self, *, kill: bool = False) -> None:
        """Stop libvirtd alone: connections break and new ones are refused, while the guests run on."""
        self._ask("kill" if kill else "stop")

    def start_daemon(self) -> None:
        """Start libvirtd unless it runs; it answers when this returns.

        Raises:
            UnavailableError: it doesn't start.
        """
        self.pid = int(self._ask("start"))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep libvirtd from running, as a host that hangs: connections neither work nor break."""
        self._ask("freeze")
        try:
            yield
        finally:
            self._ask("thaw")

    def log(self) -> str:
        """What libvirtd and its surroundings complained about."""
        parts = [self.root / name for name in ("keeper.log", "stderr.log", "libvirtd.log")]
        return "".join(part.read_text(errors="replace") for part in parts if part.exists())

    def stop(self) -> None:
        """End the guests and libvirtd, unmount and remove everything. Does nothing the second time."""
        with self._keeper:
            if self._keeper.stdin is not None and not self._keeper.stdin.closed:
                self._keeper.stdin.close()  # the sign to end
            self._keeper.wait(60)
        self._hold_on_ports.close()
        if self.root.exists():
            # The keeper did not even start, so nothing runs and nothing is mounted.
            shutil.rmtree(self.root)

    def _prepare(self, first: int) -> None:
        for name in ("etc", "lib", "cache", "log", "run", "run/lock", "sock", "small"):
            (self.root / name).mkdir()
        (self.root / "hosts").write_text(f"127.0.0.1 localhost\n127.0.0.1 {self.name}\n")
        (self.root / "libvirtd.conf").write_text(_DAEMON.format(root=self.root, uuid=uuid4()))
        (self.root / "etc" / "qemu.conf").write_text(_QEMU.format(first=first, last=first + _PORTS - 1))

    def _ask(self, command: str) -> str:
        if self._keeper.stdin is None or self._keeper.stdout is None:
            raise AssertionError
        answer = ""
        try:
            self._keeper.stdin.write(f"{command}\n")
            self._keeper.stdin.flush()
            answer = self._keeper.stdout.readline()
        except BrokenPipeError:
            pass  # The keeper has ended; its log tells why.
        if not answer.startswith("ok"):
            msg = f"{answer.strip() or 'the private hypervisor ended'}:\n{self.log()}"
            raise UnavailableError(msg)
        return answer.removeprefix("ok").strip()


def _ports() -> tuple[int, socket.socket]:
    """The first of the ports for migrations to one host, and what keeps all other hosts off them until it is closed.

    libvirt looks whether a port is free, and QEMU takes it a moment later: two that look in the same ports meet there.
    """
    for first in count(_FIRST_PORT, _PORTS):
        # A name that only one can have, and that vanishes with its process.
        hold = socket.socket(socket.AF_UNIX)
        try:
            hold.bind(f"\0virt-mirror-tests-{first}")
        except OSError:
            hold.close()
        else:
            return first, hold
    raise AssertionError


def _need_user_namespace() -> None:
    done = subprocess.run([*_USER_NAMESPACE, "true"], capture_output=True, check=False, text=True)
    if done.returncode:
        msg = f"needs root, or newuidmap and this user in /etc/subuid and subgid: {done.stderr.strip()}"
        raise UnavailableError(msg)


def _which(program: str) -> str | None:
    # An ordinary user's path often lacks the place of daemons.
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
