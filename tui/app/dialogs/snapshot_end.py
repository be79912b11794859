"""The end of a snapshot's mirrors: the guest goes over to them, or they are given up."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult

from tui.app.dialogs.choices import Mistakes
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.form import RequestForm
from tui.app.dialogs.form_fields import FormFields
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Control
from tui.model.domain import Domain
from tui.model.request import Ending, Request, SnapshotEndRequest

_ENDINGS = ((Ending.PIVOT.value, "pivot"), (Ending.CANCEL.value, "give up"))
_NOTES = {
    Ending.PIVOT: "The guest goes over to the mirrors, and the snapshot is forgotten.",
    Ending.CANCEL: "The guest stays on its overlays; the mirrors are cancelled, and the snapshot is forgotten.",
}


class SnapshotEndFields(FormFields):
    """Which end, and whether images are compared before."""

    def __init__(self, ending: Ending, *, brought: bool, glyphs: Glyphs = UNICODE) -> None:
        """Begin with that end; ``brought`` says that a mirror may stand on something else than the overlay does."""
        super().__init__()
        self._ending = ending
        self._brought = brought
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """The choice, and what it means."""
        choice = Choice(_ENDINGS, value=self._ending.value, glyphs=self._glyphs, id="ending")
        yield Field("Mirrors", choice)
        yield Check("compare first what your own mirrors stand on", value=True, id="compare")

    def on_mount(self) -> None:
        """Say what it means."""
        self.explain()

    @property
    def ending(self) -> Ending:
        """What is chosen."""
        return Ending(self.chosen("ending"))

    @property
    def compare(self) -> bool:
        """Whether images are compared, which is of use before a pivot alone."""
        return self.ending is not Ending.PIVOT or self.checked("compare")

    @on(Choice.Changed)
    def explain(self) -> None:
        """Say what is chosen."""
        self.field("ending").note(_NOTES[self.ending])
        self.query_one("#compare", Check).display = self._brought and self.ending is Ending.PIVOT

    def enter_first(self) -> None:
        """Go to the choice."""
        self.query_one("#ending", Choice).focus()


class SnapshotEndForm(RequestForm):
    """Asks for the end of the mirrors of one snapshot, which end together."""

    START = "End them"
    STARTS = "ends them"

    def __init__(
        self,
        control: Control,
        domain: Domain,
        name: str,
        ending: Ending,
        *,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """End those of the snapshot of that name; begin with one of the two ends."""
        title = join("End the mirrors of ", shown(name), " of ", shown(domain.name))
        entries = control.state.entries_of(domain.uuid)
        copies = [copy for e in entries if e.snapshot and e.snapshot.name == name for copy in e.copies]
        brought = not all(copy.creates for copy in copies)
        self._end = SnapshotEndFields(ending, brought=brought, glyphs=glyphs)
        super().__init__(control, title, self._end, glyphs=glyphs)
        self._uuid = domain.uuid
        self._snapshot = name

    def wish(self) -> Request | Mistakes:
        """What is filled in."""
        return SnapshotEndRequest(self._uuid, self._snapshot, self._end.ending, self._end.compare)
