"""The pictures of the README, taken from the lab: ``python -m tests.screenshots``.

Every picture is the program itself on real guests; a state is waited for, never drawn.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from tui.app.app import MirrorApp
from tui.app.dialogs.confirm import ConfirmPlan
from tui.app.dialogs.flow import Flow
from tui.app.dialogs.held import HeldDialog
from tui.engine.history import History
from tui.engine.host import Host
from tui.lab.lab import Lab
from tui.model.host import HostState
from tui.model.job import Phase

HERE = Path(__file__).resolve().parent.parent / "screenshots"
WIDE = (120, 36)
NARROW = (80, 24)
PATIENCE = 60.0


class Photographer:
    """One screen of the program, and the host it shows."""

    def __init__(self, pilot: Pilot[None], host: Host) -> None:
        """Take pictures of what ``pilot`` drives."""
        self.pilot = pilot
        self.host = host

    async def until(self, true: Callable[[HostState], bool]) -> None:
        """Wait for the host, then for the screen to have painted it."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            None, lambda: self.host.wait_for(lambda s: True if true(s) else None, timeout=PATIENCE)
        )
        if not found:
            message = "the lab did not get to the state of the picture"
            raise TimeoutError(message)
        await self.pilot.pause(0.3)

    async def press(self, *keys: str) -> None:
        """Press keys, and let what they start come to rest."""
        await self.pilot.press(*keys)
        await self.pilot.pause(0.8)

    async def put_cursor_on(self, name: str) -> None:
        """Go to a domain by the filter, as a person would."""
        await self.press("1", "slash", *name, "enter")
        await self.press("escape")

    async def open_form(self, key: str = "m") -> None:
        """Open a form, and wait until its plan has been judged."""
        await self.press(key)
        await self.judged()

    async def judged(self) -> None:
        """Wait until what a form holds has been judged."""
        form = self.pilot.app.screen
        # What has just been filled in may not have been taken up yet.
        await self.pilot.pause(0.5)
        async with asyncio.timeout(PATIENCE):
            # Before the host has named its places a form is not complete.
            while any(w in form.query_one("#verdict", Flow).plain for w in ("checking", "not complete")):
                await self.pilot.pause(0.1)
        await self.pilot.pause(1.0)

    async def dialog(self, kind: type[Screen[Any]]) -> None:
        """Wait until a dialog of that kind is open."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(self.pilot.app.screen, kind):
                await self.pilot.pause(0.1)
        await self.pilot.pause(0.3)

    def take(self, name: str) -> None:
        """Write the picture."""
        svg = self.pilot.app.export_screenshot(title="virt-mirror")
        (HERE / f"{name}.svg").write_text(svg)
        sys.stdout.write(f"{name}.svg\n")


def job_is(phase: Phase, domain: str, target: str = "vda") -> Callable[[HostState], bool]:
    """Whether a disk's latest job is in a phase."""
    return lambda s: any((j.domain, j.target, j.phase) == (domain, target, phase) for j in s.jobs[-8:])


async def wide(camera: Photographer) -> None:
    """The story of the README at 120 columns."""
    await camera.until(lambda s: s.listed and s.unread == 0)
    await camera.put_cursor_on("db01")
    await camera.press("2", "up")
    await camera.open_form("c")
    camera.take("merge")
    await camera.press("escape", "1")
    await snapshots(camera)
    await camera.put_cursor_on("db01")
    await camera.open_form("M")
    camera.take("move")
    await camera.press("enter", "enter")
    await camera.until(lambda s: any(done > 0.4 * total for done, total in s.files.values()))
    camera.take("moving")
    await camera.press("X", "y")
    await camera.until(lambda s: not s.entries and not s.active_jobs)
    await camera.press("3", "g", "d", "d", "1")
    await queued(camera)
    await camera.put_cursor_on("web01")
    await camera.open_form()
    await camera.press("enter", "enter")
    await camera.until(job_is(Phase.COPYING, "web01"))
    await camera.put_cursor_on("db01")
    await camera.open_form()
    camera.take("form")
    await camera.press("enter", "enter")
    await camera.until(job_is(Phase.COPYING, "db01"))
    await camera.until(lambda s: all((j.percent or 0) >= 20 for j in s.active_jobs))
    camera.take("copying")
    await camera.press("3", "g", "enter")
    await camera.pilot.pause(1.0)
    camera.take("details")
    await camera.press("escape")
    await camera.until(job_is(Phase.IN_SYNC, "db01"))
    await camera.until(job_is(Phase.IN_SYNC, "web01"))
    await camera.pilot.pause(2.0)
    camera.take("in-sync")
    await camera.put_cursor_on("old")
    await camera.open_form()
    camera.take("refused")
    await camera.press("escape")
    await over(camera)


