"""A queue of moves on a real host: what is written where is looked at from outside."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.engine import job_in, journal_is_empty, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import is_writing
from tests.queued import Queued
from tui.engine.connection import Connection
from tui.engine.host import Host
from tui.model.disk import MirrorJob
from tui.model.job import Phase
from tui.model.queue import Limits, State
from tui.model.request import How, MoveRequest
from tui.model.storage import FileSource

CHAIN = DiskSpec(layers=2, data=8 * MIB)
SLOW = 10 * MIB
SLOWER = MIB
"""Leaves time to do something on the way, whatever else the machine does."""


class Bench(Queued):
    """A queue of moves to one place."""

    def __init__(self, host: Host, there: Path) -> None:
        super().__init__(host)
        self.there = there

    def move(self, *guests: Guest, **wish: Any) -> None:
        self.add(*(MoveRequest(guest.uuid, str(self.there), **wish) for guest in guests))


@pytest.fixture
def bench(hypervisor: Hypervisor, tmp_path: Path) -> Iterator[Bench]:
    """A queue on the host, and an empty place to move to."""
    with watched(hypervisor) as host:
        made = Bench(host, tmp_path)
        yield made
        made.runner.close()


@contextmanager
def mirrors_counted(guests: Sequence[Guest], there: Path) -> Iterator[list[set[str]]]:
    """Which guests mirror into a directory, look after look.

    A look takes its time. Who is in one and in the next did so between the two.
    """
    seen: list[set[str]] = []
    enough = threading.Event()
    # Many times as fast as virsh, which would miss two that are there together for a second.
    connection = Connection(guests[0].hypervisor.uri, read_only=True, on_event=lambda _event: None)

    def goes_there(guest: Guest) -> bool:
        reading = connection.read(guest.uuid)
        disk = reading.domain.disk("vda") if reading else None
        mirror = disk.mirror if disk else None
        if mirror is None or mirror.job is not MirrorJob.COPY or mirror.destination is None:
            return False
        source = mirror.destination.source
        return isinstance(source, FileSource) and Path(source.path).parent == there

    def look() -> None:
        while not enough.wait(0.01):
            seen.append({guest.name for guest in guests if goes_there(guest)})

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        enough.set()
        thread.join()
        connection.close()


def is_there(guest: Guest, there: Path) -> bool:
    chain = [Path(path) for path in guest.chain()]
    return {path.parent for path in chain} == {there} and is_writing(chain[0])


def is_where_it_was(guest: Guest) -> bool:
    return guest.chain() == [str(path) for path in reversed(guest.images())] and is_writing(
        guest.images()[-1]
    )


@pytest.mark.parametrize("limit", [1, 2])
def test_so_many_mirrors_write_to_one_place(guest: Guests, bench: Bench, limit: int) -> None:
    made = [guest(disks=[CHAIN]) for _ in range(3)]
    bench.runner.limit(Limits(per_host=3, per_destination=limit))
    with mirrors_counted(made, bench.there) as seen:
        bench.move(*made, bandwidth=SLOW, merge_overlay=True)
        assert set(bench.until_ended().values()) == {State.DONE}
    assert max(len(one & next_one) for one, next_one in pairwise(seen)) == limit
    assert set().union(*seen) == {one.name for one in made}
    assert all(is_there(one, bench.there) for one in made)
    assert journal_is_empty(bench.host)


def test_one_that_is_in_the_way_of_itself_does_not_stop_the_others(guest: Guests, bench: Bench) -> None:
    first, second, third = (guest(disks=[CHAIN]) for _ in range(3))
    bench.move(first, second, third, bandwidth=SLOW)
    job_in(bench.host, first, Phase.COPYING, Phase.IN_SYNC)
    taken = bench.there / second.images()[0].name
    taken.write_text("somebody else's")
    states = bench.until_ended()
    assert states == {first.name: State.DONE, second.name: State.REFUSED, third.name: State.DONE}
    assert f"{taken} exists already" in bench.message(second)
    assert taken.read_text() == "somebody else's"
    assert is_there(first, bench.there)
    assert is_where_it_was(second)
    assert is_there(third, bench.there)
    assert journal_is_empty(bench.host)


def test_one_that_breaks_off_does_not_stop_the_others(guest: Guests, bench: Bench) -> None:
    first, second = (guest(disks=[CHAIN]) for _ in range(2))
    bench.move(first, bandwidth=SLOWER)
    bench.move(second, bandwidth=SLOW)
    job_in(bench.host, first, Phase.COPYING, Phase.IN_SYNC)
    first.virsh("blockjob", "vda", "--abort")
    assert bench.until_ended() == {first.name: State.CANCELLED, second.name: State.DONE}
    assert is_where_it_was(first)
    assert is_there(second, bench.there)
    assert journal_is_empty(bench.host)


def test_order_pause_and_cancelling(guest: Guests, bench: Bench) -> None:
    first, second, third, fourth = (guest(disks=[CHAIN]) for _ in range(4))
    bench.move(first, bandwidth=SLOWER)
    bench.move(second, third, fourth, bandwidth=SLOW)
    job_in(bench.host, first, Phase.COPYING, Phase.IN_SYNC)
    bench.runner.move(bench.id_of(fourth), -1)
    bench.runner.pause()
    bench.runner.cancel(bench.id_of(second))
    bench.runner.cancel(bench.id_of(first))
    bench.until(lambda queue: not queue.running)
    assert [item.state for item in bench.runner.queue.items] == [
        State.CANCELLED,
        State.CANCELLED,
        State.WAITING,
        State.WAITING,
    ]
    assert journal_is_empty(bench.host)
    assert is_where_it_was(first)
    assert list(bench.there.iterdir()) == []
    bench.runner.resume()
    job_in(bench.host, fourth, Phase.COPYING, Phase.IN_SYNC)
    assert bench.host.state.job(third.uuid, "vda") is None
    states = bench.until_ended()
    assert (states[third.name], states[fourth.name]) == (State.DONE, State.DONE)
    assert is_where_it_was(second)
    assert is_there(third, bench.there)
    assert is_there(fourth, bench.there)


@pytest.mark.parametrize(("how", "speed"), [(How.KEEP_CHAIN, 5), (How.FLATTEN, 20)])
def test_what_others_will_still_write_there_is_no_room(
    guest: Guests, hypervisor: Hypervisor, small: Path, how: How, speed: int
) -> None:
    disk = DiskSpec(size=128 * MIB, layers=2, data=14 * MIB)
    first, second = (guest(disks=[disk], delay=None) for _ in range(2))
    with watched(hypervisor) as host:
        bench = Bench(host, small)
        bench.runner.limit(Limits(per_host=2, per_destination=2))
        bench.runner.pause()
        bench.move(first, second, how=how, bandwidth=speed * MIB)
        bench.runner.resume()
        bench.until(lambda queue: any(item.state.ended for item in queue.items))
        assert "need" in bench.message(second)
        again = host.plan(MoveRequest(second.uuid, str(small), how=how))
        assert any(check.startswith("space") for check in refusals(again))
        (told,) = (f for f in again.findings if f.check == "space-promised")
        assert first.name in told.reason
        states = bench.until_ended()
        assert states == {first.name: State.DONE, second.name: State.REFUSED}
        later = host.plan(MoveRequest(second.uuid, str(small), how=how))
        assert all(f.check != "space-promised" for f in later.findings)
        bench.runner.close()
