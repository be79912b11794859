"""Going back to a snapshot: what the guest does then, and that what it has now is given up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from tui.app.dialogs.choices import Mistakes
from tui.app.dialogs.fields import Choice, Field
from tui.app.dialogs.form import RequestForm
from tui.app.dialogs.form_fields import FormFields
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Control
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.hierarchy_request import After, SnapshotRevertRequest
from tui.model.request import Request

_AFTER = ((After.AS_THEN.value, "as then"), (After.RUNNING.value, "running"), (After.PAUSED.value, "paused"))
_AFTER_NOTES = {
    After.AS_THEN: "It does what it did when the snapshot was taken.",
    After.RUNNING: "It runs, whatever it did then.",
    After.PAUSED: "It is paused, so that you can look first.",
}


class RevertFields(FormFields):
    """One choice."""

    def __init__(self, *, glyphs: Glyphs = UNICODE) -> None:
        """Begin with what libvirt does by itself."""
        super().__init__()
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """What the guest does then."""
        yield Field("Guest then", Choice(_AFTER, glyphs=self._glyphs, id="after"))

    def on_mount(self) -> None:
        """Say what it means."""
        self.explain()

    @property
    def after(self) -> After:
        """What is chosen."""
        return After(self.chosen("after"))

    @on(Choice.Changed)
    def explain(self) -> None:
        """Say what is chosen."""
        self.field("after").note(_AFTER_NOTES[self.after])

    def enter_first(self) -> None:
        """Go to the choice."""
        self.query_one("#after", Choice).focus()


class RevertForm(RequestForm):
    """Asks for the way back to one snapshot."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = {
        Acceptance.LOSE_PRESENT_STATE: "lose what the guest has now: nothing holds that state",
    }
    START = "Go back"
    STARTS = "goes back"

    def __init__(
        self,
        control: Control,
        domain: Domain,
        name: str,
        *,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Go back to the snapshot of that name."""
        title = join("Take ", shown(domain.name), " back to ", shown(name))
        self._revert = RevertFields(glyphs=glyphs)
        super().__init__(control, title, self._revert, glyphs=glyphs)
        self._uuid = domain.uuid
        self._snapshot = name

    def wish(self) -> Request | Mistakes:
        """What is filled in."""
        return SnapshotRevertRequest(self._uuid, self._snapshot, self._revert.after, self.accepted)
