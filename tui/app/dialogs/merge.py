"""The merge form: which layers of a disk are to become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from tui.app.dialogs.choices import Mistakes
from tui.app.dialogs.form import RequestForm
from tui.app.dialogs.merge_fields import MergeFields
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Control
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.request import Request


class MergeForm(RequestForm):
    """Asks for the commit or the pull of layers of one disk."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = {
        Acceptance.LOSE_SNAPSHOTS: "lose the snapshots that stand on these images",
        Acceptance.LOSE_INTERNAL_SNAPSHOTS: "lose the internal snapshots of these images",
        Acceptance.RISK_FULL_DESTINATION: "risk that the room does not suffice",
    }

    def __init__(
        self,
        control: Control,
        domain: Domain,
        disk: Disk,
        what: str,
        place: int,
        *,
        suggested_bandwidth: int = 0,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Fill in ``what`` pointing at the layer at ``place`` of the chain means."""
        title = join("Merge layers of ", shown(disk.target), " of ", shown(domain.name))
        self._merge = MergeFields(disk, what, place, suggested_bandwidth=suggested_bandwidth, glyphs=glyphs)
        super().__init__(control, title, self._merge, glyphs=glyphs)
        self._uuid = domain.uuid

    def wish(self) -> Request | Mistakes:
        """The commit or the pull that is filled in."""
        return self._merge.wish(self._uuid, self.accepted)
