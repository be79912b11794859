"""Progress of jobs, painted in place on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tui.cli.describing import bar, glyphs, job_name, job_words, migration_words
from tui.cli.output import Output
from tui.model.host import HostState
from tui.model.job import Job

if TYPE_CHECKING:
    from tui.cli.progress import Row, Way


class Painted:
    """Repaints on a terminal, one line for each job."""

    def __init__(self, output: Output, *, several_hosts: bool) -> None:
        """Paint on the stream that people read."""
        self._several = several_hosts
        self._draw = glyphs(ascii_only=output.ascii_only)
        console = Console(file=output.people, highlight=False, markup=False, emoji=False)
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Self:
        """Take the lines below the cursor."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back, with the last picture on it."""
        self._live.stop()

    def show(self, rows: Iterable[Row], migrations: Iterable[Way] = ()) -> None:
        """Paint over what was there."""
        lines = [self._line(state, job) for state, job in rows]
        lines += [
            migration_words(state, migration, self._draw, several_hosts=self._several)
            for state, migration in migrations
        ]
        self._live.update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"), refresh=True)

    def note(self, sentence: str) -> None:
        """Print above the picture."""
        self._live.console.print(Text(f"virt-mirror: {sentence}"))

    def _line(self, state: HostState, job: Job) -> str:
        name = job_name(state, job, several_hosts=self._several)
        return f"{name}  {bar(state, job, self._draw)}  {job_words(state, job, self._draw)}"
