"""The snapshots of a domain on the screen: the tree, its details, and the requests that its keys make."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest
from textual.widgets import Button

from tests.app_pilot import opened, played
from tests.dialogs import HOSTILE
from tests.fake_host import NOW, FakeControl, default_plan, make_disk, make_domain, make_state
from tests.hierarchy_facts import known
from tests.snapshot_view import (
    DOMAIN,
    SNAPSHOTS,
    UUID,
    VDB,
    details,
    drawn,
    host,
    names_drawn,
    put_on,
    title,
    view_of,
)
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.fields import Check, Choice
from tui.app.dialogs.help import HelpScreen
from tui.app.dialogs.revert import RevertForm
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.engine.control import End, Outcome
from tui.engine.errors import NoConnection
from tui.model.domain import RunState
from tui.model.finding import Acceptance, refused
from tui.model.hierarchy import SnapshotView, arranged
from tui.model.hierarchy_request import After, SnapshotDeleteRequest, SnapshotRevertRequest
from tui.model.methods import Method
from tui.model.plan import Plan
from tui.model.request import Request
from tui.model.snapshot_note import Held, NotedSnapshot, note_xml


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
@played
async def test_the_tree_ends_in_what_the_guest_writes_now(size: tuple[int, int]) -> None:
    control = host()
    async with opened(control, size=size) as screen:
        view = await view_of(screen)
        lines = drawn(view, screen)
        assert [re.split(r"(?<=\w)  ", line[1:])[0] for line in lines[1:6]] == [
            "○ install",
            "├ ○ other",
            "│ └ ○ inside",
            "└ ● upgrade",
            "  └ ◀ now",
        ]
        assert "current" in lines[4]
        assert "external" in lines[4]
        assert view.current is not None
        assert view.current.name == "upgrade"
        assert "4 snapshots" in title(view)
        await screen.press("escape")
        assert screen.app.screen is screen.main
        assert control.calls == [("snapshots", UUID)]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_details_follow_the_cursor(size: tuple[int, int]) -> None:
    async with opened(host(), size=size) as screen:
        view = await view_of(screen)
        assert "new since  /i/3  qcow2  3 MiB" in details(view)
        assert "◀ active · new since upgrade" in details(view)
        await screen.press("g")
        assert "As it came" in details(view)
        assert "children  other, upgrade" in details(view)
        assert "state of install · inside: inside" in details(view)
        assert "new since install" in details(view)
        await screen.press("G")
        assert details(view).startswith("What the guest writes now")
        assert "Chain of vdb now" in details(view)
        assert view.query_one("#details Flow").size.height > 5


@pytest.mark.parametrize("size", [(120, 36), (60, 15)])
@played
async def test_a_snapshot_whose_state_is_lost_says_so(size: tuple[int, int]) -> None:
    committed = make_domain(disks=[make_disk("vda", "/i/2", "/i/base"), VDB])
    async with opened(host(domain=committed), size=size) as screen:
        view = await view_of(screen)
        install, other, _, upgrade, _ = drawn(view, screen)[1:]
        assert "lost" not in install
        assert "✗ other" in other
        assert "lost" in other
        assert re.search(r"✗ upgrade +current  lost", upgrade)
        assert "state lost  ✗ of vda: the guest writes to the image that held it" in details(view)
        assert "lost from  /i/2" in details(view)
        assert "state in" not in details(view)
        put_on(view, "install")
        await screen.pilot.pause()
        assert "state in   /i/base" in details(view)
        assert "state lost" not in details(view)


@played
async def test_enter_gives_the_details_room_and_escape_takes_it_back() -> None:
    async with opened(host(), size=(80, 24)) as screen:
        view = await view_of(screen)
        pane = view.query_one("#details")
        before = pane.size.height
        assert str(pane.border_title) == "Details: tab"
        await screen.press("enter")
        assert pane.has_focus
        assert str(pane.border_title) == "▸ Details: ↑ ↓ scroll, tab back"
        assert pane.size.height > before
        await screen.press("end")
        await screen.until(lambda: pane.scroll_y == pane.max_scroll_y > 0)
        await screen.press("escape")
        assert view.tree_view.has_focus
        assert str(pane.border_title) == "Details: tab"
        assert screen.app.screen is view
        await screen.press("tab", "tab")
        assert view.tree_view.has_focus


@played
async def test_it_is_read_again_and_the_cursor_stays() -> None:
    control = host()
    async with opened(control) as screen:
        view = await view_of(screen)
        put_on(view, "other")
        control.view = SnapshotView(DOMAIN, arranged(SNAPSHOTS[:3]))
        await screen.press("r")
        await screen.until(lambda: "3 snapshots" in title(view))
        assert view.current is not None
        assert view.current.name == "other"
        assert control.calls == [("snapshots", UUID)] * 2


@played
async def test_nothing_to_see_says_what_to_do() -> None:
    async with opened(host(())) as screen:
        view = await view_of(screen)
        assert "No snapshots. n takes one. I imports them." in view.problems.plain
        assert "◀ now" in drawn(view, screen)[1]
        assert "Chain of vda now" in details(view)
        await screen.press("d")
        assert "no snapshot" in screen.notes[-1]


@played
async def test_what_does_not_fit_together_is_said() -> None:
    async with opened(host([known("b", "gone")])) as screen:
        view = await view_of(screen)
        assert "gone, the parent of the snapshot b, is not there." in view.problems.plain


@played
async def test_a_host_that_is_away_says_so_and_what_is_known_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    control = host()
    async with opened(control) as screen:
        view = await view_of(screen)

        def snapshots(uuid: str) -> SnapshotView:  # noqa: ARG001
            raise NoConnection("It is [/away].")

        monkeypatch.setattr(control, "snapshots", snapshots)
        await screen.press("r")
        await screen.until(lambda: "could not be read" in title(view))
        assert "It is [/away]." in view.problems.plain
        assert len(view.tree_view.items) == 5


@played
async def test_after_an_error_that_nobody_expected_it_is_read_again_once_the_host_has_news(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control = host()
    async with opened(control, mishaps=True) as screen:
        view = await view_of(screen)

        def snapshots(uuid: str) -> SnapshotView:  # noqa: ARG001
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(control, "snapshots", snapshots)
            await screen.press("r")
            await screen.until(lambda: screen.app.mishaps.errors)
        assert "could not be read" in title(view)
        asked = len(control.calls)
        control.publish(make_state(replace(DOMAIN, state=RunState.PAUSED)))
        view.look()
        await screen.until(lambda: "as of" in title(view))
        assert control.calls[asked:] == [("snapshots", UUID)]


@played
async def test_a_silent_host_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    control, gate, threads = host(), threading.Event(), list[threading.Thread]()

    def snapshots(uuid: str) -> SnapshotView:  # noqa: ARG001
        threads.append(threading.current_thread())
        assert gate.wait(30)
        return control.view or SnapshotView(DOMAIN, arranged(()))

    monkeypatch.setattr(control, "snapshots", snapshots)
    async with opened(control) as screen:
        await screen.press("s")
        view = screen.app.screen
        assert isinstance(view, SnapshotsDialog)
        assert "reading" in title(view)
        await screen.press("escape")
        assert screen.app.screen is screen.main
        gate.set()
        await screen.until(lambda: not any(thread.is_alive() for thread in threads))
        assert threads
        assert threading.main_thread() not in threads


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("delete", {}),
        ("d", {}),
        ("D", {"children": True}),
        ("F", {"metadata_only": True}),
        ("shift+delete", {"metadata_only": True}),
    ],
)
@played
async def test_a_key_is_for_the_snapshot_under_the_cursor(key: str, changes: dict[str, bool]) -> None:
    control = host()
    async with opened(control) as screen:
        view = await view_of(screen)
        put_on(view, "inside")
        await screen.press(key)
        # By then the cursor may be anywhere.
        put_on(view, "install")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        request = SnapshotDeleteRequest(UUID, "inside", **changes)
        assert control.requests == [request]
        assert isinstance(screen.app.screen, ConfirmPlan)
        assert screen.app.screen.query_one("#leave", Button).has_focus
        await screen.press("escape")
        assert [call[0] for call in control.calls] == ["snapshots", "plan"]


@played
async def test_what_was_deleted_is_gone_and_the_cursor_goes_on() -> None:
    control = host()
    control.on_run = lambda _run: setattr(control, "view", SnapshotView(DOMAIN, arranged(SNAPSHOTS[:3])))
    control.planner = lambda request: replace(
        default_plan(request, control.state), request=request, findings=()
    )
    async with opened(control) as screen:
        view = await view_of(screen)
        put_on(view, "inside")
        await screen.press("d")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        await screen.press("y")
        await screen.until(lambda: "3 snapshots" in title(view))
        assert [call[0] for call in control.calls] == ["snapshots", "plan", "run", "snapshots"]
        assert view.current is not None
        assert view.current.name == "other"
        assert "inside" not in "\n".join(drawn(view, screen))


@played
async def test_a_deletion_that_is_refused_says_what_to_do_instead() -> None:
    control = host()

    def planner(request: Request) -> Plan:
        finding = refused("a", "This libvirt cannot.", "virt-mirror commit db01 vda --base /i/2 --pivot")
        return replace(default_plan(request, control.state), request=request, findings=(finding,))

    control.planner = planner
    async with opened(control) as screen:
        await view_of(screen)
        await screen.press("d")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        await screen.press("c")
        assert screen.app.clipboard == "virt-mirror commit db01 vda --base /i/2 --pivot"
        await screen.press("y", "enter")
        assert ("run",) not in [call[:1] for call in control.calls]


@played
async def test_a_deletion_that_fails_says_so_and_the_tree_is_read_again() -> None:
    control = host()
    control.outcome = Outcome(End.FAILED, "The image is [/gone].")
    async with opened(control) as screen:
        await view_of(screen)
        await screen.press("F")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan))
        await screen.press("y")
        await screen.until(lambda: any("The image is [/gone]." in note for note in screen.notes))
        await screen.until(lambda: control.calls[-1] == ("snapshots", UUID))


@played
async def test_going_back_takes_the_loss_upon_oneself_first() -> None:
    control = host()

    def planner(request: Request) -> Plan:
        assert isinstance(request, SnapshotRevertRequest)
        lost = Acceptance.LOSE_PRESENT_STATE
        found = () if lost in request.accepted else (refused("present-state", "All is lost.", "", lost),)
        return replace(default_plan(request, control.state), request=request, findings=found)

    control.planner = planner
    async with opened(control) as screen:
        view = await view_of(screen)
        put_on(view, "inside")
        await screen.press("v")
        form = screen.app.screen
        assert isinstance(form, RevertForm)
        await screen.until(lambda: not form.checking)
        assert form.query_one("#start", Button).disabled
        form.query_one("#after", Choice).value = After.PAUSED
        await screen.press("enter")
        await screen.until(lambda: form.query_one("#lose-present-state", Check).has_focus)
        await screen.press("space")
        await screen.until(lambda: form.plan is not None)
        await screen.press("enter", "enter")
        await screen.until(lambda: control.calls[-1] == ("snapshots", UUID))
        accepted = frozenset({Acceptance.LOSE_PRESENT_STATE})
        assert control.requests[-1] == SnapshotRevertRequest(UUID, "inside", After.PAUSED, accepted)
        runs = [call[1] for call in control.calls if call[0] == "run"]
        assert [plan.request for plan in runs] == [control.requests[-1]]


@pytest.mark.parametrize("key", ["n", "delete", "d", "D", "F", "v", "I"])
@played
async def test_a_read_only_session_changes_nothing_and_says_why(key: str) -> None:
    control = host(read_only=True)
    async with opened(control) as screen:
        view = await view_of(screen)
        await screen.press(key)
        assert screen.app.screen is view
        assert "this session is read-only" in screen.notes[-1]
        assert control.calls == [("snapshots", UUID)]


@pytest.mark.parametrize("key", ["d", "D", "F", "v"])
@played
async def test_the_live_end_is_no_snapshot(key: str) -> None:
    control = host()
    async with opened(control) as screen:
        await view_of(screen)
        await screen.press("G", key)
        assert "no snapshot" in screen.notes[-1]
        assert control.calls == [("snapshots", UUID)]


@played
async def test_what_only_the_domain_remembers_stands_in_the_tree() -> None:
    held = (Held("vdb", Method.LVM, "/dev/vg/s", "raw", pool="vg", volume="s"), Held("vda", Method.MANUAL))
    noted = note_xml(NotedSnapshot("p1", "by-lvm", NOW, "kept", held))
    definition = replace(DOMAIN.definition, noted_snapshots=(noted, "<other/>"))
    control = host(domain=replace(DOMAIN, definition=definition))
    async with opened(control) as screen:
        view = await view_of(screen)
        names = [item.known_name for item in view.tree_view.items]
        line = names.index("by-lvm")
        assert view.tree_view.items[line].kind == "mixed"
        await screen.press("g", *["down"] * line)
        text = details(view)
        assert "volume    s of the pool vg" in text
        assert "where you put it" in text
        assert "5 snapshots" in title(view)


@pytest.mark.parametrize("deep", [False, True])
@played
async def test_hundreds_are_only_drawn_where_they_are_seen(deep: bool) -> None:  # noqa: FBT001
    tree = [known("s0", created=1)]
    tree += [known(f"s{n}", f"s{n - 1}" if deep else "s0", created=n + 1) for n in range(1, 400)]
    async with opened(host(tree), size=(80, 24)) as screen:
        view = await view_of(screen)
        names = names_drawn(view)
        await screen.press("end")
        assert view.tree_view.index == 400
        assert 0 < len(names) < 100
        await screen.press("home", *["pagedown"] * 3)
        assert view.current is not None
        assert len(view.query("*")) < 20


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("ascii_only", [False, True])
@played
async def test_hostile_text(text: str, ascii_only: bool) -> None:  # noqa: FBT001
    name = text.replace("\x1b", "?")
    one = replace(known("x", created=1), name=text, description=text, state=text)
    other = replace(known("y", created=2, current=True), name=f"{text}2", parent=text, memory_file=text)
    domain = make_domain(name, disks=[make_disk("vda", f"/{text}", f"/{text}/b")])
    async with opened(host([one, other], domain=domain), size=(80, 24), ascii_only=ascii_only) as screen:
        view = await view_of(screen)
        for key in ("g", "enter", "escape", "down", "down", "y", "d"):
            await screen.press(key)
        assert "\x1b" not in "\n".join(drawn(view, screen)) + details(view) + screen.app.clipboard


@played
async def test_a_click_on_a_key_presses_it_and_help_explains_all() -> None:
    async with opened(host()) as screen:
        view = await view_of(screen)
        bar = view.keys
        at = bar.plain.index("? Help")
        await screen.pilot.click(offset=(bar.region.x + at + 2, bar.region.y))
        await screen.until(lambda: isinstance(screen.app.screen, HelpScreen))
        text = screen.app.export_screenshot().replace("&#160;", " ")
        assert "Forget" in text


@played
async def test_without_a_domain_there_is_nothing_to_open() -> None:
    control = FakeControl(states=replace(make_state(), domains=()))
    async with opened(control) as screen:
        await screen.press("s")
        assert "Move to the domain" in screen.notes[-1]
