"""An interrupted plan in the list of jobs, where no job of its own tells of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.app_pilot import Screen, opened, played
from tests.fake_host import FakeControl, make_disk, make_domain, make_job, make_state
from tests.moving import COPYING, ENDING, LAYERS, NAME, PLAN, UUID, moving
from tui.app.commands import BY_ID
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.app.footer import possible
from tui.app.widgets.interrupted import InterruptedRow
from tui.model.host import HostState
from tui.model.job import Phase
from tui.model.request import MoveRequest, RecoverRequest

MAKING = 1
"""How far the move is before there is any job."""


def cut_off(reached: int = MAKING, *, stale: bool = True) -> HostState:
    """The move with nobody at work on it, and no job of its own."""
    return replace(moving(reached, stale=stale), jobs=())


def gone_over() -> HostState:
    """The move with both disks where they were to go, and the pivot not yet seen to be done."""
    disks = [make_disk("vda", "/fast/over.qcow2", *LAYERS), make_disk("vdb", "/fast/vdb.qcow2")]
    return replace(cut_off(ENDING), domains=(make_domain(NAME, disks=disks),))


def lines(screen: Screen) -> list[str]:
    return [" ".join(line.split()) for line in screen.painted(screen.main.jobs).splitlines()]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_it_has_a_row_that_says_what_it_is_and_where_it_was_cut_off(size: tuple[int, int]) -> None:
    async with opened(FakeControl(states=cut_off()), size=size) as screen:
        await screen.press("3")
        text = " ".join(lines(screen))
        assert "No jobs" not in text
        assert f"! {NAME} interrupted at step 2 of 9, make over.qcow2" in text
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
        assert "was interrupted at step 2 of 9: R goes on, X takes it back." in screen.notes[-1]


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


# What can be done with it


@pytest.mark.parametrize("panel", ["1", "3"])
@pytest.mark.parametrize(
    ("state", "words", "key", "why"),
    [
        (gone_over(), "R goes on", "X", "what is left to do is small. R goes on."),
        (cut_off(COPYING), "X takes it back", "R", "cannot go on. X takes it back."),
    ],
)
@played
async def test_a_key_that_would_be_refused_is_dim_and_says_why(
    state: HostState, words: str, key: str, why: str, panel: str
) -> None:
    control = FakeControl(states=state)
    async with opened(control) as screen:
        await screen.press(panel)
        assert f"{words} · begun" in " ".join(lines(screen))
        assert screen.main.chain.details.render().plain.endswith(f"; {words}")  # type: ignore[union-attr]
        focus = screen.main._focus()  # noqa: SLF001
        assert [BY_ID[one].keys[0] for one in ("resume", "undo") if not possible(one, focus)] == [key]
        await screen.press(key)
        assert screen.notes[-1].endswith(why)
        assert control.requests == []


@played
async def test_the_view_of_snapshots_offers_no_more() -> None:
    control = FakeControl(states=gone_over())
    async with opened(control) as screen:
        await screen.press("s")
        view = screen.app.screen
        assert isinstance(view, SnapshotsDialog)
        await screen.until(lambda: view.plans.plain.endswith(": R goes on"))
        await screen.press("X")
        assert "what is left to do is small. R goes on." in screen.notes[-1]
        assert not [request for request in control.requests if isinstance(request, RecoverRequest)]
