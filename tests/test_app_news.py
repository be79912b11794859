"""What is said in passing: it hides nothing, is not lost among others, and goes away."""

from __future__ import annotations

import pytest
from textual.widgets._toast import Toast

from tests.app_pilot import opened, played
from tests.fake_host import FakeControl
from tui.app.dialogs.connect import ConnectDialog
from tui.app.widgets.news import NewsBar
from tui.engine.control import Level


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (60, 15)])
@played
async def test_what_is_said_covers_nothing(size: tuple[int, int]) -> None:
    async with opened(FakeControl(), size=size) as screen:
        table, news = screen.main.domains.table, screen.main.news
        assert not news.display
        screen.main.tell(Level.ERROR, "", "The disk could not be moved. " * 16)
        await screen.pilot.pause()
        assert not screen.app.screen.query(Toast)
        assert news.display
        assert news.size.height == 3
        assert "The disk could not be moved." in news.plain
        assert news.plain.rstrip().endswith("…")
        assert not news.region.overlaps(table.region)
        assert not news.region.overlaps(screen.main.keys.region)
        assert screen.main.keys.region.bottom == size[1]
        await screen.pilot.click(NewsBar)
        await screen.pilot.pause()
        assert not news.display


@played
async def test_several_stand_below_one_another() -> None:
    async with opened(FakeControl()) as screen:
        for text in ("One.", "Two.", "Three.", "Two.", "Four."):
            screen.main.tell(Level.INFO, "", text)
        await screen.pilot.pause()
        assert [line.strip(" ·") for line in screen.main.news.plain.splitlines()] == [
            "Three.",
            "Two.",
            "Four.",
        ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@played
async def test_what_went_wrong_is_said_once(order: tuple[int, int]) -> None:
    words = ("Your command failed with 3.", "Snapshot two: failed. Your command failed with 3.")
    async with opened(FakeControl()) as screen:
        for one in order:
            screen.main.tell(Level.ERROR, "", words[one])
        assert screen.main.news.texts == [words[1]]


@played
async def test_it_goes_away_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.app.widgets.news._LEAST_SECONDS", 0.01)
    monkeypatch.setattr("tui.app.widgets.news._READ", 10_000)
    async with opened(FakeControl()) as screen:
        screen.main.tell(Level.INFO, "", "Gone in a moment.")
        await screen.until(lambda: not screen.main.news.display)
        assert "Gone in a moment." in screen.log


@played
async def test_above_a_dialog_it_is_seen_as_well() -> None:
    async with opened(FakeControl()) as screen:
        await screen.press("plus")
        assert isinstance(screen.app.screen, ConnectDialog)
        screen.main.tell(Level.WARNING, "", "Something else has happened.")
        await screen.pilot.pause()
        news = screen.app.screen.query_one(NewsBar)
        assert "Something else has happened." in news.plain
        assert news.region.height == 1
        assert screen.app.screen.query_one("#box").region.bottom <= news.region.y
        assert not screen.app.screen.query(Toast)
