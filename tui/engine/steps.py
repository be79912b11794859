"""How each step of ``tui.model.steps`` is run, seen to have happened, and undone: one function each for every class.

Those that begin jobs are in ``tui.engine.begin_steps``, those that end and prove them in ``tui.engine.end_steps``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import singledispatch
from typing import TYPE_CHECKING

from tui.engine.connection import Connection
from tui.engine.control import Level
from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.model.chain_steps import TakeOverlay
from tui.model.finding import Finding
from tui.model.host import HostState, Link
from tui.model.job import Job
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.steps import Step

if TYPE_CHECKING:
    from tui.engine.host import Host


SEEN = 30.0
"""Seconds within which the definition shows what libvirt has done."""


class Left(Exception):  # nothing went wrong: somebody stopped waiting
    """Nobody waits for the rest of the plan."""


@singledispatch
def run(step: Step, host: Host, left: threading.Event) -> tuple[Finding, ...]:
    """Do it, and return what was proved on the way.

    Raises:
        StepFailed: when the host did something else.
        HostError: when the host refuses.
        NoConnection: when it is not known whether it happened.
        Left: when ``left`` was set while waiting.
    """
    raise NotImplementedError(type(step))


@singledispatch
def happened(step: Step, host: Host) -> bool:
    """Whether the host shows that it was done, so that it is not done again."""
    raise NotImplementedError(type(step))


@singledispatch
def undo(step: Step, host: Host, since: float, *, failed: bool) -> list[str]:  # noqa: ARG001
    """Take back what the step did, and say so.

    Args:
        step: the step.
        host: where.
        since: when its plan began, seconds since the epoch: older files are not its own.
        failed: whether it is the one that went wrong.

    Raises:
        HostError: when that did not work.
    """
    return []


def reasons(step: Step, host: Host) -> list[str]:
    """Carry out what takes something back, and say what came of that."""
    return [finding.reason for finding in run(step, host, threading.Event())]


@contextmanager
def telling(found: list[Finding]) -> Iterator[None]:
    """A failure takes along what was found: a guest that stood still for it has stood still."""
    try:
        yield
    except HostError as error:
        error.found = (*found, *error.found)
        raise


def await_shown(step: TakeOverlay | TakeSnapshot, host: Host, what: str) -> None:
    """Wait until the host shows that a step was done.

    Raises:
        StepFailed: when it does not; ``what`` is it that is missing then.
    """
    if host.wait_for(lambda _: True if happened(step, host) else None, timeout=SEEN) is None:
        message = f"{step.domain} does not show {what}."
        raise StepFailed(message)


def keep_at(call: Callable[[Connection], object], host: Host, away: str) -> None:
    """Call until the host has answered, however long it is away: without that a guest would stand still.

    Args:
        call: what must be done.
        host: where.
        away: what is logged while the host is away.

    Raises:
        HostError: when the host refuses.
    """
    while True:
        try:
            call(host.connection())
        except NoConnection:
            host.log(away, Level.ERROR)
            if host.wait_for(lambda s: True if s.link is Link.LIVE else None) is None:
                return
        else:
            return


def await_end(
    host: Host, uuid: str, target: str, left: threading.Event | None, *, timeout: float | None
) -> Job:
    """Wait until the job of a disk has ended.

    Raises:
        StepFailed: when it has not within ``timeout`` seconds.
        Left: when ``left`` was set while waiting.
    """

    def ended(state: HostState) -> Job | None:
        job = state.job(uuid, target)
        return job if job is not None and job.phase.ended else None

    job = host.wait_for(ended, timeout=timeout, stop=left)
    if job is not None:
        return job
    if left is not None and left.is_set():
        raise Left
    message = f"{target} has not ended within {timeout:g} s." if timeout else f"{target} has not ended."
    raise StepFailed(message, remedy="It goes on in QEMU; look at the jobs.")
