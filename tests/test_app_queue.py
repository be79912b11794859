"""The queue on the screen: how moves get into it, how it is shown, and what its keys do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.events import Key
from textual.widgets import Button, Input

from tests.app_pilot import Screen, opened, played
from tests.fake_host import (
    NOW,
    FakeControl,
    FakeRun,
    default_plan,
    make_disk,
    make_domain,
    make_job,
    make_state,
    uuid_of,
)
from tui.app.commands import Panel
from tui.app.dialogs.ask import Question
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.limits import LimitsDialog
from tui.app.dialogs.move import MoveForm
from tui.app.dialogs.several import SeveralForm
from tui.engine.control import End, Outcome
from tui.model.finding import refused
from tui.model.host import HostState
from tui.model.journal import Entry
from tui.model.plan import Plan
from tui.model.queue import Limits, State
from tui.model.request import MoveRequest, RecoverRequest, Request
from tui.model.steps import AwaitSync, StartCopy

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


# Into the queue


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_tagged_domains_are_moved_by_one_form(size: tuple[int, int]) -> None:
    control = host()
    async with opened(control, size=size) as screen:
        await screen.press("t", "t", "M")
        assert isinstance(screen.app.screen, SeveralForm)
        form = screen.app.screen
        await screen.until(lambda: form.query_one("#place", Input).value == "/fast" and not form.checking)
        await screen.until(lambda: not form.query_one("#start", Button).disabled)
        assert ran(control) == []
        await screen.press("enter", "enter")
        await screen.until(lambda: ran(control) == ["a"])
        assert states(screen) == {"a": State.RUNNING, "b": State.WAITING}
        asked = {request.targets for request in control.requests if isinstance(request, MoveRequest)}
        assert asked == {("vda", "vdb")}
        assert screen.main.domains.tagged == []
        assert "2 moves are queued." in screen.log


@played
async def test_tags_of_one_domain_open_the_form_for_it() -> None:
    async with opened(host()) as screen:
        await screen.press("t", "up", "up", "up", "M")
        assert isinstance(screen.app.screen, MoveForm)


@played
async def test_only_the_tagged_disks_are_moved() -> None:
    control = host()
    async with opened(control) as screen:
        for name, target in (("a", "vda"), ("b", "vdb")):
            await screen.go_to(name, target)
            await screen.press("space")
        await screen.press("M")
        await screen.until(lambda: len(control.requests) >= 2)
        found = {(r.uuid, r.targets) for r in control.requests if isinstance(r, MoveRequest)}
        assert found == {(uuid_of("a"), ("vda",)), (uuid_of("b"), ("vdb",))}


@played
async def test_a_domain_is_tagged_whole_and_untagged() -> None:
    async with opened(host()) as screen:
        await screen.press("t")
        assert [row.target for row in screen.main.domains.tagged] == ["vda", "vdb"]
        current = screen.main.domains.table.current
        assert current
        assert (current.name, current.target) == ("b", "vda")
        await screen.go_to("a", "vdb")
        await screen.press("t")
        assert screen.main.domains.tagged == []


@played
async def test_a_single_move_goes_straight_away() -> None:
    control = host()
    async with queued(control, "a", "b") as screen:
        await screen.press("1")
        await screen.go_to("c")
        await screen.press("M")
        form = screen.app.screen
        assert isinstance(form, MoveForm)
        await screen.until(lambda: form.query_one("#place", Input).value == "/fast" and form.plan)
        await screen.press("enter", "enter")
        await screen.until(lambda: ran(control) == ["a", "c"])
        assert "c" not in states(screen)


# How it is shown


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_what_runs_and_what_waits_for_what(size: tuple[int, int]) -> None:
    control = host()
    async with queued(control, size=size) as screen:
        shown = lines(screen)
        assert [line.split()[1] for line in shown[:3]] == ["running", "waiting", "waiting"]
        assert "waits for a, going there" in shown[1]
        assert [line.split()[2] for line in shown[1:3]] == ["1", "2"]
        assert str(screen.main.queue_view.border_title) == "Queue 2 waiting · 1 running"
        run = next(r for r in control.runs if r.plan.domain == "a")
        run.finish(DONE)
        await screen.until(lambda: ran(control) == ["a", "b"])
        await screen.until(lambda: "done" in lines(screen)[2])
        assert lines(screen)[0].split()[2] == "b"


@played
async def test_the_panel_is_there_only_while_it_holds_anything() -> None:
    control = host()
    async with opened(control) as screen:
        await screen.press("5")
        assert "Nothing is queued" in screen.notes[-1]
        assert not screen.main.queue_view.display
        assert screen.main.panel is Panel.DOMAINS
    async with queued(control, "a") as screen:
        assert screen.main.queue_view.display
        control.runs[-1].finish(DONE)
        await screen.until(lambda: states(screen) == {"a": State.DONE})
        await screen.press("D")
        await screen.until(lambda: not screen.main.queue_view.display)
        assert screen.main.panel is Panel.DOMAINS


@played
async def test_a_running_one_shows_its_step_and_how_far_it_is() -> None:
    control = host()
    async with queued(control, "a") as screen:
        step = StartCopy(uuid_of("a"), "a", "vda", "/slow/x", "/fast/a", "<disk/>", creates=True)
        steps = (step, AwaitSync(uuid_of("a"), "a", "vda"))
        entry = Entry("p-a", uuid_of("a"), "Move", steps, 1, "me", NOW, NOW)
        job = make_job("a", plan="p-a", cur=1, end=4)
        control.publish(replace(control.state, entries=(entry,), jobs=(job,)))
        await screen.until(lambda: "step 2 of 2 · 25 %" in lines(screen)[0])


@played
async def test_the_table_names_the_place_in_the_queue() -> None:
    async with queued(host()) as screen:
        shown = screen.painted(screen.main.domains.table)
        assert "queued 1" in shown
        assert "queued 2" in shown


@played
async def test_a_refusal_is_told_with_its_reason() -> None:
    control = host()
    control.planner = lambda request: planned(control, request, "space")
    async with opened(control) as screen:
        wish = MoveRequest(uuid_of("a"), "/fast", ("vda",))
        screen.app.runner.add([(control, planned(control, wish))])
        await screen.until(lambda: states(screen) == {"a": State.REFUSED})
        await screen.until(lambda: "refused. Because of space." in screen.log)
        assert ran(control) == []


@pytest.mark.parametrize("text", ["[/x]", "vm[prod]", "a\x1b[31mb", "a\nb", "x" * 300, "宽" * 40])
@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
@played
async def test_hostile_text(text: str, size: tuple[int, int]) -> None:
    control = FakeControl("test:///a", make_state(make_domain(text, disks=[make_disk(text)]), hostname=text))
    control.outcome = Outcome(End.FAILED, text)
    async with opened(control, size=size) as screen:
        request = MoveRequest(uuid_of(text), f"/{text}", (text,))
        plan = planned(control, request)
        screen.app.runner.add([(control, plan)])
        await screen.until(lambda: State.FAILED in states(screen).values())
        await screen.press("5", "x", "d")


# Its cursor


def under_cursor(screen: Screen) -> str:
    row = screen.main.queue_view.current
    return row.item.domain if row else ""


@played
async def test_the_cursor_goes_on_to_what_is_not_over() -> None:
    control = host()
    async with queued(control) as screen:
        assert under_cursor(screen) == "a"
        control.runs[0].finish(DONE)
        await screen.until(lambda: states(screen)["b"] is State.RUNNING and under_cursor(screen) == "b")
        # The key was on its way when a ended.
        await screen.press("x")
        assert "press again if b is meant" in screen.notes[-1]
        assert len(control.requests) == 2
        screen.main.queue_view.clock = lambda: NOW + 80
        await screen.press("x")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))


@played
async def test_the_cursor_stays_on_what_is_not_over_and_on_the_last_that_is() -> None:
    control = host()
    async with queued(control) as screen:
        await screen.press("G")
        assert under_cursor(screen) == "c"
        for domain in ("a", "b", "c"):
            assert under_cursor(screen) == "c"
            await screen.until(lambda d=domain: ran(control)[-1] == d)  # type: ignore[misc]
            control.runs[-1].finish(DONE)
        await screen.until(lambda: set(states(screen).values()) == {State.DONE})
        assert under_cursor(screen) == "c"


@played
async def test_several_are_let_go_one_after_the_other() -> None:
    async with queued(host()) as screen:
        await screen.press("down", "x", "x")
        await screen.until(lambda: states(screen)["c"] is State.CANCELLED)
        assert states(screen) == {"a": State.RUNNING, "b": State.CANCELLED, "c": State.CANCELLED}


@played
async def test_how_one_ended_is_told_once() -> None:
    control = host()
    async with queued(control, "a") as screen:
        title = screen.app.runner.queue.items[0].title
        control.runs[0].finish(Outcome(End.DONE, f"{title}: done."))
        await screen.until(lambda: states(screen) == {"a": State.DONE})
        await screen.until(lambda: "took" in lines(screen)[0])
        words = lines(screen)[0]
        assert words.count("done") == 1
        assert ". ·" not in words


# Its keys


@played
async def test_the_order_is_changed_and_the_cursor_goes_along() -> None:
    control = host()
    async with queued(control, *NAMES) as screen:
        await screen.press("end", "shift+up", "shift+up")
        assert [item.domain for item in screen.app.runner.queue.waiting] == ["d", "b", "c"]
        current = screen.main.queue_view.current
        assert current
        assert current.item.domain == "d"
        await screen.press("shift+down")
        assert [item.domain for item in screen.app.runner.queue.waiting] == ["b", "d", "c"]
        await screen.press("home", "shift+down")
        assert "Only what waits" in screen.notes[-1]


@played
async def test_pausing_and_going_on() -> None:
    control = host()
    async with queued(control) as screen:
        await screen.press("Z")
        await screen.until(lambda: "paused" in str(screen.main.queue_view.border_title))
        assert "the queue is paused" in lines(screen)[1]
        control.runs[0].finish(DONE)
        await screen.until(lambda: states(screen)["a"] is State.DONE)
        assert ran(control) == ["a"]
        await screen.press("Z")
        await screen.until(lambda: ran(control) == ["a", "b"])


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_what_follows_the_key_at_once_is_for_the_form(size: tuple[int, int]) -> None:
    async with queued(host(), "a", size=size) as screen:
        for key in ("L", "1", "2"):
            # As from a terminal that has all of it at once.
            screen.app.post_message(Key(key, key))
        await screen.until(lambda: isinstance(screen.app.screen, LimitsDialog))
        field = screen.app.screen.query_one("#per-host", Input)
        await screen.until(lambda: field.value == "12")
        await screen.press("enter")
        await screen.until(lambda: screen.app.runner.queue.limits == Limits(12, 1))
        assert screen.main.panel is Panel.QUEUE


@played
async def test_what_follows_the_key_at_once_presses_no_button() -> None:
    async with queued(host(), "a") as screen:
        for key in ("q", "y"):
            screen.app.post_message(Key(key, key))
        await screen.until(lambda: isinstance(screen.app.screen, Question))
        await screen.pilot.pause()
        assert isinstance(screen.app.screen, Question)


@played
async def test_limits_are_asked_for() -> None:
    control = host()
    async with queued(control) as screen:
        await screen.press("L")
        dialog = screen.app.screen
        assert isinstance(dialog, LimitsDialog)
        dialog.query_one("#per-destination", Input).value = "0"
        await screen.pilot.pause()
        assert dialog.query_one("#set", Button).disabled
        dialog.query_one("#per-destination", Input).value = "2"
        await screen.pilot.pause()
        await screen.press("enter")
        await screen.until(lambda: ran(control) == ["a", "b"])
        assert screen.app.runner.queue.limits == Limits(2, 2)


@played
async def test_a_waiting_one_leaves_at_once() -> None:
    control = host()
    async with queued(control) as screen:
        asked = len(control.requests)
        await screen.press("down", "x")
        await screen.until(lambda: states(screen)["b"] is State.CANCELLED)
        assert len(control.requests) == asked
        assert screen.app.screen is screen.main


@pytest.mark.parametrize("answer", ["y", "n", "escape", "enter"])
@played
async def test_a_running_one_is_taken_back_after_its_plan_was_shown(answer: str) -> None:
    control = host()
    async with queued(control, "a", "b") as screen:
        await screen.press("x")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        assert control.requests[-1] == RecoverRequest(uuid_of("a"), undo=True, plan="p-a")
        assert ran(control) == ["a"]
        await screen.press(answer)
        if answer != "y":
            assert screen.app.screen is screen.main
            assert states(screen)["a"] is State.RUNNING
            return
        await screen.until(lambda: states(screen)["a"] is State.CANCELLED)
        await screen.until(lambda: ran(control) == ["a", "a", "b"])


@played
async def test_one_past_its_pivot_cannot_be_cancelled_and_says_why() -> None:
    control = host()
    async with queued(control, "a") as screen:
        control.planner = lambda request: planned(control, request, "past-the-pivot")
        await screen.press("x")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        await screen.press("y")
        assert isinstance(screen.app.screen, ConfirmPlan)
        await screen.press("escape")
        assert states(screen) == {"a": State.RUNNING}


@played
async def test_the_ended_are_dismissed_one_by_one_or_all_at_once() -> None:
    control = host()
    async with queued(control, *NAMES) as screen:
        await screen.press("d")
        assert "has not ended" in screen.notes[-1]
        await screen.press("end", "x", "up", "x")
        await screen.until(lambda: list(states(screen).values()).count(State.CANCELLED) == 2)
        await screen.press("end", "d")
        await screen.until(lambda: len(states(screen)) == 3)
        await screen.press("D")
        await screen.until(lambda: states(screen) == {"a": State.RUNNING, "b": State.WAITING})


@pytest.mark.parametrize("key", ["shift+up", "shift+down", "Z", "L"])
@played
async def test_read_only_has_no_queue(key: str) -> None:
    control = host(read_only=True)
    async with opened(control) as screen:
        await screen.press(key)
        assert "read-only" in screen.notes[-1]
        assert screen.app.screen is screen.main
        assert not screen.app.runner.queue.paused
        await screen.press("t", "t", "M")
        assert screen.app.screen is screen.main


@played
async def test_the_queue_belongs_to_no_host() -> None:
    reading = FakeControl("test:///b", replace(world("only"), hostname="b"), read_only=True)
    async with opened(reading, host()) as screen:
        await screen.go_to("only")
        await screen.press("Z")
        assert screen.app.runner.queue.paused


@played
async def test_the_footer_names_what_the_item_has() -> None:
    control = host()
    async with queued(control, "a") as screen:
        assert "Pause the queue" in screen.main.keys.plain
        await screen.press("Z")
        await screen.until(lambda: "Start the queue" in screen.main.keys.plain)
        await screen.press("Z")
        await screen.until(lambda: "Pause the queue" in screen.main.keys.plain)
        assert "Clear the ended" not in screen.main.keys.plain
        control.runs[0].finish(DONE)
        await screen.until(lambda: "Clear the ended" in screen.main.keys.plain)
        assert "Cancel" not in screen.main.keys.plain


# The end


@played
async def test_quitting_says_what_goes_on_and_what_is_forgotten() -> None:
    control = host()
    async with queued(control) as screen:
        await screen.press("q")
        question = screen.app.screen
        assert isinstance(question, Question)
        words = question._text  # noqa: SLF001
        assert "1 of the queue is under way" in words
        assert "2 moves wait in the queue and will be forgotten" in words
        await screen.press("escape")
        assert screen.app.screen is screen.main


@played
async def test_letting_go_begins_nothing_more() -> None:
    control = host()
    async with queued(control) as screen:
        screen.app.let_go()
        control.runs[0].finish(Outcome(End.LEFT))
        assert ("close",) in control.calls
        assert ran(control) == ["a"]
