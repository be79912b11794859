"""Taking the snapshots of a domain into a file: asked for a name, written in the background, told in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tui.app.background import Background
from tui.app.deeds import Tell
from tui.engine.control import Control, Level
from tui.engine.own_files import here, write_private
from tui.engine.snapshot_file import export_of, holds
from tui.model.domain import Domain
from tui.model.hierarchy_file import file_name


class Exports:
    """Writes the files of one domain."""

    def __init__(
        self,
        control: Control,
        domain: Domain,
        background: Background,
        tell: Tell,
        *,
        on_wait: Callable[[], None],
    ) -> None:
        """Ask the host in ``background``; ``on_wait`` is called when waiting for it begins or ends."""
        self._control = control
        self._domain = domain
        self._background = background
        self._tell = tell
        self._on_wait = on_wait
        self.waiting = 0
        """Files that are being written."""
        self.latest: Path | None = None
        """What was written last."""

    def proposal(self) -> str:
        """The name of a new file, in the directory that the program was started in."""
        plain = here() / file_name(self._domain.name)
        place, number = plain, 1
        while place.exists():
            number += 1
            place = plain.with_stem(f"{plain.stem}-{number}")
        return str(place)

    def write(self, path: Path) -> None:
        """Write a file; returns at once."""
        self.waiting += 1
        self._on_wait()
        self._background.do(
            partial(self._write, path), partial(self._written, path), partial(self._end, Level.ERROR)
        )

    def _write(self, path: Path) -> str:
        saved, text = export_of(self._control, self._domain.uuid)
        write_private(path, text)
        return holds(path, saved)

    def _written(self, path: Path, sentence: str) -> None:
        self.latest = path
        self._end(Level.INFO, sentence)

    def _end(self, level: Level, sentence: str) -> None:
        self.waiting -= 1
        self._on_wait()
        self._tell(level, self._control.state.name, sentence)
