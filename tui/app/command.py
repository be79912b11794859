"""One thing that a user can do: how it is called, by which keys, and where they answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding


class Panel(StrEnum):
    """The parts of the main screen that can have the focus."""

    DOMAINS = "domains"
    CHAIN = "chain"
    JOBS = "jobs"
    LOG = "log"
    QUEUE = "queue"


class Where(StrEnum):
    """What answers to a command's keys."""

    SCREEN = "screen"
    LIST = "list"
    """The list that has the focus."""
    TEXTUAL = "textual"
    """Textual's own; named here so that the help is whole."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a user can do."""

    id: str
    """In kebab case; the method ``action_…`` has the same name with underscores."""
    keys: tuple[str, ...]
    """As Textual calls them; the first is the one that is shown."""
    title: str
    """As in the palette and the footer: a verb, short."""
    help: str
    """One sentence."""
    group: str
    """The heading it stands under in the help."""
    writes: bool = False
    """Whether it may change something on a host; greyed in a read-only session."""
    footer: frozenset[Panel] = frozenset()
    """The panels with whose focus the footer names it."""
    where: Where = Where.SCREEN
    priority: bool = False
    """Whether it is carried out before the next key is looked at, since it decides where that one goes."""
    key_name: str = ""
    """How the key is written where Textual's name for it would puzzle."""

    @property
    def action(self) -> str:
        """The name of the action."""
        return self.id.replace("-", "_")

    @property
    def read_only_words(self) -> str:
        """Why its key does nothing in a read-only session, one sentence."""
        return f"{self.title} is not possible: this session is read-only."

    @property
    def of_queue(self) -> bool:
        """Whether it is about the queue, and about no host."""
        return self.group == "Queue"

    @property
    def key_display(self) -> str:
        """The first key as it is written for people."""
        return self.key_name or _KEY_NAMES.get(self.keys[0], self.keys[0])

    @property
    def keys_display(self) -> str:
        """All keys as they are written for people."""
        first, *others = self.keys
        return " ".join(
            (self.key_name or _KEY_NAMES.get(first, first), *(_KEY_NAMES.get(k, k) for k in others))
        )


def bindings_of(commands: Iterable[Command], prefix: str = "") -> list[Binding]:
    """Their key bindings, whose ids begin with ``prefix``."""
    return [
        Binding(
            ",".join(command.keys),
            command.action,
            command.title,
            show=False,
            tooltip=command.help,
            id=prefix + command.id,
            priority=command.priority,
        )
        for command in commands
    ]


def writing(commands: Iterable[Command], key: str) -> Command | None:
    """The one of them behind a key, if it may change something."""
    return next((command for command in commands if command.writes and key in command.keys), None)


_KEY_NAMES = {
    "space": "space",
    "slash": "/",
    "question_mark": "?",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "plus": "+",
    "enter": "enter",
    "escape": "esc",
    "up": "↑",
    "down": "↓",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "shift+up": "S-↑",
    "shift+down": "S-↓",
    "ctrl+p": "^p",
    "ctrl+q": "^q",
    "ctrl+r": "^r",
    "ctrl+s": "^s",
}
