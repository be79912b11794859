"""Who lets a guest go on when this program is killed while the guest stands still for it.

A process of its own waits at the end of a pipe. When that closes, it connects and lets the guest go on. It is run as
a script, outside of this package: nothing but libvirt may have to be found then.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlsplit

import libvirt

PATIENCE = 300
"""Tries to reach the host, a second apart."""

Deed = Literal["resume", "fsThaw"]
"""libvirt's methods by which a guest goes on."""


@contextmanager
def guarded(uri: str, uuid: str, deed: Deed) -> Iterator[None]:
    """Have somebody call it when this process dies meanwhile.

    A hypervisor inside of this process can be opened by nobody else; the next start lets its guests go on.
    """
    if urlsplit(uri).path == "/embed":
        yield
        return
    command = [sys.executable, "-P", __file__, uri, uuid, deed]
    # Away from this terminal and its signals.
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as guardian:
        try:
            yield
        finally:
            guardian.kill()


def _watch(uri: str, uuid: str, deed: Deed) -> None:
    sys.stdin.buffer.read()
    for _ in range(PATIENCE):
        try:
            connection = libvirt.open(uri)
        except libvirt.libvirtError:
            time.sleep(1)
            continue
        try:
            getattr(connection.lookupByUUIDString(uuid), deed)()
        except libvirt.libvirtError:
            # A guest that does not resume goes on already, or is no more. An agent answers when the guest goes on.
            if deed == "fsThaw":
                time.sleep(1)
                continue
        return


if __name__ == "__main__":
    _watch(*sys.argv[1:])  # type: ignore[arg-type]
