"""A guest that stands still for the user: the form that has it, and the dialog that counts his time down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Button, Digits, Input, Static

from tests.app_pilot import Screen, played
from tests.fake_host import NOW, FakeControl
from tests.snapshot_view import DOMAIN, UUID, form_opened, host, last, method
from tui.app.dialogs.dialog import Buttons
from tui.app.dialogs.fields import Check, Field
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.passages import Passages
from tui.app.dialogs.standstill import StandstillDialog
from tui.engine.control import End, Outcome
from tui.model.awaited import Awaited
from tui.model.methods import Method, Wish
from tui.model.request import LiveSnapshotRequest

if TYPE_CHECKING:
    from tui.app.dialogs.snapshot import SnapshotForm

LIMIT = 30.0
AWAITED = Awaited(DOMAIN.name, ("vda", "vdb"), "the guest paused", LIMIT, NOW + LIMIT)
LATE = "Nobody has said within 30 s that it is done; the guest goes on."


@dataclass
class Stand:
    """A snapshot by hand that has begun, and hands to play user, host and clock."""

    screen: Screen
    control: FakeControl
    now: list[float] = field(default_factory=list)

    @property
    def dialog(self) -> StandstillDialog:
        """What is in view."""
        shown = self.screen.app.screen
        assert isinstance(shown, StandstillDialog)
        return shown

    @property
    def seconds(self) -> str | None:
        """What is counted down to; nothing where nothing is counted."""
        if not self.dialog.query_one("#left").display:
            return None
        shown = self.dialog.query_one("#seconds")
        if isinstance(shown, Digits):
            return shown.value
        assert isinstance(shown, Static)
        return str(shown.render())

    @property
    def words(self) -> str:
        """What it says."""
        return " ".join(flow.plain for flow in self.dialog.query(Flow))

    @property
    def answers(self) -> list[str]:
        """What the host was told."""
        return [call[0] for call in self.control.calls if call[0] in ("go_on", "give_up")]

    async def look(self, awaited: Awaited | None, after: float = 0) -> None:
        """The host shows this, so many seconds later."""
        self.now[0] = NOW + after
        known = {UUID: awaited} if awaited is not None else {}
        self.control.publish(replace(self.control.state, awaited=known))
        self.dialog.look()
        await self.screen.pilot.pause()

    async def end(self, outcome: Outcome) -> None:
        """The plan ends so."""
        self.control.runs[-1].finish(outcome)
        await self.screen.until(
            lambda: not isinstance(self.screen.app.screen, StandstillDialog) or outcome.message in self.words
        )


def asked(form: SnapshotForm) -> LiveSnapshotRequest:
    """What the form is to ask for."""
    wishes = (Wish("vda", Method.MANUAL), Wish("vdb", Method.MANUAL))
    name = form.query_one("#name", Input).value
    return LiveSnapshotRequest(UUID, name, disks=wishes, pause=True, limit=LIMIT, asks=True)


async def by_hand(screen: Screen, form: SnapshotForm) -> None:
    """Fill the form in."""
    for number in (0, 1):
        method(form, number).value = Method.MANUAL
    form.query_one("#pause", Check).value = True
    form.query_one("#limit", Input).value = f"{LIMIT:g}"
    await screen.until(lambda: form.plan is not None and form.plan.request == asked(form))


@asynccontextmanager
async def begun(*, ascii_only: bool = False, size: tuple[int, int] = (120, 36)) -> AsyncIterator[Stand]:
    """A snapshot by hand that was started from its form; the guest does not stand still yet."""
    control, now = host(), [NOW]
    control.outcome = None
    options = {"clock": lambda: now[0], "ascii_only": ascii_only, "size": size}
    async with form_opened(control, **options) as (screen, form):
        await by_hand(screen, form)
        form.query_one("#start", Button).press()
        await screen.until(lambda: isinstance(screen.app.screen, StandstillDialog) and control.runs)
        yield Stand(screen, control, now)


@played
async def test_no_command_means_that_the_user_is_waited_for() -> None:
    control = host()
    async with form_opened(control) as (screen, form):
        await by_hand(screen, form)
        remark = form.query_one("#command-field", Field)
        assert remark.remark == "Empty: the guest stands still until you say that it is done."
        assert not form.query_one("#limit-field").disabled
        form.query_one("#command", Input).value = "sync"
        await screen.until(lambda: not last(control).asks)
        assert last(control).command == "sync"
        assert "VIRT_MIRROR_DOMAIN" in remark.remark


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
def test_the_time_is_counted_down(size: tuple[int, int], *, ascii_only: bool) -> None:
    @played
    async def play() -> None:
        async with begun(ascii_only=ascii_only, size=size) as stand:
            assert stand.seconds is None
            assert "is about to stand still" in stand.words
            await stand.look(AWAITED)
            assert stand.seconds == "30"
            assert "stands still (the guest paused): hold the state of vda and vdb now." in stand.words
            await stand.look(AWAITED, after=0.5)
            assert stand.seconds == "30"
            await stand.look(AWAITED, after=27.2)
            assert stand.seconds == "3"
            assert stand.answers == []
            # A clock that somebody has set shows no time that is not.
            await stand.look(AWAITED, after=500)
            assert stand.seconds == "0"

    play()


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
@played
async def test_the_images_that_stand_still_are_named_and_can_be_copied(size: tuple[int, int]) -> None:
    async with begun(size=size) as stand:
        images = stand.dialog.query_one("#images", Passages)
        assert not images.display
        await stand.look(AWAITED)
        assert images.display
        disks = [DOMAIN.disk(target) for target in AWAITED.targets]
        named = [[disk.target, layer.path] for disk in disks if disk for layer in disk.chain.layers]
        assert [str(one.prompt).split() for one in images.options] == named
        assert len(named) > len(disks), "also those below the active layer"
        # All of them are in view with the count-down below.
        assert images.max_scroll_y == 0
        assert stand.dialog.query_one("#left").region.bottom <= stand.dialog.query_one(Buttons).region.y
        await stand.screen.press("down", "c")
        assert stand.screen.app.clipboard == named[1][1]
        await stand.screen.press("a")
        assert stand.screen.app.clipboard == "\n".join(path for _target, path in named)
        assert stand.answers == []
        await stand.look(None, after=LIMIT)
        assert not images.display


@played
async def test_enter_says_that_it_is_done() -> None:
    async with begun() as stand:
        await stand.screen.press("enter")
        assert stand.answers == [], "quick fingers have done nothing yet"
        done = stand.dialog.query_one("#done", Button)
        # Until then Textual takes it for the same press.
        await stand.screen.until(lambda: not done.has_class("-active"))
        await stand.look(AWAITED)
        await stand.screen.press("enter")
        assert stand.answers == ["go_on"]
        assert (stand.seconds, stand.words.strip()) == (None, f"{DOMAIN.name} goes on.")
        await stand.end(Outcome(End.DONE, "Done."))
        assert not isinstance(stand.screen.app.screen, StandstillDialog)


@pytest.mark.parametrize("early", [False, True])
def test_escape_gives_it_up_and_says_what_came_of_it(*, early: bool) -> None:
    @played
    async def play() -> None:
        async with begun() as stand:
            if not early:
                await stand.look(AWAITED)
            await stand.screen.press("escape")
            await stand.look(AWAITED)
            assert "give_up" in stand.answers, "also if it was said before the guest stood still"
            assert "what was taken is being taken back" in stand.words
            assert stand.seconds is None
            await stand.screen.press("enter")
            assert "go_on" not in stand.answers
            await stand.end(Outcome(End.FAILED, "It was given up; the guest goes on.", cancelled=True))
            assert "It was given up; the guest goes on." in stand.words
            await stand.screen.press("escape")
            assert not isinstance(stand.screen.app.screen, StandstillDialog)

    play()


@played
async def test_when_the_time_is_over_it_says_what_came_of_it() -> None:
    async with begun() as stand:
        await stand.look(AWAITED)
        await stand.look(None, after=LIMIT)
        assert stand.seconds is None
        assert "goes on, and what was taken is being taken back" in stand.words
        await stand.screen.press("enter")
        assert stand.answers == []
        await stand.end(Outcome(End.FAILED, LATE))
        assert LATE in stand.words
        await stand.screen.press("enter")
        assert not isinstance(stand.screen.app.screen, StandstillDialog)


@pytest.mark.parametrize("outcome", [Outcome(End.DONE, "Done."), Outcome(End.FAILED, "No agent answers.")])
def test_one_that_ends_at_once_is_no_less_told(outcome: Outcome) -> None:
    @played
    async def play() -> None:
        control = host()
        control.outcome = outcome
        async with form_opened(control) as (screen, form):
            await by_hand(screen, form)
            form.query_one("#start", Button).press()
            await screen.until(lambda: control.runs)
            failed = outcome.end is End.FAILED
            await screen.until(lambda: isinstance(screen.app.screen, StandstillDialog) is failed)
            if failed:
                await screen.until(lambda: outcome.message in Stand(screen, control).words)

    play()
