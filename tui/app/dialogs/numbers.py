"""Whole numbers as people write them into forms; nothing at all is ``None``."""

from __future__ import annotations

from tui.model.migrate_request import MOST_CONNECTIONS
from tui.model.tune_plan import LONGEST_DOWNTIME

_LONGEST_WAIT = 7 * 24 * 60 * 60
_LAST_PORT = 65535


def parse_downtime(text: str) -> int | None:
    """Milliseconds at a standstill.

    Raises:
        ValueError: with a sentence, when it is none.
    """
    return _number(text, LONGEST_DOWNTIME, "number of milliseconds")


def parse_timeout(text: str) -> int | None:
    """Seconds for a migration; ValueError likewise."""
    return _number(text, _LONGEST_WAIT, "number of seconds")


def parse_connections(text: str) -> int | None:
    """Connections side by side; ValueError likewise."""
    return _number(text, MOST_CONNECTIONS, "number of connections")


def parse_port(text: str) -> int | None:
    """A port; ValueError likewise."""
    return _number(text, _LAST_PORT, "port")


def _number(text: str, most: int, what: str) -> int | None:
    """A whole number above 0; nothing at all is ``None``."""
    text = text.strip()
    if not text:
        return None
    if not text.isdecimal() or len(text) > len(str(most)) or not 0 < int(text) <= most:
        message = f"A {what} from 1 to {most}."
        raise ValueError(message)
    return int(text)
