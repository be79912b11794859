"""What the README names is there: commands, options, keys, pictures and its own sections."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from tests.engine import ROOT
from tui.app.commands import COMMANDS
from tui.app.dialogs.snapshot_commands import SNAPSHOT_COMMANDS
from tui.cli.arguments import build_parser

README = (ROOT / "README.md").read_text()
KEYS = {"↑": "up", "↓": "down", "/": "slash", "+": "plus", "?": "question_mark"}
"""As they are written, and as Textual calls them."""


def parsers(parser: argparse.ArgumentParser, *words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Those of all commands, with their names."""
    yield " ".join(words), parser
    for action in parser._actions:  # noqa: SLF001  argparse tells of its commands by nothing else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, command in action.choices.items():
                yield from parsers(command, *words, name)


COMMAND_PARSERS = dict(parsers(build_parser()))
OPTIONS = {
    name: {option for action in parser._actions for option in action.option_strings}  # noqa: SLF001
    for name, parser in COMMAND_PARSERS.items()
}


def usages() -> Iterator[tuple[str, str]]:
    """Each command line that shows how a command is used, with the names of the commands that it is about."""
    for found in re.finditer(
        r"^    virt-mirror ([a-z|]+(?: [a-z]+)?)((?: .*|\n {20,}.*)*)", README, re.MULTILINE
    ):
        for name in found[1].split("|"):
            yield name, found[2]


def test_commands_have_the_options_that_they_are_shown_with() -> None:
    shown = dict(usages())
    assert {name for name, parser in COMMAND_PARSERS.items() if name} - set(shown) <= {"snapshot", "demo"}
    for name, words in usages():
        assert name in OPTIONS, name
        assert set(re.findall(r"--[a-z][a-z0-9-]+", words)) <= OPTIONS[name], name


def test_no_option_is_named_that_no_command_has() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*(?![\w…-])", README))
    assert named <= set().union(*OPTIONS.values())


def test_keys_do_something() -> None:
    rows = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", README, re.MULTILINE)
    keys = {
        key
        for row in rows
        for key in re.findall(r"`([^`]+)`", row)
        if len(key) == 1 or key in {"space", "enter"}
    }
    assert len(keys) > 20
    known = {key for command in (*COMMANDS, *SNAPSHOT_COMMANDS) for key in command.keys}
    assert {KEYS.get(key, key) for key in keys} <= known


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target.removeprefix("#") in anchors if target.startswith("#") else (ROOT / target).exists(), (
            target
        )
