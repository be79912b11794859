"""The doctor on the screen: findings of the host under the cursor, looked for elsewhere than in the screen's thread."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from textual.widgets import OptionList, Static

from tests.app_pilot import Screen, opened, played
from tests.dialogs import HOSTILE
from tests.fake_host import FakeControl, make_domain, make_state
from tui.app.dialogs.dialog import Buttons
from tui.app.dialogs.doctor import DoctorDialog
from tui.engine.errors import NoConnection
from tui.model.finding import Finding, fine, refused, warning

FOUND = (
    fine("a", "All is well with the first."),
    warning("b", "The second is left over.", "Go on with virt-mirror resume db01."),
)


def host(
    *findings: Finding, uri: str = "test:///a", name: str = "db01", read_only: bool = False
) -> FakeControl:
    state = replace(make_state(make_domain(name)), hostname=f"host-of-{name}")
    control = FakeControl(uri, state, read_only=read_only)
    control.findings = findings or FOUND
    return control


async def doctor(screen: Screen) -> DoctorDialog:
    await screen.press("e")
    dialog = screen.app.screen
    assert isinstance(dialog, DoctorDialog)
    await screen.until(lambda: dialog.findings)
    return dialog


def summary(dialog: DoctorDialog) -> str:
    return str(dialog.query_one("#title", Static).render())


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
@pytest.mark.parametrize("read_only", [False, True])
@played
async def test_what_is_to_be_looked_at_comes_first_and_can_be_copied(
    size: tuple[int, int],
    read_only: bool,  # noqa: FBT001
) -> None:
    control = host(read_only=read_only)
    async with opened(control, size=size) as screen:
        dialog = await doctor(screen)
        assert [finding.check for finding in dialog.findings] == ["b", "a"]
        assert "1 thing to look at" in summary(dialog)
        found = dialog.query_one("#findings", OptionList)
        text = str(found.get_option_at_index(0).prompt)
        assert "The second is left over." in text
        assert "Go on with virt-mirror resume db01." in " ".join(text.split())
        await screen.press("c")
        assert screen.app.clipboard == "Go on with virt-mirror resume db01."
        await screen.press("j", "c")
        assert screen.app.clipboard == "Go on with virt-mirror resume db01."
        assert "nothing to do" in screen.notes[-1]
        await screen.press("escape")
        assert screen.app.screen is screen.main
        assert [call[0] for call in control.calls] == ["examine"]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_many_findings_scroll_above_the_buttons(size: tuple[int, int]) -> None:
    control = host(*(warning(f"w{n}", f"Left over {n}.", f"Remove {n}.") for n in range(40)))
    async with opened(control, size=size) as screen:
        dialog = await doctor(screen)
        found = dialog.query_one("#findings", OptionList)
        await screen.press("end")
        await screen.until(lambda: found.scroll_y == found.max_scroll_y > 0)
        assert found.region.bottom <= dialog.query_one(Buttons).region.y
        await screen.press("c")
        assert screen.app.clipboard == "Remove 39."


@played
async def test_it_is_about_the_host_under_the_cursor_and_looks_again() -> None:
    first, second = host(), host(warning("x", "Only here."), uri="test:///b", name="web01")
    async with opened(first, second) as screen:
        await screen.go_to("web01")
        dialog = await doctor(screen)
        assert "host-of-web01" in str(dialog.query_one("#title", Static).render())
        assert [f.check for f in dialog.findings] == ["x"]
        second.findings = (fine("y", "Gone."),)
        await screen.press("r")
        await screen.until(lambda: [f.check for f in dialog.findings] == ["y"])
        assert "all is well" in summary(dialog)
        assert ("examine", None) not in first.calls


@played
async def test_a_silent_host_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    control, gate, threads = host(), threading.Event(), list[threading.Thread]()

    def examine(uuid: str | None = None) -> tuple[Finding, ...]:  # noqa: ARG001
        threads.append(threading.current_thread())
        assert gate.wait(30)
        return FOUND

    monkeypatch.setattr(control, "examine", examine)
    async with opened(control) as screen:
        await screen.press("e")
        dialog = screen.app.screen
        assert isinstance(dialog, DoctorDialog)
        assert "examining" in summary(dialog)
        await screen.press("escape")
        assert screen.app.screen is screen.main
        gate.set()
        await screen.until(lambda: not any(thread.is_alive() for thread in threads))
        await screen.pilot.pause()
        assert threads
        assert threading.main_thread() not in threads


@played
async def test_a_host_that_is_away_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    control = host()

    def examine(uuid: str | None = None) -> tuple[Finding, ...]:  # noqa: ARG001
        raise NoConnection("It is [/away].")

    monkeypatch.setattr(control, "examine", examine)
    async with opened(control) as screen:
        await screen.press("e")
        dialog = screen.app.screen
        assert isinstance(dialog, DoctorDialog)
        await screen.until(lambda: "could not be examined" in summary(dialog))
        assert "It is [/away]." in str(
            dialog.query_one("#findings", OptionList).get_option_at_index(0).prompt
        )


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("ascii_only", [False, True])
@played
async def test_hostile_text(text: str, ascii_only: bool) -> None:  # noqa: FBT001
    control = host(refused("a", text, text), warning("b", text, text), name=text)
    async with opened(control, size=(80, 24), ascii_only=ascii_only) as screen:
        dialog = await doctor(screen)
        await screen.press("j", "c")
        assert "\x1b" not in screen.app.clipboard
        assert "2 things" in summary(dialog)


@played
async def test_an_error_that_nobody_expected_is_told_and_leaves_nothing_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control, errors = host(), [ZeroDivisionError("of [/x]")]

    def examine(uuid: str | None = None) -> tuple[Finding, ...]:  # noqa: ARG001
        if errors:
            raise errors.pop()
        return FOUND

    monkeypatch.setattr(control, "examine", examine)
    async with opened(control, mishaps=True) as screen:
        dialog = await doctor(screen)
        assert "could not be examined" in summary(dialog)
        assert [finding.reason for finding in dialog.findings] == [
            "Something went wrong inside virt-mirror: ZeroDivisionError: of [/x]"
        ]
        assert [type(error) for error in screen.app.mishaps.errors] == [ZeroDivisionError]
        await screen.press("r")
        await screen.until(lambda: "1 thing to look at" in summary(dialog))
