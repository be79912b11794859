"""What the tests of dialogs share: something to open them over, and what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from tests.fake_host import default_plan, make_domain, make_job, make_state
from tests.settled import running
from tui.app.theme import DARK, variable_defaults
from tui.model.finding import fine, refused, warning
from tui.model.job import Job, Phase
from tui.model.plan import Plan
from tui.model.request import Ending, EndRequest
from tui.model.steps import EndJobs

HOSTILE = ("[/x]", "vm[prod]", "a\x1b[31mb", "a\nb", "x" * 300, "[@click=app.exit]go[/]", "宽" * 40)
SIZES = ((80, 24), (120, 36), (40, 12))
UNANSWERED = object()


class Host(App[None]):
    """Something for dialogs to open over."""

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults(self.current_theme)

    def compose(self) -> ComposeResult:
        yield Static("beneath")


def in_dialog(
    make: Callable[[], Screen[Any]],
    act: Callable[[Pilot[None], Any], Any],
    size: tuple[int, int] = (120, 36),
) -> Any:
    """Open a dialog, do something in it, and give back what it answered."""
    answers: list[Any] = []

    async def run() -> None:
        app = Host()
        async with running(app, size=size) as pilot:
            dialog = make()
            await app.push_screen(dialog, answers.append)
            await pilot.pause()
            await act(pilot, dialog)
            await pilot.pause()
            assert len(app.screen_stack) == (2 if not answers else 1)

    asyncio.run(run())
    return answers[0] if answers else UNANSWERED


def pressing(*keys: str) -> Callable[[Pilot[None], Any], Any]:
    async def act(pilot: Pilot[None], _: object) -> None:
        await pilot.press(*keys)

    return act


def a_plan(**changes: Any) -> Plan:
    domain = make_domain()
    request = EndRequest(domain.uuid, ("vda",), Ending.PIVOT)
    plan = default_plan(request, make_state(domain, jobs=[make_job(domain)]), (fine("a", "All is well."),))
    return replace(plan, **changes)


def hostile_job(text: str) -> Job:
    return replace(
        make_job(text, "vda", phase=Phase.FAILED, source=f"/{text}", destination=f"/{text}"),
        target=text,
        remark=text,
        plan=text,
        proof=(refused("a", text, text),),
    )


def hostile_plan(text: str) -> Plan:
    findings = (refused("a", text, text), warning("b", text, text), fine("c", text))
    step = EndJobs("u", text, (text,), Ending.PIVOT)
    return a_plan(
        title=text, domain=text, findings=findings, steps=(step,), facts=(("from", text), ("disk", text))
    )
