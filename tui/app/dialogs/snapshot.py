"""The form of a snapshot: what it is called, and by what each disk is held."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar

from textual import on

from tui.app.dialogs.asking import Answer
from tui.app.dialogs.choices import Mistakes
from tui.app.dialogs.form import RequestForm
from tui.app.dialogs.snapshot_fields import SnapshotFields
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Control
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.quantity import moment_name
from tui.model.request import Request


class SnapshotForm(RequestForm):
    """Asks for a snapshot of the disks of one domain."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = {
        Acceptance.LOSE_CHECKPOINTS: "lose the checkpoints, and incremental backup with them",
        Acceptance.OVERWRITE_IMAGES: "take overlays that seem to hold something, which hides what the guest has",
        Acceptance.RISK_FULL_DESTINATION: "risk that the room for what is new does not suffice",
    }
    START = "Take it"
    STARTS = "takes it"

    def __init__(
        self,
        control: Control,
        domain: Domain,
        *,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Propose a name that tells the time."""
        title = join("Snapshot of ", shown(domain.name))
        self._snapshot = SnapshotFields(domain, moment_name(time.time()), glyphs=glyphs)
        super().__init__(control, title, self._snapshot, glyphs=glyphs)
        self._uuid = domain.uuid

    def wish(self) -> Request | Mistakes:
        """The snapshot that is filled in."""
        return self._snapshot.wish(self._uuid, self.accepted)

    def where(self) -> object:
        """All places that are filled in."""
        return self._snapshot.places

    @on(RequestForm.Answered)
    def offer_methods(self, event: RequestForm.Answered) -> None:
        """The host has said what each disk can have."""
        answer = event.given
        if isinstance(answer, Answer) and answer.plan is not None:
            self._snapshot.offer(answer.plan.offers)
            # A method that was chosen and is no longer to be had has gone back to the proposal.
            self.call_later(self.judge)
