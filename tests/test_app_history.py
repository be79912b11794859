"""The history on the screen: what has ended, and all that is known of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from tests.app_pilot import Screen, opened, played
from tests.dialogs import HOSTILE
from tests.fake_host import FakeControl, make_domain, make_state
from tests.records import MIGRATED, STEPS, make_record
from tui.app.dialogs.history import HistoryDialog
from tui.engine.history import History
from tui.model.figures import Figures
from tui.model.history import Record, Result
from tui.model.quantity import moment

FAILED = make_record(
    1, result=Result.FAILED, reached=1, message="QEMU gave the job up.", figures=Figures(still_seconds=2.3)
)


def hosts() -> FakeControl:
    return FakeControl(states=make_state(make_domain("db01"), make_domain("web01")))


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Three records of two domains."""
    return kept(tmp_path, make_record(0), FAILED, MIGRATED)


def kept(directory: Path, *records: Record) -> History:
    made = History(directory / "history.jsonl")
    for record in records:
        made.append(record)
    return made


async def dialog_of(screen: Screen) -> HistoryDialog:
    await screen.press("h")
    dialog = screen.app.screen
    assert isinstance(dialog, HistoryDialog)
    await screen.until(lambda: dialog.past)
    return dialog


def title(dialog: HistoryDialog) -> str:
    return str(dialog.query_one("#title", Static).render())


def plans(dialog: HistoryDialog) -> list[str]:
    return [record.plan for record in dialog.records.items]


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
@played
async def test_the_latest_comes_first_with_all_that_is_known(
    size: tuple[int, int],
    read_only: bool,  # noqa: FBT001
    history: History,
) -> None:
    control = hosts()
    control.read_only = read_only
    async with opened(control, size=size, history=history) as screen:
        await screen.go_to("web01")
        dialog = await dialog_of(screen)
        assert plans(dialog) == ["p9", "p1", "p0"]
        assert "3 plans" in title(dialog)
        rows = screen.painted(dialog.records).splitlines()
        assert rows[1].split()[:2] == ["✓", "done"]
        assert rows[1].rstrip().endswith("12.0 s    99 ms")
        assert rows[2].rstrip().endswith("12.0 s    2.3 s")
        assert rows[3].rstrip().endswith("12.0 s        –")
        assert moment(MIGRATED.begun)[5:-3] in rows[1]
        wide = size[0] >= 120
        assert ("fake-host" in rows[1]) is wide
        known = dialog.details.plain
        for words in (
            "Migrate web01 to host-b",
            moment(MIGRATED.begun),
            "99 ms, as libvirt measured",
            "3m18s, as libvirt measured, 12 ms to set up",
            "3 GiB in 4 rounds",
            "root@host-a:4711",
            "test:///fake",
        ):
            assert words in known
        await screen.press("j")
        failed = dialog.details.plain
        assert "failed at step 2 of 4: QEMU gave the job up." in failed
        assert [line for line in failed.splitlines() if line[:1] in "✓✗·" and line[2:3].isdigit()] == [
            f"✓ 1 {STEPS[0]}",
            f"✗ 2 {STEPS[1]}",
            f"· 3 {STEPS[2]}",
            f"· 4 {STEPS[3]}",
        ]
        await screen.press("y")
        assert screen.app.clipboard.splitlines() == [line.rstrip("\n") for line in failed.splitlines()]
        await screen.press("escape")
        assert screen.app.screen is screen.main
        assert control.calls == []


@played
async def test_it_begins_at_the_domain_under_the_cursor_and_shows_that_alone(history: History) -> None:
    async with opened(hosts(), history=history) as screen:
        await screen.go_to("db01")
        dialog = await dialog_of(screen)
        assert dialog.records.current == FAILED
        await screen.press("f")
        assert plans(dialog) == ["p1", "p0"]
        assert "2 plans  only db01" in title(dialog)
        assert dialog.records.current == FAILED
        await screen.press("f")
        assert plans(dialog) == ["p9", "p1", "p0"]
        assert "only" not in title(dialog)


@played
async def test_the_details_scroll_and_lead_back(history: History) -> None:
    async with opened(hosts(), size=(80, 24), history=history) as screen:
        dialog = await dialog_of(screen)
        details = dialog.query_one("#details")
        small = details.size.height
        await screen.press("enter")
        await screen.until(lambda: dialog.focused is details and details.size.height > small)
        await screen.press("end")
        await screen.until(lambda: details.scroll_y == details.max_scroll_y > 0)
        await screen.press("escape")
        assert dialog.focused is dialog.records
        await screen.press("q")
        assert screen.app.screen is screen.main


@played
async def test_what_has_ended_meanwhile_is_there_when_read_again(history: History) -> None:
    async with opened(hosts(), history=history) as screen:
        dialog = await dialog_of(screen)
        before = dialog.records.current
        history.append(make_record(20))
        await screen.press("r")
        await screen.until(lambda: plans(dialog) == ["p20", "p9", "p1", "p0"])
        # The cursor stays on what it was on.
        assert dialog.records.current == before


@played
async def test_nothing_yet(tmp_path: Path) -> None:
    async with opened(hosts(), history=History(tmp_path / "none")) as screen:
        dialog = await dialog_of(screen)
        assert "0 plans" in title(dialog)
        assert "Nothing has ended yet" in screen.painted(dialog.records)
        await screen.press("y", "f", "j", "enter")
        assert "nothing here to copy" in screen.notes[-1]


@played
async def test_lines_that_are_no_records_are_said(history: History) -> None:
    with history.path.open("a") as file:
        file.write("half")
    async with opened(hosts(), history=history) as screen:
        dialog = await dialog_of(screen)
        assert "3 plans" in title(dialog)
        assert "1 line of it is no record, and left out." in title(dialog)


@played
async def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    async with opened(hosts(), history=History(tmp_path)) as screen:
        await screen.press("h")
        dialog = screen.app.screen
        assert isinstance(dialog, HistoryDialog)
        await screen.until(lambda: "cannot be read: it is no file." in title(dialog))
        assert dialog.past is None


@played
async def test_where_none_is_kept() -> None:
    async with opened(hosts()) as screen:
        await screen.press("h")
        assert screen.app.screen is screen.main
        assert "not kept" in screen.notes[-1]


@pytest.mark.parametrize("ascii_only", [False, True])
@played
async def test_hostile_text(ascii_only: bool, tmp_path: Path) -> None:  # noqa: FBT001
    history = History(tmp_path / "history.jsonl")
    for number, text in enumerate(HOSTILE):
        names = ("kind", "title", "uri", "hostname", "owner", "message")
        more: dict[str, Any] = dict.fromkeys(names, text)
        history.append(
            make_record(number, text, **more, steps=(text,) * 3, reached=1, result=Result.CANCELLED)
        )
    async with opened(hosts(), size=(80, 24), ascii_only=ascii_only, history=history) as screen:
        dialog = await dialog_of(screen)
        painted = screen.painted(dialog.records)
        assert painted.count("cancelled") == len(HOSTILE)
        assert ("⊘" in painted) is not ascii_only
        for _ in HOSTILE:
            await screen.press("y", "f")
            said = screen.app.clipboard + dialog.details.plain + title(dialog)
            assert "\x1b" not in said
            assert "cancelled at step 2 of 3" in said
            await screen.press("f", "j")
