"""The command palette: every command of the registry, and every disk to go to."""

from __future__ import annotations

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.app.command import Command, Where
from tui.app.commands import COMMANDS
from tui.app.screen import MainScreen
from tui.app.text import join, shown


class MainProvider(Provider):
    """Finds commands by title and help, and disks by the name of their domain."""

    @property
    def _main(self) -> MainScreen | None:
        return self.screen if isinstance(self.screen, MainScreen) else None

    def _commands(self, main: MainScreen) -> list[Command]:
        usable = [c for c in COMMANDS if c.where is Where.SCREEN]
        return [main.worded(c) for c in usable if main.check_action(c.action, ()) is not None]

    async def discover(self) -> Hits:
        """What is offered before anything is typed."""
        if main := self._main:
            for command in self._commands(main):
                run = partial(main.run_action, command.action)
                yield DiscoveryHit(self._display(command), run, text=command.title, help=command.help)

    async def search(self, query: str) -> Hits:
        """What matches."""
        main = self._main
        if main is None:
            return
        matcher = self.matcher(query)
        for command in self._commands(main):
            score = max(matcher.match(command.title), 0.6 * matcher.match(command.help))
            if score > 0:
                run = partial(main.run_action, command.action)
                yield Hit(score, self._display(command), run, text=command.title, help=command.help)
        for row in main.domains.rows:
            name = f"{row.name} {row.target}"
            score = matcher.match(name)
            if score > 0:
                display = join("Go to ", shown(name, width=60))
                yield Hit(score, display, partial(main.go_to_disk, row.key), text=shown(name).plain)

    @staticmethod
    def _display(command: Command) -> str:
        return f"{command.title}  ({command.keys_display})"
