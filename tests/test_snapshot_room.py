"""The snapshot view and its forms where there is little room: columns, footers, reasons and what is said in passing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.app_pilot import opened, played
from tests.fake_host import default_plan
from tests.hierarchy_facts import known
from tests.snapshot_view import details, drawn, host, put_on, view_of
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.plan_view import PlanView
from tui.app.dialogs.revert import RevertForm
from tui.app.dialogs.snapshot_commands import ABOUT_PLANS, IN_FOOTER, SNAPSHOT_COMMANDS
from tui.app.dialogs.snapshots import SnapshotsDialog
from tui.app.widgets.bars import key_entry
from tui.model.finding import refused
from tui.model.hierarchy import MirrorState, SnapshotMirror


@played
async def test_columns_tell_the_time_the_disks_and_their_sizes() -> None:
    async with opened(host(), ascii_only=True) as screen:
        view = await view_of(screen)
        lines = drawn(view, screen)
        assert lines[0].split() == ["snapshot", "kind", "taken", "disks"]
        assert "vda +3 MiB" in lines[4]
        assert "vda, memory" in lines[3]
        assert "` * upgrade  current" in lines[4]
        assert "` < now" in lines[5]
        assert "\n".join(lines).isascii()


@pytest.mark.parametrize(("width", "words"), [(80, "  vda +3 MiB, …"), (200, "  vda +3 MiB, vdb +3 MiB")])
@played
async def test_as_many_disks_are_told_as_there_is_room_for(width: int, words: str) -> None:
    one = known("before-the-upgrade-of-all", overlay="/i/3", created=1_700_000_000)
    both = replace(one, disks=(one.disks[0], replace(one.disks[0], target="vdb")), memory=None)
    async with opened(host([both]), size=(width, 24)) as screen:
        view = await view_of(screen)
        assert drawn(view, screen)[1].rstrip().endswith(words)


@pytest.mark.parametrize(
    ("width", "name", "columns"),
    [
        (80, "x", "kind taken disks"),
        (120, "x", "kind taken disks"),
        (160, "x", "kind state taken disks"),
        (160, "before-the-upgrade-of-the-database", "kind taken disks"),
        (120, "before-the-upgrade-of", "kind day disks"),
        (80, "before-the-upgrade-of-the", "kind day disks"),
        (120, "before-the-upgrade-of-the-database", "kind disks"),
        (80, "before-the-upgrade-of-the-database", "kind disks"),
        (80, "before-the-upgrade-of-the-database-and-the-web", "kind"),
        (80, "before-the-upgrade-of-the-database-and-all-the-others", ""),
    ],
)
@played
async def test_columns_give_way_to_names_and_the_time_before_others(
    width: int, name: str, columns: str
) -> None:
    tree = [known("first", created=1), replace(known("x", "first", created=2, current=True), name=name)]
    words = {
        "kind": "external",
        "state": "disk-snapshot",
        "taken": r"1970-01-01 \d\d:\d\d",
        "day": "1970-01-01",
        "disks": r"vda \+300 MiB",
    }
    async with opened(host(tree), size=(width, 24)) as screen:
        view = await view_of(screen)
        lines = drawn(view, screen)
        assert lines[0].split() == ["snapshot", *columns.replace("day", "taken").split()]
        cells = [f" └ ● {name}  current", *(words[column] for column in columns.split())]
        assert re.fullmatch(" +".join(cells), lines[2])


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@pytest.mark.parametrize(
    ("name", "whole"), [("mir", True), ("before-the-upgrade-of-the-database-" * 2, False)]
)
@played
async def test_a_name_is_told_beside_all_its_marks_four_levels_deep(
    size: tuple[int, int],
    name: str,
    whole: bool,  # noqa: FBT001
) -> None:
    above = [known("a", created=1), known("b", "a", created=2), known("c", "b", created=3)]
    one = replace(known("x", "c", base="/i/2", overlay="/i/3", created=4, current=True), name=name)
    control = host([*above, one])
    mirror = SnapshotMirror("vda", "/m/3", MirrorState.IN_SYNC)
    assert control.view is not None
    control.view = replace(control.view, mirrors={name: (mirror,)}, missing=frozenset({"/i/2"}))
    async with opened(control, size=size) as screen:
        line = drawn(await view_of(screen), screen)[4]
        assert re.search(rf"^     └ ✗ {name[:10]}\S*  current  lost  ✓ mirror", line)
        assert ("…" not in line) is whole
        assert ("external" in line) is whole


@played
async def test_a_chain_in_the_details_steps_in() -> None:
    async with opened(host()) as screen:
        text = details(await view_of(screen))
        assert re.search(r"^base .*^└ 2 .*^  └ 3 ", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("words", "whole"), [(30, True), (200, False)])
@played
async def test_a_narrow_form_tells_the_reason_or_where_it_breaks_off(words: int, whole: bool) -> None:  # noqa: FBT001
    control = host()
    finding = refused("a", " ".join(f"word{n}" for n in range(words)))
    control.planner = lambda request: replace(
        default_plan(request, control.state), request=request, findings=(finding,)
    )
    async with opened(control, size=(80, 24)) as screen:
        view = await view_of(screen)
        put_on(view, "inside")
        await screen.press("v")
        form = screen.app.screen
        assert isinstance(form, RevertForm)
        await screen.until(lambda: not form.checking)
        verdict = form.query_one("#verdict", Flow).render().plain
        assert verdict.endswith(f"word{words - 1}") is whole
        assert verdict.endswith("…") is not whole
        assert len(verdict.splitlines()) == form.query_one("#verdict").size.height > 2
        await screen.press("pagedown")
        await screen.until(lambda: form.query_one(PlanView).has_focus)
        assert f"word{words - 1}" in form.query_one(PlanView).plain


def test_its_footer_fits_and_its_keys_are_its_own() -> None:
    by_id = {command.id: command for command in SNAPSHOT_COMMANDS}
    assert set(IN_FOOTER) <= set(by_id)
    usual = [one for one in IN_FOOTER if one not in ABOUT_PLANS]
    always = usual[: usual.index("leave") + 1]
    assert {"export", "import", "help"} < set(always)
    assert sum(key_entry(by_id[one]).cell_length for one in always) - 1 <= 76
    assert sum(key_entry(by_id[one]).cell_length for one in usual) <= 116
    keys = [key for command in SNAPSHOT_COMMANDS for key in command.keys]
    assert len(keys) == len(set(keys))
    for command in SNAPSHOT_COMMANDS:
        assert hasattr(SnapshotsDialog, f"action_{command.action}")


@pytest.mark.parametrize(("width", "words"), [(80, "? More"), (60, "? More"), (120, "? Help")])
@played
async def test_the_footer_says_where_there_are_more_keys(width: int, words: str) -> None:
    async with opened(host(), size=(width, 24)) as screen:
        view = await view_of(screen)
        await screen.pilot.pause()
        assert words in view.keys.plain
        assert ("I Import" in view.keys.plain) is (width > 60)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_what_is_said_covers_nothing(size: tuple[int, int]) -> None:
    async with opened(host(), size=size) as screen:
        view = await view_of(screen)
        tall = view.query_one("#box").size.height
        await screen.press("G", "d")
        assert "no snapshot" in view.news.plain
        await screen.until(lambda: view.query_one("#box").size.height < tall)
        assert view.news.region.y == view.query_one("#box").region.bottom
        assert view.keys.region.bottom <= view.news.region.y
        # Whoever closes it at once reads it below.
        await screen.press("escape")
        assert "no snapshot" in screen.main.news.plain
