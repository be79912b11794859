"""The queue on the screen: its cursor, and what its keys do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.events import Key
from textual.widgets import Button, Input

from tests.app_pilot import Screen, opened, played
from tests.fake_host import (
    FakeControl,
    make_job,
    uuid_of,
)
from tests.queue_screen import DONE, NAMES, host, lines, planned, queued, ran, states, world
from tui.app.command import Panel
from tui.app.dialogs.ask import Question
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.limits import LimitsDialog
from tui.model.queue import Limits, State
from tui.model.request import RecoverRequest

# Its cursor


def under_cursor(screen: Screen) -> str:
    row = screen.main.queue_view.current
    return row.item.domain if row else ""


@played
async def test_the_cursor_stays_on_what_ends_while_another_begins() -> None:
    control = host()
    async with queued(control) as screen:
        assert under_cursor(screen) == "a"
        control.runs[0].finish(DONE)
        await screen.until(lambda: states(screen)["b"] is State.RUNNING and len(lines(screen)) > 2)
        assert under_cursor(screen) == "a"
        # The key was on its way when a ended.
        await screen.press("x")
        assert "This has ended: done." in screen.notes[-1]
        assert screen.app.screen is screen.main


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


# Its keys


@played
async def test_what_has_not_begun_has_no_speed_yet() -> None:
    control = host()
    async with queued(control, "a", "b") as screen:
        await screen.press("down", "b")
        assert screen.notes[-1].startswith("This has not begun: b sets its limit once it runs")
        control.publish(replace(control.state, jobs=(make_job("b"),)))
        await screen.press("b")
        assert screen.app.screen is screen.main
        await screen.press("x", "end", "b")
        assert "This has ended: cancelled." in screen.notes[-1]


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
        await screen.press("down", "shift+up")
        assert "b is the next of those that wait already" in screen.notes[-1]


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
        await screen.press("end", "x", "x")
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
