"""The hosts of a command: connect to them, wait for what they say, and find a domain on them."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tui.cli.errors import UNREACHED, WRONG, CommandError
from tui.engine.control import Control, Level, LogLine
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.host import HostState, Link
from tui.model.text import printable

Connect = Callable[[str | None, bool], Control]
"""Opens a host: URI, or ``None`` for the default one, and whether read-only."""


class Follower:
    """Follows hosts from the thread of the command, which sleeps until there is news."""

    def __init__(self, *controls: Control) -> None:
        """Know the hosts; news comes once this is entered."""
        self.controls = controls
        self._lines: list[LogLine] = []
        self._news = threading.Condition()
        self._count = 0
        self._seen = 0
        self._subscriptions = ExitStack()

    def __enter__(self) -> Self:
        """Subscribe."""
        for control in self.controls:
            self._subscriptions.callback(control.subscribe(self._on_state, self._on_log))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the subscriptions."""
        self._subscriptions.close()

    @property
    def states(self) -> tuple[HostState, ...]:
        """The latest pictures."""
        return tuple(control.state for control in self.controls)

    def wake(self) -> None:
        """Let ``wait`` return: something else than a host has news."""
        with self._news:
            self._count += 1
            self._news.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until there is news since the last wait; ``False`` when ``timeout`` seconds pass first."""
        with self._news:
            news = self._news.wait_for(lambda: self._count != self._seen, timeout)
            self._seen = self._count
            return news

    def warnings(self) -> list[str]:
        """The warnings that were logged since the last call."""
        with self._news:
            lines, self._lines = self._lines, []
        return [line.text for line in lines if line.level is Level.WARNING]

    def _on_state(self, _state: HostState) -> None:
        self.wake()

    def _on_log(self, line: LogLine) -> None:
        with self._news:
            self._lines.append(line)
        self.wake()


@dataclass(frozen=True, slots=True)
class Fleet:
    """The hosts of one command."""

    live: tuple[Control, ...]
    dead: tuple[Control, ...]

    def complaints(self) -> list[str]:
        """A sentence for each host that cannot be reached."""
        return [_unreached(control) for control in self.dead]


@contextmanager
def fleet(uris: Sequence[str], connect: Connect, *, read_only: bool) -> Iterator[Fleet]:
    """Connect to all at once, wait until each has been read or is known to be out of reach, close at the end.

    Raises:
        CommandError: when none can be reached.
    """
    with ExitStack() as stack:
        controls = []
        for uri in uris or (None,):
            control = connect(uri, read_only)
            stack.callback(control.close)
            controls.append(control)
        ready = [c for c in controls if wait_ready(c)]
        dead = [c for c in controls if c not in ready]
        if not ready:
            raise CommandError(UNREACHED, *map(_unreached, dead))
        yield Fleet(tuple(ready), tuple(dead))


def wait_ready(control: Control) -> bool:
    """Wait for the first listing; whether there is one."""
    with Follower(control) as follower:
        while True:
            (state,) = follower.states
            if state.link is Link.LOST:
                return False
            if state.complete:
                return True
            follower.wait()


def _unreached(control: Control) -> str:
    reason = control.state.error or "it does not answer."
    return f"No connection to {control.state.uri}: {reason}"


def find_domain(fleet: Fleet, text: str) -> tuple[Control, Domain]:
    """The one domain of that name or UUID.

    Raises:
        CommandError: when there is none, or more than one.
    """
    found = [(c, d) for c in fleet.live for d in c.state.domains if d.name == text or d.uuid == text.lower()]
    if len(found) == 1:
        return found[0]
    shown = printable(text)
    if found:
        hosts = " and ".join(printable(c.state.uri) for c, _ in found)
        message = f"More than one domain is called {shown}: name one of {hosts} with -c, or give the UUID."
        raise CommandError(WRONG, message)
    if fleet.dead:
        raise CommandError(UNREACHED, *fleet.complaints(), _unknown(fleet, text))
    raise CommandError(WRONG, _unknown(fleet, text))


def _unknown(fleet: Fleet, text: str) -> str:
    names = sorted({d.name for c in fleet.live for d in c.state.domains})
    close = [printable(n) for n in difflib.get_close_matches(text, names, cutoff=0.5)]
    hosts = " or ".join(printable(c.state.name) for c in fleet.live)
    hint = f"Do you mean {' or '.join(close)}?" if close else "See: virt-mirror list"
    return f"There is no domain {printable(text)} on {hosts}. {hint}"


def find_target(domain: Domain, text: str) -> str:
    """The target of a disk that may be named by the image it lies on; the text itself when nothing fits it.

    An unknown disk is the preflight's to refuse.
    """
    if domain.disk(text):
        return text
    return next((disk.target for disk in domain.disks if _lies_on(disk, text)), text)


def _lies_on(disk: Disk, path: str) -> bool:
    active = disk.chain.active
    return active is not None and active.path == path
