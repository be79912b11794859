"""The mirror form: fill in on the left, see on the right what would happen, start when nothing forbids it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.types import CSSPathType
from textual.widgets import Button

from tui.app.dialogs.asking import Answer, Asker, ask_places
from tui.app.dialogs.choices import Choices, Kind, Mistakes, request_of
from tui.app.dialogs.clipboard import copy_commands
from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Check, Choice
from tui.app.dialogs.flow import Flow, Line
from tui.app.dialogs.mirror_fields import MirrorFields
from tui.app.dialogs.plan_view import PlanView, plan_lines, sorted_findings
from tui.app.glyphs import DIM, SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.engine.control import Control
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.finding import Acceptance, Severity
from tui.model.plan import Plan
from tui.model.request import CopyRequest

DEBOUNCE = 0.2
"""Seconds without a key press before the host is asked."""

_ACCEPTANCES = {
    Acceptance.LOSE_INTERNAL_SNAPSHOTS: "lose the internal snapshots: the copy has none of them",
    Acceptance.LOSE_CHECKPOINTS: "lose the checkpoints, and incremental backup with them",
    Acceptance.RISK_FULL_DESTINATION: "risk a full destination, which loses the copy",
}


_HINT = "enter go on  f2 plan  esc not now"
_HINT_AT_CHECK = "space yes or no  enter go on  esc not now"
_HINT_AT_START = "enter starts the copy  esc not now"


class MirrorForm(Dialog[Plan | None]):
    """Answers the plan that was shown when Start was pressed, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "plan.tcss", "mirror.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "Go on", show=False, id="mirror-go-on"),
        Binding("f2", "turn", "Choices or plan", show=False, id="mirror-turn"),
        Binding("c", "copy", "Copy the commands", show=False, id="mirror-copy"),
    ]

    @dataclass
    class Answered(Message):
        """The host has answered."""

        answer: Answer

    @dataclass
    class PlacesFound(Message):
        """The host has said where its pools are."""

        places: tuple[str, ...]

    def __init__(
        self,
        control: Control,
        domain: Domain,
        disk: Disk,
        *,
        turn: tuple[int, int] = (1, 1),
        suggested_bandwidth: int = 0,
        fast: str | None = None,
        debounce: float = DEBOUNCE,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Fill in a copy of ``disk``.

        Args:
            control: the host.
            domain: whose disk it is.
            disk: what is copied.
            turn: which form this is of how many that follow one another.
            suggested_bandwidth: bytes per second; 0 is no limit.
            fast: the directory to propose before the host has named any.
            debounce: seconds without a key before the host is asked.
            glyphs: what is drawn.
        """
        super().__init__(glyphs)
        self._control = control
        self._domain = domain
        self._disk = disk
        self._turn = turn
        self._suggested = suggested_bandwidth
        self._fast = fast
        self._debounce = debounce
        self._asker = Asker(control, lambda answer: self.post_message(self.Answered(answer)))
        self._number = 0
        self._asked: CopyRequest | Mistakes | None = None
        self._where: tuple[Kind, str, str] | None = None
        self._answer: Answer | None = None
        self._timer: Timer | None = None
        self._going = False

    def compose(self) -> ComposeResult:
        """Choices, plan, what the user takes upon himself, the verdict, the buttons."""
        domains = self._control.state.domains
        taken = frozenset(path for domain in domains for disk in domain.disks for path in disk.local_paths)
        tabs = Choice((("choices", "choices"), ("plan", "plan")), glyphs=self.glyphs, id="tab")
        fields = MirrorFields(
            self._domain,
            self._disk,
            directories=(self._fast,) if self._fast else (),
            taken=taken | self._disk.local_paths,
            suggested_bandwidth=self._suggested,
            glyphs=self.glyphs,
        )
        number, count = self._turn
        aside = f"  {shown(self._control.state.name).plain}" + (f"  {number} of {count}" if count > 1 else "")
        host = styled(aside, f"not bold {DIM}")
        yield from self.boxed(
            join("Mirror ", shown(self._disk.target), " of ", shown(self._domain.name), host),
            tabs,
            Horizontal(fields, PlanView(glyphs=self.glyphs), id="panes"),
            Vertical(*(Check(f"accept: {_ACCEPTANCES[a]}", id=a.value) for a in _ACCEPTANCES), id="accept"),
            Flow(id="verdict"),
            Buttons(_HINT, button("Not now", "leave"), button("Start", "start")),
        )

    def on_mount(self) -> None:
        """Begin in the destination; ask where else it could go."""
        for acceptance in _ACCEPTANCES:
            self.query_one(f"#{acceptance}", Check).display = False
        self._fields.enter_place()
        self._judge()
        ask_places(self._control, lambda places: self.post_message(self.PlacesFound(places)))

    def on_unmount(self) -> None:
        """Ask nothing more."""
        self._asker.stop()

    @property
    def _fields(self) -> MirrorFields:
        return self.query_one(MirrorFields)

    @property
    def _start(self) -> Button:
        return self.query_one("#start", Button)

    @property
    def plan(self) -> Plan | None:
        """The plan for exactly what the form holds at this moment, if it is known and may be started."""
        answer = self._answer
        if answer is None or answer.plan is None or answer.plan.refused or self._control.read_only:
            return None
        return answer.plan if answer.request == self._request(self._read()) else None

    @property
    def checking(self) -> bool:
        """Whether the host is being asked, or about to be."""
        return isinstance(self._asked, CopyRequest) and self._answer is None

    def _read(self) -> Choices:
        accepted = frozenset(a for a in _ACCEPTANCES if self.query_one(f"#{a}", Check).value)
        return replace(self._fields.choices, accepted=accepted)

    def _request(self, choices: Choices) -> CopyRequest | Mistakes:
        return request_of(choices, self._domain.uuid, self._disk.target)

    @on(MirrorFields.Edited)
    @on(Check.Changed)
    def judge_again(self) -> None:
        """What is shown may no longer speak of what is filled in."""
        self._judge()

    def _judge(self) -> None:
        choices = self._read()
        where = (choices.kind, choices.place, choices.xml)
        if self._where is not None and self._where != where:
            # What was accepted of one destination was not accepted of another.
            self.query_one(f"#{Acceptance.RISK_FULL_DESTINATION}", Check).value = False
            choices = self._read()
        self._where = where
        request = self._request(choices)
        if request == self._asked:
            return
        self._number += 1
        self._asked = request
        self._answer = None
        self._going = False
        if self._timer:
            self._timer.stop()
        mistakes = request.sentences if isinstance(request, Mistakes) else {}
        self._fields.show_problems(dict(mistakes))
        if isinstance(request, CopyRequest):
            if self._debounce:
                self._timer = self.set_timer(self._debounce, self._ask)
            else:
                self._ask()
        self._show()

    def _ask(self) -> None:
        if isinstance(self._asked, CopyRequest):
            self._asker.ask(self._number, self._asked)

    @on(Answered)
    def take_answer(self, event: Answered) -> None:
        """Show the plan, unless the form has moved on since it was asked for."""
        if event.answer.number != self._number:
            return
        self._answer = event.answer
        self._show()
        if self._going:
            self._go_on()

    @on(PlacesFound)
    def take_places(self, event: PlacesFound) -> None:
        """Complete to the host's pools; whoever has gone on has agreed to the proposal that stood there."""
        self._fields.add_directories(event.places, improve=not self._going)

    @on(events.DescendantFocus)
    def name_the_keys(self) -> None:
        """What enter does depends on where the focus is."""
        at_check = isinstance(self.focused, Check)
        hint = _HINT_AT_START if self._start.has_focus else _HINT_AT_CHECK if at_check else _HINT
        self.query_one(Buttons).hint(hint)

    @on(MirrorFields.Entered)
    def action_go_on(self) -> None:
        """Enter: to the button, or to what stands in the way; if that is not known yet, as soon as it is."""
        self._going = True
        self._go_on()

    def _go_on(self) -> None:
        if isinstance(self._asked, Mistakes):
            self._going = False
            self._fields.enter_part(next(iter(self._asked.sentences)))
        elif self._answer is not None:
            self._going = False
            if self.plan:
                self._start.focus()
            else:
                self._go_to_obstacle()

    def _go_to_obstacle(self) -> None:
        plan = self._answer.plan if self._answer else None
        refusals = [f for f in plan.findings if f.severity is Severity.REFUSED] if plan else []
        if refusals and refusals[0].acceptance:
            self.query_one(f"#{refusals[0].acceptance}", Check).focus()
            return
        self.query_one("#tab", Choice).value = "plan"
        view = self.query_one(PlanView)
        view.scroll_home(animate=False)
        self.call_after_refresh(view.focus)

    def _show(self) -> None:
        self.query_one("#verdict", Flow).show(self._verdict())
        self._start.disabled = self.plan is None
        view = self.query_one(PlanView)
        answer = self._answer
        if answer is None:
            view.mark_old(old=True)
            return
        if answer.plan is None:
            bad = SEVERITY_STYLES[Severity.REFUSED]
            view.show([Line(styled(f"{self.glyphs.bad} ", bad), shown(answer.error))])
        else:
            view.show(plan_lines(answer.plan, self.glyphs, self._control.state.name))
        view.scroll_home(animate=False)
        self._show_acceptances(answer.plan)

    def _show_acceptances(self, plan: Plan | None) -> None:
        offered = {finding.acceptance for finding in plan.findings} if plan else set()
        for acceptance in _ACCEPTANCES:
            check = self.query_one(f"#{acceptance}", Check)
            check.display = acceptance in offered or check.value
        some = any(self.query_one(f"#{a}", Check).display for a in _ACCEPTANCES)
        self.query_one("#accept").set_class(some, "-some")

    def _verdict(self) -> Iterator[Line]:
        answer = self._answer
        if isinstance(self._asked, Mistakes):
            yield Line(Content(""), styled("not complete yet", DIM))
        elif answer is None:
            yield Line(Content(""), styled("checking…" if not self.glyphs.ascii else "checking...", DIM))
        elif answer.plan is None:
            yield self._weighed(Severity.REFUSED, shown(answer.error))
        elif answer.plan.refused:
            refusals = [f for f in sorted_findings(answer.plan.findings) if f.severity is Severity.REFUSED]
            more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
            yield self._weighed(Severity.REFUSED, join("refused: ", shown(refusals[0].reason), more))
        elif self._control.read_only:
            yield self._weighed(Severity.WARNING, "read-only: nothing is started on this host")
        else:
            warnings = sum(f.severity is Severity.WARNING for f in answer.plan.findings)
            if warnings:
                words = "1 warning" if warnings == 1 else f"{warnings} warnings"
                yield self._weighed(Severity.WARNING, f"may start, with {words}")
            else:
                yield self._weighed(Severity.FINE, "may start, nothing speaks against it")

    def _weighed(self, severity: Severity, text: Content | str) -> Line:
        sign = styled(f"{self.glyphs.severity(severity)} ", SEVERITY_STYLES[severity])
        return Line(sign, join(text).stylize(SEVERITY_STYLES[severity]))

    @on(Choice.Changed, "#tab")
    def show_tab(self, event: Choice.Changed) -> None:
        """In a narrow window, one at a time."""
        event.stop()
        self.set_class(event.value == "plan", "-plan")

    def action_turn(self) -> None:
        """From the choices to the plan and back."""
        tab = self.query_one("#tab", Choice)
        to_plan = tab.value == "choices"
        tab.value = "plan" if to_plan else "choices"
        self.call_after_refresh(self.query_one(PlanView).focus if to_plan else self._fields.enter_place)

    def action_copy(self) -> None:
        """Give the commands to the clipboard, if they are those of the present input."""
        if self._answer and self._answer.plan:
            copy_commands(self.app, self._answer.plan.commands)

    @on(Button.Pressed, "#start")
    def start(self) -> None:
        """Answer the plan that is on the screen, and no other."""
        plan = self.plan
        if plan:
            self.answer(plan)
