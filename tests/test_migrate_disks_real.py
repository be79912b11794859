"""Disks that are copied while their guest goes to another host, seen from outside of both."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

from tests.engine import PATIENCE, accepted, carried_out, log_of, refusals, watched
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.memory import with_memory
from tests.outside import wait_for
from tests.test_cli_real import program
from tests.two_hosts import as_before, directory_at, migration, removed_from, state_at, until
from tui.engine.control import End
from tui.model.migrate_request import Convergence, MigrationTuneRequest, TimeoutAction, Tune
from tui.model.migration import Migration, MigrationPhase

if TYPE_CHECKING:
    pass

DISKS = (DiskSpec(size=2 * MIB, data=0), DiskSpec(size=MIB, data=0))
"""Copied at once, whatever the limit, and then only as often as that lets the changed parts go."""
CRAWL = MIB // 8


def outrunning(guest: Guests) -> Guest:
    """A guest that writes its first disk faster than it is copied with 1 MiB/s."""
    return guest(disks=DISKS, delay=0, walk=1)


def limit(guest: Guest, speed: int) -> None:
    """Have QEMU copy its first disk with so many bytes a second.

    On a busy machine an emulated guest may write less than 1 MiB/s, which is the lowest that libvirt takes.
    """
    job = {"device": "drive-virtio-disk0", "speed": speed}
    asked = json.dumps({"execute": "block-job-set-speed", "arguments": job})
    assert "error" not in guest.virsh("qemu-monitor-command", asked)


def in_sync(migration: Migration) -> dict[str, bool]:
    return {disk.target: disk.in_sync for disk in migration.disks}


def ready(guest: Guest) -> dict[str, bool]:
    """The same as QEMU has it."""
    told = json.loads(guest.virsh("qemu-monitor-command", '{"execute": "query-block-jobs"}'))["return"]
    names = {"drive-virtio-disk0": "vda", "drive-virtio-disk1": "vdb"}
    return {names[job["device"]]: job["ready"] for job in told}


def test_a_guest_that_outruns_its_disk(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    """Each disk tells of itself, to who leads the migration and to who looks on; and a pause brings it there."""
    made = outrunning(guest)
    _there, maps = directory_at(other, made)
    with (
        watched(hypervisor) as host,
        watched(hypervisor, read_only=True) as second,
        removed_from(other, made),
    ):
        run = host.run(accepted(host, migration(made, other, maps=maps, bandwidth=MIB)))
        seen = until(host, made, lambda m: in_sync(m) == {"vda": False, "vdb": True})
        assert seen.led
        assert [disk.limit for disk in seen.disks] == [MIB, MIB]
        limit(made, CRAWL)
        assert "vdb in sync" in seen.words
        theirs = until(second, made, lambda m: in_sync(m) == {"vda": False, "vdb": True})
        assert not theirs.led
        seen = until(host, made, lambda m: bool(m.outrun))
        assert [disk.target for disk in seen.outrun] == ["vda"]
        assert seen.phase is MigrationPhase.DISKS
        assert seen.seconds is None
        until(second, made, lambda m: bool(m.outrun))
        (told,) = json.loads(program(hypervisor, "jobs", "--json").stdout)["migrations"]
        assert (told["to"], told["phase"]) == ("host-b", "copying disks")
        assert {disk["target"]: disk["in_sync"] for disk in told["disks"]} == {"vda": None, "vdb": None}
        assert ready(made) == {"vda": False, "vdb": True}

        assert refusals(host.plan(MigrationTuneRequest(made.uuid, Tune.CALL_BACK))) == set()
        carried_out(host, MigrationTuneRequest(made.uuid, Tune.BANDWIDTH, 64 * MIB))
        assert f"bandwidth={CRAWL}\n" in made.virsh("blockjob", "vda", "--raw", "--bytes"), (
            "it is for the memory"
        )
        limit(made, 4 * MIB)
        carried_out(host, MigrationTuneRequest(made.uuid, Tune.SUSPEND))
        paused = until(host, made, lambda m: m.paused)
        assert not paused.outruns
        until(host, made, lambda m: in_sync(m) == {"vda": True, "vdb": True})
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert state_at(other, made) == "running"
        assert second.wait_for(lambda s: None if s.migrations else True, timeout=PATIENCE)


def test_another_program_changes_it_and_calls_it_back(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    """What copies its disks is nobody's mirror, and the commands for a domain on its way are for all of it."""
    made = guest(disks=[DiskSpec(size=256 * MIB, data=192 * MIB)])
    there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        plan = accepted(host, migration(made, other, maps=maps, bandwidth=MIB))
        cancel = f"virt-mirror -c '{hypervisor.uri}' cancel {made.name}"
        assert f"{cancel}, or interrupt it" in dict(plan.facts)["undo"]
        run = host.run(plan)
        until(host, made, lambda m: bool(m.disks))
        for words, right in (
            (("pivot", made.name), cancel),
            (("cancel", made.name, "vda"), cancel),
            (("speed", made.name, "vda", "20"), f"speed {made.name} MIB"),
        ):
            said = program(hypervisor, *words, "--yes", status=3).stderr
            assert (
                f"{made.name} is on its way to host-b, and what copies its disks is a part of that." in said
            )
            assert said.rstrip().endswith(right)
        assert not until(host, made, lambda m: bool(m.disks)).paused

        program(hypervisor, "speed", made.name, "3", "--yes")
        assert made.virsh("migrate-getspeed").strip() == "3"
        program(hypervisor, "tune", made.name, "--max-downtime", "700", "--yes")
        assert made.virsh("migrate-getmaxdowntime").strip() == "700"
        program(hypervisor, "cancel", made.name, "--yes")
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.cancelled, outcome.message
    as_before(made, hypervisor, other, {}, None)
    assert list(there.iterdir()) == []


