"""The queue on the screen: how moves get into it, how it is shown, and what becomes of it at the end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Button, Input

from tests.app_pilot import opened, played
from tests.fake_host import (
    NOW,
    FakeControl,
    make_disk,
    make_domain,
    make_job,
    make_state,
    uuid_of,
)
from tests.queue_screen import DONE, host, lines, planned, queued, ran, states
from tui.app.command import Panel
from tui.app.dialogs.ask import Question
from tui.app.dialogs.move import MoveForm
from tui.app.dialogs.several_moves import SeveralMoves
from tui.engine.control import End, Outcome
from tui.model.begin_steps import StartCopy
from tui.model.journal import Entry
from tui.model.queue import State
from tui.model.request import MoveRequest
from tui.model.steps import AwaitSync

# Into the queue


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_tagged_domains_are_moved_by_one_form(size: tuple[int, int]) -> None:
    control = host()
    async with opened(control, size=size) as screen:
        await screen.press("t", "t", "M")
        assert isinstance(screen.app.screen, SeveralMoves)
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
        assert "2 plans wait in the queue and will be forgotten" in words
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
