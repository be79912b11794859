"""The left half of the import form: which file, where the images lie now, and which snapshot is the current one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from tui.app.dialogs.choices import Mistakes, Part, parsed, told_maps
from tui.app.dialogs.common_fields import maps_field
from tui.app.dialogs.fields import Check, Field
from tui.app.dialogs.form_fields import FormFields
from tui.app.dialogs.place_input import PlaceInput
from tui.app.glyphs import UNICODE, Glyphs
from tui.engine.own_files import here
from tui.model.finding import Acceptance
from tui.model.hierarchy_file import parse_maps
from tui.model.text import counted

_MAPS = "What lies elsewhere now: /old=/new /old2=/new2"
_WHERE = "On the machine where this program runs."


@dataclass(frozen=True, slots=True)
class ImportWish:
    """An import whose file nobody has read yet."""

    file: Path
    maps: tuple[tuple[str, str], ...]
    current: bool
    accepted: frozenset[Acceptance]


class ImportFields(FormFields):
    """Files are proposed once it is known which there are."""

    PARTS: ClassVar[tuple[Part, ...]] = (Part.PLACE, Part.MAPS)

    def __init__(self, file: str, *, glyphs: Glyphs = UNICODE) -> None:
        """Begin with that file, or with none."""
        super().__init__()
        self._file = file
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """One field a line."""
        yield Field("File", PlaceInput(self._file), id="place-field")
        yield maps_field()
        yield Field("Current", Check("as in the file", value=True, id="current"))

    def on_mount(self) -> None:
        """Say what the fields mean."""
        self.offer(())
        self.explain_maps()
        self.field("current").note("Otherwise the current snapshot stays what it is.")

    @on(Input.Changed, "#maps")
    def explain_maps(self) -> None:
        """Say how they are understood."""
        told = told_maps(self.query_one("#maps", Input).value, self._glyphs)
        self.field("maps").note(told or _MAPS)

    def offer(self, files: Sequence[str], *, first: str = "") -> None:
        """Complete to these files, and take ``first`` where there is none yet."""
        place = self.query_one(PlaceInput)
        place.offer(files, "what an export wrote")
        if first and not place.value:
            place.value = first
        note = f"{_WHERE} {self._glyphs.words('↓')} {counted(len(files), 'file')}" if files else _WHERE
        self.field("place").note(note)

    def wish(self, accepted: frozenset[Acceptance]) -> ImportWish | Mistakes:
        """What is filled in."""
        mistakes: dict[Part, str] = {}
        text = self.query_one(PlaceInput).value.strip()
        file = here()
        if not text:
            mistakes[Part.PLACE] = "Name the file to import."
        else:
            try:
                file /= Path(text).expanduser()
            except RuntimeError:
                mistakes[Part.PLACE] = "There can be no file of this name."
        maps = parsed(parse_maps, self.query_one("#maps", Input).value, Part.MAPS, mistakes) or ()
        if mistakes:
            return Mistakes(mistakes)
        return ImportWish(file, maps, self.checked("current"), accepted)

    def enter_first(self) -> None:
        """Go to the file."""
        self.query_one(PlaceInput).enter()
