"""Each key and each button does exactly one thing to the host, and only after the answer yes."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from textual.widgets import Static

from tests.app_pilot import Screen, opened, played
from tests.fake_host import (
    GIB,
    MIB,
    FakeControl,
    default_plan,
    make_disk,
    make_domain,
    make_job,
    make_state,
    uuid_of,
)
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.mirror import MirrorForm
from tui.app.dialogs.speed import SpeedDialog
from tui.engine.control import End, Outcome
from tui.engine.errors import HostError
from tui.model.finding import refused
from tui.model.host import HostState
from tui.model.job import Phase
from tui.model.plan import Plan
from tui.model.request import Ending, EndRequest, Request, SpeedRequest

WEB = uuid_of("web01")


def world(phase: Phase = Phase.IN_SYNC) -> HostState:
    web = make_domain("web01", disks=[make_disk("vda"), make_disk("vdb")])
    jobs = [
        make_job("web01", "vda", phase=phase, number=1),
        make_job("web01", "vdb", phase=phase, number=2),
        make_job("db01", "vda", number=3),
    ]
    return make_state(make_domain("db01"), web, make_domain("zoo"), jobs=jobs)


def host(phase: Phase = Phase.IN_SYNC, **options: Any) -> FakeControl:
    return FakeControl(states=world(phase), **options)


def end(ending: Ending, *targets: str, pause: bool = False, wait: bool = False) -> EndRequest:
    return EndRequest(WEB, targets or ("vda",), ending, pause=pause, wait=wait)


async def question(screen: Screen) -> ConfirmPlan:
    await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
    asked = screen.app.screen
    assert isinstance(asked, ConfirmPlan)
    return asked


ENDINGS = [("p", "[Pivot]", Ending.PIVOT), ("K", "[Keep]", Ending.KEEP), ("x", "[Cancel]", Ending.CANCEL)]


@pytest.mark.parametrize(("key", "button", "ending"), ENDINGS)
@pytest.mark.parametrize("way", ["table", "jobs", "button"])
@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_an_ending_asks_first(
    key: str, button: str, ending: Ending, way: str, size: tuple[int, int]
) -> None:
    control = host()
    async with opened(control, size=size) as screen:
        if way == "table":
            await screen.go_to("web01")
            await screen.press(key)
        else:
            await screen.press("3")
            if way == "jobs":
                await screen.press("g", key)
            else:
                await screen.click_text(screen.main.jobs, 0, button)
        asked = await question(screen)
        assert control.calls == [("plan", end(ending))]
        await screen.press("y")
        await screen.until(lambda: len(control.calls) > 1)
        assert control.calls == [("plan", end(ending)), ("run", asked.plan)]
        assert asked.plan.domain == "web01"


@pytest.mark.parametrize("answer", ["n", "escape", "enter"])
@played
async def test_everything_but_yes_does_nothing(answer: str) -> None:
    control = host()
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("p")
        await question(screen)
        await screen.press(answer)
        assert screen.app.screen is screen.main
        assert [call[0] for call in control.calls] == ["plan"]


@played
async def test_no_key_writes_while_a_question_is_open() -> None:
    control = host()
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("p")
        await question(screen)
        await screen.press("p", "K", "x", "P", "b", "m", "d", "z")
        assert [call[0] for call in control.calls] == ["plan"]


@pytest.mark.parametrize("key", ["p", "K"])
@played
async def test_pivot_and_keep_say_why_they_wait(key: str) -> None:
    control = host(Phase.COPYING)
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press(key)
        assert control.calls == []
        assert "once web01 vda is in sync; it is still copying (25 %)" in screen.notes[-1]
        await screen.press("3", "g")
        await screen.click_text(screen.main.jobs, 0, "[Pivot]")
        assert control.calls == []


@played
async def test_a_guest_that_outruns_its_destination_can_be_paused() -> None:
    control = host(Phase.COPYING)
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("P")
        await question(screen)
        assert control.requests == [end(Ending.PIVOT, "vda", pause=True, wait=True)]


@played
async def test_tagged_disks_of_one_domain_go_together() -> None:
    control = host()
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("space", "space", "p")
        await screen.go_to("web01")
        await screen.press("p")
        await question(screen)
        assert control.requests[-1] == end(Ending.PIVOT, "vda", "vdb", pause=True)
        assert screen.main.domains.tagged
        await screen.press("y")
        assert not screen.main.domains.tagged


@played
async def test_tags_elsewhere_stop_a_key_that_would_ignore_them() -> None:
    control = host()
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("space")
        await screen.go_to("db01")
        await screen.press("x")
        assert control.calls == []
        assert "web01" in screen.notes[-1]
        await screen.press("U", "x")
        await question(screen)


@played
async def test_the_question_is_about_the_disk_under_the_cursor_when_the_key_was_pressed() -> None:
    control = host()
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("p")
        before = make_domain("aaa"), make_domain("bbb")
        control.publish(make_state(*before, *world().domains, jobs=world().jobs))
        asked = await question(screen)
        assert asked.plan.domain == "web01"
        await screen.press("y")
        await screen.until(lambda: len(control.calls) > 1)
        assert control.calls[-1] == ("run", asked.plan)


@played
async def test_nothing_is_done_when_the_domain_is_gone_by_the_time_of_the_answer() -> None:
    control = host()
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("p")
        await question(screen)
        control.publish(make_state(make_domain("db01")))
        await screen.press("y")
        assert [call[0] for call in control.calls] == ["plan"]
        assert "The domain is gone. Nothing was done." in screen.log


@played
async def test_nothing_is_done_when_another_job_runs_by_the_time_of_the_answer() -> None:
    control = host()
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("x")
        await question(screen)
        control.publish(make_state(*world().domains, jobs=[make_job("web01", "vda", number=77)]))
        await screen.press("y")
        assert [call[0] for call in control.calls] == ["plan"]
        assert "has changed meanwhile" in screen.log


@played
async def test_a_host_that_makes_no_plan_says_why() -> None:
    control = host()
    control.error = HostError("The host says no.", code=38)
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("p")
        await screen.until(lambda: "The host says no (libvirt error 38)." in screen.log)
        assert screen.app.screen is screen.main


@played
async def test_a_refused_plan_shows_its_findings_and_never_runs() -> None:
    control = host()
    control.findings = (refused("in-use", "It is in use."),)
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("p")
        asked = await question(screen)
        assert asked.plan.refused
        await screen.press("y", "enter")
        assert [call[0] for call in control.calls] == ["plan"]


@played
async def test_a_run_that_fails_is_told() -> None:
    control = host()
    control.outcome = Outcome(End.FAILED, "QEMU did not pivot.")
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("p")
        await question(screen)
        await screen.press("y")
        await screen.until(lambda: "QEMU did not pivot." in screen.log)


@played
async def test_what_was_cancelled_is_told_by_what_cancelled_it() -> None:
    control = host()
    control.outcome = None
    async with opened(control) as screen:
        await screen.press("x")
        await question(screen)
        await screen.press("y")
        await screen.until(lambda: control.runs)
        control.runs[0].finish(Outcome(End.FAILED, "It ended early.", cancelled=True))
        await screen.until(lambda: control.calls)
        await screen.pilot.pause()
        assert not any("ended early" in note for note in screen.notes)


@played
async def test_a_late_plan_does_not_ask_on_top_of_another_window() -> None:
    control = host()
    async with opened(control) as screen:
        opened_other = threading.Event()

        def planner(request: Request) -> Plan:
            opened_other.wait(10)
            return default_plan(request, control.state)

        control.planner = planner
        await screen.go_to("web01")
        await screen.press("p")
        assert "asking the host…" in screen.main.header.plain
        await screen.press("question_mark")
        opened_other.set()
        await screen.until(lambda: "another window is open" in screen.log)
        assert not isinstance(screen.app.screen, ConfirmPlan)


@pytest.mark.parametrize("key", ["m", "p", "P", "K", "x", "b"])
@pytest.mark.parametrize("panel", ["1", "3"])
@played
async def test_read_only_has_no_writes_and_says_so(key: str, panel: str) -> None:
    control = host(read_only=True)
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press(panel, key)
        assert control.calls == []
        assert screen.app.screen is screen.main
        assert "read-only" in screen.notes[-1]
        assert "READ-ONLY" in screen.main.header.plain


@played
async def test_read_only_buttons_are_dead() -> None:
    control = host(read_only=True)
    async with opened(control) as screen:
        await screen.click_text(screen.main.jobs, 0, "[Cancel]")
        assert control.calls == []


@played
async def test_speed() -> None:
    control = FakeControl(states=make_state(jobs=[make_job(cur=GIB, end=4 * GIB, bandwidth=8 * MIB)]))
    async with opened(control) as screen:
        await screen.press("b")
        assert isinstance(screen.app.screen, SpeedDialog)
        screen.app.screen.dismiss(20 * MIB)
        asked = await question(screen)
        assert control.requests == [SpeedRequest(uuid_of("db01"), "vda", 20 * MIB)]
        await screen.press("y")
        await screen.until(lambda: control.calls[-1] == ("run", asked.plan))


@played
async def test_the_dialog_of_the_speed_follows_its_job() -> None:
    control = FakeControl(states=make_state(jobs=[make_job(bandwidth=8 * MIB)]))
    async with opened(control) as screen:
        await screen.press("b")
        now = screen.app.screen.query_one("#now", Flow)
        assert "limit now" in now.plain
        control.publish(make_state())
        await screen.until(lambda: "does not list this job any more" in now.plain)


@played
async def test_mirror_opens_the_form_for_the_disk_under_the_cursor_and_runs_its_plan() -> None:
    control = host()
    async with opened(control) as screen:
        await screen.go_to("zoo")
        await screen.press("m")
        form = screen.app.screen
        assert isinstance(form, MirrorForm)
        plan = default_plan(end(Ending.CANCEL), control.state)
        form.dismiss(plan)
        await screen.until(lambda: ("run", plan) in control.calls)


@played
async def test_mirror_asks_for_one_tagged_disk_after_the_other() -> None:
    control = host(Phase.DONE)
    async with opened(control) as screen:
        await screen.go_to("web01", "vdb")
        await screen.press("space")
        await screen.go_to("web01")
        await screen.press("space", "m")
        for number, target in enumerate(("vda", "vdb"), start=1):
            await screen.until(lambda: isinstance(screen.app.screen, MirrorForm))
            form = screen.app.screen
            assert isinstance(form, MirrorForm)
            title = str(form.query_one("#title", Static).render())
            assert title.startswith(f"Mirror {target} of web01")
            assert f"{number} of 2" in title
            plan = replace(default_plan(end(Ending.CANCEL), control.state), id=target)
            form.dismiss(plan)
            await screen.until(lambda: ("run", plan) in control.calls)  # noqa: B023  # awaited at once
        assert screen.app.screen is screen.main


@played
async def test_leaving_the_first_form_leaves_the_others() -> None:
    control = host(Phase.DONE)
    async with opened(control) as screen:
        await screen.go_to("web01")
        await screen.press("space", "space")
        await screen.go_to("db01")
        await screen.press("m")
        assert "web01" in screen.notes[-1]
        await screen.go_to("web01")
        await screen.press("m")
        form = screen.app.screen
        assert isinstance(form, MirrorForm)
        form.dismiss(None)
        await screen.until(lambda: screen.app.screen is screen.main)
        assert [call for call in control.calls if call[0] == "run"] == []
