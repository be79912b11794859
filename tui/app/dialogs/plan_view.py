"""A plan as people read it before they say yes: what speaks against it, what it does, how to type it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message

from tui.app import chains
from tui.app.chains import stem
from tui.app.dialogs.flow import EMPTY, Flow, Line, heading, table
from tui.app.dialogs.on_screen import on_screen
from tui.app.glyphs import DIM, SEVERITY_STYLES, UNICODE, Glyphs
from tui.app.text import join, shown, shown_middle, styled
from tui.model.begin_steps import StartCopy
from tui.model.finding import Finding, Severity, in_order
from tui.model.plan import Plan, Redrawn
from tui.model.text import counted

_PLACE = 16
"""Cells for the directory of a layer: two chains of the same names lie in different ones."""
HANG = 2
"""Cells by which a command or an element is set in further where it goes on."""


def finding_lines(findings: Iterable[Finding], glyphs: Glyphs) -> Iterator[Line]:
    """Each with its sign, its word unless all is well, its reason and its remedy."""
    for finding in in_order(findings):
        style = SEVERITY_STYLES[finding.severity]
        sign = glyphs.severity(finding.severity)
        if finding.severity is Severity.FINE:
            yield Line(styled(f"{sign} ", style), shown(on_screen(finding.reason), DIM))
            continue
        word = styled(f"{finding.severity}: ", f"bold {style}")
        yield Line(styled(f"{sign} ", style), join(word, shown(on_screen(finding.reason))))
        if finding.remedy:
            yield Line(styled(f"  {glyphs.to} ", DIM), shown(on_screen(finding.remedy), DIM))


def plan_lines(plan: Plan, glyphs: Glyphs, host: str) -> Iterator[Line]:
    """All of a plan that would run on ``host``."""
    ours = {"host": host, "domain": plan.domain}
    facts = [*ours.items(), *(fact for fact in plan.facts if fact[0] not in ours)]
    blocks: list[tuple[str, Iterable[Line]]] = [
        ("Findings", finding_lines(plan.findings, glyphs)),
        *(chain_block(chain, glyphs) for chain in plan.chains),
        ("What", table((shown(label).plain, shown(value)) for label, value in facts)),
        (
            "Steps",
            (
                Line(styled(f"{number:>{len(str(len(plan.steps)))}} ", DIM), shown(s.title))
                for number, s in enumerate(plan.ahead, len(plan.steps) - len(plan.ahead) + 1)
            ),
        ),
        ("By hand", (Line(styled("$ ", DIM), shown(command), HANG) for command in plan.commands)),
        ("Destination XML", _xml_lines(plan)),
    ]
    between = False
    for title, lines in blocks:
        body = tuple(lines)
        if not body:
            continue
        if between:
            yield EMPTY
        between = True
        yield heading(title)
        yield from body


def chain_block(redrawn: Redrawn, glyphs: Glyphs) -> tuple[str, tuple[Line, ...]]:
    """A chain as it is, with what leaves it, and as it will be: the base on top, growing to the active layer."""
    now, then = (stem(redrawn.target, chain, glyphs) for chain in (redrawn.now, redrawn.then))
    kept = {layer.path for layer in redrawn.then.layers}
    # Two chains of the same names are told apart by where they lie.
    placed = len({line.place for line in (*now, *then)}) > 1

    def drawn(line: chains.Line, gone: str = "") -> Line:
        active = f"  {glyphs.active} active" if line.role is chains.Role.ACTIVE else ""
        style = DIM if gone else "$text-primary" if active else ""
        words = [shown(line.name, style), styled(f"  {gone}" if gone else active, DIM)]
        if placed:
            words.append(join("  ", shown_middle(line.place, DIM, width=_PLACE)))
        return Line(styled(f"  {line.branch}", DIM), join(*words))

    before = (drawn(line, redrawn.gone if line.layer and line.layer.path not in kept else "") for line in now)
    return f"Chain of {shown(redrawn.target).plain}, now and then", (*before, EMPTY, *map(drawn, then))


def xml_line(text: str) -> Line:
    """A line of a definition, set in as it is there, and further where it goes on."""
    tag = text.lstrip(" ")
    return Line(Content(" " * (len(text) - len(tag))), shown(tag, DIM), HANG)


def _xml_lines(plan: Plan) -> Iterator[Line]:
    for step in plan.steps:
        if isinstance(step, StartCopy):
            yield from map(xml_line, step.xml.splitlines())


PAGING = (
    Binding("pagedown", "page_plan(1)", "Page down", show=False, id="plan-page-down"),
    Binding("pageup", "page_plan(-1)", "Page up", show=False, id="plan-page-up"),
)
"""For dialogs whose focus is elsewhere."""


class PlanView(VerticalScroll, can_focus=True):
    """Shows a plan, and scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
        Binding("g", "scroll_home", "To the start", show=False),
        Binding("G", "scroll_end", "To the end", show=False),
    ]

    @dataclass
    class Below(Message):
        """Other lines are out of view below than before."""

        words: str
        """How many, and what they are about; empty where there are none."""

    def __init__(self, lines: Iterable[Line] = (), *, glyphs: Glyphs = UNICODE) -> None:
        """Begin with a plan's lines, or with none."""
        super().__init__(id="plan")
        self._below = ""
        self._first = tuple(lines)
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        """One flow of lines."""
        yield Flow(self._first)

    def on_mount(self) -> None:
        """Whatever is in view now may be another part of it."""
        self.watch(self, "scroll_y", self.tell_below)
        self.watch(self, "virtual_size", self.tell_below)

    def on_resize(self) -> None:
        """Another height holds more or less of it."""
        self.tell_below()

    def tell_below(self) -> None:
        """Say what is out of view below."""
        flow, bottom = self.query_one(Flow), round(self.scroll_y) + self.scrollable_content_region.height
        count = max(0, flow.size.height - bottom) if self.region else 0
        words = ""
        if count:
            headings = ", ".join(flow.headings_from(bottom))
            words = f"{self._glyphs.down} {counted(count, 'more line')} (pgdn)"
            words += f": {headings}" if headings else ""
        if words != self._below:
            self._below = words
            self.post_message(self.Below(words))

    @property
    def plain(self) -> str:
        """What is shown, as text."""
        return self.query_one(Flow).plain

    def show(self, lines: Iterable[Line]) -> None:
        """Show other lines, which speak of the present input."""
        self.query_one(Flow).show(lines)
        self.mark_old(old=False)

    def page(self, pages: int) -> None:
        """Go so many pages further down, or up."""
        self.scroll_relative(y=pages * max(1, self.scrollable_content_region.height - 1), animate=False)

    def mark_old(self, *, old: bool) -> None:
        """Dim what no longer speaks of the present input."""
        self.set_class(old, "-old")
