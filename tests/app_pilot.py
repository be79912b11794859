"""The screen over fake hosts, driven by keys and clicks. Nothing here waits for time to pass."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from textual.pilot import Pilot

from tests.fake_host import NOW
from tests.settled import running, until
from tui.app.app import MirrorApp
from tui.app.screen import MainScreen
from tui.app.widgets.items import Items
from tui.engine.control import Control


@dataclass
class Screen:
    """A running application and hands to use it."""

    app: MirrorApp
    pilot: Pilot[None]

    @property
    def main(self) -> MainScreen:
        """The screen below all questions."""
        return self.app.main

    @property
    def log(self) -> str:
        """All that the log says."""
        return self.main.log_panel.whole

    @property
    def notes(self) -> list[str]:
        """What was said for a moment, on the screen that is in view."""
        above = [note.message for note in self.app._notifications]  # noqa: SLF001
        news = getattr(self.app.screen, "news", self.main.news)
        return [*above, *news.texts]

    async def press(self, *keys: str) -> None:
        """Press keys, each after the effects of the one before."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()

    async def until(self, condition: Callable[[], Any]) -> None:
        """Let the application run until a thread has brought what is waited for."""
        await until(self.pilot, condition)

    async def go_to(self, name: str, target: str = "vda") -> None:
        """Put the cursor of the table on a disk."""
        table = self.main.domains.table
        await self.until(lambda: any((r.name, r.target) == (name, target) for r in table.items))
        row = next(r for r in table.items if (r.name, r.target) == (name, target))
        self.main.go_to_disk(row.key)
        await self.pilot.pause()

    async def click_text(self, view: Items[Any], item: int, text: str) -> None:
        """Click the first place where an item of a list shows a text."""
        await self.pilot.click(offset=self._at(view, item, text))
        await self.pilot.pause()

    async def hover_text(self, view: Items[Any], item: int, text: str) -> None:
        """Put the mouse there."""
        await self.pilot.hover(offset=self._at(view, item, text))
        await self.pilot.pause()

    @staticmethod
    def _at(view: Items[Any], item: int, text: str) -> tuple[int, int]:
        for line in range(view.lines_per_item):
            plain = view.draw(view.items[item], line, view.width).plain
            if text in plain:
                y = view.HEADING + item * view.lines_per_item + line - view.scroll_offset.y
                region = view.content_region
                return region.x + plain.index(text) + 1, region.y + y
        raise AssertionError(text)

    def painted(self, view: Items[Any]) -> str:
        """What a list has on the screen."""
        return "\n".join(view.render_line(y).text for y in range(view.content_region.height))


@asynccontextmanager
async def opened(
    *hosts: Control, size: tuple[int, int] = (120, 36), mishaps: bool = False, **options: Any
) -> AsyncIterator[Screen]:
    """The application over these hosts; an exception inside it fails the test unless it is meant."""
    app = MirrorApp(hosts, **{"clock": lambda: NOW + 75, **options})
    async with running(app, size=size, notifications=True) as pilot:
        await pilot.pause()
        yield Screen(app, pilot)
        if not mishaps and app.mishaps.errors:
            raise app.mishaps.errors[0]


def played(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test that is a coroutine."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def main() -> None:
            await test(*args, **kwargs)

        asyncio.run(main())

    return run
