"""What waits for its turn, what has it, and what had it: a line each."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from textual.content import Content

from tui.app.glyphs import DIM, UNICODE, Glyphs
from tui.app.rows import DiskKey
from tui.app.text import join, pad, shown, shown_middle, styled
from tui.app.widgets.items import Items
from tui.model.quantity import duration
from tui.model.queue import Hold, Item, Queue, State

_STATE = 10
_LEAST_NAME = 10
_MOST_NAME = 24
_MOST_HOST = 12
_MOST_PLACE = 40
_LEAST_PLACE = 10
_ELSE = 50
"""Cells that the other columns and a few words take."""
_STYLES = {
    State.WAITING: DIM,
    State.RUNNING: "$text-primary",
    State.DONE: "$text-success",
    State.FAILED: "$text-error",
    State.REFUSED: "$text-error",
    State.CANCELLED: DIM,
}


@dataclass(frozen=True, slots=True)
class QueueRow:
    """An item as it is shown."""

    item: Item
    number: int
    """Which of the connected hosts."""
    host: str
    target: str
    """The disk that a key means while the cursor is here."""
    position: int | None = None
    """Which of those that wait."""
    hold: Hold | None = None
    """What it waits for."""
    progress: str = ""
    """How far it is, as ``step 3 of 12``."""
    percent: int | None = None
    """How far the copying of all its disks and layers is."""

    @property
    def disk(self) -> DiskKey:
        """The disk that a key means."""
        return (self.number, self.item.uuid, self.target)


def out_of_place(item: Item | None) -> frozenset[str]:
    """The commands that an item in this state will not have any more, or does not have yet."""
    state = item.state if item else State.WAITING
    if state.ended:
        return frozenset({"cancel", "queue-earlier", "queue-later"})
    return frozenset({"dismiss-job", "queue-clear"})


def why_not(item: Item | None, command: str) -> str | None:  # noqa: PLR0911  one for each command
    """Why a command of the queue does nothing to an item, one sentence; ``None`` where it does."""
    if item is None:
        return "Move to an item of the queue first."
    match command:
        case "cancel" | "speed" if item.state.ended:
            return f"This has ended: {item.state}."
        case "cancel" if item.cancelling:
            return "This is being taken back already."
        case "queue-earlier" | "queue-later" if item.state is not State.WAITING:
            return "Only what waits can be put in another order."
        case "dismiss-job" if not item.state.ended:
            return "This has not ended: x cancels it."
        case "speed" if item.state is State.WAITING:
            return "This has not begun: b sets its limit once it runs, and until then its form: x, and queue it anew."
        case _:
            return None


def _let_go(item: Item) -> bool:
    return item.state is State.CANCELLED and item.started is None


class QueueView(Items[QueueRow]):
    """What runs, then what waits in its order, then what has ended."""

    BORDER_TITLE = "Queue"

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        id: str | None = None,  # noqa: A002
    ) -> None:
        """Begin empty, which takes no room."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.several_hosts = False
        self.add_class("-empty")

    def key_of(self, item: QueueRow) -> Hashable:
        """The item's id."""
        return item.item.id

    def show_queue(self, queue: Queue, rows: Sequence[QueueRow], *, nearest: bool = False) -> None:
        """Show these items, and how many of them wait.

        The cursor stays on its item, unless that is let go before it has begun: then the next one is meant.
        """
        before, place = self.current, self.index
        self.show(rows, nearest=nearest)
        after = self.current
        if before and after and not before.item.state.ended and _let_go(after.item):
            open_still = sum(not row.item.state.ended for row in self.items)
            if open_still:
                self.move_to(min(place or 0, open_still - 1))
        self.set_class(not rows, "-empty")
        counts = {
            "waiting": len(queue.waiting),
            "running": len(queue.running),
            "ended": len(queue.items) - len(queue.waiting) - len(queue.running),
        }
        words = [f"{count} {word}" for word, count in counts.items() if count]
        title = Content(f" {self.glyphs.dot} ".join([" ".join(["Queue", *words[:1]]), *words[1:]]))
        if queue.paused:
            title = join(title, f" {self.glyphs.dot} ", styled("paused", "$text-warning"))
        self.border_title = title
        limits = queue.limits
        self.border_subtitle = Content(
            f"at once {limits.per_host} on a host, {limits.per_destination} to a destination"
        )

    def draw(self, item: QueueRow, line: int, width: int) -> Content:  # noqa: ARG002
        """One item."""
        one, glyphs = item.item, self.glyphs
        style = "$text-warning" if one.cancelling else _STYLES[one.state]
        place = "" if item.position is None else str(item.position)
        names = max((shown(row.item.domain).cell_length for row in self.items), default=0)
        tos = max((shown(row.item.to).cell_length for row in self.items), default=0)
        name = max(_LEAST_NAME, min(names, _MOST_NAME, width // 5))
        to = min(tos, max(_LEAST_PLACE, min(_MOST_PLACE, (width - _ELSE) // 2)))
        parts: list[Content | str] = [
            " ",
            styled(self._sign(one), style),
            " ",
            pad(styled("cancelling" if one.cancelling else one.state.value, style), _STATE),
            " ",
            pad(styled(place, DIM), 3, right=True),
            "  ",
            pad(shown(one.domain, "bold", width=name), name),
            "  ",
        ]
        if tos:
            where = shown_middle(one.to, DIM, width=to) if one.to else styled("", DIM)
            parts += [styled(f"{glyphs.to} ", DIM), pad(where, to), "  "]
        if self.several_hosts:
            hosts = max(shown(row.host, width=_MOST_HOST).cell_length for row in self.items)
            parts += [pad(shown(item.host, DIM, width=_MOST_HOST), hosts), "  "]
        return join(*parts, self._words(item))

    def _sign(self, item: Item) -> str:
        glyphs = self.glyphs
        if item.cancelling:
            return glyphs.cancelling
        return {
            State.WAITING: glyphs.off,
            State.RUNNING: glyphs.copying,
            State.DONE: glyphs.good,
            State.FAILED: glyphs.bad,
            State.REFUSED: glyphs.bad,
            State.CANCELLED: glyphs.cancelled,
        }[item.state]

    def _words(self, row: QueueRow) -> Content:
        item, dot = row.item, styled(f" {self.glyphs.dot} ", DIM)
        if item.state is State.WAITING:
            return shown(row.hold.words, DIM) if row.hold else styled("next", DIM)
        if item.state is State.RUNNING:
            words = [Content(row.progress or "looking at the host")]
            if row.percent is not None:
                words.append(Content(f"{row.percent} % of all"))
            if item.message:
                words.append(shown(item.message, "$text-warning"))
        else:
            ended = time.strftime("%H:%M", time.localtime(item.ended or 0.0))
            style = "$text-error" if item.state in (State.FAILED, State.REFUSED) else ""
            words = [styled(ended, DIM)]
            if item.message.rstrip(".") != item.state.value:
                words.append(shown(item.message, style))
            if item.state is State.DONE and item.started is not None and item.ended is not None:
                words.append(styled(f"took {duration(item.ended - item.started)}", DIM))
        return dot.join(words)
