"""The mirror form: where a disk is to be copied, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from tui.app.dialogs.choices import Mistakes, request_of
from tui.app.dialogs.mirror_fields import MirrorFields
from tui.app.dialogs.peer_fields import Peer
from tui.app.dialogs.placed_form import PlacedForm
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Control
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.request import Request


class MirrorForm(PlacedForm):
    """Asks for the copy of one disk."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = {
        Acceptance.LOSE_INTERNAL_SNAPSHOTS: "lose the internal snapshots: the copy has none of them",
        Acceptance.LOSE_CHECKPOINTS: "lose the checkpoints, and incremental backup with them",
        Acceptance.RISK_FULL_DESTINATION: "risk a full destination, which loses the copy",
    }

    def __init__(
        self,
        control: Control,
        domain: Domain,
        disk: Disk,
        *,
        peers: Sequence[Peer] = (),
        turn: tuple[int, int] = (1, 1),
        suggested_bandwidth: int = 0,
        fast: str | None = None,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Fill in a copy of ``disk``.

        Args:
            control: the host.
            domain: whose disk it is.
            disk: what is copied.
            peers: the other hosts that are open.
            turn: which form this is of how many that follow one another.
            suggested_bandwidth: bytes per second; 0 is no limit.
            fast: the directory to propose before the host has named any.
            glyphs: what is drawn.
        """
        number, count = turn
        taken = frozenset(path for d in control.state.domains for one in d.disks for path in one.local_paths)
        self._mirror = MirrorFields(
            domain,
            disk,
            directories=(fast,) if fast else (),
            taken=taken | disk.local_paths,
            peers=peers,
            suggested_bandwidth=suggested_bandwidth,
            glyphs=glyphs,
        )
        title = join("Mirror ", shown(disk.target), " of ", shown(domain.name))
        more = f"  {number} of {count}" if count > 1 else ""
        super().__init__(control, title, self._mirror, more=more, glyphs=glyphs)
        self._domain = domain
        self._disk = disk

    def wish(self) -> Request | Mistakes:
        """The copy that is filled in."""
        choices = replace(self._mirror.choices, accepted=self.accepted)
        return request_of(choices, self._domain.uuid, self._disk.target)

    def where(self) -> object:
        """Host and place."""
        choices = self._mirror.choices
        return (choices.kind, choices.place, choices.xml, choices.host)
