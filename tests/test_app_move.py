"""A move on the screen: what is said of it until it is ready, and what can be done about one that was interrupted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Static

from tests.app_pilot import Screen, opened, played
from tests.fake_host import GIB, FakeControl, make_disk, make_domain, make_state, uuid_of
from tests.moving import COMPARING, COPYING, PLAN, SYNCING, UUID, move_domain, moving, moving_flat
from tui.app.dialogs.details import JobDetails
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.move import MoveForm
from tui.model.host import HostState
from tui.model.job import Progress
from tui.model.request import Ending, EndRequest, MoveRequest, RecoverRequest


def job_lines(screen: Screen) -> list[str]:
    return [" ".join(line.split()) for line in screen.painted(screen.main.jobs).splitlines()]


# Until it is ready


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_a_mirror_in_sync_is_not_shown_as_ready_while_layers_are_copied(size: tuple[int, int]) -> None:
    control = FakeControl(states=moving(COPYING, 1, 3))
    async with opened(control, size=size) as screen:
        await screen.press("3")
        lines = job_lines(screen)
        assert lines[0].startswith("⇉ db01 vda layers")
        assert "50 %" in lines[0]
        assert "4/8 GiB" in lines[0]
        assert "step 5 of 9, copy 2 layers" in lines[1]
        assert "overlay in sync since" in lines[1]
        assert str(screen.main.jobs.border_title) == "Jobs 2"
        control.publish(moving(SYNCING, 4, 4))
        await screen.until(lambda: job_lines(screen)[0].startswith("✓ db01 vda in sync"))
        assert "2 in sync" in str(screen.main.jobs.border_title)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (moving(COPYING), "⇉ db01 vda layers"),
        (moving(COMPARING, 4, 4), "⇉ db01 vda comparing"),
        (moving(COPYING, stale=True), "! db01 vda interrupted"),
    ],
)
@played
async def test_what_is_not_known_of_the_layers_is_a_dash(state: HostState, word: str) -> None:
    async with opened(FakeControl(states=state)) as screen:
        line = job_lines(screen)[0]
        assert line.startswith(word)
        assert " % " not in line


@played
async def test_the_details_say_what_is_still_missing() -> None:
    async with opened(FakeControl(states=moving(COPYING, 1, 3))) as screen:
        await screen.press("3", "enter")
        details = screen.app.screen
        assert isinstance(details, JobDetails)
        state = details.query_one("#state", Flow).plain
        assert "⇉ layers 50 %" in state
        assert "✓" not in state
        assert "4/8 GiB" in details.query_one("#facts", Flow).plain


@played
async def test_the_queue_tells_how_far_all_disks_and_layers_are() -> None:
    control = FakeControl(states=make_state(move_domain()))
    control.outcome = None
    async with opened(control) as screen:
        plan = replace(control.plan(MoveRequest(UUID, "/fast")), id=PLAN, findings=())
        control.planner = lambda _: plan
        screen.app.runner.add([(control, plan)])
        await screen.until(lambda: control.runs)
        # 1 GiB of the overlay, 1 of 2 of the other disk, and 4 of 8 of the layers.
        control.publish(moving(COPYING, 1, 3, flat=Progress(GIB, 2 * GIB, 0)))
        await screen.until(lambda: "step 5 of 9 · 54 %" in screen.painted(screen.main.queue_view))


# Of what


@played
async def test_tags_win_over_the_cursor_and_the_title_says_so() -> None:
    domains = [make_domain(name, disks=[make_disk("vda"), make_disk("vdb")]) for name in ("db01", "web01")]
    async with opened(FakeControl(states=make_state(*domains))) as screen:
        await screen.go_to("web01", "vdb")
        await screen.press("space")
        await screen.go_to("db01")
        await screen.press("M")
        form = screen.app.screen
        assert isinstance(form, MoveForm)
        assert "Move the tagged disks of web01" in str(form.query_one("#title", Static).render())
        await screen.until(lambda: isinstance(form.wish(), MoveRequest))
        wish = form.wish()
        assert isinstance(wish, MoveRequest)
        assert (wish.uuid, wish.targets) == (uuid_of("web01"), ("vdb",))
        await screen.press("escape", "U", "M")
        assert "Move disks of db01" in str(screen.app.screen.query_one("#title", Static).render())


@played
async def test_a_key_for_one_domain_says_what_stops_it() -> None:
    domains = [make_domain("db01"), make_domain("web01")]
    async with opened(FakeControl(states=make_state(*domains))) as screen:
        await screen.go_to("web01")
        await screen.press("space")
        await screen.go_to("db01")
        await screen.press("m")
        assert screen.notes[-1].startswith("Tags are set on web01, the cursor is elsewhere")


# After it was interrupted


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_the_footer_names_how_to_go_on_with_an_interrupted_plan(size: tuple[int, int]) -> None:
    control = FakeControl(states=moving(COPYING, 1, 3))
    async with opened(control, size=size) as screen:
        await screen.go_to("db01")
        assert "Resume" not in screen.main.keys.plain
        assert "Pivot" in screen.main.keys.plain
        control.publish(moving(COPYING, stale=True))
        await screen.until(lambda: "R Resume" in screen.main.keys.plain)
        assert "X Undo" in screen.main.keys.plain
        assert "Pivot" not in screen.main.keys.plain
        await screen.press("3")
        assert "R Resume  X Undo" in screen.main.keys.plain


@pytest.mark.parametrize(("key", "words"), [("p", "not complete there yet"), ("K", "a part of a move")])
@played
async def test_what_a_move_does_not_allow_yet_is_said_by_its_key(key: str, words: str) -> None:
    control = FakeControl(states=moving(COPYING, 1, 3))
    async with opened(control) as screen:
        await screen.press("3", key)
        assert any(words in note for note in screen.notes)
        assert control.requests == []


@pytest.mark.parametrize(
    ("tagged", "wish"),
    [
        (False, RecoverRequest(UUID, undo=True, plan=PLAN)),
        (True, EndRequest(UUID, ("vda", "vdb"), Ending.CANCEL)),
    ],
)
@played
async def test_to_cancel_one_mirror_of_a_move_is_to_take_the_move_back(
    wish: RecoverRequest | EndRequest, *, tagged: bool
) -> None:
    control = FakeControl(states=moving_flat())
    async with opened(control) as screen:
        await screen.go_to("db01", "vda")
        if tagged:
            await screen.press("space")
            await screen.go_to("db01", "vdb")
            await screen.press("space")
        await screen.press("x")
        await screen.until(lambda: control.requests)
        assert control.requests[-1] == wish
