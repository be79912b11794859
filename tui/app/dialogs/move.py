"""The move form: which disks of a domain go where, with their chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from tui.app.dialogs.choices import Mistakes
from tui.app.dialogs.mirror import MirrorForm
from tui.app.dialogs.move_fields import MoveFields
from tui.app.dialogs.placed_form import PlacedForm
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Control
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.request import Request


class MoveForm(PlacedForm):
    """Asks for the move of some disks of one domain."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = MirrorForm.ACCEPTANCES

    def __init__(
        self,
        control: Control,
        domain: Domain,
        targets: Sequence[str],
        *,
        suggested_bandwidth: int = 0,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Begin with these disks, or with all that the guest can write to where none is named."""
        what = "Move the tagged disks of " if targets else "Move disks of "
        title = join(what, shown(domain.name))
        capacities = {disk.target: control.state.capacity(domain.uuid, disk.target) for disk in domain.disks}
        self._move = MoveFields(
            domain,
            targets,
            capacities=capacities,
            suggested_bandwidth=suggested_bandwidth,
            glyphs=glyphs,
        )
        super().__init__(control, title, self._move, glyphs=glyphs)

    def where(self) -> object:
        """The place."""
        return self._move.where

    def wish(self) -> Request | Mistakes:
        """The move that is filled in."""
        return self._move.wish(self.accepted)