def test_paused_on_its_way_it_still_comes_back(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    # Once it is paused its disks are there soon, and its memory takes half a minute.
    made = with_memory(guest, 32 * MIB, disks=DISKS, delay=0, walk=1)
    _there, maps = directory_at(other, made)
    asked = migration(
        made,
        other,
        maps=maps,
        bandwidth=MIB,
        convergence=Convergence(timeout=0.5, timeout_action=TimeoutAction.SUSPEND),
    )
    with watched(hypervisor) as host, removed_from(other, made):
        run = host.run(accepted(host, asked))
        seen = until(host, made, lambda m: m.paused)
        assert seen.phase is not MigrationPhase.SWITCHING
        assert state_at(hypervisor, made) == "paused"
        carried_out(host, MigrationTuneRequest(made.uuid, Tune.CALL_BACK))
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.cancelled, outcome.message
    wait_for(lambda: state_at(hypervisor, made) == "running", what="the guest goes on here")


def test_it_is_switched_over_late_once_its_disks_are_there(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = with_memory(guest, 24 * MIB, disks=[DiskSpec(size=32 * MIB, data=24 * MIB)], delay=None)
    _there, maps = directory_at(other, made)
    late = Convergence(postcopy=True, timeout=0.1, timeout_action=TimeoutAction.POSTCOPY)
    with watched(hypervisor) as host, watched(other) as destination, removed_from(other, made):
        stands: list[str] = []
        destination.subscribe(
            lambda s: stands.extend(d.standing for d in s.domains if d.uuid == made.uuid), lambda _line: None
        )
        lines = log_of(host)
        phases: list[MigrationPhase] = []
        host.subscribe(lambda s: phases.extend(m.phase for m in s.migrations.values()), lambda _line: None)
        run = host.run(accepted(host, migration(made, other, maps=maps, bandwidth=6 * MIB, convergence=late)))
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert destination.wait_for(
            lambda s: True if (d := s.domain(made.uuid)) and d.standing == "running" else None,
            timeout=PATIENCE,
        )
        assert [standing for standing, _times in groupby(stands)] == ["arriving from host-a", "running"]
    assert phases.index(MigrationPhase.DISKS) < phases.index(MigrationPhase.POSTCOPY)
    said = [line.text for line in lines if "is not there within" in line.text]
    assert [words.rpartition(": ")[2] for words in said] == [
        "it is switched over as soon as its disks are in sync.",
        "it is switched over now.",
    ]
