"""Looking on while a domain goes to another host: how far it is, and what is done when that takes too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from tui.engine.control import Level
from tui.engine.errors import HostError, JobCancelled, NoConnection, StepFailed
from tui.engine.looking_on import looking_on
from tui.engine.measuring import measured
from tui.engine.migrate_trouble import in_words
from tui.engine.on_the_way import look
from tui.model import on_the_way
from tui.model.domain import RunState
from tui.model.finding import Finding, fine
from tui.model.migrate_request import TimeoutAction
from tui.model.migrate_steps import Migrate
from tui.model.text import printable

if TYPE_CHECKING:
    from tui.engine.host import Host

_TOLD = 0.5
"""Seconds from one look to the next."""
_CANCELLED = 78
"""libvirt's code for what somebody has aborted."""


@contextmanager
def followed(
    step: Migrate, host: Host, there: Host, left: threading.Event, found: list[Finding]
) -> Iterator[None]:
    """Tell meanwhile how far it is, and abort it when the program is left; say at the end how long it took.

    Raises:
        StepFailed: when it took too long and was aborted for that.
        JobCancelled: when somebody has aborted it, or nobody waits for it before it has begun.
    """
    if left.is_set():
        # The hosts would go on with it by themselves.
        raise called_back(step.domain)
    began = time.monotonic()
    known = host.state.domain(step.uuid)
    runs = known is not None and known.state is RunState.RUNNING
    watch = _Watch(step, host, left)
    with ExitStack() as stack:
        stopped = stack.enter_context(host.connection().heard(step.uuid)) if runs else None
        begun = stack.enter_context(there.connection().heard(step.uuid)) if runs else None
        try:
            with watch.on():
                yield
        except NoConnection:
            raise
        except HostError as error:
            raise _explained(error, step, watch, left) from error
        still = begun.resumed_after(stopped) if stopped and begun else None
    took = time.monotonic() - began
    figures = measured(step, there, still, watch.copied)
    # What libvirt has measured is what the history tells too; what was heard stands in for it.
    heard = round(still * 1000) if still is not None else None
    downtime = heard if figures.downtime_ms is None else figures.downtime_ms
    stood = f" The guest stood still for {downtime} ms." if downtime is not None else ""
    short = f"in {took:.1f} s.{stood}"
    went = f"{printable(step.domain)} went to {printable(step.host)} {short}"
    found.append(fine("migrated", went, figures, short=short))
    # The last rounds may be over before anybody looks.
    times = watch.rounds if figures.rounds is None else figures.rounds
    if times > 1:
        found.append(fine("memory-sent", f"The memory was sent in {times} rounds."))


def _explained(error: HostError, step: Migrate, watch: _Watch, left: threading.Event) -> HostError:
    name = printable(step.domain)
    if watch.late:
        return StepFailed(
            f"{name} was not at {printable(step.host)} within {step.convergence.timeout:g} s; it was called back."
        )
    if left.is_set() or error.code == _CANCELLED:
        return called_back(step.domain)
    return in_words(error, step, watch.last) or error


def called_back(domain: str) -> JobCancelled:
    """What is raised where nothing has happened to the guest that could not be taken back at once."""
    return JobCancelled(f"The migration of {printable(domain)} was called back.")


class _Watch:
    """What is seen beside the thread that waits for libvirt, and done about it."""

    def __init__(self, step: Migrate, host: Host, left: threading.Event) -> None:
        self._step, self._host, self._left = step, host, left
        self._until = time.monotonic() + step.convergence.timeout if step.convergence.timeout else None
        self.last = on_the_way.begun(step)
        """How far it was when it was last looked at."""
        self.late = False
        """Whether it took too long and was aborted for that."""
        self.copied: int | None = None
        """Bytes of the disks that have gone over, as far as that was seen."""
        self._waits_for_disks = False
        """Whether it took too long for them, and the memory comes only after them."""

    def on(self) -> AbstractContextManager[None]:
        """Look on meanwhile."""
        return nullcontext() if self._step.offline else looking_on(self._look, _TOLD)

    @property
    def rounds(self) -> int:
        """Those of its memory, as far as they were seen."""
        return self.last.memory.iteration if self.last.memory else 0

    def _look(self) -> None:
        self.last = look(self._step, self._host)
        # The last looks tell of no disks any more.
        if disks := self.last.disks:
            self.copied = max(self.copied or 0, sum(disk.cur for disk in disks))
        if self._left.is_set() and not self._step.transport.p2p:
            self._host.connection().abort_job(self._step.uuid)
        elif self._until is not None and time.monotonic() > self._until and self._acts_on_timeout():
            self._until = None

    def _acts_on_timeout(self) -> bool:
        """Do what is to be done about it, unless it is too early for that."""
        connection, step = self._host.connection(), self._step
        words = f"{step.domain} is not there within {step.convergence.timeout:g} s"
        match step.convergence.timeout_action:
            case TimeoutAction.ABORT:
                self.late = True
                connection.abort_job(step.uuid)
            case TimeoutAction.SUSPEND:
                connection.suspend(step.uuid)
                self._host.apply(partial(on_the_way.with_pause, uuid=step.uuid))
                self._warn(f"{words}: it is paused until it is.")
            case TimeoutAction.POSTCOPY if self.last.memory is None:
                if not self._waits_for_disks:
                    self._waits_for_disks = True
                    self._warn(f"{words}: it is switched over as soon as its disks are in sync.")
                return False
            case TimeoutAction.POSTCOPY:
                connection.start_postcopy(step.uuid)
                self._warn(f"{words}: it is switched over now.")
        return True

    def _warn(self, words: str) -> None:
        self._host.log(words, Level.WARNING, domain=self._step.domain)
