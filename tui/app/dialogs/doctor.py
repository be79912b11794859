"""What is wrong or left over on a host, and what to do about it: the findings of ``virt-mirror doctor``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import OptionList, Static

from tui.app.background import Turn
from tui.app.dialogs.clipboard import copy_remedy
from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.passages import Passages
from tui.app.dialogs.plan_view import finding_lines
from tui.app.glyphs import DIM, SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.model.finding import Finding, Severity, in_order, refused
from tui.model.text import counted

Examine = Callable[[Callable[[tuple[Finding, ...]], None], Callable[[str], None]], None]
"""Has the host looked at, away from the screen's thread; then the one is called, or the other with a sentence."""

_NAME = 30


class DoctorDialog(Dialog[None]):
    """Shows findings, one under the cursor; changes nothing."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "doctor.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "leave", "Close", show=False, id="doctor-close"),
        Binding("r,ctrl+r", "look", "Look again", show=False, id="doctor-look"),
        Binding("c,y", "copy", "Copy what to do", show=False, id="doctor-copy"),
    ]

    def __init__(
        self, host: str, examine: Examine, clock: Callable[[], float], *, glyphs: Glyphs = UNICODE
    ) -> None:
        """Examine the host of that name."""
        super().__init__(glyphs)
        self._host = host
        self._examine = examine
        self._clock = clock
        self._turn = Turn()
        self.findings: tuple[Finding, ...] = ()

    def compose(self) -> ComposeResult:
        """The findings; how it looks as a whole stands in the title."""
        yield from self.boxed(
            self._titled(Content("")),
            Passages(id="findings"),
            Buttons("r look again  c copy what to do  esc close", button("Close", "leave")),
        )

    def on_mount(self) -> None:
        """Arrows go from one finding to the next."""
        self.query_one("#findings", Passages).focus()
        self.action_look()

    def on_unmount(self) -> None:
        """An answer that comes now is for nobody."""
        self._turn.forget()

    def action_look(self) -> None:
        """Have the host looked at; what is known stays until the answer is there."""
        self._sum_up(styled(self.glyphs.words("examining…"), "$text-warning"))
        only = self._turn.begin()
        self._examine(only(self._take), only(self._fail))

    def _take(self, findings: tuple[Finding, ...]) -> None:
        self.findings = in_order(findings)
        bad = sum(finding.severity is not Severity.FINE for finding in self.findings)
        words = counted(bad, "thing to look at", "things to look at") if bad else "all is well"
        severity = Severity.WARNING if bad else Severity.FINE
        sign = styled(f"{self.glyphs.severity(severity)} ", SEVERITY_STYLES[severity])
        at = time.strftime("%H:%M:%S", time.localtime(self._clock()))
        self._sum_up(join(sign, words, styled(f"  as of {at}", DIM)))
        self._show()

    def _fail(self, why: str) -> None:
        bad = SEVERITY_STYLES[Severity.REFUSED]
        self._sum_up(styled(f"{self.glyphs.bad} could not be examined", bad))
        self.findings = (refused("host", why),)
        self._show()

    def _titled(self, words: Content) -> Content:
        host = styled(f"  {shown(self._host, width=_NAME).plain}  ", f"not bold {DIM}")
        return join("Doctor", host, words.stylize("not bold"))

    def _sum_up(self, words: Content) -> None:
        self.query_one("#title", Static).update(self._titled(words))

    def _show(self) -> None:
        passages = self.query_one("#findings", Passages)
        passages.show(finding_lines([finding], self.glyphs) for finding in self.findings)

    @on(OptionList.OptionSelected, "#findings")
    def action_copy(self) -> None:
        """Give what to do about the finding under the cursor to the clipboard."""
        place = self.query_one("#findings", Passages).highlighted
        if place is not None and place < len(self.findings):
            copy_remedy(self.app, self.findings[place].remedy)
