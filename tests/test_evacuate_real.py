"""Guests that go to another host by a queue, seen from outside of both."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.engine import PATIENCE, command, journal_is_empty, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import is_writing, wait_for
from tests.queued import Queued
from tests.test_cli_real import ROOT, program, words
from tests.test_migrate_layers_real import DISK
from tests.two_hosts import LOOPBACK, SLOW, directory_at, migration, removed_from, source_at, state_at
from tui.model.host import HostState
from tui.model.migrate_request import CopyStorage
from tui.model.queue import Limits, State


class Evacuation(Queued):
    """Guests that leave a host for another one, each with a directory of its own there."""

    def __init__(self, hypervisor: Hypervisor, other: Hypervisor, stack: ExitStack) -> None:
        super().__init__(stack.enter_context(watched(hypervisor)))
        self._stack = stack
        self._other = other
        self.hypervisor = hypervisor
        self.places: dict[str, Path] = {}

    def migrate(self, *guests: Guest, **more: Any) -> None:
        maps = {guest.name: ((str(guest.directory), str(self.place(guest))),) for guest in guests}
        self.add(*(migration(guest, self._other, maps=maps[guest.name], **more) for guest in guests))

    def place(self, guest: Guest) -> Path:
        """Made for its images at the other host, where nothing of it is left at the end."""
        self._stack.enter_context(removed_from(self._other, guest))
        self.places[guest.name], _maps = directory_at(self._other, guest)
        return self.places[guest.name]

    def until_on_its_way(self, guest: Guest) -> None:
        def there(state: HostState) -> bool | None:
            return guest.uuid in state.migrations or None

        assert self.host.wait_for(there, timeout=PATIENCE)

    def has_arrived(self, guest: Guest) -> bool:
        image = Path(source_at(self._other, guest) or "")
        gone = state_at(self.hypervisor, guest) is None
        return gone and image.parent == self.places[guest.name] and is_writing(image)

    def has_stayed(self, guest: Guest) -> bool:
        wait_for(lambda: state_at(self._other, guest) is None, what="nothing of it is there")
        return not list(self.places[guest.name].iterdir()) and is_writing(Path(guest.chain()[0]))


@pytest.fixture
def evacuation(hypervisor: Hypervisor, other: Hypervisor) -> Iterator[Evacuation]:
    with ExitStack() as stack:
        made = Evacuation(hypervisor, other, stack)
        stack.callback(made.runner.close)
        yield made


def test_one_after_the_other_and_what_cannot_go_does_not_stop_the_rest(
    guest: Guests, evacuation: Evacuation
) -> None:
    first, second, third = (guest(disks=[DiskSpec(data=4 * MIB)]) for _ in range(3))
    together: list[set[str]] = []
    evacuation.host.subscribe(lambda state: together.append(set(state.migrations)), lambda _line: None)
    evacuation.migrate(first, second, third)
    (evacuation.places[second.name] / Path(second.chain()[0]).name).write_text("somebody else's")
    states = evacuation.until_ended()
    assert states == {first.name: State.DONE, second.name: State.REFUSED, third.name: State.DONE}
    assert max(map(len, together)) == 1
    assert evacuation.message(second)
    assert evacuation.has_arrived(first)
    assert evacuation.has_arrived(third)
    assert is_writing(Path(second.chain()[0]))
    assert journal_is_empty(evacuation.host)


@pytest.mark.parametrize("p2p", [False, True])
def test_order_and_letting_go(guest: Guests, evacuation: Evacuation, p2p: bool) -> None:  # noqa: FBT001
    first, second, third = (guest(disks=[DiskSpec(data=data * MIB)]) for data in (16, 1, 1))
    evacuation.migrate(first, bandwidth=SLOW, p2p=p2p)
    evacuation.migrate(second, third, p2p=p2p)
    evacuation.until_on_its_way(first)
    evacuation.runner.move(evacuation.id_of(third), -1)
    evacuation.runner.cancel(evacuation.id_of(second))
    evacuation.runner.cancel(evacuation.id_of(first))
    states = evacuation.until_ended()
    assert states == {first.name: State.CANCELLED, second.name: State.CANCELLED, third.name: State.DONE}
    assert evacuation.has_stayed(first)
    assert evacuation.has_stayed(second)
    assert evacuation.has_arrived(third)
    assert journal_is_empty(evacuation.host)


def test_two_at_once_that_stand_on_one_base(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, evacuation: Evacuation
) -> None:
    """The second is planned as soon as the first has begun, which no journal tells of yet."""
    first = guest(disks=[DiskSpec(layers=2, data=8 * MIB)])
    base, top = first.images()
    overlay = first.directory / "second.qcow2"
    command("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(overlay))
    second = guest(disks=[DISK.format(path=overlay)])
    there = evacuation.place(first)
    inc = {"maps": ((str(first.directory), str(there)),), "storage": CopyStorage.INC, "bandwidth": SLOW}
    evacuation.runner.limit(Limits(per_host=2, per_destination=2))
    with removed_from(other, second):
        evacuation.add(*(migration(one, other, **inc) for one in (first, second)))
        states = evacuation.until_ended()
        assert states == {first.name: State.DONE, second.name: State.DONE}, evacuation.runner.queue
        assert source_at(other, first) == str(there / top.name)
        assert source_at(other, second) == str(there / overlay.name)
        assert state_at(hypervisor, second) is None
        assert {path.name for path in there.iterdir()} == {base.name, top.name, overlay.name}
    assert journal_is_empty(evacuation.host)


def test_what_another_will_still_write_there_is_no_room(
    other: Hypervisor, guest: Guests, evacuation: Evacuation
) -> None:
    small = other.small
    if small is None:
        pytest.skip("only root can mount a file system that the host sees as well")
    first, second = (guest(disks=[DiskSpec(size=32 * MIB, data=12 * MIB)], delay=None) for _ in range(2))
    wishes = [
        migration(one, other, maps=((str(one.directory), str(small)),), bandwidth=SLOW)
        for one in (first, second)
    ]
    evacuation.runner.limit(Limits(per_host=2, per_destination=2))
    image = small / first.images()[0].name
    try:
        with removed_from(other, first), removed_from(other, second):
            evacuation.add(*wishes)
            states = evacuation.until_ended()
            assert states == {first.name: State.DONE, second.name: State.REFUSED}
            assert "can take" in evacuation.message(second)
            later = evacuation.host.plan(wishes[1])
            assert all(finding.check != "space-promised" for finding in later.findings)
            assert list(small.iterdir()) == [image]
    finally:
        image.unlink(missing_ok=True)


def options(evacuation: Evacuation, *guests: Guest) -> list[str]:
    """How the command line says where the images go."""
    words = ["--migrate-uri", LOOPBACK, "--yes"]
    for guest in guests:
        words += ["--map", f"{guest.directory}={evacuation.place(guest)}"]
    return words


def test_the_command_takes_all_that_run(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, evacuation: Evacuation
) -> None:
    first, second, stays = guest(), guest(), guest()
    off = guest(running=False)
    words = options(evacuation, first, second, stays)
    (evacuation.places[second.name] / Path(second.chain()[0]).name).write_text("somebody else's")
    dry = program(hypervisor, "evacuate", other.uri, *words, "--dry-run", status=3)
    assert f"✗ {second.name}  stays: " in dry.stdout
    assert f"Migrate {first.name} to host-b" in dry.stdout
    assert off.name not in dry.stdout
    assert state_at(other, first) is None
    done = program(hypervisor, "evacuate", other.uri, *words, "--except", stays.name, "--json", status=3)
    document = json.loads(done.stdout)
    assert [plan["domain"] for plan in document["plans"]] == [first.name, second.name]
    assert [(item["domain"], item["state"]) for item in document["items"]] == [(first.name, "done")]
    assert f"{first.name} to host-b" in done.stderr
    assert evacuation.has_arrived(first)
    assert is_writing(Path(second.chain()[0]))
    assert is_writing(Path(stays.chain()[0]))


def test_an_evacuation_that_is_interrupted(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, evacuation: Evacuation
) -> None:
    first, second = (guest(disks=[DiskSpec(data=16 * MIB)]) for _ in range(2))
    order = (second.name, first.name)
    limit = (*options(evacuation, first, second), "--bandwidth", "1")
    process = subprocess.Popen(
        words(hypervisor, "evacuate", other.uri, *order, *limit),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: state_at(other, second), what="the first one is on its way")
    assert state_at(other, first) is None
    os.kill(process.pid, signal.SIGINT)
    said, complained = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 130, complained
    assert f"{first.name}: cancelled" in complained
    assert f"{second.name}: cancelled" in complained
    assert "0 of 2 have gone" in said
    assert evacuation.has_stayed(first)
    assert evacuation.has_stayed(second)
    assert journal_is_empty(evacuation.host)
