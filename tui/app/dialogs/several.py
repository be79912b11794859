"""The form for several domains at once: one way for all, a plan for each, and those that may be are queued."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from textual.content import Content

from tui.app.dialogs.asking import Answer, Outdated, answer_of
from tui.app.dialogs.flow import EMPTY, Line, heading
from tui.app.dialogs.form_fields import FormFields
from tui.app.dialogs.judged_form import JudgedForm
from tui.app.dialogs.on_screen import on_screen
from tui.app.dialogs.plan_view import finding_lines
from tui.app.glyphs import DIM, SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.text import join, pad, shown, styled
from tui.engine.control import Control
from tui.model.domain import Domain
from tui.model.finding import Acceptance, Severity
from tui.model.plan import Plan
from tui.model.request import Request
from tui.model.text import counted
from tui.model.together import judged

Wanted = TypeVar("Wanted", bound=Request)

_NAME = 30


@dataclass(frozen=True, slots=True)
class Candidate:
    """A domain with which something is to be done."""

    control: Control
    domain: Domain


class SeveralForm(
    JudgedForm[tuple[Wanted, ...], tuple[Answer, ...], tuple[tuple[Control, Plan], ...]], Generic[Wanted]
):
    """Answers the plans that may be carried out, each with its host."""

    START = "Queue"
    STARTS = "queues them"

    def __init__(
        self,
        verb: str,
        candidates: Sequence[Candidate],
        fields: FormFields,
        *,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Begin with these, which are ticked in the fields in the same order."""
        names = list(dict.fromkeys(one.control.state.name for one in candidates))
        aside = names[0] if len(names) == 1 else f"{len(names)} hosts"
        count = counted(len(candidates), "domain")
        self._candidates = tuple(candidates)
        super().__init__(Content(f"{verb} {count}"), fields, aside=aside, glyphs=glyphs)

    @property
    @abstractmethod
    def ticked(self) -> tuple[bool, ...]:
        """For each domain whether it is to go."""

    @abstractmethod
    def what(self, place: int) -> Content:
        """What is taken of a domain, in a few words."""

    @abstractmethod
    def amount(self, plan: Plan) -> Content | str:
        """How much that is, as far as it is known."""

    @abstractmethod
    def way_of(self, place: int, plan: Plan) -> Iterator[Line]:
        """From where to where."""

    @abstractmethod
    def sum_of(self, plans: Sequence[Plan]) -> str:
        """What they take together, as far as it is known."""

    def answer_to(self, wish: tuple[Wanted, ...], outdated: Outdated) -> tuple[Answer, ...]:
        """A plan for each; what is outdated is not asked to its end."""
        answers = []
        for candidate, request in zip(self._candidates, wish, strict=True):
            if outdated():
                break
            answers.append(answer_of(candidate.control, request))
        return tuple(answers)

    def judge(self) -> None:
        """As for one; a tick asks nothing new and changes what may be queued."""
        super().judge()
        self.show_judgement()

    def chosen(self) -> tuple[tuple[Control, Plan], ...] | None:
        """The plans of what is ticked that nothing forbids, if they speak of what is filled in."""
        if self._given is None or tuple(answer.wish for answer in self._given) != self.wish():
            return None
        ready = self._ready(self._judged(self._given))
        return tuple((one.control, plan) for one, plan in ready if not one.control.read_only)

    def _judged(self, given: tuple[Answer, ...]) -> tuple[Plan | None, ...]:
        """The plans of what is ticked, with what they mean for one another."""
        ticked = zip(self._candidates, given, self.ticked, strict=True)
        plans = [(one, answer.plan if tick else None) for one, answer, tick in ticked]
        found = iter(judged([(one.control.state.uri, plan) for one, plan in plans if plan]))
        return tuple(next(found) if plan else None for _one, plan in plans)

    def lines(self, given: tuple[Answer, ...]) -> Iterable[Line]:
        """A line for each domain, and below for each what goes where and what speaks for and against it."""
        judged = self._judged(given)
        places = range(len(self._candidates))
        names = [shown(one.domain.name, "bold", width=_NAME) for one in self._candidates]
        width = max(name.cell_length for name in names) + 2
        whats = max(self.what(place).cell_length for place in places)
        for place, plan, tick in zip(places, judged, self.ticked, strict=True):
            worst = plan.worst if plan else Severity.REFUSED
            sign = self.glyphs.severity(worst) if tick else self.glyphs.empty
            lead = join(styled(f"{sign} ", SEVERITY_STYLES[worst] if tick else DIM), pad(names[place], width))
            told = self._outlook(place, given[place], plan, whats)
            yield Line(lead, told if tick else styled("stays", DIM))
        yield from self._sum(judged)
        for place, plan in zip(places, judged, strict=True):
            if plan:
                yield EMPTY
                yield from self._plan_lines(place, plan)

    def _plan_lines(self, place: int, plan: Plan) -> Iterator[Line]:
        yield heading(shown(self._candidates[place].domain.name, width=_NAME).plain)
        yield from self.way_of(place, plan)
        telling = [finding for finding in plan.findings if finding.severity is not Severity.FINE]
        yield from finding_lines(telling, self.glyphs)
        if fine := len(plan.findings) - len(telling):
            words = counted(fine, "check is fine", "checks are fine")
            yield Line(styled(f"{self.glyphs.good} ", SEVERITY_STYLES[Severity.FINE]), styled(words, DIM))

    def _sum(self, judged: tuple[Plan | None, ...]) -> Iterator[Line]:
        plans = [plan for _one, plan in self._ready(judged)]
        if len(plans) > 1 and (words := self.sum_of(plans)):
            yield Line(Content("  "), styled(f"together {words}", DIM))

    def _ready(self, judged: tuple[Plan | None, ...]) -> Iterator[tuple[Candidate, Plan]]:
        pairs = zip(self._candidates, judged, strict=True)
        return ((one, plan) for one, plan in pairs if plan and not plan.refused)

    def _outlook(self, place: int, answer: Answer, plan: Plan | None, width: int) -> Content:
        """What goes and how much, or why it does not."""
        if plan is None:
            return shown(answer.error)
        what = pad(self.what(place), width)
        gap = "  " if width else ""
        if plan.refused:
            why = on_screen(plan.refusals[0].reason)
            return join(what, gap, shown(f"refused: {why}", SEVERITY_STYLES[Severity.REFUSED]))
        if self._candidates[place].control.read_only:
            return join(what, gap, styled("read-only: nothing is queued", "$text-warning"))
        words: list[Content | str] = [what, gap, self.amount(plan)]
        if warnings := sum(f.severity is Severity.WARNING for f in plan.findings):
            words += ["  ", styled(counted(warnings, "warning"), DIM)]
        return join(*words)

    def verdict(self, given: tuple[Answer, ...]) -> Iterator[Line]:
        """How many may be queued."""
        judged = self._judged(given)
        ready = len(self.chosen() or ())
        ticked = sum(self.ticked)
        findings = [finding for _one, plan in self._ready(judged) for finding in plan.findings]
        warnings = sum(finding.severity is Severity.WARNING for finding in findings)
        words = f"{ready} of {ticked} may be queued" if ready < ticked else f"all {ready} may be queued"
        if not ready:
            yield self.weighed(Severity.REFUSED, f"none of {ticked} may be queued: see the plan (f2)")
        elif ready < ticked:
            yield self.weighed(Severity.WARNING, f"{words}; the others stay where they are")
        elif warnings:
            count = counted(warnings, "warning")
            yield self.weighed(Severity.WARNING, f"{words}, with {count}")
        else:
            yield self.weighed(Severity.FINE, f"{words}, nothing speaks against it")

    def offered(self, given: tuple[Answer, ...]) -> set[Acceptance | None]:
        """What the findings of any of them say."""
        return {finding.acceptance for answer in given if answer.plan for finding in answer.plan.findings}

    def obstacle(self, given: tuple[Answer, ...]) -> Acceptance | None:
        """What would turn the first refusal into a warning."""
        refusals = (f for plan in self._judged(given) if plan for f in plan.refusals)
        return next((f.acceptance for f in refusals), None)

    def commands(self, given: tuple[Answer, ...]) -> tuple[str, ...]:
        """Those of what may be queued, one plan after the other."""
        plans = self._ready(self._judged(given))
        return tuple(command for _one, plan in plans for command in plan.commands)
