"""What happens to an exception that nobody expected: a sentence in the log, and the program lives on.

Textual ends the program at the first such exception, with a traceback that shows local variables, and it
leaves the message loop of the widget in which it happened. Both are private to Textual, and this file is the
only one that reaches in: ``guard_message_pumps`` keeps the loops running, ``Mishaps`` takes the place of the
traceback.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump

from tui.engine.state_directory import state_directory

_KEPT = 100
_QUIET = 10.0
"""Seconds for which a mishap is not told again: one in drawing returns with each repaint."""


class Mishaps:
    """Tells of exceptions, and keeps details in a file without local variables: those may hold secrets."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        """Give each new sentence to ``tell``."""
        self._tell = tell
        self._clock = clock
        self._told: dict[str, float] = {}
        self.errors: list[Exception] = []

    def take(self, error: Exception) -> None:
        """An exception came up to the top."""
        if len(self.errors) < _KEPT:
            self.errors.append(error)
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else "an unknown place"
        what = f"{type(error).__name__} in {where}"
        now = self._clock()
        if now - self._told.get(what, -_QUIET) < _QUIET:
            return
        self._told[what] = now
        path = self._write(error, now)
        details = f" Details are in {path}." if path else ""
        self._tell(f"Something went wrong inside virt-mirror ({what}: {error}). It goes on.{details}")

    @staticmethod
    def _write(error: Exception, now: float) -> Path | None:
        path = state_directory() / "errors.log"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with path.open("a", encoding="utf-8") as file:
                file.write(time.strftime("%Y-%m-%d %H:%M:%S\n", time.localtime(now)))
                file.writelines(traceback.format_exception(error))
        except OSError:
            return None
        return path


def report(app: App[Any], error: Exception) -> None:
    """Hand an exception that was caught on the way to whoever takes the others."""
    app._handle_exception(error)  # noqa: SLF001


def guard_message_pumps(kind: type[App[Any]]) -> None:
    """Keep the message loop of every widget of such an app running when a handler raises."""
    dispatch = MessagePump._dispatch_message  # noqa: SLF001
    if getattr(dispatch, "guarded", False):
        return

    async def guarded(self: MessagePump, message: Message) -> None:
        try:
            await dispatch(self, message)
        except Exception as error:
            if not isinstance(self.app, kind) or not self.app.is_running:
                raise
            report(self.app, error)

    guarded.guarded = True  # type: ignore[attr-defined]
    MessagePump._dispatch_message = guarded  # type: ignore[method-assign]  # noqa: SLF001
