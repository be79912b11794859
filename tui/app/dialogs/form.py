"""What the forms share that ask for one plan of one host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from textual.content import Content

from tui.app.dialogs.asking import Answer, Outdated, answer_of
from tui.app.dialogs.clipboard import copy_remedy
from tui.app.dialogs.flow import Line
from tui.app.dialogs.form_fields import FormFields
from tui.app.dialogs.judged_form import JudgedForm
from tui.app.dialogs.on_screen import on_screen
from tui.app.dialogs.plan_view import plan_lines
from tui.app.glyphs import SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.text import join, shown, styled
from tui.engine.control import Control
from tui.model.finding import Acceptance, Severity
from tui.model.plan import Plan
from tui.model.request import Request
from tui.model.text import counted

Wish = TypeVar("Wish")


class PlanForm(JudgedForm[Wish, Answer, Plan], Generic[Wish]):
    """Answers the plan that was shown when Start was pressed, or ``None``."""

    def __init__(
        self,
        control: Control,
        title: Content,
        fields: FormFields,
        *,
        more: str = "",
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Fill in ``fields``, and ask the host; ``more`` stands beside its name."""
        super().__init__(title, fields, aside=control.state.name + more, glyphs=glyphs)
        self._control = control

    @property
    def plan(self) -> Plan | None:
        """The plan for exactly what the form holds at this moment, if it is known and may be started."""
        answer = self._given
        if answer is None or answer.plan is None or answer.plan.refused or self._control.read_only:
            return None
        return answer.plan if answer.wish == self.wish() else None

    def chosen(self) -> Plan | None:
        """That plan."""
        return self.plan

    def lines(self, given: Answer) -> Iterable[Line]:
        """The plan, or why there is none."""
        if given.plan is None:
            bad = SEVERITY_STYLES[Severity.REFUSED]
            return [Line(styled(f"{self.glyphs.bad} ", bad), shown(given.error))]
        return plan_lines(given.plan, self.glyphs, self._control.state.name)

    def offered(self, given: Answer) -> set[Acceptance | None]:
        """What its findings say."""
        return {finding.acceptance for finding in given.plan.findings} if given.plan else set()

    def obstacle(self, given: Answer) -> Acceptance | None:
        """What would turn the first refusal into a warning."""
        refusals = given.plan.refusals if given.plan else ()
        return refusals[0].acceptance if refusals else None

    def commands(self, given: Answer) -> tuple[str, ...]:
        """Those of the plan."""
        return given.plan.commands if given.plan else ()

    def action_copy(self) -> None:
        """Give the commands to the clipboard; of a plan that is refused what to do about that."""
        plan = self._given.plan if self._given else None
        if plan is not None and plan.refused and plan.remedies:
            copy_remedy(self.app, plan.remedies)
        else:
            super().action_copy()

    def verdict(self, given: Answer) -> Iterator[Line]:
        """Whether it may start."""
        if given.plan is None:
            yield self.weighed(Severity.REFUSED, shown(given.error))
        elif given.plan.refused:
            refusals = given.plan.refusals
            more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
            yield self.weighed(
                Severity.REFUSED, join("refused: ", shown(on_screen(refusals[0].reason)), more)
            )
        elif self._control.read_only:
            yield self.weighed(Severity.WARNING, "read-only: nothing is started on this host")
        else:
            warnings = sum(f.severity is Severity.WARNING for f in given.plan.findings)
            if warnings:
                words = counted(warnings, "warning")
                yield self.weighed(Severity.WARNING, f"may start, with {words}")
            else:
                yield self.weighed(Severity.FINE, "may start, nothing speaks against it")


class RequestForm(PlanForm[Request]):
    """A form whose fields are all that a request needs."""

    def answer_to(self, wish: Request, outdated: Outdated) -> Answer:  # noqa: ARG002  one question is one call
        """The plan of the host."""
        return answer_of(self._control, wish)
