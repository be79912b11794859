"""What the forms share that ask for a place on the host: its storage pools are proposed as soon as they are known."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from textual import on
from textual.content import Content
from textual.message import Message

from tui.app.dialogs.asking import ask_aside
from tui.app.dialogs.form import RequestForm
from tui.app.dialogs.form_fields import FormFields
from tui.app.glyphs import UNICODE, Glyphs
from tui.engine.control import Control


class PlacedFields(FormFields):
    """Fields of which one is a place."""

    @abstractmethod
    def add_directories(self, directories: Sequence[str], *, improve: bool) -> None:
        """Complete to these too; ``improve`` a proposal that nobody has touched."""


class PlacedForm(RequestForm):
    """A form with such fields."""

    @dataclass
    class PlacesFound(Message):
        """The host has said where its pools are."""

        places: tuple[str, ...]

    def __init__(
        self,
        control: Control,
        title: Content,
        fields: PlacedFields,
        *,
        more: str = "",
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """As any; the host is asked for its places as well."""
        super().__init__(control, title, fields, more=more, glyphs=glyphs)
        self._placed = fields

    def on_mount(self) -> None:
        """Ask where there is room for images."""
        ask_aside(self._control.places, lambda places: self.post_message(self.PlacesFound(places)))

    @on(PlacesFound)
    def take_places(self, event: PlacesFound) -> None:
        """Complete to the host's pools; whoever has gone on has agreed to the proposal that stood there."""
        self._placed.add_directories(event.places, improve=not self.going)
