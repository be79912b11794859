"""Writing the memory of a guest: how far it is, that it ends in time, and how long the guest stood still for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.looking_on import looking_on
from tui.engine.steps import Left
from tui.model import tracking
from tui.model.domain import RunState
from tui.model.figures import Figures
from tui.model.finding import Finding, fine, warning
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.text import printable

if TYPE_CHECKING:
    from tui.engine.host import Host

_TOLD = 0.25
"""Seconds from one look at how far it is to the next."""


@contextmanager
def memory_written(
    step: TakeSnapshot, host: Host, left: threading.Event, found: list[Finding]
) -> Iterator[None]:
    """Tell meanwhile how far it is, and have it given up when it takes too long or the program is left.

    Args:
        step: what writes it.
        host: where.
        left: the program is left.
        found: how it went is added here.

    Raises:
        StepFailed: when the guest would have stood still for too long.
        Left: when the program is left.
    """
    path, domain = step.memory or "", printable(step.domain)
    runs = (known := host.state.domain(step.uuid)) is not None and known.state is RunState.RUNNING
    with host.connection().heard(step.uuid) as standstill:
        began = time.monotonic()
        watch = _Watch(step, host, left)
        try:
            with watch.on():
                yield
        except NoConnection:
            raise
        except HostError as error:
            if runs and standstill.begun and (still := standstill.seconds()) is not None:
                stood = f"{domain} stood still for {still:.2f} s."
                found.append(fine("stood-still", stood, Figures(still_seconds=still)))
            if watch.late:
                message = (
                    f"The memory of {domain} was not written within {step.limit:g} s; the guest goes on."
                )
                raise StepFailed(message) from error
            if left.is_set():
                raise Left from error
            raise
        took = time.monotonic() - began
        still = standstill.seconds() if runs else None
    stood = f" {domain} stood still for {still:.2f} s of that." if still is not None else ""
    held = f"The memory is in {printable(path)} after {took:.2f} s.{stood}"
    if watch.late:
        # What QEMU has handed over already libvirt's own helper writes out, and cannot be called back from.
        held += (
            f" That is longer than the {step.limit:g} s that were allowed: it could not be given up any more."
        )
    told = warning("memory-late", held) if watch.late else fine("memory-held", held)
    found.append(replace(told, figures=Figures(still_seconds=still)))


class _Watch:
    """What is seen beside the thread that waits for libvirt, and done about it."""

    def __init__(self, step: TakeSnapshot, host: Host, left: threading.Event) -> None:
        self._step, self._host, self._left = step, host, left
        self._until = time.monotonic() + step.limit if step.limit else None
        self.late = False
        """Whether the guest would have stood still for too long."""

    @contextmanager
    def on(self) -> Iterator[None]:
        """Look on meanwhile; what was told of the file is forgotten then."""
        try:
            with looking_on(self._look, _TOLD):
                yield
        finally:
            self._host.apply(partial(tracking.without_copied, paths=[self._step.memory or ""]))

    def _look(self) -> None:
        self._tell()
        self.late = self.late or (self._until is not None and time.monotonic() > self._until)
        if self.late or self._left.is_set():
            self._host.connection().abort_job(self._step.uuid)

    def _tell(self) -> None:
        written = self._host.connection().memory_written(self._step.uuid)
        if written is not None:
            done, total = written
            path, at = self._step.memory or "", time.monotonic()
            told = partial(tracking.with_copied, path=path, done=done, total=total, at=at)
            self._host.apply(told)
