"""libvirt's calls about the memory of a guest: how much there is, how far it is written, and when it stood still."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# The loop module sets libvirt's environment, which is read at its first use.
from tui.engine import loop  # noqa: F401

import libvirt  # isort: skip

KIB = 1024
_EVENT = 5.0
"""Seconds for which the event that a guest goes on is waited for."""


class Standstill:
    """How long a guest stood still, as its host told."""

    def __init__(self, uuid: str) -> None:
        """Nothing was heard yet of that one."""
        self._uuid = uuid
        self._changed = threading.Condition()
        self._since: float | None = None
        self._resumed: float | None = None
        self._took = 0.0

    def hear(self, uuid: str, event: int) -> None:
        """An event of a guest's life, in libvirt's thread."""
        if uuid != self._uuid:
            return
        with self._changed:
            if event == libvirt.VIR_DOMAIN_EVENT_SUSPENDED and self._since is None:
                self._since = time.monotonic()
            elif event == libvirt.VIR_DOMAIN_EVENT_RESUMED:
                self._resumed = time.monotonic()
                if self._since is not None:
                    self._took += self._resumed - self._since
                    self._since = None
            self._changed.notify_all()

    def resumed_after(self, other: Standstill) -> float | None:
        """How long a guest stood still that stopped at another host and went on at this one."""
        with self._changed:
            self._changed.wait_for(lambda: self._resumed is not None, _EVENT)
        if self._resumed is None or other.since is None:
            return None
        return self._resumed - other.since

    @property
    def since(self) -> float | None:
        """When it stopped, while it stands still; seconds on a monotonic clock."""
        return self._since

    @property
    def begun(self) -> bool:
        """Whether it was heard to stop."""
        return self._since is not None or self._took > 0

    def seconds(self) -> float | None:
        """All in all, once it goes on; ``None`` where it was not heard to stand still, or to go on."""
        with self._changed:
            went_on = self._changed.wait_for(lambda: self._since is None and self._took > 0, _EVENT)
        return self._took if went_on else None


class MemoryCalls:
    """The part of a connection that is about memory."""

    _conn: Any
    _call: Callable[..., Any]
    _domain: Callable[[str], Any]
    _listening: list[Standstill]

    def memory_size(self, uuid: str) -> int:
        """Bytes that the guest can have."""
        return int(self._call("domainGetInfo", self._domain(uuid).info)[1]) * KIB

    def memory_written(self, uuid: str) -> tuple[int, int] | None:
        """Bytes of memory that are written, and of all; ``None`` while none are being written."""
        stats = self._call("domainGetJobStats", self._domain(uuid).jobStats, 0)
        total, remaining = (
            stats.get(key)
            for key in (libvirt.VIR_DOMAIN_JOB_MEMORY_TOTAL, libvirt.VIR_DOMAIN_JOB_MEMORY_REMAINING)
        )
        return (total - remaining, total) if total and remaining is not None else None

    def abort_job(self, uuid: str) -> None:
        """Have the host give up what writes the memory."""
        self._call("domainAbortJob", self._domain(uuid).abortJob)

    @contextmanager
    def heard(self, uuid: str) -> Iterator[Standstill]:
        """Listen meanwhile for how long a guest stands still, whether it is there already or not."""
        standstill = Standstill(uuid)
        # libvirt takes no second callback for one kind of event of all domains.
        self._listening.append(standstill)
        try:
            yield standstill
        finally:
            self._listening.remove(standstill)
