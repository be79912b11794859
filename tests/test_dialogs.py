"""The questions and the pages that open over the main screen: what they answer, and that escape is harmless."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Button, Input, OptionList

from tests.dialogs import (
    HOSTILE,
    SIZES,
    UNANSWERED,
    a_plan,
    hostile_job,
    hostile_plan,
    in_dialog,
    pressing,
)
from tests.fake_host import GIB, MIB, NOW, make_job, make_samples
from tui.app.commands import COMMANDS
from tui.app.dialogs.ask import Question
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.connect import ConnectDialog, uri_problem
from tui.app.dialogs.details import JobDetails
from tui.app.dialogs.dialog import Dialog
from tui.app.dialogs.fields import Field
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.help import HelpScreen
from tui.app.dialogs.limit import limit_text, parse_limit
from tui.app.dialogs.limits import LimitsDialog
from tui.app.dialogs.plan_view import PlanView
from tui.app.dialogs.save import SaveDialog
from tui.app.dialogs.speed import SpeedDialog
from tui.app.glyphs import ASCII
from tui.model.finding import fine, refused, warning
from tui.model.job import Job, Phase
from tui.model.queue import Limits

DIALOGS: dict[str, Callable[[str], Screen[Any]]] = {
    "confirm": lambda text: ConfirmPlan(hostile_plan(text), text, verb=text),
    "question": lambda text: Question(text, text, text[:9], text[:9]),
    "speed": lambda text: SpeedDialog(hostile_job(text), lambda: hostile_job(text)),
    "details": lambda text: JobDetails(lambda: hostile_job(text), lambda: NOW),
    "connect": lambda _: ConnectDialog(),
    "save": SaveDialog,
    "limits": lambda _: LimitsDialog(Limits()),
    "help": lambda _: HelpScreen(COMMANDS),
}


@pytest.mark.parametrize("name", DIALOGS)
@pytest.mark.parametrize("key", ["escape"])
def test_escape_does_nothing(name: str, key: str) -> None:
    assert in_dialog(lambda: DIALOGS[name]("x"), pressing(key)) in (None, False)


def test_a_second_escape_closes_nothing_more() -> None:
    async def act(pilot: Pilot[None], dialog: Dialog[bool]) -> None:
        dialog.action_leave()
        dialog.action_leave()
        await pilot.pause()

    assert in_dialog(lambda: Question("t", "?", "Yes", "No"), act) is False


@pytest.mark.parametrize("name", DIALOGS)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_it_is_and_acts_on_nothing(name: str, text: str) -> None:
    async def act(pilot: Pilot[None], dialog: Screen[Any]) -> None:
        svg = pilot.app.export_screenshot()
        assert "\x1b" not in svg
        shown = "".join(strip.text for strip in dialog._compositor.render_strips())  # noqa: SLF001
        if name in ("confirm", "question", "details") and text.isascii() and len(text) < 40:
            assert text.encode("unicode_escape").decode() in shown

    in_dialog(lambda: DIALOGS[name](text), act)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", DIALOGS)
def test_buttons_are_on_the_screen_at_any_size(name: str, size: tuple[int, int]) -> None:
    async def act(_: Pilot[None], dialog: Screen[Any]) -> None:
        for button in dialog.query(Button):
            assert button.region.bottom <= size[1]
            assert button.region.right <= size[0]
            assert button.region.area > 0

    in_dialog(lambda: DIALOGS[name]("x" * 300), act, size)


def test_all_of_a_plan_can_be_scrolled_to() -> None:
    async def act(pilot: Pilot[None], dialog: ConfirmPlan) -> None:
        view, buttons = dialog.query_one(PlanView), dialog.query_one("Buttons")
        assert view.region.bottom <= buttons.region.y
        assert view.max_scroll_y > 0
        await pilot.press("down", "down")
        assert view.scroll_offset.y == 2

    in_dialog(lambda: ConfirmPlan(a_plan(), "host-a", verb="Pivot"), act, (80, 16))


def test_ascii_signs_only() -> None:
    async def act(_: Pilot[None], dialog: Screen[Any]) -> None:
        for flow in dialog.query(Flow):
            assert flow.plain.isascii()
        for hint in dialog.query(".hint, #keys"):
            assert str(hint.render()).isascii()

    in_dialog(lambda: ConfirmPlan(a_plan(), "host-a", verb="Pivot", glyphs=ASCII), act)
    in_dialog(lambda: ConnectDialog(glyphs=ASCII), act)
    in_dialog(lambda: HelpScreen((), glyphs=ASCII), act)
    in_dialog(lambda: HelpScreen(COMMANDS, glyphs=ASCII), act)
    for samples in ((), make_samples()):
        job = make_job(samples=samples, cur=0, end=0 if not samples else GIB)
        in_dialog(lambda: JobDetails(lambda: job, lambda: NOW, glyphs=ASCII), act)  # noqa: B023  used at once
        in_dialog(lambda: SpeedDialog(job, lambda: job, glyphs=ASCII), act)  # noqa: B023  used at once


# The question before a plan


@pytest.mark.parametrize(
    ("keys", "answer"), [("n", False), ("enter", False), ("y", True), ("right enter", True)]
)
def test_a_plan_runs_only_after_a_yes(keys: str, answer: bool) -> None:  # noqa: FBT001
    assert in_dialog(lambda: ConfirmPlan(a_plan(), "h", verb="Pivot"), pressing(*keys.split())) is answer


def test_a_plan_names_host_domain_steps_and_commands() -> None:
    async def act(_: Pilot[None], dialog: ConfirmPlan) -> None:
        text = dialog.query_one(PlanView).plain
        for word in (
            "host-a",
            "db01",
            "Pivot vda to its destination",
            "virsh blockjob db01 vda --abort",
        ):
            assert word in text
        assert dialog.focused is dialog.query_one("#leave")

    in_dialog(
        lambda: ConfirmPlan(a_plan(facts=(("disk", "vda"), ("disk", "vdb"))), "host-a", verb="Pivot"), act
    )


def test_facts_of_the_same_name_are_all_shown() -> None:
    async def act(_: Pilot[None], dialog: ConfirmPlan) -> None:
        text = dialog.query_one(PlanView).plain
        assert "vda" in text
        assert "vdb" in text

    in_dialog(
        lambda: ConfirmPlan(a_plan(facts=(("disk", "vda"), ("disk", "vdb"))), "host-a", verb="Pivot"), act
    )


def test_a_refused_plan_cannot_be_agreed_to() -> None:
    async def act(pilot: Pilot[None], dialog: ConfirmPlan) -> None:
        assert dialog.query_one("#agree", Button).disabled
        await pilot.press("y")
        await pilot.click("#agree")

    plan = a_plan(findings=(refused("a", "No.", "Do something."),))
    assert in_dialog(lambda: ConfirmPlan(plan, "h", verb="Pivot"), act) is UNANSWERED


def test_refusals_stand_before_warnings_and_what_is_fine() -> None:
    findings = (fine("c", "Third."), warning("b", "Second."), refused("a", "First.", "Remedy."))

    async def act(_: Pilot[None], dialog: ConfirmPlan) -> None:
        text = dialog.query_one(PlanView).plain
        assert text.index("First.") < text.index("Remedy.") < text.index("Second.") < text.index("Third.")
        assert "✗ refused: First." in text

    in_dialog(lambda: ConfirmPlan(a_plan(findings=findings), "h", verb="Pivot"), act)


def test_commands_go_to_the_clipboard_without_escapes() -> None:
    async def act(pilot: Pilot[None], _: ConfirmPlan) -> None:
        await pilot.press("c")
        assert pilot.app.clipboard.startswith("virsh blockjob")
        assert "\x1b" not in pilot.app.clipboard

    plan = replace(hostile_plan("a\x1b[201~b"), findings=())
    in_dialog(lambda: ConfirmPlan(plan, "h", verb="Pivot"), act)


def test_what_is_refused_is_not_offered_to_be_typed() -> None:
    async def act(pilot: Pilot[None], dialog: ConfirmPlan) -> None:
        await pilot.press("c")
        assert pilot.app.clipboard == "Do something."
        assert "By hand" not in dialog.query_one(PlanView).plain

    plan = a_plan(findings=(refused("a", "No.", "Do something."),))
    in_dialog(lambda: ConfirmPlan(plan, "h", verb="Pivot"), act)


def test_buttons_answer_the_mouse() -> None:
    async def act(pilot: Pilot[None], _: object) -> None:
        await pilot.click("#agree")

    assert in_dialog(lambda: Question("t", "?", "Yes", "No"), act) is True


@pytest.mark.parametrize(
    ("keys", "answer"), [("enter", False), ("n", False), ("y", True), ("tab enter", True)]
)
def test_a_question_has_its_focus_on_no(keys: str, answer: bool) -> None:  # noqa: FBT001
    assert (
        in_dialog(lambda: Question("Quit?", "3 jobs go on.", "Quit", "Stay"), pressing(*keys.split()))
        is answer
    )


# The limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [("", 0), (" 0 ", 0), ("64", 64 * MIB), ("64 MiB/s", 64 * MIB), ("800K", 800 * 1024), ("2G", 2 * GIB)],
)
def test_limits_are_read_as_people_write_them(text: str, limit: int) -> None:
    assert parse_limit(text) == limit
    assert parse_limit(limit_text(limit)) == limit


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "99999999999999", "9" * 30, "[/x]", "٣"])
def test_what_is_no_limit_is_answered_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        parse_limit(text)


@pytest.mark.parametrize(("typed", "answer"), [("128", 128 * MIB), ("0", 0), ("", 0)])
def test_a_limit_is_answered_in_bytes(typed: str, answer: int) -> None:
    job = make_job(bandwidth=64 * MIB)
    assert (
        in_dialog(lambda: SpeedDialog(job, lambda: job), pressing("ctrl+a", "ctrl+k", *typed, "enter"))
        == answer
    )


def test_a_bad_limit_is_explained_and_not_answered() -> None:
    async def act(pilot: Pilot[None], dialog: SpeedDialog) -> None:
        await pilot.press("x", "enter")
        assert "whole number" in dialog.query_one("#limit-field", Field).remark
        assert dialog.query_one("#set", Button).disabled

    assert in_dialog(lambda: SpeedDialog(make_job(), make_job), act) is UNANSWERED


def test_the_present_rate_and_limit_are_shown() -> None:
    async def act(_: Pilot[None], dialog: SpeedDialog) -> None:
        text = dialog.query_one(Flow).plain
        assert "100 MiB/s" in text
        assert "64 MiB/s" in text
        assert dialog.query_one("#limit", Input).value == "64"

    job = make_job(bandwidth=64 * MIB, samples=make_samples())
    in_dialog(lambda: SpeedDialog(job, lambda: job), act)


def test_the_rate_goes_on_while_a_limit_is_typed() -> None:
    jobs: list[Job | None] = [make_job(bandwidth=64 * MIB)]

    async def act(pilot: Pilot[None], dialog: SpeedDialog) -> None:
        flow = dialog.query_one("#now", Flow)
        assert "100 MiB/s" not in flow.plain
        await pilot.press("ctrl+a", "ctrl+k", "7")
        jobs[0] = make_job(bandwidth=32 * MIB, samples=make_samples())
        dialog.follow()
        assert "100 MiB/s" in flow.plain
        assert "32 MiB/s" in flow.plain
        assert "in sync in about 30s" in flow.plain
        assert dialog.query_one("#limit", Input).value == "7"
        assert not dialog.query_one("#set", Button).disabled

    first = jobs[0]
    assert first is not None
    assert in_dialog(lambda: SpeedDialog(first, lambda: jobs[0]), act) is UNANSWERED


@pytest.mark.parametrize("ended", [make_job(phase=Phase.DONE), None])
def test_of_a_job_that_has_ended_no_limit_is_answered(ended: Job | None) -> None:
    jobs: list[Job | None] = [make_job()]

    async def act(pilot: Pilot[None], dialog: SpeedDialog) -> None:
        assert not dialog.query_one("#set", Button).disabled
        jobs[0] = ended
        # Before the dialog has looked again by itself.
        await pilot.press("7", "enter")
        assert dialog.query_one("#set", Button).disabled
        assert "there is nothing to limit" in dialog.query_one("#now", Flow).plain

    assert in_dialog(lambda: SpeedDialog(make_job(), lambda: jobs[0]), act) is UNANSWERED


# Help, connecting, saving


def test_help_lists_every_command_and_phase() -> None:
    async def act(_: Pilot[None], dialog: HelpScreen) -> None:
        text = dialog.query_one(Flow).plain
        for command in COMMANDS:
            assert command.keys_display in text
            assert command.help in text
        for phase in Phase:
            assert phase.value in text

    in_dialog(lambda: HelpScreen(COMMANDS), act)


def test_help_scrolls_to_its_end() -> None:
    async def act(pilot: Pilot[None], dialog: HelpScreen) -> None:
        await pilot.press("end")
        await pilot.pause()
        shown = "\n".join(strip.text for strip in dialog._compositor.render_strips())  # noqa: SLF001
        assert "must not run" in shown

    in_dialog(lambda: HelpScreen(COMMANDS), act, (80, 24))


def test_a_host_is_answered_as_typed() -> None:
    uri = "qemu+ssh://root@a/system"
    assert in_dialog(ConnectDialog, pressing(*uri, "enter")) == uri


def test_an_example_can_be_taken_and_its_host_is_typed_over() -> None:
    async def act(pilot: Pilot[None], dialog: ConnectDialog) -> None:
        await pilot.press("down")
        assert dialog.query_one("#examples", OptionList).has_focus
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        await pilot.press(*"host-b", "enter")

    assert in_dialog(ConnectDialog, act) == "qemu+ssh://root@host-b/system"


@pytest.mark.parametrize("uri", ["", "host", "://", "qemu://", "qemu:///a b", "qemu:///\x1b"])
def test_what_is_no_uri_is_explained(uri: str) -> None:
    assert uri_problem(uri).endswith(".")


def test_a_bad_uri_is_not_answered() -> None:
    assert in_dialog(ConnectDialog, pressing("x", "enter")) is UNANSWERED


def test_a_new_file_is_answered(tmp_path: Path) -> None:
    path = str(tmp_path / "log.txt")
    assert in_dialog(lambda: SaveDialog(path), pressing("enter")) == path


def test_a_file_that_exists_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.touch()

    async def act(pilot: Pilot[None], dialog: SaveDialog) -> None:
        for wrong in (
            str(path),
            str(tmp_path),
            str(tmp_path / "no" / "log"),
            "",
            "/" + "x" * 5000,
            "~nobody-of-this-name/log",
        ):
            dialog.query_one("#file", Input).value = wrong
            await pilot.press("enter")
            await pilot.pause()
            assert dialog.query_one("#file-field", Field).remark.endswith(".")

    assert in_dialog(lambda: SaveDialog(str(path)), act) is UNANSWERED
