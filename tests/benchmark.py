"""What virt-mirror costs, beside virsh where virsh does the same, in one run: ``python -m tests.benchmark``.

Ratios, not seconds, are what can be compared between machines. Nothing here decides a test.
"""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

from rich.console import RenderableType
from textual import events
from textual.screen import Screen

from tests.benchmark_migrate import migrations
from tests.engine import PATIENCE, accepted, carried_out, command, copy_request, end_request, watched
from tests.fake_host import FakeControl, make_domain, make_job, make_state
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor, UnavailableError
from tests.outside import allocated
from tests.storage import slow_file_system
from tui.app import app as app_module
from tui.app.app import MirrorApp
from tui.engine.control import End
from tui.engine.host import Host
from tui.engine.poller import TICK
from tui.model.host import HostState
from tui.model.job import Phase
from tui.model.plan import Plan
from tui.model.request import Ending, MoveRequest, Then

GIB = 1024 * MIB
CHAIN_DATA = 233 * MIB
"""Bytes in each of three layers."""
SLOW = 150 * MIB
"""Bytes per second of a disk that is no memory."""
MOST = 120.0
"""Seconds for one move."""
ROUNDS = 3
DISKS_PER_GUEST = 10
IDLE_DOMAINS = 1000
SCREEN = (160, 50)
KEYS = 100


def say(name: str, value: str, goal: str = "") -> None:
    """One line of the report."""
    sys.stdout.write(f"{name:<58} {value:>16}  {goal}\n")
    sys.stdout.flush()


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def copy_and_pivot(hypervisor: Hypervisor, guests: Guests) -> None:
    """Wall time of a whole copy with pivot, the two taking turns on the same guest."""
    guest = guests(disks=[DiskSpec(size=GIB, data=GIB)], delay=None)
    ours, theirs = [], []
    with watched(hypervisor) as host:
        for number in range(ROUNDS):
            one, two = guest.directory / f"ours-{number}", guest.directory / f"theirs-{number}"
            ours.append(timed(partial(carried_out, host, copy_request(guest, one, then=Then.PIVOT))))
            theirs.append(timed(partial(_virsh_copy, guest, two)))
            one.unlink()
    ratio = statistics.median(ours) / statistics.median(theirs)
    say("copy with pivot of 1 GiB, ours / virsh", f"{ratio:.2f}", "goal: below 1")
    say("  ours, virsh (medians, s)", f"{statistics.median(ours):.2f}, {statistics.median(theirs):.2f}")


def _virsh_copy(guest: Guest, path: Path) -> None:
    guest.virsh("blockcopy", "vda", "--dest", path, "--transient-job", "--wait", "--pivot")


def move_of_a_chain(hypervisor: Hypervisor, guests: Guests) -> None:
    """A whole chain: against copying its files, which is the least that must be done, and against flattening it.

    What each has made is removed before the next: a virtual machine gets memory that was just freed at once, and
    other memory slowly, so that the first one to fill a page cache would be three times as fast as the others.
    """
    ours, floor, flat, written = [], [], [], []
    for number in range(ROUNDS):
        guest = _chained(guests)
        there, bare, one = (guest.directory / name for name in ("there", "bare", f"flat-{number}"))
        there.mkdir()
        bare.mkdir()
        images = guest.images()
        _copy_files(images, bare)
        _remove_files(bare)
        flat.append(timed(partial(_virsh_copy, guest, one)))
        guest.virsh("destroy")
        one.unlink()
        floor.append(timed(partial(_copy_files, images, bare)))
        _remove_files(bare)
        hypervisor.virsh("define", guest.directory / "domain.xml")
        guest.virsh("start")
        with watched(hypervisor) as host:
            plan = accepted(host, MoveRequest(guest.uuid, str(there)))
            ours.append(timed(partial(_run, host, plan)))
        written.append(sum(map(allocated, there.iterdir())) / sum(map(allocated, images)))
        guests.remove()
    best = statistics.median(ours)
    ratio = best / statistics.median(floor)
    say("move of a chain of 3, 700 MiB, ours / cp of its files", f"{ratio:.2f}", "goal: below 1.3")
    ratio = best / statistics.median(flat)
    say("move of a chain, ours / flattening virsh blockcopy", f"{ratio:.2f}")
    seconds = ", ".join(f"{statistics.median(times):.2f}" for times in (ours, floor, flat))
    say("  ours, cp, virsh (medians, s)", seconds)
    say("bytes written there / allocated here", f"{max(written):.3f}", "goal: at most 1.05")


