"""The field for a path, with the host's storage pools one key away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.app.text import shown
from tui.app.widgets.entry import Entry


class _PathInput(Entry):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("down", "open_list", "Proposals", show=False)]

    @dataclass
    class ListWanted(Message):
        """The user wants to see what there is."""

    def action_open_list(self) -> None:
        """Ask for the list."""
        self.post_message(self.ListWanted())


class _Proposals(OptionList):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Back to the field", show=False)]

    @dataclass
    class Closed(Message):
        """The user goes back to the field."""

    def on_blur(self) -> None:
        """Go when the focus does."""
        self.display = False

    def action_close(self) -> None:
        """Choose nothing."""
        self.post_message(self.Closed())


class PlaceInput(Vertical):
    """A text field that completes, and under it, when asked for, the list of proposals."""

    def __init__(self, value: str = "") -> None:
        """Begin with ``value``."""
        super().__init__()
        self._first = value
        self._proposals: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        """The field, and the list that floats over what is below."""
        yield _PathInput(self._first, select_on_focus=False, id="place")
        yield _Proposals(id="proposals")

    @property
    def value(self) -> str:
        """What stands in the field."""
        return self.query_one("#place", Input).value

    @value.setter
    def value(self, value: str) -> None:
        field = self.query_one("#place", Input)
        field.value = value
        field.cursor_position = len(value)

    def enter(self) -> None:
        """Begin to type, at the end."""
        field = self.query_one("#place", Input)
        field.focus()
        field.cursor_position = len(field.value)

    def offer(self, proposals: Sequence[str], placeholder: str) -> None:
        """Complete to these, and list them."""
        self._proposals = tuple(proposals)
        field = self.query_one("#place", Input)
        field.suggester = SuggestFromList(self._proposals) if self._proposals else None
        field.placeholder = placeholder
        listed = self.query_one("#proposals", OptionList)
        listed.clear_options()
        listed.add_options(Option(shown(path)) for path in self._proposals)

    @on(_PathInput.ListWanted)
    def open_list(self, event: _PathInput.ListWanted) -> None:
        """Show the proposals, if there are any."""
        event.stop()
        if self._proposals:
            listed = self.query_one("#proposals", OptionList)
            listed.display = True
            listed.highlighted = 0
            listed.focus()

    @on(OptionList.OptionHighlighted, "#proposals")
    def keep_highlight(self, event: OptionList.OptionHighlighted) -> None:
        """A proposal under the cursor is nothing to anybody else."""
        event.stop()

    @on(_Proposals.Closed)
    def close_list(self, event: _Proposals.Closed) -> None:
        """Back to the field, nothing chosen."""
        event.stop()
        self.enter()

    @on(OptionList.OptionSelected, "#proposals")
    def take_proposal(self, event: OptionList.OptionSelected) -> None:
        """Put it into the field."""
        event.stop()
        self.value = self._proposals[event.option_index]
        self.enter()
