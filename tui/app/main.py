"""The way into the screen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tui.app.app import MirrorApp
from tui.app.keys import JOBS_GO_ON
from tui.engine.control import Control
from tui.engine.history import History


def run(
    hosts: Sequence[Control],
    *,
    suggested_bandwidth: int = 0,
    farewell: str = JOBS_GO_ON,
    ascii_only: bool = False,
    connect: Callable[[str], Control] | None = None,
    history: History | None = None,
    clock: Callable[[], float] = time.time,
) -> int:
    """Show these hosts until the user quits, and let go of them.

    Args:
        hosts: they may still be connecting.
        suggested_bandwidth: bytes per second that the mirror form offers.
        farewell: what becomes of running jobs when the user quits.
        ascii_only: draw with ASCII characters only.
        connect: opens another host by its URI.
        history: where it is kept what has ended.
        clock: wall clock.

    Returns:
        The exit status of the program.
    """
    app = MirrorApp(
        hosts,
        suggested_bandwidth=suggested_bandwidth,
        farewell=farewell,
        ascii_only=ascii_only,
        connect=connect,
        history=history,
        clock=clock,
    )
    try:
        app.run()
    finally:
        app.let_go()
    return app.return_code or 0