def move_to_a_slow_disk(hypervisor: Hypervisor, guests: Guests) -> None:
    """The same, where writing is what takes its time, as on nearly every disk that there is."""
    ours, floor = [], []
    try:
        with slow_file_system(hypervisor, 2 * GIB, SLOW) as place:
            for _ in range(ROUNDS):
                guest = _chained(guests)
                floor.append(timed(partial(_copy_files, guest.images(), place)))
                for image in guest.images():
                    (place / image.name).unlink()
                with watched(hypervisor) as host:
                    plan = accepted(host, MoveRequest(guest.uuid, str(place)))
                    ours.append(timed(partial(_run, host, plan)))
                guests.remove()
                _remove_files(place)
    except UnavailableError as error:
        say("move to a slow disk", "not measured", str(error))
        return
    ratio = statistics.median(ours) / statistics.median(floor)
    say(f"the same to a disk of {SLOW // MIB} MiB/s, ours / cp", f"{ratio:.2f}", "goal: below 1.3")
    say("  ours, cp (medians, s)", f"{statistics.median(ours):.2f}, {statistics.median(floor):.2f}")


def _chained(guests: Guests) -> Guest:
    return guests(disks=[DiskSpec(size=2 * GIB, layers=3, data=CHAIN_DATA)], delay=None)


def _run(host: Host, plan: Plan) -> None:
    outcome = host.run(plan).wait(MOST)
    assert outcome is not None
    assert outcome.end is End.DONE, outcome.message


def _copy_files(images: list[Path], there: Path) -> None:
    """With what is written really on the disk, as after ours."""
    command("cp", "--sparse=always", "--reflink=never", *map(str, images), str(there))
    command("sync", *map(str, there.iterdir()))


def _remove_files(directory: Path) -> None:
    for path in directory.iterdir():
        if path.is_file():
            path.unlink()


def ready_to_pivot(hypervisor: Hypervisor, guests: Guests) -> None:
    """From the READY event to the COMPLETED one, as a third party sees them."""
    guest = guests(disks=[DiskSpec(size=256 * MIB, data=256 * MIB)], delay=None)
    ours, theirs = [], []
    with watched(hypervisor) as witness, watched(hypervisor) as host:
        for number in range(2 * ROUNDS + 1):
            one, two = guest.directory / f"ours-{number}", guest.directory / f"theirs-{number}"
            with _instants(witness, guest) as instants:
                carried_out(host, copy_request(guest, one, then=Then.PIVOT))
            ours.append(instants[1] - instants[0])
            with _instants(witness, guest) as instants:
                _virsh_copy(guest, two)
            theirs.append(instants[1] - instants[0])
            one.unlink()
    ratio = statistics.median(ours) / statistics.median(theirs)
    say("READY to pivoted, ours / virsh", f"{ratio:.2f}", "goal: below 0.2 (virsh polls each 0.5 s)")
    say(
        "  ours, virsh (medians, ms)",
        f"{statistics.median(ours) * 1e3:.0f}, {statistics.median(theirs) * 1e3:.0f}",
    )


@contextmanager
def _instants(witness: Host, guest: Guest) -> Iterator[list[float]]:
    """When a job became in sync, and when it was done."""
    instants: list[float] = []
    wanted = [Phase.IN_SYNC, Phase.DONE]
    known = {job.number for job in witness.state.jobs}

    def look(state: HostState) -> None:
        job = state.job(guest.uuid, "vda")
        if job is not None and job.number not in known and len(instants) < len(wanted):
            if job.phase is wanted[len(instants)]:
                instants.append(time.perf_counter())
            elif job.phase is Phase.DONE:
                instants.extend([time.perf_counter()] * 2)

    unsubscribe = witness.subscribe(look, lambda _line: None)
    try:
        yield instants
        witness.wait_for(lambda _state: True if len(instants) >= len(wanted) else None, timeout=PATIENCE)
    finally:
        unsubscribe()


def calls_per_tick(hypervisor: Hypervisor, guests: Guests) -> None:
    """libvirt calls of a tick, while so many mirrors are held in sync."""
    spec = DiskSpec(size=MIB, data=0)
    made = [guests(disks=[spec] * DISKS_PER_GUEST, delay=None) for _ in range(5)]
    pairs = [(vm, f"vd{letter}") for vm in made for letter in "abcdefghij"]
    with watched(hypervisor) as host:
        running = 0
        for goal in (1, 10, 50):
            for vm, target in pairs[running:goal]:
                request = copy_request(vm, vm.directory / f"copy-{target}", target=target)
                host.run(accepted(host, request))
            running = goal
            host.wait_for(partial(_all_in_sync, goal), timeout=PATIENCE)
            say(f"libvirt calls per tick with {goal} jobs", f"{_calls(host):.1f}", f"goal: {1 + goal}")
        for vm in made:
            targets = [target for owner, target in pairs if owner is vm]
            carried_out(host, end_request(vm, Ending.CANCEL, *targets))


def _all_in_sync(goal: int, state: HostState) -> bool | None:
    jobs = state.active_jobs
    return True if len(jobs) == goal and all(j.phase is Phase.IN_SYNC for j in jobs) else None


