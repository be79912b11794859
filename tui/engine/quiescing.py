"""A guest that stands still for an instant, frozen by its agent or paused, and goes on whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tui.engine.control import Level
from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.guardian import guarded
from tui.engine.steps import keep_at
from tui.model.command import virsh
from tui.model.domain import RunState
from tui.model.figures import Figures
from tui.model.finding import Finding, fine, warning
from tui.model.text import counted, printable

if TYPE_CHECKING:
    from tui.engine.host import Host


AGENT_RETURNS = 60.0
"""Seconds for which an agent that has died with the file systems frozen is waited for."""


@contextmanager
def frozen(
    host: Host, uuid: str, domain: str, found: list[Finding], *, needed: bool = False
) -> Iterator[None]:
    """Freeze the guest's file systems meanwhile; an agent that fails at it is said, and keeps nothing back.

    Args:
        host: where.
        uuid: the domain.
        domain: its name, for people.
        found: how it went is added here.
        needed: it keeps everything back after all.

    Raises:
        HostError: when it is needed, and the agent fails.
        NoConnection: when it is not known whether they were frozen; they are thawed first thing then.
    """
    began = time.monotonic()
    frozen_ones: int | None = None
    with guarded(host.reached_by, uuid, "fsThaw"):
        try:
            try:
                frozen_ones = host.connection().freeze(uuid)
            except NoConnection:
                raise
            except HostError as error:
                if needed:
                    raise
                found.append(
                    warning(
                        "not-quiesced",
                        f"The agent of {printable(domain)} did not freeze its file systems: {error.message}",
                        "What is held is as after a power cut.",
                    )
                )
            yield
        finally:
            # An agent that reports a failure may have frozen some of them.
            thawed = thaw(host, uuid, domain, patience=AGENT_RETURNS if frozen_ones else 0.0)
            if frozen_ones and not thawed:
                found.append(
                    warning(
                        "not-thawed",
                        f"The file systems of {printable(domain)} are frozen, and its agent does not answer any more.",
                        f"Start qemu-guest-agent in it again, and then: {virsh('domfsthaw', domain)}",
                    )
                )
            elif frozen_ones is not None:
                took = time.monotonic() - began
                count = counted(frozen_ones, "file system")
                found.append(
                    fine(
                        "quiesced",
                        f"{count} of {printable(domain)} stood still for {took:.2f} s.",
                        Figures(still_seconds=took),
                    )
                )


@contextmanager
def paused(host: Host, uuid: str, domain: str, found: list[Finding]) -> Iterator[None]:
    """Pause the guest meanwhile; how long it was is added to what was found.

    Raises:
        HostError: when it cannot be paused, or does not go on.
        NoConnection: when it is not known whether it was paused; it goes on first thing then.
    """
    began = time.monotonic()
    with guarded(host.reached_by, uuid, "resume"):
        try:
            host.connection().suspend(uuid)
        except NoConnection:
            _resume(host, uuid, domain)
            raise
        try:
            yield
        finally:
            _resume(host, uuid, domain)
            took = time.monotonic() - began
            stood = f"{printable(domain)} stood still for {took:.2f} s."
            found.append(fine("paused", stood, Figures(still_seconds=took)))


def _resume(host: Host, uuid: str, domain: str) -> None:
    away = f"{domain} is paused and the host is away; it is resumed first thing."
    try:
        keep_at(lambda connection: connection.resume(uuid), host, away)
    except HostError:
        reading = host.connection().read(uuid)
        # One that runs already does not mind.
        if reading is None or reading.state is not RunState.RUNNING:
            raise


@contextmanager
def limited(host: Host, uuid: str, seconds: float, *, resume: bool, thaw: bool) -> Iterator[None]:
    """Let a guest that stands still go on after a while, whatever is not done by then.

    Raises:
        StepFailed: at the end, when that was so: what was done meanwhile is not of one instant.
    """
    late = threading.Event()

    def let_go() -> None:
        late.set()
        connection = host.connection()
        for wanted, call in ((resume, connection.resume), (thaw, connection.thaw)):
            if wanted:
                # Whoever had it stand still tries again, and says what is wrong.
                with suppress(HostError):
                    call(uuid)

    timer = threading.Timer(seconds, let_go)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
    if late.is_set():
        message = (
            f"It took longer than the {seconds:g} s for which the guest may stand still, and is not of one."
        )
        raise StepFailed(message)


def thaw(host: Host, uuid: str, domain: str, *, patience: float = 0.0) -> bool:
    """Let the guest write again, whatever happened; whether its agent has seen to it.

    For ``patience`` seconds an agent that has died is given the time to be started again.
    """
    away = f"{domain} may be frozen and the host is away; it is thawed first thing."
    until = time.monotonic() + patience
    while True:
        try:
            keep_at(lambda connection: connection.thaw(uuid), host, away)
        except HostError as error:
            if time.monotonic() < until:
                # Nothing is waited for but the time: the agent's channel tells only that it was closed.
                host.wait_for(lambda _: None, timeout=1.0)
                continue
            # Without an agent there is nothing that could be frozen.
            level = Level.ERROR if patience else Level.WARNING
            host.log(f"The file systems of {domain} were not thawed: {error}", level, domain=domain)
            return False
        return True
