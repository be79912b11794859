"""Progress of jobs while a command waits: painted in place on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol, Self

from tui.cli.describing import below_of, glyphs, job_name, job_words, migration_words
from tui.cli.output import Output
from tui.model.host import HostState
from tui.model.job import Job
from tui.model.migration import Migration

QUIET = 10.0
"""Seconds after which a plain line is repeated though the percentage stands."""

Row = tuple[HostState, Job]
Way = tuple[HostState, Migration]
Key = tuple[str, int]


class Progress(Protocol):
    """Shows jobs again and again."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture as it is."""

    def show(self, rows: Iterable[Row], migrations: Iterable[Way] = ()) -> None:
        """Show the jobs and the domains on their way as they are now."""

    def note(self, sentence: str) -> None:
        """Say something beside it."""


def progress(output: Output, *, several_hosts: bool = False) -> Progress:
    """The kind that fits where the output goes."""
    if output.live:
        # Scripts never pay for what paints.
        from tui.cli.painted import Painted  # noqa: PLC0415

        return Painted(output, several_hosts=several_hosts)
    return Lines(output, several_hosts=several_hosts)


class Lines:
    """A line for each whole percent and each phase, and now and then while neither changes."""

    def __init__(
        self, output: Output, *, several_hosts: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Print on the stream that people read."""
        self._output = output
        self._several = several_hosts
        self._clock = clock
        self._draw = glyphs(ascii_only=output.ascii_only)
        self._last: dict[Key, tuple[str, int | None]] = {}
        self._said: dict[Key, float] = {}

    def __enter__(self) -> Self:
        """Nothing to prepare."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to give back."""

    def show(self, rows: Iterable[Row], migrations: Iterable[Way] = ()) -> None:
        """Print the jobs and the migrations that have news."""
        for state, migration in migrations:
            # What a disk has come to is news, though the percentage stands.
            disks = " ".join(disk.target for disk in migration.disks if disk.in_sync)
            news = " ".join([migration.phase, disks, *("stuck" for _ in migration.troubles)])
            if self._is_news((f"{state.uri} {migration.uuid}", 0), (news, migration.percent)):
                self._output.say(migration_words(state, migration, self._draw, several_hosts=self._several))
        for state, job in rows:
            still = below_of(state, job)
            if self._is_news((state.uri, job.number), (job.phase, still.percent if still else job.percent)):
                name = job_name(state, job, several_hosts=self._several)
                self._output.say(f"{name}  {job_words(state, job, self._draw)}")

    def _is_news(self, key: Key, news: tuple[str, int | None]) -> bool:
        now = self._clock()
        if self._last.get(key) == news and now - self._said[key] < QUIET:
            return False
        self._last[key], self._said[key] = news, now
        return True

    def note(self, sentence: str) -> None:
        """Print on standard error."""
        self._output.complain(sentence)
