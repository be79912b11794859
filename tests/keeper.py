"""The parent of one private libvirtd and of all its guests: it ends them when its standard input ends.

Run as a program by ``tests.hypervisor``. It's a process of its own for two reasons. As a subreaper it
inherits every guest's process when QEMU goes to the background, so that it can name and end each of them,
and nobody else's; and libvirt, which waits for a stopped guest's process to vanish, isn't held up by a slow
init. And it outlives a killed test run just long enough to leave nothing behind.

Commands come in as lines, each is answered by one line: ``start``, ``stop``, ``kill``, ``freeze``, ``thaw``.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NoReturn, TypedDict

_PR_SET_CHILD_SUBREAPER: Final = 36
_PATIENCE: Final = 60.0
"""Seconds after which libvirtd won't start or stop any more."""

_ENTER: Final = r"""
hostname "$2"
for pair in lib:/var/lib/libvirt etc:/etc/libvirt cache:/var/cache/libvirt log:/var/log/libvirt run:/run \
    hosts:/etc/hosts; do
    mount --bind "$1/${pair%%:*}" "${pair#*:}"
done
exec libvirtd -f "$1/libvirtd.conf" -p "$1/run/libvirtd.pid"
"""
"""Shell, in a new mount and host-name namespace: the root, and the host name. ``exec`` keeps the process id.

libvirt looks up the host name, so the hosts file knows it, or each look-up would wait for the network."""


class Settings(TypedDict):
    """What the keeper is told when it starts."""

    root: str
    """A directory made for it alone; removed at the end, with everything in it."""
    name: str
    """The host name that libvirt sees."""
    small: int
    """Bytes of a file system to mount at ``small`` in the root; 0 for none."""


class Keeper:
    """Starts and stops libvirtd, and reaps whatever becomes its child."""

    def __init__(self, settings: Settings) -> None:
        """Become a subreaper, and mount the small file system.

        Before any libvirtd starts: a namespace doesn't see what is mounted outside of it later.
        """
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
        self._root = Path(settings["root"])
        self._name = settings["name"]
        self._daemon = 0
        self._mounted = False
        if settings["small"]:
            options = f"size={settings['small']},mode=0755"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", self._root / "small"], check=True)
            self._mounted = True
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(self._root / "notify"))
        self._notices.settimeout(0)
        # A byte arrives here with every SIGCHLD, so that one select waits for children and for messages.
        self._children, writer = os.pipe()
        os.set_blocking(self._children, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Obey until standard input ends."""
        pending = b""
        while True:
            ready, _, _ = select.select([0, self._children, self._notices.fileno()], [], [])
            self._reap()
            # What libvirtd starts, such as udevadm, writes there as well, and waits while it is full.
            self._noticed(b"")
            if 0 not in ready:
                continue
            chunk = os.read(0, 4096)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                print(self._obey(line.decode()), flush=True)  # noqa: T201  the answer, on the pipe

    def end(self) -> None:
        """End every process, and leave nothing in the file system."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The daemon too is killed: asked to stop, it would first wait for calls that a guest may hold up.
        while True:
            for child in _children():
                os.kill(child, signal.SIGKILL)
            try:
                os.wait()
            except ChildProcessError:
                break  # None is left, and none can appear: a grandchild would have come to us.
        if self._mounted and subprocess.run(["umount", self._root / "small"], check=False).returncode:
            subprocess.run(["umount", "--lazy", self._root / "small"], check=True)
        shutil.rmtree(self._root)

    def _obey(self, command: str) -> str:
        match command:
            case "start":
                return self._start()
            case "stop":
                return self._stop(signal.SIGTERM)
            case "kill":
                return self._stop(signal.SIGKILL)
            case "freeze" | "thaw" if self._daemon:
                os.kill(self._daemon, signal.SIGSTOP if command == "freeze" else signal.SIGCONT)
                return "ok"
            case _:
                return f"cannot {command}"

    def _start(self) -> str:
        if self._daemon:
            return f"ok {self._daemon}"
        log = str(self._root / "stderr.log")
        environment = {
            "PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}",
            "LC_ALL": "C",
            "NOTIFY_SOCKET": str(self._root / "notify"),
        }
        self._daemon = os.posix_spawnp(
            "unshare",
            ["unshare", "--mount", "--uts", "sh", "-ec", _ENTER, "sh", str(self._root), self._name],
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
        )
        deadline = time.monotonic() + _PATIENCE
        while self._daemon and (left := deadline - time.monotonic()) > 0:
            select.select([self._children, self._notices.fileno()], [], [], left)
            self._reap()
            # libvirtd speaks systemd's protocol: this comes when its drivers are up and it answers calls.
            if self._noticed(b"READY=1"):
                return f"ok {self._daemon}"
        self._stop(signal.SIGKILL)
        return "libvirtd did not start"

    def _stop(self, number: signal.Signals) -> str:
        if self._daemon:
            os.kill(self._daemon, number)
            os.kill(self._daemon, signal.SIGCONT)  # A frozen one would keep the signal for later.
        deadline = time.monotonic() + _PATIENCE
        while self._daemon and (left := deadline - time.monotonic()) > 0:
            select.select([self._children], [], [], left)
            self._reap()
        return "libvirtd did not stop" if self._daemon else "ok"

    def _reap(self) -> None:
        """Let go of the children that have ended, the daemon or guests."""
        while _read(self._children):
            pass
        while True:
            try:
                child, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not child:
                return
            if child == self._daemon:
                self._daemon = 0

    def _noticed(self, what: bytes) -> bool:
        found = False
        while True:
            try:
                message = self._notices.recv(4096)
            except BlockingIOError:
                return found
            found = found or what in message.split(b"\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def _children() -> list[int]:
    """The processes whose parent is this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "stat").read_text()
        except OSError:
            continue  # It has ended since the directory was read.
        # The name, in parentheses, may itself hold spaces and parentheses; state and parent follow the last.
        if int(status.rpartition(")")[2].split()[1]) == os.getpid():
            found.append(int(entry.name))
    return found


def main() -> NoReturn:
    """Keep a hypervisor as described by the only argument, in JSON."""
    keeper = Keeper(json.loads(sys.argv[1]))
    try:
        keeper.serve()
    finally:
        keeper.end()
    sys.exit(0)


if __name__ == "__main__":
    main()
