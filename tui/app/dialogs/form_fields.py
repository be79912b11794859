"""The fields of a form that hosts judge: what every kind of them has."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Input

from tui.app.dialogs.choices import Part
from tui.app.dialogs.fields import Check, Choice, Filled, Taken


class FormFields(VerticalScroll, Filled, can_focus=False):
    """The left half of a form: keeps what is filled in, and says when it changes."""

    @dataclass
    class Edited(Message):
        """Something was filled in."""

        fields: FormFields

    @dataclass
    class Entered(Message):
        """Enter was pressed in a field of one line: go on."""

        fields: FormFields

    PARTS: ClassVar[tuple[Part, ...]] = ()
    """Those that can be wrong, each of them a field that has its name."""

    def __init__(self) -> None:
        """Stand to the left of the plan."""
        super().__init__(id="fields")

    @abstractmethod
    def enter_first(self) -> None:
        """Go to where filling in begins."""

    def enter_part(self, part: Part) -> None:
        """Go to a part that is wrong."""
        self.query_one(f"#{part}").focus()

    def show_problems(self, problems: Mapping[Part, str]) -> None:
        """Say under each field what is wrong with it, and under no other."""
        for part in self.PARTS:
            self.field(part).problem(problems.get(part, ""))

    @on(Choice.Changed)
    @on(Check.Changed)
    @on(Input.Changed)
    def tell_edited(self, event: Message) -> None:
        """One message for all fields."""
        event.stop()
        self.post_message(self.Edited(self))

    @on(Taken)
    def tell_taken(self, event: Taken) -> None:
        """It counts from now on, and enter goes on."""
        event.stop()
        self.post_message(self.Edited(self))
        if event.entered:
            self.post_message(self.Entered(self))

    @on(Input.Submitted)
    def tell_entered(self, event: Input.Submitted) -> None:
        """One message for all fields."""
        event.stop()
        self.post_message(self.Entered(self))
