"""libvirt's event loop, in a daemon thread of its own, once per process.

libvirt delivers events, keepalive and the embedded hypervisor's work through one event loop that must be
registered before the first connection is opened.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

_lock = threading.Lock()
_started = False


def quiet_native_logging() -> None:
    """Send libvirt's own log to a file.

    An embedded hypervisor and the remote driver log to standard error, which is where the screen is drawn.
    libvirt reads the variable when it is first used, so this comes before the first import of it.
    """
    if "LIBVIRT_LOG_OUTPUTS" not in os.environ:
        log = Path(tempfile.gettempdir()) / f"virt-mirror-{os.getuid()}.libvirt.log"
        os.environ["LIBVIRT_LOG_OUTPUTS"] = f"3:file:{log}"


quiet_native_logging()

import libvirt  # noqa: E402  # the environment must be set first


def start_event_loop() -> None:
    """Register libvirt's default event loop and run it; call before opening a connection. Idempotent."""
    global _started  # noqa: PLW0603  # libvirt has one loop per process, and so has this module
    with _lock:
        if _started:
            return
        _started = True
    # Every error also arrives as an exception; libvirt's default is to print it, over the screen.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=_run, name="libvirt-events", daemon=True).start()


def _run() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()
