"""The log: it follows, holds still, breaks its lines, and gives away what it holds."""

from __future__ import annotations

from pathlib import Path

from tests.app_pilot import opened, played
from tests.fake_host import NOW, FakeControl, make_state
from tui.engine.control import Level, LogLine


@played
async def test_log_follows_until_the_cursor_leaves_the_end() -> None:
    control = FakeControl()
    async with opened(control) as screen:
        await screen.press("l", "tab", "tab", "tab")
        for n in range(30):
            control.log(LogLine(NOW, "h", Level.INFO, f"line {n}", (f"virsh do {n}",)))
        await screen.until(lambda: "line 29" in screen.log)
        assert screen.main.log_panel.following
        await screen.press("k", "k")
        assert not screen.main.log_panel.following
        view = screen.main.log_panel.view
        at = view.current
        control.log("one more")
        await screen.until(lambda: "one more" in screen.log)
        assert view.current == at
        await screen.press("G")
        assert screen.main.log_panel.following


@played
async def test_copy_the_command_of_a_log_line() -> None:
    control = FakeControl()
    async with opened(control) as screen:
        control.log(LogLine(NOW, "h", Level.INFO, "done", ("virsh blockjob [x] vda",)))
        await screen.until(lambda: "done" in screen.log)
        await screen.press("l", "tab", "tab", "tab", "y")
        assert screen.app.clipboard == "virsh blockjob [x] vda"


@played
async def test_save_the_log(tmp_path: Path) -> None:
    control = FakeControl()
    async with opened(control) as screen:
        control.log("something happened")
        await screen.until(lambda: "something" in screen.log)
        await screen.press("ctrl+s")
        path = tmp_path / "log.txt"
        screen.app.screen.dismiss(str(path))
        await screen.until(path.exists)
        assert "something happened" in path.read_text()
        await screen.press("ctrl+s")
        screen.app.screen.dismiss(str(tmp_path / "none" / "log.txt"))
        await screen.until(lambda: "cannot be written: No such file" in screen.log)


@played
async def test_what_was_said_behind_the_screen_has_the_width_of_the_log() -> None:
    control = FakeControl(states=make_state())
    async with opened(control) as screen:
        sentence = "Mirror vda of db01 to /fast/db01-vda.qcow2, as somebody asked for"
        control.log(sentence)
        await screen.until(lambda: sentence in screen.log)
        await screen.press("l")
        await screen.until(lambda: sentence in screen.painted(screen.main.log_panel.view))
