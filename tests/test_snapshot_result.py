"""What came of a snapshot that was taken on the screen."""

from __future__ import annotations

import pytest
from textual.widgets import Input, OptionList

from tests.app_pilot import opened, played
from tests.fake_host import make_disk, make_domain
from tests.snapshot_view import UUID, form_of, form_opened, host, last, method, view_of
from tui.app.dialogs.dialog import Buttons
from tui.app.dialogs.fields import Check
from tui.app.dialogs.held import HeldDialog
from tui.engine.control import End, Outcome
from tui.model.finding import fine
from tui.model.live_steps import TakeTogether
from tui.model.methods import Method


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_what_was_taken_is_shown_and_can_be_copied(size: tuple[int, int]) -> None:
    control = host()
    control.outcome = Outcome(End.DONE, "Done.", findings=(fine("stood-still", "It stood still for 12 ms."),))
    async with opened(control, size=size) as screen:
        view = await view_of(screen)
        form = await form_of(screen)
        form.query_one("#name", Input).value = "s1"
        await screen.until(lambda: form.plan is not None and last(control).name == "s1")
        await screen.press("enter", "enter")
        await screen.until(lambda: isinstance(screen.app.screen, HeldDialog))
        dialog = screen.app.screen
        assert isinstance(dialog, HeldDialog)
        (plan,) = [call[1] for call in control.calls if call[0] == "run"]
        assert isinstance(plan.steps[0], TakeTogether)
        assert control.calls[-1] == ("snapshots", UUID)
        held = dialog.query_one("#held", OptionList)
        await screen.until(lambda: held.option_count == 4)
        assert "It stood still for 12 ms." in dialog.query_one("#proof").plain  # type: ignore[attr-defined]
        assert held.region.bottom <= dialog.query_one(Buttons).region.y
        await screen.press("c")
        assert screen.app.clipboard == plan.held[0].disk.strip()
        assert "/i/3.s1" in screen.app.clipboard
        await screen.press("j", "c")
        assert screen.app.clipboard == (plan.held[0].backup or "").strip()
        await screen.press("a")
        assert screen.app.clipboard.count("<disk") == 4
        await screen.press("escape")
        assert screen.app.screen is view
        await screen.press("b")
        assert isinstance(screen.app.screen, HeldDialog)


@played
async def test_what_was_seen_leaves_room_for_the_definitions_and_can_be_scrolled() -> None:
    control = host()
    seen = tuple(fine("copied", f"Copy {number} is there.") for number in range(40))
    control.outcome = Outcome(End.DONE, "Done.", findings=seen)
    async with opened(control, size=(80, 24)) as screen:
        await view_of(screen)
        form = await form_of(screen)
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: isinstance(screen.app.screen, HeldDialog))
        held = screen.app.screen.query_one("#held", OptionList)
        await screen.until(lambda: held.option_count)
        assert held.region.height > 3
        await screen.press("shift+tab", "end")
        proof = screen.app.screen.query_one(".proof")
        assert proof.scroll_offset.y == proof.max_scroll_y > 0


@pytest.mark.parametrize(
    ("command", "whose"), [("sync", "Your own command holds"), ("", "You hold this state by yourself")]
)
@played
async def test_a_state_that_only_the_user_knows_of_says_so(command: str, whose: str) -> None:
    control = host()
    async with form_opened(control) as (screen, form):
        for number in (0, 1):
            method(form, number).value = Method.MANUAL
        form.query_one("#command", Input).value = command
        form.query_one("#pause", Check).value = True
        await screen.until(lambda: form.plan is not None and last(control).command == command)
        await screen.press("enter", "enter")
        await screen.until(lambda: isinstance(screen.app.screen, HeldDialog))
        await screen.press("j", "c")
        assert screen.notes[-1].startswith(whose)
        assert "only you know where" in screen.notes[-1]


@pytest.mark.parametrize(("disks", "said"), [(1, "1 definition was sent"), (2, "2 definitions were sent")])
@played
async def test_as_many_definitions_are_copied_as_there_are(disks: int, said: str) -> None:
    domain = make_domain(disks=[make_disk(f"vd{n}", f"/slow/{n}.qcow2") for n in range(disks)])
    async with form_opened(host((), domain=domain)) as (screen, form):
        for number in range(disks):
            method(form, number).value = Method.INTERNAL
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: isinstance(screen.app.screen, HeldDialog))
        await screen.press("a")
        assert screen.notes[-1].startswith(said)


@played
async def test_what_fails_shows_no_result() -> None:
    control = host()
    control.outcome = Outcome(End.FAILED, "No room.")
    async with opened(control) as screen:
        view = await view_of(screen)
        form = await form_of(screen)
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: any("No room." in note for note in screen.notes))
        assert screen.app.screen is view
        await screen.press("b")
        assert "No snapshot has been taken here" in screen.notes[-1]


@played
async def test_a_result_waits_for_the_end_of_a_question() -> None:
    control = host()
    control.outcome = None
    async with opened(control) as screen:
        view = await view_of(screen)
        form = await form_of(screen)
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: control.runs)
        await screen.press("question_mark")
        control.runs[-1].finish(Outcome(End.DONE, "Done."))
        await screen.until(lambda: control.calls[-1] == ("snapshots", UUID))
        assert not isinstance(screen.app.screen, HeldDialog)
        await screen.press("escape")
        await screen.until(lambda: isinstance(screen.app.screen, HeldDialog))
        await screen.press("escape", "escape")
        assert screen.app.screen is screen.main
        assert not view.is_attached


@played
async def test_a_view_that_was_closed_is_not_missed() -> None:
    control = host()
    control.outcome = None
    async with form_opened(control) as (screen, form):
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: control.runs)
        await screen.press("escape")
        assert screen.app.screen is screen.main
        control.runs[-1].finish(Outcome(End.DONE, "It is taken."))
        await screen.until(lambda: "It is taken." in screen.log)
        assert screen.app.screen is screen.main
