"""An interrupted plan in the list of jobs, where no job of its own tells of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.app_pilot import Screen, opened, played
from tests.fake_host import FakeControl, make_job, make_state
from tests.moving import COPYING, NAME, PLAN, UUID, moving
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.widgets.interrupted import InterruptedRow
from tui.model.host import HostState
from tui.model.job import Phase
from tui.model.request import MoveRequest, RecoverRequest


def cut_off(*, stale: bool = True) -> HostState:
    """The move with nobody at work on it, and its jobs gone."""
    return replace(moving(COPYING, stale=stale), jobs=())


def lines(screen: Screen) -> list[str]:
    return [" ".join(line.split()) for line in screen.painted(screen.main.jobs).splitlines()]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_it_has_a_row_that_says_what_it_is_and_where_it_was_cut_off(size: tuple[int, int]) -> None:
    async with opened(FakeControl(states=cut_off()), size=size) as screen:
        await screen.press("3")
        text = " ".join(lines(screen))
        assert "No jobs" not in text
        assert f"! {NAME} interrupted at step 5 of 9, copy 2 layers" in text
        assert "Move vda and vdb of db01 to /fast · R goes on, X takes it back" in text
        assert "[Resume] [Undo]" in text
        assert str(screen.main.jobs.border_title) == "Jobs 1"


@pytest.mark.parametrize(("key", "undo"), [("R", False), ("X", True), ("x", True)])
@played
async def test_its_keys_are_for_this_very_plan(key: str, undo: bool) -> None:  # noqa: FBT001
    other = make_job(NAME, "vda", phase=Phase.DONE)
    control = FakeControl(states=replace(cut_off(), jobs=(other,)))
    async with opened(control) as screen:
        await screen.press("3")
        assert isinstance(screen.main.jobs.current, InterruptedRow)
        assert screen.main.keys.plain.split() == ["R", "Resume", "X", "Undo", "?", "Help", "q", "Quit"]
        await screen.press(key)
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        assert control.requests == [RecoverRequest(UUID, undo, PLAN)]


@played
async def test_its_plan_is_carried_out_though_no_single_disk_is_meant() -> None:
    control = FakeControl(states=cut_off())
    async with opened(control) as screen:
        await screen.press("3", "X")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        await screen.press("y", "enter")
        await screen.until(lambda: control.runs)


@played
async def test_a_click_on_its_button_does_what_the_key_does() -> None:
    control = FakeControl(states=cut_off())
    async with opened(control) as screen:
        await screen.click_text(screen.main.jobs, 0, "[Undo]")
        await screen.until(lambda: control.requests == [RecoverRequest(UUID, undo=True, plan=PLAN)])


@played
async def test_more_of_it_is_said_by_enter() -> None:
    async with opened(FakeControl(states=cut_off())) as screen:
        await screen.press("3", "enter")
        assert "was interrupted at step 5 of 9: R goes on, X takes it back." in screen.notes[-1]


@played
async def test_a_job_of_it_tells_of_it_by_itself() -> None:
    async with opened(FakeControl(states=moving(COPYING, stale=True))) as screen:
        assert not any(isinstance(row, InterruptedRow) for row in screen.main.jobs.items)


@played
async def test_a_plan_that_somebody_is_at_work_on_has_none() -> None:
    async with opened(FakeControl(states=cut_off(stale=False))) as screen:
        assert lines(screen)[0].startswith("No jobs")


@played
async def test_what_is_carried_out_here_is_not_interrupted_however_silent_the_host_is() -> None:
    control = FakeControl(states=make_state(*cut_off().domains))
    control.outcome = None
    async with opened(control) as screen:
        plan = replace(control.plan(MoveRequest(UUID, "/fast")), id=PLAN)
        control.run(plan)
        control.publish(cut_off())
        await screen.until(lambda: screen.main.picture.states[0].entries)
        assert lines(screen)[0].startswith("No jobs")
