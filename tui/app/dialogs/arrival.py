"""How a migration ended: what was seen of it on both hosts."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.flow import EMPTY, Flow, Line
from tui.app.dialogs.plan_view import finding_lines
from tui.app.glyphs import PHASE_STYLES, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.app.widgets.migrations import MigrationRow


class ArrivalDialog(Dialog[None]):
    """Only reads."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "leave", "Close", show=False, id="arrival-close"),
    ]

    def __init__(self, row: MigrationRow, *, glyphs: Glyphs = UNICODE) -> None:
        """Show a migration that has ended."""
        super().__init__(glyphs)
        self._row = row

    def compose(self) -> ComposeResult:
        """How it ended, and the proof."""
        migration, ended = self._row.migration, self._row.ended
        lines: list[Line] = []
        if ended is not None:
            style = PHASE_STYLES[ended.phase]
            sign = styled(f"{self.glyphs.phase(ended.phase)} ", style)
            lines = [Line(sign, shown(ended.outcome.message or ended.phase.value, style)), EMPTY]
            lines += finding_lines(ended.outcome.findings, self.glyphs)
        title = join("Migration of ", shown(migration.domain), " to ", shown(migration.host))
        yield from self.boxed(
            title,
            VerticalScroll(Flow(lines, id="proof"), classes="body"),
            Buttons(self.glyphs.words("↑ ↓ scroll  esc close"), button("Close", "leave")),
        )

    def on_mount(self) -> None:
        """Arrows scroll."""
        self.query_one(".body").focus()