def _calls(host: Host, ticks: int = 5) -> float:
    # Readings that the last events asked for are no part of a tick.
    time.sleep(2 * TICK)
    before = host.connection().calls.total()
    time.sleep(ticks * TICK)
    return (host.connection().calls.total() - before) / ticks


def idle_uri(directory: Path, domains: int = IDLE_DOMAINS) -> str:
    """A file for libvirt's test driver with so many domains; for the screen's benchmark as well."""
    body = "".join(
        f"<domain type='test'><name>vm{n:04}</name><uuid>{uuid4()}</uuid><memory>8192</memory>"
        "<os><type>hvm</type></os><devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='/images/vm{n:04}.qcow2'/><target dev='vda' bus='virtio'/></disk></devices></domain>"
        for n in range(domains)
    )
    path = directory / "node.xml"
    path.write_text(f"<node>{body}</node>")
    return f"test://{path}"


def idle_host(directory: Path) -> None:
    """A thousand domains and no job: how soon they are known, and what they cost from then on."""
    uri = idle_uri(directory)
    begin = time.perf_counter()
    host = Host(uri)
    try:
        host.wait_for(lambda s: True if s.listed and s.domains else None, timeout=PATIENCE)
        named = time.perf_counter() - begin
        host.wait_for(lambda s: True if s.listed and s.unread == 0 else None, timeout=PATIENCE)
        complete = time.perf_counter() - begin
        say(f"engine: names, definitions of {IDLE_DOMAINS} domains (s)", f"{named:.2f}, {complete:.2f}")
        say(f"libvirt calls per tick with {IDLE_DOMAINS} idle domains", f"{_calls(host):.1f}", "goal: 0")
    finally:
        host.close()


class Painter(MirrorApp):
    """The program, with an ear for its paints."""

    CSS_PATH = str(Path(app_module.__file__).with_name("app.tcss"))
    painted: asyncio.Event | None = None

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        super()._display(screen, renderable)
        if self.painted is not None:
            self.painted.set()


async def start_of_screen(directory: Path) -> None:
    """From nothing to the first paint, and to a list of a thousand domains that can be used."""
    uri = idle_uri(directory)
    begin = time.perf_counter()
    host = Host(uri)
    app = Painter([host])
    app.painted = asyncio.Event()
    async with app.run_test(size=SCREEN):
        await app.painted.wait()
        first = time.perf_counter() - begin
        while len(app.main.domains.rows) < IDLE_DOMAINS:
            app.painted.clear()
            await app.painted.wait()
        usable = time.perf_counter() - begin
    host.close()
    loading = timed(partial(command, sys.executable, "-c", "import tui.__main__, tui.app.main"))
    say("start to first paint (s)", f"{loading + first:.2f}")
    say(f"start to a list of {IDLE_DOMAINS} domains (s)", f"{loading + usable:.2f}")
    say("  of which loading the program (s)", f"{loading:.2f}")


async def key_to_paint() -> None:
    """From a key press to the paint that shows it, among a thousand domains and fifty jobs."""
    domains = [make_domain(f"vm{n:04}") for n in range(IDLE_DOMAINS)]
    jobs = [make_job(domain) for domain in domains[:50]]
    app = Painter([FakeControl(states=make_state(*domains, jobs=jobs))])
    app.painted = asyncio.Event()
    times = []
    async with app.run_test(size=SCREEN) as pilot:
        await pilot.pause()
        for _ in range(KEYS):
            app.painted.clear()
            begin = time.perf_counter()
            app.post_message(events.Key("down", None))
            await app.painted.wait()
            times.append(time.perf_counter() - begin)
            await pilot.pause()
    slow = sorted(times)[int(KEYS * 0.95)]
    say("key to paint, 1000 domains and 50 jobs, 95 % (ms)", f"{slow * 1e3:.0f}", "goal: under 50")


def memory() -> None:
    """What this process took at most."""
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    say("resident memory, screen and all (MiB)", f"{kib / 1024:.0f}")


def main() -> None:
    """Run all of it."""
    say(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}", "")
    hypervisor = Hypervisor("benchmark")
    guests = Guests(hypervisor)
    try:
        copy_and_pivot(hypervisor, guests)
        guests.remove()
        move_of_a_chain(hypervisor, guests)
        move_to_a_slow_disk(hypervisor, guests)
        ready_to_pivot(hypervisor, guests)
        guests.remove()
        migrations(hypervisor, guests, say, timed)
        calls_per_tick(hypervisor, guests)
        idle_host(hypervisor.root)
        asyncio.run(start_of_screen(hypervisor.root))
        asyncio.run(key_to_paint())
        memory()
    finally:
        guests.remove()
        hypervisor.stop()


if __name__ == "__main__":
    main()
