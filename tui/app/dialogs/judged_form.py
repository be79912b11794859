"""A form that hosts judge while it is filled in: fields, what would happen, and a button while nothing forbids it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.types import CSSPathType
from textual.widget import Widget
from textual.widgets import Button

from tui.app.dialogs.asking import Asker, Outdated
from tui.app.dialogs.choices import Mistakes, Part
from tui.app.dialogs.clipboard import copy_commands
from tui.app.dialogs.dialog import Buttons, Dialog, button
from tui.app.dialogs.fields import Check, Choice, More
from tui.app.dialogs.flow import Flow, Line
from tui.app.dialogs.form_fields import FormFields
from tui.app.dialogs.plan_view import PAGING, PlanView
from tui.app.glyphs import DIM, SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.model.finding import Acceptance, Severity

Wish = TypeVar("Wish")
Given = TypeVar("Given")
Chosen = TypeVar("Chosen")

_OF_A_PLACE = (Acceptance.RISK_FULL_DESTINATION, Acceptance.OVERWRITE_IMAGES)
"""What is risked at one place is not risked at another."""

_HINT = "enter go on  f2 plan  esc not now"
_HINT_AT_CHECK = "space yes/no  enter go on  f2 plan  esc not now"
_HINT_AT_MORE = "space more/less  enter go on  f2 plan  esc not now"
_HINT_AT_PLAN = "f2 choices  c copy  enter go on  esc not now"


class JudgedForm(Dialog[Chosen | None], Generic[Wish, Given, Chosen]):
    """Answers what was on the screen when the button was pressed, or ``None``."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "plan.tcss", "form.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go_on", "Go on", show=False, id="form-go-on"),
        Binding("f2", "turn", "Choices or plan", show=False, id="form-turn"),
        Binding("c", "copy", "Copy the commands", show=False, id="form-copy"),
        *PAGING,
    ]
    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = {}
    """What a user may take upon himself here, and what it is called."""
    START = "Start"
    """The word on the button."""
    STARTS = "starts it"
    """What enter does there."""
    DEBOUNCE = 0.2
    """Seconds without a key press before the host is asked."""

    @dataclass
    class Answered(Message):
        """The host has answered, or an error came up that nobody expected."""

        number: int
        given: object

    def __init__(self, title: Content, fields: FormFields, *, aside: str, glyphs: Glyphs = UNICODE) -> None:
        """Fill in ``fields``; ``aside`` is what stands in the title beside it, as a host may call it."""
        super().__init__(glyphs)
        self._title = join(title, shown(f"  {aside}", f"not bold {DIM}"))
        self.fields = fields
        self._asker = Asker[Wish, Given | Mistakes](
            self.answer_to, lambda number, given: self.post_message(self.Answered(number, given))
        )
        self._number = 0
        self._where: object = None
        self._asked: Wish | Mistakes | None = None
        self._given: Given | None = None
        self._mistakes: Mistakes | None = None
        """What keeps it from being judged."""
        self._left: Widget | None = None
        """What had the focus when the plan was gone to."""
        self._timer: Timer | None = None
        self.going = False
        """Whether the user wants to go on as soon as the host has answered."""

    @abstractmethod
    def wish(self) -> Wish | Mistakes:
        """What the form stands for at this moment, or what keeps it from being a wish."""

    @abstractmethod
    def answer_to(self, wish: Wish, outdated: Outdated) -> Given | Mistakes:
        """What there is to say to a wish, or what only looking shows to be wrong; called in a thread, and blocks."""

    @abstractmethod
    def chosen(self) -> Chosen | None:
        """What the button stands for: for exactly what the form holds at this moment, and only if it may be."""

    @abstractmethod
    def lines(self, given: Given) -> Iterable[Line]:
        """The right half."""

    @abstractmethod
    def verdict(self, given: Given) -> Iterator[Line]:
        """Whether the button is alive, and why."""

    @abstractmethod
    def offered(self, given: Given) -> set[Acceptance | None]:
        """What the answer leaves to the user to take upon himself."""

    @abstractmethod
    def obstacle(self, given: Given) -> Acceptance | None:
        """What would have to be taken upon himself first."""

    @abstractmethod
    def commands(self, given: Given) -> tuple[str, ...]:
        """What a person would type."""

    def compose(self) -> ComposeResult:
        """Choices, plan, what the user takes upon himself, the verdict, the buttons."""
        tabs = Choice((("choices", "choices"), ("plan", "plan")), glyphs=self.glyphs, id="tab")
        checks = (Check(f"accept: {what}", id=a.value) for a, what in self.ACCEPTANCES.items())
        yield from self.boxed(
            self._title,
            tabs,
            Horizontal(self.fields, PlanView(glyphs=self.glyphs), id="panes"),
            Vertical(*checks, id="accept"),
            Flow(id="verdict"),
            Buttons(_HINT, button("Not now", "leave"), button(self.START, "start")),
        )

    def on_mount(self) -> None:
        """Begin where filling in begins."""
        for acceptance in self.ACCEPTANCES:
            self.check(acceptance).display = False
        self.fields.enter_first()
        self.judge()

    def on_unmount(self) -> None:
        """Ask nothing more."""
        self._asker.stop()

    @property
    def accepted(self) -> frozenset[Acceptance]:
        """What is ticked of that."""
        return frozenset(a for a in self.ACCEPTANCES if self.check(a).value)

    def check(self, acceptance: Acceptance) -> Check:
        """Where it is ticked."""
        return self.query_one(f"#{acceptance}", Check)

    @property
    def _start(self) -> Button:
        return self.query_one("#start", Button)

    @property
    def checking(self) -> bool:
        """Whether the host is being asked, or about to be."""
        return self._asked is not None and self._mistakes is None and self._given is None

    @on(FormFields.Edited)
    @on(Check.Changed)
    def judge_again(self) -> None:
        """What is shown may no longer speak of what is filled in."""
        self.judge()

    def where(self) -> object:
        """The destination that is filled in: what is risked at one is not risked at another."""
        return None

    def judge(self) -> None:
        """Ask the host about what is filled in, unless it was asked that already."""
        where = self.where()
        for acceptance in _OF_A_PLACE if where != self._where else ():
            if acceptance in self.ACCEPTANCES:
                self.check(acceptance).value = False
        self._where = where
        wish = self.wish()
        if wish == self._asked:
            return
        self._number += 1
        self._asked = wish
        self._given = None
        self.going = False
        if self._timer:
            self._timer.stop()
        self._be_wrong(wish if isinstance(wish, Mistakes) else None)
        if self._mistakes is None:
            if self.DEBOUNCE:
                self._timer = self.set_timer(self.DEBOUNCE, self._ask)
            else:
                self._ask()
        self.show_judgement()

    def _be_wrong(self, mistakes: Mistakes | None) -> None:
        self._mistakes = mistakes
        self.fields.show_problems(dict(mistakes.sentences) if mistakes else {})

    def _ask(self) -> None:
        if self._asked is not None and not isinstance(self._asked, Mistakes):
            self._asker.ask(self._number, self._asked)

    @on(Answered)
    def take_answer(self, event: Answered) -> None:
        """Show the answer, unless the form has moved on since it was asked for."""
        if event.number != self._number:
            return
        if isinstance(event.given, Exception):
            # The next edit asks again, whatever it is.
            self._asked, self.going = None, False
            self.show_judgement()
            raise event.given
        if isinstance(event.given, Mistakes):
            self._be_wrong(event.given)
        else:
            self._given = event.given  # type: ignore[assignment]  # what ``answer_to`` gave
        self.show_judgement()
        self.query_one(PlanView).scroll_home(animate=False)
        if self.going:
            self._go_on()

    @on(events.DescendantFocus)
    def name_the_keys(self) -> None:
        """What enter does depends on where the focus is."""
        match self.focused:
            case Button(id="start"):
                hint = f"enter {self.STARTS}  f2 plan  esc not now"
            case More():
                hint = _HINT_AT_MORE
            case Check():
                hint = _HINT_AT_CHECK
            case PlanView():
                hint = _HINT_AT_PLAN
            case _:
                hint = _HINT
        self.query_one(Buttons).hint(hint)

    @on(FormFields.Entered)
    def action_go_on(self) -> None:
        """Enter: to the button, or to what stands in the way; if that is not known yet, as soon as it is."""
        self.going = True
        self._go_on()

    def _go_on(self) -> None:
        if self._mistakes is not None:
            self.going = False
            self._go_to_mistake(next(iter(self._mistakes.sentences)))
        elif self._given is not None:
            self.going = False
            if self.chosen():
                self._start.focus()
            else:
                self._go_to_obstacle(self._given)

    def _go_to_mistake(self, part: Part) -> None:
        tab = self.query_one("#tab", Choice)
        if tab.value == "choices":
            self.fields.enter_part(part)
        else:
            tab.value = "choices"
            self.call_after_refresh(self.fields.enter_part, part)

    def _go_to_obstacle(self, given: Given) -> None:
        acceptance = self.obstacle(given)
        if acceptance is not None and acceptance in self.ACCEPTANCES:
            self.check(acceptance).focus()
            return
        self.query_one("#tab", Choice).value = "plan"
        view = self.query_one(PlanView)
        view.scroll_home(animate=False)
        self.call_after_refresh(view.focus)

    def show_judgement(self) -> None:
        """Show what is known, and whether the button is alive."""
        self.query_one("#verdict", Flow).show(self._verdict())
        self._start.disabled = not self.chosen()
        view = self.query_one(PlanView)
        if self._mistakes is not None:
            view.show(_unfinished(self._mistakes))
            return
        if self._given is None:
            view.mark_old(old=True)
            return
        view.show(self.lines(self._given))
        self._show_acceptances(self.offered(self._given))

    def _show_acceptances(self, offered: set[Acceptance | None]) -> None:
        for acceptance in self.ACCEPTANCES:
            check = self.check(acceptance)
            check.display = acceptance in offered or check.value
        some = any(self.check(a).display for a in self.ACCEPTANCES)
        self.query_one("#accept").set_class(some, "-some")

    def _verdict(self) -> Iterator[Line]:
        if self._mistakes is not None:
            yield Line(Content(""), styled("not complete yet", DIM))
        elif self._given is None and not self.checking:
            yield self.weighed(Severity.REFUSED, "could not be checked")
        elif self._given is None:
            yield Line(Content(""), styled(self.glyphs.words("checking…"), DIM))
        else:
            yield from self.verdict(self._given)

    def weighed(self, severity: Severity, text: Content | str) -> Line:
        """A line of the verdict."""
        sign = styled(f"{self.glyphs.severity(severity)} ", SEVERITY_STYLES[severity])
        return Line(sign, join(text).stylize(SEVERITY_STYLES[severity]))

    @on(Choice.Changed, "#tab")
    def show_tab(self, event: Choice.Changed) -> None:
        """In a narrow window, one at a time."""
        event.stop()
        self.set_class(event.value == "plan", "-plan")
        self.call_after_refresh(self.query_one(PlanView).tell_below)

    def action_turn(self) -> None:
        """From the choices to the plan, and back to the field that was left."""
        tab = self.query_one("#tab", Choice)
        to_plan = tab.value == "choices"
        tab.value = "plan" if to_plan else "choices"
        if to_plan:
            self._left = self.focused
        self.call_after_refresh(self.query_one(PlanView).focus if to_plan else self._enter_again)

    def _enter_again(self) -> None:
        left = self._left
        if left is not None and left.focusable and self.fields in left.ancestors:
            left.focus()
        else:
            self.fields.enter_first()

    def action_page_plan(self, pages: int) -> None:
        """Page the plan without leaving what is being filled in; where it is out of view, go to it."""
        view = self.query_one(PlanView)
        if view.display:
            view.page(pages)
        else:
            self.action_turn()

    @on(PlanView.Below)
    def tell_below(self, event: PlanView.Below) -> None:
        """More of the plan is out of view."""
        event.stop()
        self.query_one(Buttons).above(event.words)

    def action_copy(self) -> None:
        """Give the commands to the clipboard, if they are those of the present input."""
        commands = self.commands(self._given) if self._given is not None else ()
        if commands:
            copy_commands(self.app, commands)

    @on(Button.Pressed, "#start")
    def start(self) -> None:
        """Answer what is on the screen, and nothing else."""
        chosen = self.chosen()
        if chosen:
            self.answer(chosen)


def _unfinished(mistakes: Mistakes) -> Iterator[Line]:
    """What stands in the place of the plan of something that cannot be judged."""
    yield Line(Content(""), styled("No plan yet:", DIM))
    yield from (Line(Content("  "), shown(sentence)) for sentence in mistakes.sentences.values())
