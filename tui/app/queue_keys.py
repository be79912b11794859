"""The keys of the queue: what they do to the item under the cursor, and to the queue as a whole."""

from __future__ import annotations

from abc import abstractmethod

from textual.screen import Screen

from tui.app.command import Panel
from tui.app.deeds import Aim, Deeds
from tui.app.dialogs.limits import LimitsDialog
from tui.app.dialogs.several_fields import Mover
from tui.app.glyphs import Glyphs
from tui.app.picture import Picture
from tui.app.rows import Row
from tui.app.widgets.domains import DomainsPanel
from tui.app.widgets.queue import QueueView, why_not
from tui.engine.queue import QueueRunner, undo_request
from tui.model.queue import Item, State


class QueueKeys(Screen[None]):
    """What is bound to the item under the cursor at the moment of the key press."""

    picture: Picture
    domains: DomainsPanel
    queue_view: QueueView
    runner: QueueRunner
    deeds: Deeds
    panel: Panel
    glyphs: Glyphs

    @abstractmethod
    def hint(self, text: str) -> None:
        """Say why a key does nothing."""

    @abstractmethod
    def take_queue(self, *, nearest: bool = False) -> None:
        """Show what the queue holds now, with the cursor on the next best item where its own is gone."""

    def focused_item(self) -> Item | None:
        """The item that a key means."""
        row = self.queue_view.current if self.panel is Panel.QUEUE else None
        return self.runner.queue.item(row.item.id) if row else None

    def _item_for(self, command: str) -> Item | None:
        """The item, if the command does something to it; else says why not."""
        item = self.focused_item()
        if reason := why_not(item, command):
            self.hint(reason)
            return None
        return item

    def action_queue_earlier(self) -> None:
        """One place ahead."""
        self._move("queue-earlier", -1)

    def action_queue_later(self) -> None:
        """One place further on."""
        self._move("queue-later", 1)

    def _move(self, command: str, step: int) -> None:
        if item := self._item_for(command):
            before = self.runner.queue.waiting
            self.runner.move(item.id, step)
            if self.runner.queue.waiting == before:
                self.hint(
                    f"{item.domain} is the {'next' if step < 0 else 'last'} of those that wait already."
                )

    def action_queue_pause(self) -> None:
        """Begin nothing more, or go on."""
        if self.runner.queue.paused:
            self.runner.resume()
        else:
            self.runner.pause()

    def action_queue_limits(self) -> None:
        """Ask for the limits."""
        dialog = LimitsDialog(self.runner.queue.limits, glyphs=self.glyphs)
        self.app.push_screen(dialog, lambda limits: self.runner.limit(limits) if limits else None)

    def action_queue_clear(self) -> None:
        """Forget what has ended."""
        self.runner.clear()
        self.take_queue(nearest=True)

    def dismiss_item(self) -> None:
        """Forget the ended item under the cursor."""
        if item := self._item_for("dismiss-job"):
            self.runner.clear([item.id])
            self.take_queue(nearest=True)

    def cancel_item(self) -> None:
        """A waiting item just leaves; what a running one has done is taken back, once that has been looked at."""
        row, item = self.queue_view.current, self._item_for("cancel")
        if row is None or item is None:
            return
        if item.state is State.WAITING or item.plan is None:
            self.runner.cancel(item.id)
            return
        self.deeds.propose(
            Aim(self.picture.controls[row.number], item.uuid),
            undo_request(item.uuid, item.plan, self.picture.states[row.number]),
            "Call it back" if item.peer else "Cancel the move",
            carry_out=lambda plan: self.runner.cancel(item.id, plan),
        )

    def move_several(self, tagged: list[Row]) -> None:
        """Fill in the form for the domains of these disks."""
        targets: dict[tuple[int, str], list[str]] = {}
        for row in tagged:
            targets.setdefault((row.number, row.uuid), []).append(row.target)
        movers = [
            Mover(self.picture.controls[number], domain, tuple(sorted(names)))
            for (number, uuid), names in targets.items()
            if (domain := self.picture.states[number].domain(uuid))
        ]
        self.deeds.move_several(movers)
