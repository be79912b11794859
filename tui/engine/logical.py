"""What LVM tells of volumes on this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress

from tui.model.snapshot_fill import QUESTION, parse_filled

TIMEOUT = 5.0
"""Seconds; LVM may have many devices to look at, and what it tells is an ornament."""

_DYING = 1.0


def filled(volumes: Iterable[str]) -> dict[str, float]:
    """The part of these snapshot volumes that is in use; those of which LVM tells nothing are left out."""
    asked = devices(volumes)
    if not asked:
        return {}
    # An ordinary user's path often lacks the tools for volumes.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    try:
        process = subprocess.Popen(
            [*QUESTION, *asked],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PATH": path, "LC_ALL": "C"},
        )
    except (OSError, ValueError):
        return {}
    try:
        answer, _ = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        # One that is stuck in the kernel, as on a volume that is suspended, does not even die: it is left to itself.
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_DYING)
        return {}
    # It fails when one of them is not there, and tells of the others all the same.
    return parse_filled(answer.decode(errors="surrogateescape"), asked)


def devices(volumes: Iterable[str]) -> tuple[str, ...]:
    """Those of these paths that can be nothing else for LVM: no option, and no name of a group."""
    return tuple(dict.fromkeys(path for path in volumes if path.startswith("/dev/")))
