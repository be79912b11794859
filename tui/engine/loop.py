"""libvirt's event loop, in a daemon thread of its own, once per process.

libvirt delivers events, keepalive and the embedded hypervisor's work through one event loop that must be
registered before the first connection is opened.
"""

from __future__ import annotations

import os
import threading

from tui.engine.state_directory import state_directory

_lock = threading.Lock()
_started = False
_MOST_LOGGED = 1024 * 1024
"""Bytes of libvirt's log after which a start begins a new one."""


def quiet_native_logging() -> None:
    """Send libvirt's own log to a file.

    An embedded hypervisor and the remote driver log to standard error, which is where the screen is drawn.
    libvirt reads the variable when it is first used, so this comes before the first import of it.
    """
    if "LIBVIRT_LOG_OUTPUTS" not in os.environ:
        os.environ["LIBVIRT_LOG_OUTPUTS"] = f"3:file:{_log_file()}"


def _log_file() -> str:
    """In a directory of the user's own: others must not be able to put a link in its place."""
    log = state_directory() / "libvirt.log"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > _MOST_LOGGED:
            log.unlink()
        log.touch(mode=0o600)
    except OSError:
        return os.devnull
    return str(log)


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
