"""Mirrors of a snapshot on the screen: shown as any mirror, and ended all together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.app_pilot import opened, played
from tests.fake_host import FakeControl, make_job, make_state
from tests.snapshot_facts import entry, mirrored
from tui.app.dialogs.ask import Question
from tui.app.dialogs.confirm import ConfirmPlan
from tui.model.host import HostState
from tui.model.job import Phase
from tui.model.request import Ending, RecoverRequest, Request, SnapshotEndRequest

DOMAIN = mirrored()


def held(phase: Phase = Phase.IN_SYNC, reached: int | None = None) -> HostState:
    job = replace(make_job(DOMAIN, "vda", phase=phase), plan="p1")
    return replace(make_state(DOMAIN, jobs=[job]), entries=(entry(reached=reached),))


@pytest.mark.parametrize(
    ("key", "request_"),
    [
        ("p", SnapshotEndRequest(DOMAIN.uuid, "s1", Ending.PIVOT)),
        ("x", SnapshotEndRequest(DOMAIN.uuid, "s1", Ending.CANCEL)),
        ("X", RecoverRequest(DOMAIN.uuid, True, "p1")),  # noqa: FBT003  as the fields stand
    ],
)
@played
async def test_a_key_ends_the_whole_snapshot(key: str, request_: Request) -> None:
    control = FakeControl(states=held())
    async with opened(control) as screen:
        assert "in sync" in screen.painted(screen.main.jobs)
        await screen.press(key)
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan | Question))
        assert control.requests == [request_]


@pytest.mark.parametrize("key", ["p", "K"])
@played
async def test_keys_that_can_do_nothing_say_why(key: str) -> None:
    control = FakeControl(states=held(Phase.COPYING))
    async with opened(control) as screen:
        await screen.press(key)
        assert "once db01 vda is in sync" in screen.notes[-1]
        assert control.requests == []


@played
async def test_a_creation_that_was_cut_short_is_taken_back() -> None:
    control = FakeControl(states=held(Phase.COPYING, reached=2))
    async with opened(control) as screen:
        assert "interrupted" in screen.painted(screen.main.domains.table)
        await screen.press("x")
        await screen.until(lambda: isinstance(screen.app.screen, ConfirmPlan | Question))
        assert control.requests == [RecoverRequest(DOMAIN.uuid, undo=True, plan="p1")]
