"""The pictures of domains that go to another host: ``python -m tests.screenshots_hosts``."""

from __future__ import annotations

import asyncio

from textual.widgets import Input

from tests.guests import DiskSpec, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.screenshots import WIDE, Photographer
from tests.two_hosts import LOOPBACK, directory_at, removed_from, tree_of_two_branches
from tui.app.app import MirrorApp
from tui.engine.host import Host
from tui.model.migration import MigrationPhase


async def story(camera: Photographer, maps: tuple[tuple[str, str], ...]) -> None:
    """The form, the way, and the proof."""
    await camera.until(lambda s: s.listed and s.unread == 0)
    await camera.pilot.pause(2.0)
    await camera.put_cursor_on("db01")
    await camera.press("w", "space", "right")
    await camera.pilot.pause(1.0)
    camera.take("hosts")
    await camera.press("escape", "E")
    camera.pilot.app.screen.query_one("#maps", Input).value = "=".join(maps[0])
    await camera.judged()
    camera.take("evacuate")
    await camera.press("escape", "H")
    form = camera.pilot.app.screen
    form.query_one("#maps", Input).value = "=".join(maps[0])
    form.query_one("#bandwidth", Input).value = "8"
    form.query_one("#migrate-uri", Input).value = LOOPBACK
    await camera.judged()
    camera.take("migrate")
    await camera.press("enter", "enter")
    await camera.until(
        lambda s: any(
            m.phase is MigrationPhase.DISKS and (m.percent or 0) > 30 for m in s.migrations.values()
        )
    )
    await camera.press("3")
    camera.take("migrating")
    await camera.until(lambda s: not s.migrations)
    await camera.pilot.pause(2.0)
    await camera.press("3", "enter")
    camera.take("migrated")


async def photograph(here: Hypervisor, there: Hypervisor, maps: tuple[tuple[str, str], ...]) -> None:
    """Show both hosts, and tell the story."""
    hosts = [Host(here.uri), Host(there.uri)]
    app = MirrorApp(hosts)
    async with app.run_test(size=WIDE) as pilot:
        await story(Photographer(pilot, hosts[0]), maps)
    for host in hosts:
        host.close()


def main() -> None:
    """Start two hosts, take the pictures, and remove all of it."""
    here, there = Hypervisor("host-a"), Hypervisor("host-b")
    guests = Guests(here)
    try:
        guest = guests(name="db01", disks=[DiskSpec(data=48 * MIB), DiskSpec(format="raw", data=32 * MIB)])
        other = guests(name="web01")
        tree_of_two_branches(other)
        _place, maps = directory_at(there, guest)
        with removed_from(there, guest):
            asyncio.run(photograph(here, there, maps))
    finally:
        guests.remove()
        here.stop()
        there.stop()


if __name__ == "__main__":
    main()
