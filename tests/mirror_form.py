"""What the tests of the mirror form share: the form over a fake host, opened and looked into."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Button, Input

from tests.dialogs import Host
from tests.fake_host import FakeControl, make_disk, make_domain, make_state
from tests.settled import running, until
from tui.app.dialogs.fields import Check, Choice
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.mirror import MirrorForm
from tui.model.domain import Domain
from tui.model.request import CopyRequest
from tui.model.storage import Chain, FileSource, Layer

Act = Callable[[Pilot[None], MirrorForm], Awaitable[None]]
UNANSWERED = object()


def a_domain(name: str = "db01", *, persistent: bool = True) -> Domain:
    return make_domain(
        name, disks=[make_disk("vda", "/slow/top.qcow2", "/slow/base.qcow2")], persistent=persistent
    )


def request(domain: Domain, path: str = "/fast/db01-vda.qcow2", **changes: Any) -> CopyRequest:
    changes.setdefault("destination", Chain((Layer(FileSource(path)),), complete=False))
    return CopyRequest(domain.uuid, "vda", **changes)


def in_form(
    act: Act,
    *,
    control: FakeControl | None = None,
    domain: Domain | None = None,
    size: tuple[int, int] = (120, 36),
    debounce: float = 0,
    **options: Any,
) -> Any:
    """Open the form, wait for its first plan, do something, and give back what it answered."""
    domain = domain or a_domain()
    control = control or FakeControl(states=make_state(domain))
    answers: list[Any] = []

    async def run() -> None:
        app = Host()
        async with running(app, size=size) as pilot:
            form = MirrorForm(control, domain, domain.disks[0], **{"fast": "/fast", **options})
            form.DEBOUNCE = debounce
            await app.push_screen(form, answers.append)
            await until(pilot, lambda: ("places",) in control.calls)
            await act(pilot, form)
            await pilot.pause()
            assert len(app.screen_stack) == (2 if not answers else 1)

    asyncio.run(run())
    assert not [call for call in control.calls if call[0] == "run"]
    return answers[0] if answers else UNANSWERED


async def settle(pilot: Pilot[None], form: MirrorForm) -> None:
    await pilot.pause()
    await until(pilot, lambda: not form.checking)


def start_of(form: MirrorForm) -> Button:
    return form.query_one("#start", Button)


def verdict(form: MirrorForm) -> str:
    return form.query_one("#verdict", Flow).plain


async def fill(pilot: Pilot[None], form: MirrorForm, name: str, text: str) -> None:
    form.query_one(f"#{name}", Input).value = text
    await pilot.pause()


async def choose(pilot: Pilot[None], form: MirrorForm, name: str, times: int) -> None:
    form.query_one(f"#{name}", Choice).focus()
    await pilot.pause()
    await pilot.press(*["right"] * times)


async def press_check(pilot: Pilot[None], form: MirrorForm, name: str) -> None:
    form.query_one(f"#{name}", Check).focus()
    await pilot.pause()
    await pilot.press("space")
