"""The migration form: a domain that goes to another host, with what it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from tui.app.dialogs.choices import Mistakes
from tui.app.dialogs.form import RequestForm
from tui.app.dialogs.migrate_fields import MigrateFields
from tui.app.dialogs.peer_fields import Peer
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Control
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.request import Request


class MigrateForm(RequestForm):
    """Asks for the migration of one domain."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = {
        Acceptance.LOSE_SNAPSHOTS: "lose snapshots: their data do not come along",
        Acceptance.OVERWRITE_IMAGES: "write over images that are there, for good",
        Acceptance.RISK_FULL_DESTINATION: "risk that there is no room for all of it",
    }
    START = "Migrate"
    STARTS = "migrates it"

    def __init__(
        self,
        control: Control,
        domain: Domain,
        peers: Sequence[Peer],
        *,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Offer these hosts, of which the first is chosen."""
        title = join("Migrate ", shown(domain.name), " to another host")
        self._migrate = MigrateFields(domain, peers, glyphs=glyphs)
        super().__init__(control, title, self._migrate, glyphs=glyphs)

    def where(self) -> object:
        """Host and places."""
        return self._migrate.where

    def wish(self) -> Request | Mistakes:
        """The migration that is filled in."""
        return self._migrate.wish(self.accepted)
