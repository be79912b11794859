"""Who lets a guest go on when this program is killed while the guest stands still for it, or calls it back.

A migration that this program leads goes on without it to the point at which the guest is paused here, and nobody
starts it there: libvirt 9.0 leaves it so.

A process of its own waits at the end of a pipe. When that closes, it connects and lets the guest go on. It is run as
a script, outside of this package: nothing but libvirt may have to be found then.
"""

from __future__ import annotations

import re
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

TRIES_TO_ABORT = 3
"""Tries, a second apart, to call back a migration that may be about to begin."""

Deed = Literal["resume", "fsThaw", "abortJob"]
"""libvirt's methods by which a guest goes on, or stays where it is."""


@contextmanager
def guarded(uri: str, uuid: str, deed: Deed, owner: str = "") -> Iterator[None]:
    """Have somebody call it when this process dies meanwhile.

    With an ``owner`` it is called only as long as that one's name stands in the journal of the domain: whoever has
    taken the plan up since must not have his own migration called back.

    A hypervisor inside of this process can be opened by nobody else; the next start lets its guests go on.
    """
    if urlsplit(uri).path == "/embed":
        yield
        return
    command = [sys.executable, "-P", __file__, uri, uuid, deed, owner]
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


def _watch(uri: str, uuid: str, deed: Deed, owner: str) -> None:
    sys.stdin.buffer.read()
    failures = 0
    for _ in range(PATIENCE):
        try:
            connection = libvirt.open(uri)
        except libvirt.libvirtError:
            time.sleep(1)
            continue
        try:
            domain = connection.lookupByUUIDString(uuid)
            if owner and not re.search(f"{re.escape(owner)}['\"]", domain.XMLDesc()):
                return
            getattr(domain, deed)()
        except libvirt.libvirtError as error:
            failures += 1
            if _goes_on(deed, error.get_error_code()) or (deed == "abortJob" and failures >= TRIES_TO_ABORT):
                return
            time.sleep(1)
            continue
        return


def _goes_on(deed: Deed, code: int) -> bool:
    """Whether there is nothing to do any more: the guest is gone, or was not paused.

    Anything else that is wrong, such as a daemon that dies of the same trouble, leaves the guest standing.
    """
    return code == libvirt.VIR_ERR_NO_DOMAIN or (
        deed == "resume" and code == libvirt.VIR_ERR_OPERATION_INVALID
    )


if __name__ == "__main__":
    _watch(*sys.argv[1:])  # type: ignore[arg-type]
