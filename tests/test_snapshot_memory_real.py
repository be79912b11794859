"""Snapshots with the memory of a guest in a file, on a real host: what that is worth, and that the guest goes on."""

from __future__ import annotations

import json
import os
import shlex
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    command,
    cut_off,
    journal_is_empty,
    refusals,
    watched,
)
from tests.hypervisor import MIB
from tests.memory import with_memory
from tests.outside import is_writing, wait_for
from tests.test_cli_real import program
from tui.engine.control import End
from tui.model.hierarchy import parse_known
from tui.model.methods import Method, Wish
from tui.model.mirrored_snapshot import Kind
from tui.model.request import LiveSnapshotRequest, RecoverRequest

KIB = 1024

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.guests import Guest, Guests
    from tests.hypervisor import Hypervisor
    from tui.engine.host import Host


def wish(guest: Guest, memory: Path, **more: object) -> LiveSnapshotRequest:
    return LiveSnapshotRequest(guest.uuid, "s1", memory=str(memory), **more)  # type: ignore[arg-type]


@contextmanager
def slow(place: Path) -> Iterator[None]:
    """What is written there goes slowly: it is a pipe, of which a little is read every now and then."""
    os.mkfifo(place)
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    enough = threading.Event()

    def read() -> None:
        while not enough.wait(0.1):
            with suppress(BlockingIOError):
                os.read(reader, 64 * KIB)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
        os.close(reader)


def taken_back(guest: Guest, host: Host, old: list[str]) -> None:
    wait_for(lambda: guest.state() == "running", what="the guest goes on")
    assert guest.chain() == old
    assert is_writing(Path(old[0]))
    assert guest.virsh("snapshot-list", "--name").split() == []
    assert journal_is_empty(host)


def test_the_guest_can_be_had_back_as_it_was(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest()
    (old,) = made.chain()
    memory = made.directory / "memory,of [s1]"
    spec = f"file={str(memory).replace(',', ',,')}"
    done = program(
        hypervisor, "snapshot", "create", made.name, "s1", "--memspec", spec, "--validate", "--yes", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert made.state() == "running"
    found = {f["check"]: f["reason"] for f in json.loads(done.stdout)["outcome"]["findings"]}
    assert "stood still for" in found["memory-held"]
    known = parse_known(made.virsh("snapshot-dumpxml", "s1"))
    assert (known.memory, known.memory_file) == (Kind.EXTERNAL, str(memory))
    assert is_writing(Path(made.chain()[0])), "it went on"
    held = memory.read_bytes()

    again = program(hypervisor, "snapshot", "create", made.name, "s2", "--memspec", spec, "--yes", status=3)
    assert "is a file already" in again.stderr + again.stdout
    assert memory.read_bytes() == held, "libvirt would have written over it"

    made.virsh("destroy")
    overlay = made.directory / "back.qcow2"
    command("qemu-img", "create", "-q", "-f", "qcow2", "-b", old, "-F", "qcow2", str(overlay))
    then = made.directory / "then.xml"
    then.write_text(made.hypervisor.virsh("save-image-dumpxml", memory).replace(old, str(overlay)))
    made.hypervisor.virsh("restore", memory, "--xml", then, "--running")
    assert made.state() == "running"
    assert is_writing(overlay), "what ran then runs again"


def test_it_stands_still_no_longer_than_it_may(hypervisor: Hypervisor, guest: Guests) -> None:
    made = with_memory(guest, 16 * MIB)
    old, memory = made.chain(), made.directory / "memory"
    with watched(hypervisor) as host:
        plan = accepted(host, wish(made, memory, pause=True, limit=3.0))
        with slow(memory):
            run = host.run(plan)
            wait_for(lambda: made.state() == "paused", what="the guest stands still for its memory")
            outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert "not written within 3 s; the guest goes on" in outcome.message
        taken_back(made, host, old)


def test_who_leaves_waits_for_no_memory(hypervisor: Hypervisor, guest: Guests) -> None:
    made = with_memory(guest, 16 * MIB)
    old, memory = made.chain(), made.directory / "memory"
    with watched(hypervisor) as host:
        plan = accepted(host, wish(made, memory))
        with slow(memory):
            run = host.run(plan)
            told = host.wait_for(lambda s: s.files.get(str(memory)), timeout=PATIENCE)
            assert told is not None, "how far it is was not told"
            assert 0 < told[0] < told[1]
            assert made.state() == "running", "it goes on while its memory is written"
            left = threading.Thread(target=run.leave)
            left.start()
            outcome = run.wait(PATIENCE)
            left.join()
        assert outcome is not None
        assert outcome.end is End.LEFT, outcome.message
    with watched(hypervisor) as host:
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        taken_back(made, host, old)
    assert memory.is_fifo(), "it was there before libvirt opened it"


def test_killed_after_it_was_taken(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest()
    old, memory = made.chain(), made.directory / "memory"
    cut_off(made, {"uuid": made.uuid, "name": "s1", "methods": {}, "memory": str(memory)}, 0, "after")
    assert memory.stat().st_size > 0
    with watched(hypervisor) as host:
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        taken_back(made, host, old)
    assert not memory.exists()


def test_what_cannot_be_is_refused(hypervisor: Hypervisor, guest: Guests) -> None:
    made = guest()
    with watched(hypervisor) as host:
        assert refusals(host.plan(wish(made, made.directory / "no" / "memory"))) == {"directory-missing"}
        full = host.plan(wish(made, Path("/proc/memory")))
        assert full.refused


@pytest.mark.parametrize("memory", [False, True], ids=["disks alone", "with the memory"])
def test_overlays_that_are_there_already_and_no_record(
    hypervisor: Hypervisor, guest: Guests, *, memory: bool
) -> None:
    made = guest()
    (old,) = made.chain()
    overlay, held = made.directory / "mine.qcow2", made.directory / "memory"
    command("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", old, "-F", "qcow2", str(overlay), "64M")
    asked = LiveSnapshotRequest(
        made.uuid,
        "s1",
        disks=(Wish("vda", Method.QEMU, str(overlay)),),
        memory=str(held) if memory else None,
        metadata=False,
        reuse_external=True,
    )
    with watched(hypervisor) as host:
        assert refusals(host.plan(replace(asked, reuse_external=False))) == {"destination-exists"}
        plan = host.plan(asked)
        carried_out(host, asked)
        assert journal_is_empty(host)
    assert made.chain() == [str(overlay), old]
    assert made.state() == "running"
    assert is_writing(overlay)
    assert held.exists() == memory
    assert made.virsh("snapshot-list", "--name").split() == []
    (undo,) = [value for name, value in plan.facts if name == "undo"]
    words = shlex.split(undo)
    assert words[0] == "virt-mirror"
    program(hypervisor, *words[1:], "--yes")
    assert made.chain() == [old]
    assert is_writing(Path(old))
    assert overlay.exists()
