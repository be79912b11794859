"""What findings say of options of the command line is said of fields and keys on the screen."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot

import tui.model
from tests.dialogs import a_plan, in_dialog
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.on_screen import on_screen
from tui.app.dialogs.plan_view import PlanView
from tui.model.finding import Acceptance, refused

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_COMMAND = re.compile(r"\b(cp|qemu-img|virsh|virt-mirror) .*")
_MAKES_COMMANDS = re.compile(r"\b(deletion|delete|own|typed|virsh)\b")


def sentences() -> Iterator[str]:
    """All that the model says with options in it, apart from the words that commands are made of."""
    (directory,) = tui.model.__path__
    for path in sorted(Path(directory).glob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            text = said(node) if id(node) not in parts else ""
            if _OPTION.search(text) and not text.startswith("until ") and (" " in text or named(node, nodes)):
                yield text


def said(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(
                said(part) if isinstance(part, ast.Constant) else placed(ast.unparse(part)) for part in values
            )
    return ""


def placed(code: str) -> str:
    return "virt-mirror x" if _MAKES_COMMANDS.search(code) else "x"


def named(node: ast.AST, nodes: list[ast.AST]) -> bool:
    """Whether an option alone is one that is put into a sentence, by the name of a flag or one after the other."""
    return any(isinstance(other, ast.Yield) and other.value is node for other in nodes)


@pytest.mark.parametrize("text", sorted(set(sentences())))
def test_no_option_is_left_to_the_command_line(text: str) -> None:
    assert not _OPTION.search(_COMMAND.sub("", on_screen(text)))


def test_options_that_can_be_said_of_a_wish_have_words() -> None:
    flags = ("--migrate-uri", "--disks-uri", "--disks-port", "--blockdev", "--reuse-external", "--shallow")
    for option in (*flags, *(f"--{acceptance}" for acceptance in Acceptance)):
        assert "--" not in on_screen(f"Leave {option} out.")


def test_commands_stay_as_they_are() -> None:
    for text in (
        "Merge that first: virt-mirror commit a vda --shallow",
        "Look: qemu-img info --backing-chain /map",
    ):
        assert on_screen(text) == text
    assert on_screen("It is /srv/--map and x--map.") == "It is /srv/--map and x--map."


def test_a_finding_names_the_field() -> None:
    remedy = "Make room, or accept that with --risk-full-destination. Or name another place: --map OLD=NEW"
    plan = a_plan(findings=(refused("a", "--unsafe: the hosts share nothing.", remedy),))

    async def act(pilot: Pilot[None], dialog: ConfirmPlan) -> None:
        shown = dialog.query_one(PlanView).plain
        assert "“unsafe”: the hosts share nothing." in shown
        assert "accept that with the box below. Or name another place: “Image map” OLD=NEW" in shown
        await pilot.press("c")
        assert "“Image map”" in pilot.app.clipboard

    in_dialog(lambda: ConfirmPlan(plan, "host-a", verb="Go"), act)
