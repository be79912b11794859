"""Where words go: results to standard output, progress and errors to people, and none of it ever in the way."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from tui.model.command import addressed
from tui.model.text import printable


class Output:
    """Standard output and standard error of one command.

    A reader that goes away (``| head``) must not end a copy that is under way: from then on words go nowhere, and
    ``broken`` says so.
    """

    def __init__(
        self, *, ascii_only: bool = False, json_only: bool = False, uris: Sequence[str] = ()
    ) -> None:
        """Write to the process's streams as they are now.

        Args:
            ascii_only: use no other characters for what is drawn.
            json_only: standard output carries nothing but documents; words for people go to standard error.
            uris: the hosts that were named; commands in what is said name them too.
        """
        self.json_only = json_only
        self.broken = False
        self._uris = tuple(uris)
        self._out = _open(sys.stdout)
        self._err = _open(sys.stderr)
        self.ascii_only = ascii_only or not (self.people.encoding or "").lower().startswith("utf")

    @property
    def people(self) -> TextIO:
        """The stream that people read."""
        return self._err if self.json_only else self._out

    @property
    def live(self) -> bool:
        """Whether people read on a terminal, which can be painted over."""
        return self.people.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int | None:
        """The columns of the terminal that people read on; ``None`` where there is none."""
        return shutil.get_terminal_size().columns if self.people.isatty() else None

    def say(self, text: str = "") -> None:
        """A line for people."""
        self._write(self.people, addressed(text, *self._uris))

    def document(self, value: object, *, indent: int | None = 2) -> None:
        """JSON on standard output; every character beyond ASCII is escaped, control characters with it."""
        self._write(self._out, json.dumps(value, indent=indent))

    def text(self, text: str) -> None:
        """A whole document of another kind on standard output, as it is."""
        self._guard(lambda: (self._out.write(text), self._out.flush()), self._out)

    def complain(self, text: str) -> None:
        """A sentence on standard error; whatever is in it can be shown."""
        self._write(self._err, f"virt-mirror: {printable(addressed(text, *self._uris))}")

    def prompt(self, question: str) -> None:
        """The words before an answer, without a line's end, where they are seen even if output is redirected."""
        self._guard(lambda: (self._err.write(question), self._err.flush()), self._err)

    def _write(self, stream: TextIO, text: str) -> None:
        self._guard(lambda: (stream.write(text + "\n"), stream.flush()), stream)

    def _guard(self, action: Callable[[], object], stream: TextIO) -> None:
        try:
            action()
        except BrokenPipeError:
            self.broken = self.broken or stream is self._out
            _mute(stream)


def _open(stream: TextIO | None) -> TextIO:
    """The stream, able to write whatever comes; nowhere if the process was started without it."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123  # lives as long as the process
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure:
        reconfigure(errors="backslashreplace")
    return stream


def _mute(stream: TextIO) -> None:
    """Send the stream nowhere: the interpreter flushes it once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
