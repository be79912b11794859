"""An embedded hypervisor: libvirt's QEMU driver inside this process. No daemon, any user, invisible to virsh.

One process can open one root and one root can be open in one process. Its guests outlive the process, and the
next one that opens the same root finds them running.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tui.engine.loop import start_event_loop
from tui.lab.errors import LabError

import libvirt

_CONFIGURATION: Final = """\
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
remember_owner = 0
"""
"""Nothing that takes a privilege, a cgroup or a daemon: the default handler of output wants virtlogd."""

_CONFIGURATION_OF_ROOT: Final = 'user = "root"\ngroup = "root"\n'
"""As root, libvirt would start QEMU as a user of its own. That user cannot open /dev/kvm where the probe
could, so every call would probe QEMU again, and a guest would take a minute to start."""

_LONGEST_SOCKET: Final = 107
"""Bytes in the name of a socket."""
_LONGEST_TAIL: Final = len("/lib/qemu/domain-99999-/monitor.sock") + 20
"""The longest name of a socket under the root, with the 20 characters it takes at most of a domain's name."""


def uri(root: Path) -> str:
    """The connection URI of the hypervisor at an absolute path."""
    return f"qemu:///embed?root={quote(str(root))}"


def open_hypervisor(root: Path) -> libvirt.virConnect:
    """Configure a hypervisor in a directory that exists, and open it; running guests are found again.

    Args:
        root: an absolute path, the shorter the better.

    Raises:
        LabError: the path is too long, QEMU's driver is missing, or another process has this root open.
    """
    if len(os.fsencode(root)) + _LONGEST_TAIL > _LONGEST_SOCKET:
        limit = _LONGEST_SOCKET - _LONGEST_TAIL
        msg = f"The path {root} is too long for a lab's sockets: choose one of at most {limit} bytes."
        raise LabError(msg)
    settings = root / "etc" / "qemu.conf"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text((_CONFIGURATION_OF_ROOT if os.getuid() == 0 else "") + _CONFIGURATION)
    start_event_loop()
    try:
        connection = libvirt.open(uri(root))
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_SYSTEM_ERROR and "driver.pid" in str(error):
            msg = f"Another virt-mirror has the lab in {root} open: quit that one first."
        elif error.get_error_code() == libvirt.VIR_ERR_NO_CONNECT:
            msg = "This libvirt has no QEMU driver; Debian and Ubuntu have it in libvirt-daemon-driver-qemu."
        else:
            msg = f"The embedded hypervisor in {root} cannot be opened: {error}."
        raise LabError(msg) from error
    _end_abandoned_probes(root)
    return connection


def _end_abandoned_probes(root: Path) -> None:
    """End the QEMUs that libvirt asks for their capabilities, where a process was killed before it had done so.

    They are no guests, so libvirt never finds them again, and they would run for ever. Whoever holds the root's
    lock and has not probed yet knows that none is in use.
    """
    probe = os.fsencode(root / "lib" / "qemu" / "qmp-")
    for process in Path("/proc").glob("[0-9]*"):
        # It may end while we look, or, if it is somebody else's, not be ours to look at.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            command = (process / "cmdline").read_bytes()
            if probe in command and b"qemu-system" in command.split(b"\0")[0]:
                os.kill(int(process.name), signal.SIGKILL)
