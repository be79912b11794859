"""The queue on the screen over scripted hosts, and hands to use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from tests.app_pilot import Screen, opened
from tests.fake_host import (
    FakeControl,
    FakeRun,
    default_plan,
    make_disk,
    make_domain,
    make_state,
    uuid_of,
)
from tui.app.command import Panel
from tui.engine.control import End, Outcome
from tui.model.begin_steps import StartCopy
from tui.model.finding import refused
from tui.model.host import HostState
from tui.model.plan import Plan
from tui.model.queue import State
from tui.model.request import MoveRequest, Request

NAMES = ("a", "b", "c", "d")
DONE = Outcome(End.DONE, "Done.")


def world(*names: str) -> HostState:
    disks = [make_disk("vda"), make_disk("vdb"), make_disk("vdc", readonly=True)]
    return make_state(*(make_domain(name, disks=disks) for name in names or NAMES))


def planned(control: FakeControl, request: Request, *refusals: str) -> Plan:
    """A plan of a copy whose id is that of the domain; an undo is one without steps."""
    findings = tuple(refused(check, f"Because of {check}.") for check in refusals)
    if not isinstance(request, MoveRequest):
        plan = default_plan(request, control.state)
        domain = control.state.domain(request.uuid)
        assert domain
        return replace(plan, id="undo", domain=domain.name, findings=findings, steps=(), request=request)
    plan = default_plan(request, control.state, findings)
    start = StartCopy(
        request.uuid, plan.domain, "vda", "/slow/x", f"/fast/{plan.domain}", "<disk/>", creates=True
    )
    return replace(plan, id=f"p-{plan.domain}", steps=(start,), request=request)


def host(uri: str = "test:///a", **options: Any) -> FakeControl:
    control = FakeControl(uri, world(), **options)
    control.outcome = None
    control.planner = lambda request: planned(control, request)

    def run(started: FakeRun) -> None:
        if started.plan.id == "undo":
            next(r for r in control.runs if r.plan.uuid == started.plan.uuid).leave()
            started.finish(DONE)

    control.on_run = run
    return control


def ran(control: FakeControl) -> list[str]:
    return [call[1].domain for call in control.calls if call[0] == "run"]


def states(screen: Screen) -> dict[str, State]:
    return {item.domain: item.state for item in screen.app.runner.queue.items}


@asynccontextmanager
async def queued(
    control: FakeControl, *names: str, size: tuple[int, int] = (120, 36)
) -> AsyncIterator[Screen]:
    """The screen with moves of these domains in the queue, the first of them running, the cursor on it."""
    async with opened(control, size=size) as screen:
        wishes = [MoveRequest(uuid_of(name), "/fast", ("vda",)) for name in names or NAMES[:3]]
        screen.app.runner.add([(control, planned(control, wish)) for wish in wishes])
        await screen.until(lambda: screen.app.runner.queue.items[0].plan)
        await screen.until(lambda: len(screen.main.queue_view.items) == len(wishes))
        await screen.press("5")
        assert screen.main.panel is Panel.QUEUE
        yield screen


def lines(screen: Screen) -> list[str]:
    return [line.strip() for line in screen.painted(screen.main.queue_view).splitlines()]