async def over(camera: Photographer) -> None:
    """A guest goes over, and what has ended until then."""
    await camera.put_cursor_on("db01")
    await camera.press("p")
    await camera.pilot.pause(0.5)
    camera.take("pivot")
    await camera.press("y")
    await camera.until(job_is(Phase.DONE, "db01"))
    await camera.pilot.pause(1.0)
    camera.take("proof")
    await camera.press("escape", "1", "h")
    camera.take("history")


async def snapshots(camera: Photographer) -> None:
    """Snapshots of a guest with two disks, and none of them left at the end."""
    await camera.put_cursor_on("files")
    await camera.press("s")
    names = ("fresh-install", "before-upgrade", "nightly")
    for name in names:
        await camera.open_form("n")
        await camera.press("ctrl+u", *name)
        await camera.judged()
        if name == names[-1]:
            camera.take("snapshot")
        await camera.press("enter", "enter")
        await camera.dialog(HeldDialog)
        await camera.press("escape")
    await camera.press("up")
    camera.take("snapshots")
    await camera.press("down")
    for left in reversed(range(len(names))):
        await camera.press("d")
        await camera.dialog(ConfirmPlan)
        await camera.press("y")
        await camera.until(chain_has(left + 1, "files"))
        await camera.pilot.pause(1.0)
    await camera.press("escape")


def chain_has(layers: int, domain: str) -> Callable[[HostState], bool]:
    """Whether the first disk of a domain has so many layers."""
    return lambda s: any(d.name == domain and len(d.disks[0].chain.layers) == layers for d in s.domains)


async def queued(camera: Photographer) -> None:
    """Several moves at once, and none of them left at the end."""
    await camera.put_cursor_on("db01")
    await camera.press("t", "t", "t", "t")
    await camera.open_form("M")
    camera.take("several")
    await camera.press("enter", "enter")
    await camera.until(lambda s: any(done > 0.4 * total for done, total in s.files.values()))
    await camera.press("5")
    camera.take("queue")
    await camera.press("Z", "g", "down", "x", "g", "down", "x", "g", "x")
    await camera.press("y")
    await camera.until(lambda s: not s.entries and not s.active_jobs)
    await camera.press("D", "Z", "U", "3", "g", "d", "d", "1")


async def left_behind(camera: Photographer) -> None:
    """A move that whoever began it does not see the end of."""
    await camera.until(lambda s: s.listed and s.unread == 0)
    await camera.put_cursor_on("db01")
    await camera.open_form("M")
    await camera.press("enter", "enter")
    await camera.until(lambda s: any(done > 0.4 * total for done, total in s.files.values()))


async def found_again(camera: Photographer) -> None:
    """The next start: the move as it was left, taken back for the next picture."""
    await camera.until(lambda s: s.listed and s.unread == 0)
    await camera.put_cursor_on("db01")
    await camera.press("R")
    await camera.pilot.pause(1.0)
    camera.take("interrupted")
    await camera.press("escape", "X", "y")
    await camera.until(lambda s: not s.entries and not s.active_jobs)


async def narrow(camera: Photographer) -> None:
    """The same program at 80 columns."""
    await camera.until(lambda s: s.listed and s.unread == 0)
    camera.take("narrow")


async def photograph(
    lab: Lab, size: tuple[int, int], story: Callable[[Photographer], Awaitable[None]]
) -> None:
    """Run the program at a size and tell it a story."""
    history = History(lab.root / "history.jsonl")
    host = Host(lab.uri, places=(str(lab.fast),), history=history)
    app = MirrorApp([host], suggested_bandwidth=lab.suggested_bandwidth, history=history)
    async with app.run_test(size=size) as pilot:
        await story(Photographer(pilot, host))
    host.close()


def say(sentence: str) -> None:
    """Tell what is being done."""
    sys.stdout.write(f"{sentence}\n")


def leave_behind(directory: str) -> None:
    """Prepare a lab and begin a move in it; only a program that has ended leaves one to be found again."""
    lab = Lab(Path(directory) / "lab")
    lab.prepare(say)
    asyncio.run(photograph(lab, WIDE, left_behind))


def main() -> None:
    """Prepare a lab of its own, take all pictures, and remove it."""
    # Not the user's lab: that one may be open. Short, for the sockets in it.
    with TemporaryDirectory(prefix="vm", dir="/var/tmp") as directory:
        subprocess.run([sys.executable, "-m", "tests.screenshots", directory], check=True)
        lab = Lab(Path(directory) / "lab")
        try:
            lab.prepare(say)
            asyncio.run(photograph(lab, WIDE, found_again))
            asyncio.run(photograph(lab, WIDE, wide))
            asyncio.run(photograph(lab, NARROW, narrow))
        finally:
            lab.tear_down(say)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        leave_behind(sys.argv[1])
    else:
        main()
