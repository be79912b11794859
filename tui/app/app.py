"""The application: wires hosts, screen, themes and the last resort together, and does nothing else."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from tui.app.dialogs.dialog import Dialog
from tui.app.glyphs import ASCII, UNICODE
from tui.app.inbox import Inbox
from tui.app.keys import JOBS_GO_ON
from tui.app.mishaps import Mishaps, guard_message_pumps
from tui.app.palette import MainProvider
from tui.app.screen import MainScreen
from tui.app.theme import DARK, LIGHT, variable_defaults
from tui.engine.control import Control, Level, LogLine
from tui.engine.errors import HostError
from tui.engine.history import History
from tui.engine.queue import QueueRunner

_FAREWELL = 0.3
"""Seconds that hosts get to be let go of before the program ends without them."""


class MirrorApp(App[None]):
    """virt-mirror on a terminal."""

    TITLE = "virt-mirror"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS: ClassVar = {MainProvider} | App.COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = []

    @dataclass
    class News(Message):
        """There is something in the inbox."""

    class Queued(Message):
        """The queue has changed."""

        def can_replace(self, message: Message) -> bool:
            """What it holds is looked up, so that one of several is enough."""
            return isinstance(message, MirrorApp.Queued)

    @dataclass
    class Said(Message):
        """A host says what happened; each line counts."""

        line: LogLine

    def __init__(
        self,
        hosts: Sequence[Control],
        *,
        suggested_bandwidth: int = 0,
        farewell: str = JOBS_GO_ON,
        ascii_only: bool = False,
        connect: Callable[[str], Control] | None = None,
        history: History | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Show these hosts; ``connect`` opens another one, and ``history`` keeps what has ended."""
        guard_message_pumps(MirrorApp)
        super().__init__()
        self.clock = clock
        self._connect = connect
        self.inbox = Inbox(lambda: self.post_message(self.News()))
        self.runner = QueueRunner(clock)
        self.main = MainScreen(
            clock=clock,
            runner=self.runner,
            glyphs=ASCII if ascii_only else UNICODE,
            suggested_bandwidth=suggested_bandwidth,
            farewell=farewell,
            history=history,
        )
        self.mishaps = Mishaps(partial(self._tell_mishap), clock)
        self._hosts = list(hosts)
        self._unsubscribe: list[Callable[[], None]] = []
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name
        if os.environ.get("SSH_CONNECTION"):
            self.animation_level = "none"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The variables of our styles that Textual's own themes lack."""
        return variable_defaults(self.current_theme)

    def get_default_screen(self) -> Screen[None]:
        """There is one screen; the rest are questions on top of it."""
        return self.main

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Of Textual's own commands the one that our registry does not have."""
        return [command for command in super().get_system_commands(screen) if command.title == "Theme"]

    def on_mount(self) -> None:
        """Listen to the hosts and to the queue."""
        self._unsubscribe.append(self.runner.subscribe(lambda _queue: self.post_message(self.Queued())))
        for control in self._hosts:
            self._open(control)

    def _open(self, control: Control) -> None:
        number = self.main.add_host(control)
        self._unsubscribe.append(control.subscribe(partial(self.inbox.put, number), self._hear))

    def _hear(self, line: LogLine) -> None:
        """From a host's thread."""
        self.post_message(self.Said(line))

    @on(News)
    def show_news(self) -> None:
        """Hand the latest pictures to the screen."""
        self.main.take(self.inbox.take())

    @on(Queued)
    def show_queue(self) -> None:
        """Have the screen look at the queue."""
        self.main.take_queue()

    @on(Said)
    def log_what_was_said(self, event: Said) -> None:
        """Hand a line to the log."""
        self.main.take_log(event.line)

    @on(MainScreen.HostWanted)
    def open_host(self, event: MainScreen.HostWanted) -> None:
        """Open another host beside those that are here."""
        if self._connect is None:
            self.main.tell(Level.WARNING, "", "Another host cannot be opened from here.")
            return
        try:
            control = self._connect(event.uri)
        except HostError as error:
            self.main.tell(Level.ERROR, event.uri, str(error))
            return
        self._hosts.append(control)
        self._open(control)

    def on_key(self, event: events.Key) -> None:
        """A key that came by way of the main screen when a dialog had been opened already is for that dialog."""
        if isinstance(self.screen, Dialog) and any(event is passed for passed in self.main.passing):
            event.prevent_default()
            self.screen.type_ahead(event)

    async def action_quit(self) -> None:
        """Every way to quit is the one that asks."""
        self.main.action_quit()

    def _tell_mishap(self, sentence: str) -> None:
        self.main.tell(Level.ERROR, "", sentence)

    def _handle_exception(self, error: Exception) -> None:
        """Live on, see ``mishaps``; where not even the screen came up there is nothing to live on with."""
        if not self.main.is_mounted:
            super()._handle_exception(error)
            return
        self.mishaps.take(error)

    def let_go(self) -> None:
        """Let go of the hosts, without waiting for one that does not answer."""
        self.runner.close()
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        threads = [threading.Thread(target=control.close, daemon=True) for control in self._hosts]
        for thread in threads:
            thread.start()
        until = time.monotonic() + _FAREWELL
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
