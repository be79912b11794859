"""The form for several moves at once: one way for all, a plan for each, and those that may be are queued."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on
from textual.content import Content
from textual.message import Message

from tui.app.dialogs.asking import Answer, Outdated, answer_of, ask_places
from tui.app.dialogs.choices import Mistakes
from tui.app.dialogs.flow import EMPTY, Line, heading
from tui.app.dialogs.judged_form import DEBOUNCE, JudgedForm
from tui.app.dialogs.mirror import MirrorForm
from tui.app.dialogs.move_fields import places_of
from tui.app.dialogs.plan_view import finding_lines
from tui.app.dialogs.several_fields import Mover, SeveralFields
from tui.app.glyphs import DIM, SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.text import join, pad, shown, styled
from tui.engine.control import Control
from tui.model.finding import Acceptance, Severity
from tui.model.plan import Plan
from tui.model.quantity import size
from tui.model.queue import writes_to
from tui.model.request import MoveRequest
from tui.model.together import together

_NAME = 30


class SeveralForm(JudgedForm[tuple[MoveRequest, ...], tuple[Answer, ...], tuple[tuple[Control, Plan], ...]]):
    """Answers the plans that may be carried out, each with its host."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = MirrorForm.ACCEPTANCES
    START = "Queue"
    STARTS = "queues them"

    @dataclass
    class PlacesFound(Message):
        """A host has said where its pools are."""

        places: tuple[str, ...]

    def __init__(
        self,
        movers: Sequence[Mover],
        *,
        suggested_bandwidth: int = 0,
        debounce: float = DEBOUNCE,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Begin with all of these."""
        names = list(dict.fromkeys(mover.control.state.name for mover in movers))
        host = shown(names[0]).plain if len(names) == 1 else f"{len(names)} hosts"
        title = join(f"Move {len(movers)} domains", styled(f"  {host}", f"not bold {DIM}"))
        self._movers = tuple(movers)
        self._several = SeveralFields(movers, suggested_bandwidth=suggested_bandwidth, glyphs=glyphs)
        super().__init__(title, self._several, debounce=debounce, glyphs=glyphs)

    def on_mount(self) -> None:
        """Ask where there is room for images."""
        for control in {id(mover.control): mover.control for mover in self._movers}.values():
            ask_places(control, lambda places: self.post_message(self.PlacesFound(places)))

    @on(PlacesFound)
    def take_places(self, event: PlacesFound) -> None:
        """Complete to the hosts' pools; whoever has gone on has agreed to the proposal that stood there."""
        self._several.add_directories(event.places, improve=not self.going)

    def wish(self) -> tuple[MoveRequest, ...] | Mistakes:
        """The moves that are filled in."""
        return self._several.wish(self.accepted)

    def answer_to(self, wish: tuple[MoveRequest, ...], outdated: Outdated) -> tuple[Answer, ...]:
        """A plan for each; what is outdated is not asked to its end."""
        answers = []
        for mover, request in zip(self._movers, wish, strict=True):
            if outdated():
                break
            answers.append(answer_of(mover.control, request))
        return tuple(answers)

    def judge(self) -> None:
        """As for one; a tick asks nothing new and changes what may be queued."""
        super().judge()
        self.show_judgement()

    def chosen(self) -> tuple[tuple[Control, Plan], ...] | None:
        """The plans of what is ticked that nothing forbids, if they speak of what is filled in."""
        if self._given is None or tuple(answer.request for answer in self._given) != self.wish():
            return None
        ready = self._ready(self._judged(self._given))
        return tuple((mover.control, plan) for mover, plan in ready if not mover.control.read_only)

    def _judged(self, given: tuple[Answer, ...]) -> tuple[Plan | None, ...]:
        """The plans of what is ticked, with what they mean for one another."""
        ticked = zip(self._movers, given, self._several.ticked, strict=True)
        plans = [(mover, answer.plan if tick else None) for mover, answer, tick in ticked]
        found = iter(together([(mover.control.state.uri, plan) for mover, plan in plans if plan]))
        return tuple(
            plan and replace(plan, findings=(*plan.findings, *next(found))) for _mover, plan in plans
        )

    def lines(self, given: tuple[Answer, ...]) -> Iterable[Line]:
        """A line for each domain, and below for each what goes where and what speaks for and against it."""
        judged = self._judged(given)
        ticked = self._several.ticked
        names = max(shown(mover.domain.name, width=_NAME).cell_length for mover in self._movers) + 2
        targets = max(shown(" ".join(mover.targets), width=_NAME).cell_length for mover in self._movers)
        for mover, answer, plan, tick in zip(self._movers, given, judged, ticked, strict=True):
            name = pad(shown(mover.domain.name, "bold", width=_NAME), names)
            worst = _worst(plan)
            sign = self.glyphs.severity(worst) if tick else self.glyphs.empty
            look = SEVERITY_STYLES[worst] if tick else DIM
            lead = join(styled(f"{sign} ", look), name)
            yield Line(lead, _outlook(mover, answer, plan, targets) if tick else styled("stays", DIM))
        yield from self._sum(judged)
        for mover, plan in zip(self._movers, judged, strict=True):
            if plan:
                yield EMPTY
                yield from self._plan_lines(mover, plan)

    def _plan_lines(self, mover: Mover, plan: Plan) -> Iterator[Line]:
        yield heading(shown(mover.domain.name, width=_NAME).plain)
        own = sorted(places_of(mover.disks))
        to = writes_to(plan)
        if own and to:
            targets = join(shown(" ".join(mover.targets)), "  ")
            yield Line(targets, join(shown(", ".join(own), DIM), f" {self.glyphs.to} ", shown(to)))
        telling = [finding for finding in plan.findings if finding.severity is not Severity.FINE]
        yield from finding_lines(telling, self.glyphs)
        if fine := len(plan.findings) - len(telling):
            words = "1 check is fine" if fine == 1 else f"{fine} checks are fine"
            yield Line(styled(f"{self.glyphs.good} ", SEVERITY_STYLES[Severity.FINE]), styled(words, DIM))

    def _sum(self, judged: tuple[Plan | None, ...]) -> Iterator[Line]:
        plans = [plan for _mover, plan in self._ready(judged)]
        needs = [plan.needs for plan in plans if plan.needs is not None]
        if len(plans) > 1 and needs:
            least = "at least " if len(needs) < len(plans) else ""
            same = len({(mover.control, writes_to(plan)) for mover, plan in self._ready(judged)}) == 1
            free = f"; {size(plans[0].free)} free there" if same and plans[0].free is not None else ""
            yield Line(Content("  "), styled(f"together {least}{size(sum(needs))}, likely{free}", DIM))

    def _ready(self, judged: tuple[Plan | None, ...]) -> Iterator[tuple[Mover, Plan]]:
        pairs = zip(self._movers, judged, strict=True)
        return ((mover, plan) for mover, plan in pairs if plan and not plan.refused)

    def verdict(self, given: tuple[Answer, ...]) -> Iterator[Line]:
        """How many may be queued."""
        judged = self._judged(given)
        ready = len(self.chosen() or ())
        ticked = sum(self._several.ticked)
        findings = [finding for _mover, plan in self._ready(judged) for finding in plan.findings]
        warnings = sum(finding.severity is Severity.WARNING for finding in findings)
        words = f"{ready} of {ticked} may be queued" if ready < ticked else f"all {ready} may be queued"
        if not ready:
            yield self.weighed(Severity.REFUSED, f"none of {ticked} may be queued: see the plan (f2)")
        elif ready < ticked:
            yield self.weighed(Severity.WARNING, f"{words}; the others stay where they are")
        elif warnings:
            count = "1 warning" if warnings == 1 else f"{warnings} warnings"
            yield self.weighed(Severity.WARNING, f"{words}, with {count}")
        else:
            yield self.weighed(Severity.FINE, f"{words}, nothing speaks against it")

    def offered(self, given: tuple[Answer, ...]) -> set[Acceptance | None]:
        """What the findings of any of them say."""
        return {finding.acceptance for answer in given if answer.plan for finding in answer.plan.findings}

    def obstacle(self, given: tuple[Answer, ...]) -> Acceptance | None:
        """What would turn the first refusal into a warning."""
        refusals = (f for plan in self._judged(given) if plan for f in plan.findings)
        return next((f.acceptance for f in refusals if f.severity is Severity.REFUSED), None)

    def commands(self, given: tuple[Answer, ...]) -> tuple[str, ...]:
        """Those of what may be queued, one plan after the other."""
        plans = self._ready(self._judged(given))
        return tuple(command for _mover, plan in plans for command in plan.commands)


def _worst(plan: Plan | None) -> Severity:
    severities = {finding.severity for finding in plan.findings} if plan else {Severity.REFUSED}
    return next((one for one in (Severity.REFUSED, Severity.WARNING) if one in severities), Severity.FINE)


def _outlook(mover: Mover, answer: Answer, plan: Plan | None, width: int) -> Content:
    """What is moved and how much, or why it is not."""
    if plan is None:
        return shown(answer.error)
    targets = pad(shown(" ".join(mover.targets), width=_NAME), width)
    if plan.refused:
        refusals = (f.reason for f in plan.findings if f.severity is Severity.REFUSED)
        return join(targets, "  ", shown(f"refused: {next(refusals)}", SEVERITY_STYLES[Severity.REFUSED]))
    if mover.control.read_only:
        return join(targets, "  ", styled("read-only: nothing is queued", "$text-warning"))
    words: list[Content | str] = [targets]
    if plan.needs is not None:
        words += ["  ", size(plan.needs)]
    if warnings := sum(f.severity is Severity.WARNING for f in plan.findings):
        words += ["  ", styled("1 warning" if warnings == 1 else f"{warnings} warnings", DIM)]
    return join(*words)
