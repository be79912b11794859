"""A guest that stands still for an instant, frozen by its agent or paused, and goes on whatever happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tui.engine.control import Level
from tui.engine.errors import HostError, NoConnection
from tui.engine.guardian import guarded
from tui.engine.steps import keep_at
from tui.model.finding import Finding, fine, warning
from tui.model.text import printable

if TYPE_CHECKING:
    from tui.engine.host import Host


@contextmanager
def frozen(host: Host, uuid: str, domain: str, found: list[Finding]) -> Iterator[None]:
    """Freeze the guest's file systems meanwhile; an agent that fails at it is said, and keeps nothing back.

    Args:
        host: where.
        uuid: the domain.
        domain: its name, for people.
        found: how it went is added here.

    Raises:
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
                found.append(
                    warning(
                        "not-quiesced",
                        f"The agent of {printable(domain)} did not freeze its file systems: {error.message}",
                        "The old chain is as after a power cut.",
                    )
                )
            yield
        finally:
            # An agent that reports a failure may have frozen some of them.
            thaw(host, uuid, domain)
            if frozen_ones is not None:
                took = time.monotonic() - began
                count = "1 file system" if frozen_ones == 1 else f"{frozen_ones} file systems"
                found.append(
                    fine("quiesced", f"{count} of {printable(domain)} stood still for {took:.2f} s.")
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
            # One that was not paused does not mind.
            with suppress(HostError):
                _resume(host, uuid, domain)
            raise
        try:
            yield
        finally:
            _resume(host, uuid, domain)
            took = time.monotonic() - began
            found.append(fine("paused", f"{printable(domain)} stood still for {took:.2f} s."))


def _resume(host: Host, uuid: str, domain: str) -> None:
    away = f"{domain} is paused and the host is away; it is resumed first thing."
    keep_at(lambda connection: connection.resume(uuid), host, away)


def thaw(host: Host, uuid: str, domain: str) -> None:
    """Let the guest write again, whatever happened."""
    away = f"{domain} may be frozen and the host is away; it is thawed first thing."
    try:
        keep_at(lambda connection: connection.thaw(uuid), host, away)
    except HostError as error:
        # Without an agent there is nothing that could be frozen.
        host.log(f"The file systems of {domain} were not thawed: {error}", Level.WARNING, domain=domain)
