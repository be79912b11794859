"""What the main screen shows, how the cursor behaves, and that nothing brings it down."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.app_pilot import Screen, opened, played
from tests.fake_host import (
    GIB,
    NOW,
    FakeControl,
    make_disk,
    make_domain,
    make_job,
    make_mirror,
    make_samples,
    make_state,
    uuid_of,
)
from tui.app.app import MirrorApp
from tui.app.command import Panel
from tui.app.commands import BY_ID
from tui.app.dialogs.ask import Question
from tui.app.dialogs.details import JobDetails
from tui.app.widgets.items import Items
from tui.engine.control import End, Level, LogLine, Outcome
from tui.model.host import HostState, Link
from tui.model.job import Job, JobType, Phase
from tui.model.plan import Plan
from tui.model.request import Request
from tui.model.snapshot_steps import DropSnapshot
from tui.model.steps import ProvePivot

HOSTILE = [
    "vm[prod]",
    "[/x]",
    "[red]",
    "[@click=app.bell]x[/]",
    "line\nbreak\rback\ttab",
    "esc\x1b[31m\x1b]0;title\x07",
    "right\u202eleft",
    "x" * 300,
    "データベース" * 30,
    "e\u0301\u200d\U0001f468\u200d\U0001f469",
    "\\[",
    "$error",
    "",
]


def names(screen: Screen) -> list[str]:
    return [f"{row.name}/{row.target}" for row in screen.main.domains.table.items]


async def until_named(screen: Screen, hostname: str) -> None:
    await screen.until(lambda: screen.main.picture.states[0].hostname == hostname)


def current(screen: Screen) -> str | None:
    row = screen.main.domains.table.current
    return row.name if row else None


def fleet(count: int) -> HostState:
    return make_state(*(make_domain(f"vm{n:04}") for n in range(count)))


@played
async def test_first_paint_before_the_host_answers() -> None:
    async with opened(FakeControl(states=HostState("qemu:///system"))) as screen:
        assert "connecting…" in screen.main.header.plain
        assert screen.main.domains.table.current is None
        await screen.press("m", "p", "x", "b", "enter", "space", "y", "j", "G", "2", "3", "l")


@played
async def test_header_counts_and_hosts() -> None:
    job = make_job("db01", samples=make_samples())
    async with opened(FakeControl(states=make_state(jobs=[job]))) as screen:
        assert "1 domain  1 job  100 MiB/s" in screen.main.header.plain
        assert screen.main.header.plain.rstrip().endswith("live")


@played
async def test_a_lost_host_is_shown_with_age_and_retries_and_the_other_goes_on() -> None:
    a = FakeControl("qemu+ssh://a/system", make_state(make_domain("one"), hostname="a"))
    b = FakeControl("qemu+ssh://b/system", make_state(make_domain("two"), hostname="b"))
    async with opened(a, b) as screen:
        assert screen.main.header.plain.rstrip().endswith("live")
        b.publish(
            replace(b.state, link=Link.LOST, retries=3, link_since=NOW + 10, error="No route to [host].")
        )
        await screen.until(lambda: "1 of 2 lost" in screen.main.header.plain)
        assert "lost 1m05s ago, 3 retries" in screen.main.hosts_bar.plain
        assert "No route to [host]." in screen.main.hosts_bar.plain
        assert names(screen) == ["one/vda", "two/vda"]
        a.publish(make_state(make_domain("one"), make_domain("three"), hostname="a"))
        await screen.until(lambda: len(names(screen)) == 3)
        b.publish(replace(b.state, link=Link.LIVE, error=None, retries=0))
        await screen.until(lambda: screen.main.header.plain.rstrip().endswith("live"))


@played
async def test_the_cursor_stays_on_its_object() -> None:
    control = FakeControl(states=fleet(50))
    async with opened(control) as screen:
        await screen.go_to("vm0020")
        await screen.press("I")
        assert current(screen) == "vm0020"
        control.publish(make_state(*(make_domain(f"vm{n:04}") for n in range(0, 60, 2))))
        await screen.until(lambda: len(names(screen)) == 30)
        assert current(screen) == "vm0020"
        await screen.press("greater_than_sign")
        assert current(screen) == "vm0020"
        await screen.press("slash", *"20", "enter")
        assert current(screen) == "vm0020"
        assert screen.main.domains.border_title == "Domains 1/30"
        await screen.press("escape")
        assert len(names(screen)) == 30
        assert current(screen) == "vm0020"


@played
async def test_no_other_object_comes_under_the_cursor_when_its_own_goes_away() -> None:
    control = FakeControl(states=fleet(10))
    async with opened(control) as screen:
        await screen.go_to("vm0005")
        control.publish(make_state(*(make_domain(f"vm{n:04}") for n in range(10) if n != 5)))
        await screen.until(lambda: len(names(screen)) == 9)
        assert current(screen) is None
        await screen.press("p", "x", "m")
        assert control.calls == []
        await screen.press("j")
        assert current(screen) is not None


@played
async def test_filter_and_its_inverse() -> None:
    states = make_state(make_domain("web[1]"), make_domain("db"), make_domain("web2"))
    async with opened(FakeControl(states=states)) as screen:
        await screen.press("slash", *"web[", "enter")
        assert names(screen) == ["web[1]/vda"]
        await screen.press("slash", "home", "exclamation_mark", "enter")
        assert names(screen) == ["db/vda", "web2/vda"]
        await screen.press("escape")
        assert len(names(screen)) == 3


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@pytest.mark.parametrize("panel", ["1", "3"])
@played
async def test_a_filter_that_is_typed_faster_than_the_screen_paints(
    size: tuple[int, int], panel: str
) -> None:
    states = make_state(make_domain("web"), make_domain("zoo"))
    async with opened(FakeControl(states=states), size=size) as screen:
        await screen.press(panel)
        for key in ("slash", "z", "o"):
            screen.app.simulate_key(key)
        await screen.pilot.pause()
        box = screen.main.domains.box
        await screen.until(lambda: box.value == "zo")
        assert screen.app.focused is box


@played
async def test_sort_by_heading_and_keys() -> None:
    jobs = [make_job("bb", phase=Phase.IN_SYNC), make_job("cc")]
    states = make_state(make_domain("aa"), make_domain("bb"), make_domain("cc"), jobs=jobs)
    async with opened(FakeControl(states=states)) as screen:
        await screen.press("less_than_sign")
        assert names(screen) == ["bb/vda", "cc/vda", "aa/vda"]
        await screen.pilot.click("#domain-table", offset=(4, 0))
        assert names(screen) == ["aa/vda", "bb/vda", "cc/vda"]
        await screen.pilot.click("#domain-table", offset=(4, 0))
        assert names(screen) == ["cc/vda", "bb/vda", "aa/vda"]


@played
async def test_a_tick_paints_only_what_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [make_job(f"vm{n:04}", number=n + 1, cur=GIB) for n in range(50)]
    control = FakeControl(states=replace(fleet(1000), jobs=tuple(jobs)))
    painted: list[tuple[str | None, int, int]] = []
    plain = Items.refresh_item_line

    def counted(view: Items[object], index: int, line: int) -> None:
        painted.append((view.id, index, line))
        plain(view, index, line)

    async with opened(control) as screen:
        monkeypatch.setattr(Items, "refresh_item_line", counted)
        control.publish(replace(control.state, refreshed=NOW + 1))
        await screen.until(lambda: screen.main.picture.states[0].refreshed == NOW + 1)
        assert painted == []
        moved = replace(jobs[1], progress=replace(jobs[1].progress, cur=2 * GIB))  # type: ignore[type-var]
        control.publish(replace(control.state, jobs=(jobs[0], moved, *jobs[2:]), refreshed=NOW + 2))
        await screen.until(lambda: screen.main.picture.states[0].refreshed == NOW + 2)
        assert set(painted) == {("domain-table", 1, 0), ("jobs", 1, 0)}


@played
async def test_many_pictures_at_once_are_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    control = FakeControl(states=fleet(3))
    async with opened(control) as screen:
        taken = []
        take = screen.main.take

        def counted(states: dict[int, HostState]) -> None:
            taken.append(states)
            take(states)

        monkeypatch.setattr(screen.main, "take", counted)
        for n in range(100):
            control.publish(replace(control.state, refreshed=NOW + n))
            control.log(f"line {n}")
        await screen.until(lambda: "line 99" in screen.log)
        assert len(taken) == 1
        assert taken[0][0].refreshed == NOW + 99
        assert all(f"line {n}\n" in screen.log for n in range(100))


@played
async def test_pause_holds_the_picture_and_says_so() -> None:
    control = FakeControl(states=fleet(2))
    async with opened(control) as screen:
        await screen.press("z")
        control.publish(fleet(5))
        await screen.pilot.pause()
        assert len(names(screen)) == 2
        assert "PAUSED 1m15s old" in screen.main.header.plain
        await screen.press("z")
        assert len(names(screen)) == 5
        assert "PAUSED" not in screen.main.header.plain


@pytest.mark.parametrize(
    ("size", "ascii_only"),
    [((120, 36), False), ((80, 24), True), ((60, 15), False), ((200, 60), False), ((59, 14), False)],
)
@played
async def test_hostile_text_in_every_widget(size: tuple[int, int], ascii_only: bool) -> None:  # noqa: FBT001
    domains, jobs = [], []
    for n, text in enumerate(HOSTILE):
        disk = make_disk("vda", f"/a/{text}", f"/b/{text}", mirror=make_mirror(f"/c/{text}"))
        domain = make_domain(text, disks=[disk], uuid=f"u{n}")
        domains.append(domain)
        phase = list(Phase)[n % len(Phase)]
        jobs.append(make_job(domain, phase=phase, destination=f"/c/{text}", remark=text))
    a, b = FakeControl("qemu://[/a]", make_state(*domains, jobs=jobs)), FakeControl("b")
    async with opened(a, b, size=size, ascii_only=ascii_only) as screen:
        for text in HOSTILE:
            a.publish(replace(a.state, hostname=text, error=text, link=Link.LOST))
            a.log(LogLine(NOW, text, Level.ERROR, text, (text,)))
            await until_named(screen, text)
            screen.main.domains.table.action_cursor_down()
            screen.main.jobs.action_cursor_down()
            await screen.pilot.pause()
            for view in (screen.main.domains.table, screen.main.chain.view, screen.main.jobs):
                assert "\x1b" not in screen.painted(view)
        await screen.press("3", "j", "l", "slash", *"a]", "enter", "y", "1", "slash", *"[/", "enter")
        screen.app.export_screenshot()


@played
async def test_names_are_shown_as_they_are() -> None:
    async with opened(FakeControl(states=make_state(make_domain("vm[prod]"), make_domain("[/x]")))) as screen:
        painted = screen.painted(screen.main.domains.table)
        assert "vm[prod]" in painted
        assert "[/x]" in painted


@pytest.fixture
def state_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("where", ["handler", "drawing", "timer", "thread", "action"])
def test_an_exception_becomes_a_sentence(
    where: str, state_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "do not show this"  # noqa: S105

    def broken(*_: object, **__: object) -> None:
        password = secret  # noqa: F841
        raise ZeroDivisionError(where)

    @played
    async def play() -> None:
        control = FakeControl(states=make_state(jobs=[make_job(phase=Phase.IN_SYNC)]))
        async with opened(control, mishaps=True) as screen:
            with monkeypatch.context() as patch:
                match where:
                    case "handler":
                        patch.setattr(screen.main.domains, "show", broken)
                        control.publish(fleet(2))
                    case "drawing":
                        patch.setattr(screen.main.domains.table, "draw", broken)
                        screen.main.domains.table.redraw()
                    case "timer":
                        screen.main.set_timer(0.001, broken)
                    case "thread":
                        patch.setattr(control, "plan", broken)
                        await screen.press("p")
                    case "action":
                        patch.setattr(screen.main, "action_refresh", broken)
                        await screen.press("ctrl+r")
                await screen.until(lambda: "Something went wrong inside virt-mirror" in screen.log)
            control.publish(fleet(4))
            await screen.until(lambda: len(names(screen)) == 4)
            await screen.press("j")
            assert current(screen) is not None
            assert screen.app.is_running

    play()
    details = (state_home / "virt-mirror" / "errors.log").read_text()
    assert "ZeroDivisionError" in details
    assert secret not in details


def test_exit_does_not_wait_for_a_silent_host() -> None:
    released, closed = threading.Event(), threading.Event()

    class Silent(FakeControl):
        def plan(self, request: Request) -> Plan:
            released.wait()
            return super().plan(request)

        def close(self) -> None:
            released.wait()
            closed.set()

    control = Silent(states=make_state(make_domain(), jobs=[make_job(phase=Phase.DONE)]))
    app = MirrorApp([control])

    async def leave(pilot: Pilot[object]) -> None:
        await pilot.press("m", "escape", "q")

    app.run(headless=True, size=(100, 30), auto_pilot=leave)
    app.let_go()
    assert not closed.is_set()
    released.set()
    assert control.subscribers == 0


@played
async def test_quitting_with_jobs_running_asks() -> None:
    control = FakeControl(states=make_state(jobs=[make_job()]))
    async with opened(control) as screen:
        await screen.press("q")
        assert isinstance(screen.app.screen, Question)
        await screen.press("escape")
        assert not isinstance(screen.app.screen, Question)
        await screen.press("ctrl+q")
        assert isinstance(screen.app.screen, Question)
        await screen.press("y")
        assert screen.app._exit  # noqa: SLF001
        assert control.calls == []


@played
async def test_quitting_asks_while_a_plan_is_at_work_without_a_job() -> None:
    control = FakeControl()
    control.outcome = None
    async with opened(control) as screen:
        (domain,) = control.state.domains
        steps = (DropSnapshot(domain.uuid, domain.name, "a", "p0"),)
        control.run(Plan("p1", "Forget a", domain.uuid, domain.name, (), steps))
        assert len(control.under_way) == 1
        assert not control.state.active_jobs
        await screen.press("q")
        question = screen.app.screen
        assert isinstance(question, Question)
        assert "1 plan is at work" in question._text  # noqa: SLF001
        await screen.press("escape")
        control.runs[-1].finish(Outcome(End.DONE, "Done."))
        await screen.press("q")
        assert screen.app._exit  # noqa: SLF001


@played
async def test_quitting_asks_nothing_for_a_plan_that_only_looks_at_what_was_done() -> None:
    control = FakeControl()
    control.outcome = None
    async with opened(control) as screen:
        (domain,) = control.state.domains
        proof = ProvePivot(domain.uuid, domain.name, "vda", "<disk/>", "/fast/vda")
        control.run(Plan("p1", "Pivot vda of it", domain.uuid, domain.name, (), (proof,)))
        assert len(control.under_way) == 1
        await screen.press("q")
        assert screen.app._exit  # noqa: SLF001


@played
async def test_quitting_says_that_layers_are_not_copied_on() -> None:
    """QEMU goes on with the mirror, and nobody with what lies below it."""
    state = replace(make_state(jobs=[make_job()]), files={"/fast/base.qcow2": (1, 4)})
    async with opened(FakeControl(states=state)) as screen:
        await screen.press("q")
        question = screen.app.screen
        assert isinstance(question, Question)
        assert "that stops" in question._text  # noqa: SLF001
    done = replace(state, files={"/fast/base.qcow2": (4, 4)})
    async with opened(FakeControl(states=done)) as screen:
        await screen.press("q")
        question = screen.app.screen
        assert isinstance(question, Question)
        assert "that stops" not in question._text  # noqa: SLF001


@played
async def test_ended_jobs_stay_until_they_are_dismissed() -> None:
    jobs: list[Job] = [make_job(phase=Phase.FAILED, remark="The disk is full."), make_job("zoo")]
    async with opened(FakeControl(states=make_state(make_domain(), make_domain("zoo"), jobs=jobs))) as screen:
        assert "The disk is full." in screen.painted(screen.main.jobs)
        await screen.press("3", "G", "d")
        assert "The disk is full." not in screen.painted(screen.main.jobs)
        await screen.press("d")
        assert len(screen.main.jobs.items) == 1
        assert "x cancels it" in screen.notes[-1]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
@played
async def test_a_copy_to_another_host_is_shown_with_that_and_its_path(size: tuple[int, int]) -> None:
    address = "nbd://10.0.0.2:61000/0000000a"
    copied = make_domain(disks=[make_disk(mirror=make_mirror(address))])
    job = replace(make_job(destination=address), named="host-b:/fast/c.raw")
    async with opened(FakeControl(states=make_state(copied, jobs=[job])), size=size) as screen:
        await screen.press("3")
        assert "→ host-b:/fast/c.raw" in screen.painted(screen.main.jobs)
        assert screen.main._copyable() == ("host-b:/fast/c.raw", "path")  # noqa: SLF001
        await screen.press("2", "end")
        chain = screen.painted(screen.main.chain.view)
        assert "c.raw" in chain
        assert "host-b:/fast" in chain
        assert "host-b:/fast/c.raw" in str(screen.main.chain.details.render())
        assert "nbd" not in chain


@pytest.mark.parametrize("size", [(80, 24), (160, 36)])
@played
async def test_why_a_job_failed_is_said_however_long_that_is(size: tuple[int, int]) -> None:
    reason = (
        "No room is left at the destination, which is on the same file system as the images of other guests."
    )
    state = make_state(jobs=[make_job(phase=Phase.FAILED, remark=reason)])
    async with opened(FakeControl(states=state), size=size) as screen:
        await screen.press("3")
        painted = screen.painted(screen.main.jobs).replace("[Dismiss]", "")
        assert reason in " ".join(painted.split())


@played
async def test_in_the_table_all_that_ended_on_a_disk_is_dismissed_at_once() -> None:
    jobs: list[Job] = [make_job(phase=Phase.FAILED), make_job(phase=Phase.DONE, number=2)]
    async with opened(FakeControl(states=make_state(jobs=jobs))) as screen:
        assert "done" in screen.painted(screen.main.domains.table)
        assert len(screen.main.jobs.items) == 2
        await screen.press("d")
        assert not screen.main.jobs.items
        assert "done" not in screen.painted(screen.main.domains.table)


@played
async def test_a_read_only_session_says_so_of_the_buttons_that_are_dead_alone() -> None:
    jobs: list[Job] = [make_job(phase=Phase.DONE), make_job("zoo", phase=Phase.IN_SYNC)]
    state = make_state(make_domain(), make_domain("zoo"), jobs=jobs)
    async with opened(FakeControl(states=state, read_only=True)) as screen:
        view = screen.main.jobs
        ended = next(n for n, row in enumerate(view.items) if row.disk[1] == uuid_of("db01"))
        await screen.hover_text(view, ended, "[Dismiss]")
        assert str(view.tooltip) == BY_ID["dismiss-job"].help
        await screen.hover_text(view, 1 - ended, "[Pivot]")
        assert str(view.tooltip) == "This session is read-only."
        await screen.click_text(view, ended, "[Dismiss]")
        assert [row.disk[1] for row in view.items] == [uuid_of("zoo")]


@played
async def test_the_footer_names_what_an_ended_job_has_left() -> None:
    async with opened(FakeControl(states=make_state(jobs=[make_job(phase=Phase.DONE)]))) as screen:
        await screen.press("3")
        assert "Dismiss" in screen.main.keys.plain
        assert "Pivot" not in screen.main.keys.plain


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        (JobType.COPY, ["Pivot", "Keep", "Cancel"]),
        (JobType.ACTIVE_COMMIT, ["Pivot", "Cancel"]),
        (JobType.PULL, ["Cancel"]),
    ],
)
@played
async def test_a_job_has_the_ends_of_its_type(kind: JobType, ends: list[str]) -> None:
    jobs: list[Job] = [make_job(phase=Phase.IN_SYNC, type=kind)]
    async with opened(FakeControl(states=make_state(jobs=jobs))) as screen:
        await screen.press("3")
        buttons = [
            end for end in ("Pivot", "Keep", "Cancel") if f"[{end}]" in screen.painted(screen.main.jobs)
        ]
        keys = [end for end in ("Pivot", "Keep", "Cancel") if end in screen.main.keys.plain]
        assert (buttons, keys) == (ends, ends)


@played
async def test_escape_leads_back_to_the_domains() -> None:
    async with opened(FakeControl(states=make_state())) as screen:
        await screen.press("enter")
        assert screen.main.chain.view.has_focus
        await screen.press("escape")
        assert screen.main.domains.table.has_focus


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (make_state(link=Link.CONNECTING), "Connecting"),
        (make_state(link=Link.LOST), "tried again"),
        (replace(make_state(), listed=True), "has no domains"),
    ],
)
@played
async def test_a_list_without_lines_says_why(state: HostState, words: str) -> None:
    async with opened(FakeControl(states=replace(state, domains=()))) as screen:
        assert words in screen.painted(screen.main.domains.table)
        assert words in screen.painted(screen.main.jobs)


@played
async def test_narrow_shows_one_panel_at_a_time() -> None:
    async with opened(FakeControl(states=make_state(jobs=[make_job()])), size=(80, 24)) as screen:
        panels = {panel: screen.main.query_one(f"#{panel.value}") for panel in Panel}

        def seen() -> list[Panel]:
            return [panel for panel, widget in panels.items() if widget.region]

        assert seen() == [Panel.DOMAINS]
        for key, panel in (("2", Panel.CHAIN), ("3", Panel.JOBS), ("l", Panel.LOG), ("tab", Panel.DOMAINS)):
            await screen.press(key)
            assert seen() == [panel]
        await screen.pilot.resize_terminal(130, 40)
        await screen.until(lambda: set(seen()) >= {Panel.DOMAINS, Panel.CHAIN, Panel.JOBS})


@played
async def test_too_small_says_so() -> None:
    async with opened(FakeControl(), size=(59, 20)) as screen:
        assert screen.main.query_one("#too-small").display
        await screen.pilot.resize_terminal(80, 24)
        await screen.until(lambda: not screen.main.query_one("#too-small").display)


@played
async def test_details_follow_the_job() -> None:
    control = FakeControl(states=make_state(jobs=[make_job(number=5)]))
    async with opened(control) as screen:
        await screen.press("enter")
        details = screen.app.screen
        assert isinstance(details, JobDetails)
        control.publish(make_state(jobs=[make_job(number=5, phase=Phase.IN_SYNC)]))
        await screen.pilot.pause()
        await screen.press("escape")
        await screen.press("j")


@played
async def test_another_host_can_be_opened() -> None:
    second = FakeControl("test:///second", make_state(make_domain("other"), hostname="second"))
    asked: list[str] = []

    def connect(uri: str) -> FakeControl:
        asked.append(uri)
        return second

    async with opened(FakeControl(), connect=connect) as screen:
        await screen.press("plus")
        screen.app.screen.dismiss("test:///second")
        await screen.until(lambda: "other/vda" in names(screen))
        assert asked == ["test:///second"]
        assert "2 hosts" in screen.main.header.plain


@played
async def test_refresh_asks_every_host() -> None:
    control = FakeControl()
    async with opened(control) as screen:
        await screen.press("ctrl+r")
        assert control.calls == [("refresh", None)]


@played
async def test_every_theme_can_be_chosen() -> None:
    states = make_state(jobs=[make_job()])
    async with opened(FakeControl(states=states)) as screen:
        for name in sorted(screen.app.available_themes):
            screen.app.theme = name
            await screen.pilot.pause()
            assert screen.app.mishaps.errors == [], name
            assert "db01" in screen.painted(screen.main.domains.table)


@played
async def test_a_filter_that_found_nothing_leaves_no_empty_chain() -> None:
    async with opened(FakeControl(states=make_state())) as screen:
        await screen.press("slash", *"zzz", "enter", "escape")
        assert "db01" in str(screen.main.chain.border_title)
        assert screen.main.chain.current is not None


@played
async def test_the_layer_that_a_pivot_took_away_leaves_the_cursor_on_the_new_one() -> None:
    control = FakeControl(states=make_state(make_domain("db01", disks=[make_disk("vda", "/slow/a")])))
    async with opened(control) as screen:
        await screen.go_to("db01")
        control.publish(make_state(make_domain("db01", disks=[make_disk("vda", "/fast/a")])))
        await screen.until(lambda: screen.main.chain.current and screen.main.chain.current.path == "/fast/a")
