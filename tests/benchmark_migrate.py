"""What taking a domain to another host costs, beside virsh, and what its snapshots add."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.engine import carried_out, command, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.two_hosts import LOOPBACK, directory_at, migration, removed_from
from tui.engine.host import Host

DATA = 512 * MIB
ROUNDS = 3
COUNTS = (0, 10, 100)
Say = Callable[..., None]
Timed = Callable[[Callable[[], object]], float]


def migrations(hypervisor: Hypervisor, guests: Guests, say: Say, timed: Timed) -> None:
    """The two taking turns, each with a guest of its own that does not write."""
    other = Hypervisor("benchmark-b")
    try:
        with watched(hypervisor) as host:
            host.peer(other.uri)
            _storage(host, other, guests, say, timed)
            _snapshots(host, other, guests, say, timed)
    finally:
        guests.remove()
        other.stop()


def _storage(host: Host, other: Hypervisor, guests: Guests, say: Say, timed: Timed) -> None:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        for times, go in ((ours, partial(_ours, host)), (theirs, _virsh)):
            guest = guests(disks=[DiskSpec(size=2 * DATA, data=DATA)], delay=None)
            there, maps = directory_at(other, guest)
            with removed_from(other, guest):
                times.append(timed(partial(go, guest, other, maps)))
            for path in there.iterdir():
                path.unlink()
    ratio = statistics.median(ours) / statistics.median(theirs)
    say("migration with 512 MiB of storage, ours / virsh", f"{ratio:.2f}", "goal: at most 1.05")
    say("  ours, virsh (medians, s)", f"{statistics.median(ours):.2f}, {statistics.median(theirs):.2f}")


def _ours(host: Host, guest: Guest, other: Hypervisor, maps: tuple[tuple[str, str], ...]) -> None:
    carried_out(host, migration(guest, other, maps=maps))


def _virsh(guest: Guest, other: Hypervisor, maps: tuple[tuple[str, str], ...]) -> None:
    """What an administrator types: the image there, the definition for there, and the migration."""
    ((old, new),) = maps
    image = Path(guest.chain()[0].replace(old, new))
    command("qemu-img", "create", "-q", "-f", "qcow2", str(image), str(2 * DATA))
    definition = guest.directory / "there.xml"
    definition.write_text(guest.virsh("dumpxml", "--migratable").replace(old, new))
    words = ["--live", "--copy-storage-all", "--persistent", "--undefinesource", "--migrateuri", LOOPBACK]
    guest.virsh("migrate", other.uri, *words, "--xml", definition, "--persistent-xml", definition)


def _snapshots(host: Host, other: Hypervisor, guests: Guests, say: Say, timed: Timed) -> None:
    """On storage that both have, so that nothing else takes long."""
    took = {}
    for count in COUNTS:
        times = []
        for _ in range(ROUNDS):
            guest = guests(delay=None)
            for number in range(count):
                guest.virsh("snapshot-create-as", "--name", f"s{number}")
            with removed_from(other, guest):
                times.append(timed(partial(carried_out, host, migration(guest, other, unsafe=True))))
        took[count] = statistics.median(times)
    for count in COUNTS[1:]:
        say(f"  what {count} snapshots add (s)", f"{took[count] - took[0]:.2f}", f"of {took[count]:.2f} s")
