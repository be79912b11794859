"""Applications that are played by a test: what a key sets going has come to rest before the next one is pressed."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any, Final
from unittest.mock import patch

from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot

PATIENCE: Final = 60.0
"""Seconds after which what is waited for is taken not to come."""
_ROUNDS: Final = 3
"""Rounds of the event loop with nothing to do, after which it is at rest."""


@asynccontextmanager
async def running(
    app: App[Any], *, size: tuple[int, int], notifications: bool = False
) -> AsyncIterator[Pilot[Any]]:
    """Run an application without a terminal, and without waiting for time to pass.

    Textual takes an application to be at rest when its process has used little time for 20 ms, which costs as much
    after every key, and is wrong where the processor is busy with something else.
    """
    app.animation_level = "none"
    others = frozenset(threading.enumerate())

    async def at_rest(_least: float = 0, _most: float = 0) -> None:
        loop = asyncio.get_running_loop()
        deadline, quiet = time.monotonic() + PATIENCE, 0
        while quiet < _ROUNDS and time.monotonic() < deadline:
            working = _at_work(others)
            await asyncio.sleep(0.0005 if working else 0)
            ready = loop._ready  # type: ignore[attr-defined]  # noqa: SLF001
            quiet = 0 if working or ready or _drawn(app) or _moved(app) else quiet + 1

    with (
        patch("textual.app.wait_for_idle", at_rest),
        patch("textual.pilot.wait_for_idle", at_rest),
        patch.object(Stylesheet, "_parse_rules", _parse_once),
    ):
        async with app.run_test(size=size, notifications=notifications) as pilot:
            yield pilot


async def until(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    """Let the screen and the threads work until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.002)
            await pilot.pause()
    await pilot.pause()


_parse = Stylesheet._parse_rules  # noqa: SLF001
_parsed: Final[dict[object, list[RuleSet]]] = {}


def _parse_once(sheet: Stylesheet, css: str, *given: Any, **named: Any) -> list[RuleSet]:
    """The rules of a style sheet, which every application would read anew."""
    variables = tuple(sheet._variables.items())  # noqa: SLF001
    key = css, given, tuple(named.items()), variables
    if key not in _parsed:
        _parsed[key] = _parse(sheet, css, *given, **named)
    return _parsed[key]


def _drawn(app: App[Any]) -> bool:
    """Whether something was to be drawn; it is now, and not at the time of the next frame."""
    screens = app.screen_stack if app.is_running else []
    if not screens or not screens[-1]._update_timer._active.is_set():  # noqa: SLF001
        return False
    screens[-1]._on_timer_update()  # noqa: SLF001
    return True


def _moved(app: App[Any]) -> bool:
    """Whether something was to move; it is at its place now, and not at the time of the next frame.

    What is scrolled into view by the focus is moved by the animator, even where nothing is animated.
    """
    if not app.is_running or not app.animator._animations:  # noqa: SLF001
        return False
    app.animator()
    return True


def _at_work(others: frozenset[threading.Thread]) -> bool:
    """Whether a thread of the application does something, other than to wait for another thread."""
    frames = sys._current_frames()  # noqa: SLF001
    here = threading.current_thread()
    mine = (thread for thread in threading.enumerate() if thread is not here and thread not in others)
    found = (frames.get(thread.ident or 0) for thread in mine)
    return any(frame is not None and not _waits(frame) for frame in found)


def _waits(frame: FrameType) -> bool:
    """Whether a thread waits to be told something.

    On a busy machine it may be long until one runs that was just started, or was told already.
    """
    if frame.f_code.co_filename != threading.__file__:
        return False
    inside = frame.f_locals
    if (waiter := inside.get("waiter")) is not None:
        return bool(waiter.locked() and not inside.get("gotit"))
    return "join" in (frame.f_code.co_name, frame.f_back.f_code.co_name if frame.f_back else "")
