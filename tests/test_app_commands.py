"""One registry: what is in it has a method, a key of its own, a line in the help and a place in the palette."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.app_pilot import opened, played
from tests.fake_host import FakeControl, make_job
from tui.app.app import MirrorApp
from tui.app.command import Panel, Where, writing
from tui.app.commands import COMMANDS
from tui.app.dialogs.help import HelpScreen
from tui.app.footer import Focus, named
from tui.app.screen import MainScreen
from tui.app.widgets.bars import key_entry
from tui.app.widgets.items import Items
from tui.model.job import Phase
from tui.model.queue import Item, State
from tui.model.request import MoveRequest

OWNERS = {Where.SCREEN: MainScreen, Where.LIST: Items, Where.TEXTUAL: MirrorApp}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.id)
def test_every_command_has_a_method_and_words(command: object) -> None:
    assert command in COMMANDS
    for one in COMMANDS:
        if one is command:
            method = getattr(OWNERS[one.where], f"action_{one.action}")
            assert one.where is Where.TEXTUAL or method.__module__.startswith("tui.app")
            assert one.title
            assert one.help.endswith(".")


def test_no_key_means_two_things() -> None:
    keys = Counter(key for command in COMMANDS for key in command.keys)
    assert [key for key, count in keys.items() if count > 1] == []
    assert len({command.id for command in COMMANDS}) == len(COMMANDS)


def an_item(state: State) -> Item:
    return Item("a", "u", "db01", MoveRequest("u", "/fast"), state=state)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("phase", [None, Phase.COPYING, Phase.DONE])
@pytest.mark.parametrize("panel", Panel)
def test_the_footer_fits(panel: Panel, phase: Phase | None, interrupted: bool, width: int) -> None:  # noqa: FBT001
    focus = Focus(
        panel,
        (make_job(phase=phase) if phase else None,),
        interrupted=interrupted,
        item=an_item(State.DONE if phase is Phase.DONE else State.WAITING),
        paused=interrupted,
    )
    commands = named(focus)
    assert len(commands) <= 8
    assert sum(key_entry(command).cell_length for command in commands) <= width


def test_the_footer_names_what_is_of_use() -> None:
    idle, running = Focus(Panel.DOMAINS), Focus(Panel.DOMAINS, (make_job(),))
    assert ids(idle) == ["mirror", "move", "migrate", "snapshots", "tag", "filter", "help", "quit"]
    assert ids(running) == ["pivot", "cancel", "snapshots", "tag", "filter", "help", "quit"]
    broken = Focus(Panel.DOMAINS, (make_job(),), interrupted=True)
    assert ids(broken) == ["resume", "undo", "snapshots", "tag", "filter", "help", "quit"]
    assert ids(Focus(Panel.JOBS, (make_job(),), interrupted=True))[:2] == ["resume", "undo"]
    left = [command for command in named(Focus(Panel.DOMAINS, leftover=True)) if command.id == "cancel"]
    assert [command.title for command in left] == ["Tidy up"]


def ids(focus: Focus) -> list[str]:
    return [command.id for command in named(focus)]


def test_what_writes_is_known() -> None:
    writers = {command.id for command in COMMANDS if command.writes}
    jobs = {"pivot", "keep", "cancel", "pivot-paused", "speed", "resume", "undo"}
    queue = {"queue-earlier", "queue-later", "queue-pause", "queue-limits"}
    assert writers == {"mirror", "move", "migrate", "evacuate", "commit", "pull"} | jobs | queue
    assert writing(COMMANDS, "j") is None


@played
async def test_bindings_are_those_of_the_registry() -> None:
    async with opened(FakeControl()) as screen:
        bound = {
            key
            for owner in (screen.main, screen.main.domains.table)
            for key in owner._bindings.key_to_bindings  # noqa: SLF001
        }
        registered = {key for c in COMMANDS if c.where is not Where.TEXTUAL for key in c.keys}
        assert registered <= bound
        assert screen.main.domains.table.has_focus


@played
async def test_help_lists_every_command() -> None:
    async with opened(FakeControl(), size=(120, 120)) as screen:
        await screen.press("question_mark")
        assert isinstance(screen.app.screen, HelpScreen)
        text = screen.app.export_screenshot().replace("&#160;", " ")
        for command in COMMANDS:
            assert command.title.split()[0] in text


@played
async def test_the_footer_shows_what_the_focus_makes_useful() -> None:
    async with opened(FakeControl()) as screen:
        assert "Tag" in screen.main.keys.plain
        await screen.press("3")
        assert "Speed" in screen.main.keys.plain
        assert "Tag" not in screen.main.keys.plain


@played
async def test_the_palette_runs_a_command_and_goes_to_a_disk() -> None:
    async with opened(FakeControl()) as screen:
        await screen.press("ctrl+p")
        assert screen.app.screen is not screen.main
        await screen.press(*"pause the d")
        await screen.until(lambda: screen.app.screen.query("OptionList"))
        for _ in range(50):
            await screen.pilot.pause()
            if screen.app.screen.query_one("OptionList").option_count:  # type: ignore[attr-defined]
                break
        await screen.press("enter")
        await screen.until(lambda: screen.main.picture.paused_since is not None)
