"""A look now and then at what another thread waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tui.engine.errors import HostError


@contextmanager
def looking_on(look: Callable[[], None], every: float) -> Iterator[None]:
    """Call ``look`` each so many seconds meanwhile, in a thread of its own.

    What it hears of a host that fails is left to whoever waits for that host.
    """
    done = threading.Event()

    def go_on() -> None:
        while not done.wait(every):
            with suppress(HostError):
                look()

    thread = threading.Thread(target=go_on, name="looking-on", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
