"""Guests that go to another host, seen from outside of both: what goes along, and what is changed under way."""

from __future__ import annotations

import json
import shutil
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    command,
    journal_is_empty,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.memory import with_memory
from tests.outside import check, is_writing, virtual_size, wait_for
from tests.test_cli_real import program
from tests.two_hosts import (
    LOOPBACK,
    SLOW,
    as_before,
    current_at,
    definitions,
    directory_at,
    fetches_memory,
    known,
    migration,
    removed_from,
    sends_memory,
    source_at,
    state_at,
    tree_of_two_branches,
)
from tui.engine.control import End
from tui.engine.history import History
from tui.model.finding import Acceptance
from tui.model.hierarchy import arranged, parse_known
from tui.model.history import Result
from tui.model.migrate_request import (
    Convergence,
    CopyStorage,
    MigrationTuneRequest,
    TimeoutAction,
    Tune,
)
from tui.model.migration import MigrationPhase


def told(other: Hypervisor, guest: Guest) -> dict[str, str]:
    """What libvirt says of the last migration of a guest that has arrived."""
    said = other.virsh("domjobinfo", guest.uuid, "--completed", "--keep-completed")
    lines = (line.partition(":") for line in said.splitlines() if ":" in line)
    return {name: " ".join(value.split()) for name, _, value in lines}


def test_all_storage_goes_along(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, tmp_path: Path
) -> None:
    history = History(tmp_path / "history.jsonl")
    made = guest(disks=[DiskSpec(data=4 * MIB), DiskSpec(format="raw")])
    there, maps = directory_at(other, made)
    made.virsh("autostart")
    with watched(hypervisor, history=history) as host, removed_from(other, made):
        outcome = carried_out(host, migration(made, other, maps=maps))
        assert state_at(hypervisor, made) is None
        assert state_at(other, made) == "running"
        new = Path(source_at(other, made) or "")
        assert new.parent == there
        assert source_at(other, made, inactive=True) == str(new)
        assert is_writing(new)
        assert virtual_size(new, "qcow2") == 64 * MIB
        assert new.stat().st_mode & 0o777 == 0o600
        for words in ((), ("--inactive",)):
            assert "urn:virt-mirror" not in other.virsh("dumpxml", *words, made.uuid)
        assert "enable" in [
            line.split()[-1] for line in other.virsh("dominfo", made.uuid).splitlines() if "Autostart" in line
        ]
        checks = {finding.check for finding in outcome.findings}
        assert {"migrated", "arrived", "source-gone", "disk-there", "image-open"} <= checks
        assert "stood still for" in next(f.reason for f in outcome.findings if f.check == "migrated")
        (kept,) = history.read().records
        assert (kept.kind, kept.result, kept.hostname) == ("migrate", Result.DONE, "host-a")
        libvirt = told(other, made)
        assert f"{kept.figures.downtime_ms} ms" == libvirt["Total downtime"]
        assert f"{kept.figures.total_ms} ms" == libvirt["Time elapsed"]
        assert f"{kept.figures.setup_ms} ms" == libvirt["Setup time"]
        assert str(kept.figures.rounds) == libvirt["Iteration"]
        assert kept.figures.memory
        assert kept.figures.still_seconds
        other.virsh("destroy", made.uuid)
        assert check(new) == 0


def test_what_lies_there_is_written_over_only_if_that_is_wished(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made, twin = guest(), guest(running=False)
    there, maps = directory_at(other, made)
    image = there / Path(made.chain()[0]).name
    command("qemu-img", "create", "-q", "-f", "qcow2", str(image), "64M")
    definition = twin.xml(inactive=True).replace(str(twin.images()[0]), str(image))
    document = there / "twin.xml"
    document.write_text(definition)
    with watched(hypervisor) as host, removed_from(other, made), removed_from(other, twin):
        assert refusals(host.plan(migration(made, other, maps=maps))) == {"overwritten"}
        other.virsh("define", document)
        over = frozenset({Acceptance.OVERWRITE_IMAGES})
        asked = migration(made, other, maps=maps, accepted=over)
        with watched(other) as peer:
            assert peer.wait_for(lambda s: s.domain(twin.uuid), timeout=PATIENCE)
        wait_for(lambda: refusals(host.plan(asked)) == {"image-used"}, what="the other host shows it")
        other.virsh("undefine", twin.uuid)
        wait_for(lambda: not refusals(host.plan(asked)), what="the other host shows it no more")
        carried_out(host, asked)
        assert source_at(other, made) == str(image)


def test_on_the_command_line(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    made = guest()
    _there, maps = directory_at(other, made)
    words = ("migrate", made.name, other.uri, "--map", "=".join(maps[0]), "--migrate-uri", LOOPBACK)
    with removed_from(other, made):
        done = program(hypervisor, *words, "--dname", "elsewhere", "--bandwidth", "32", "--yes")
        assert f"{made.name} to host-b" in done.stdout
        assert "copying disks" in done.stdout
        assert "stood still for" in done.stdout
        assert other.virsh("domname", made.uuid).strip() == "elsewhere"
        (kept,) = json.loads(program(hypervisor, "history", made.uuid, "--json").stdout)["history"]
        assert kept["title"] == f"Migrate {made.name} to host-b"
        assert kept["figures"]["downtime_ms"]
        # It was seen being copied.
        assert kept["figures"]["disks"]
    gone = program(hypervisor, *words, "--yes", status=2)
    assert made.name in gone.stderr


def test_snapshots_go_along_on_shared_storage(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = guest()
    tree_of_two_branches(made)
    before = definitions(hypervisor, made)
    assert (len(before), current_at(hypervisor, made)) == (5, "b")
    with watched(hypervisor) as host, removed_from(other, made):
        assert refusals(host.plan(migration(made, other))) == {"unsafe-storage"}
        carried_out(host, migration(made, other, unsafe=True))
        after = definitions(other, made)
        assert known(after) == known(before)
        assert current_at(other, made) == "b"
        tree = arranged(map(parse_known, after.values()))
        assert {name: tree.children[name] for name in ("a", "b", "d")} == {
            "a": ("b", "d"),
            "b": ("c",),
            "d": ("e",),
        }
        assert state_at(hypervisor, made) is None
        assert is_writing(Path(source_at(other, made) or ""))


def test_the_active_layer_alone_goes_onto_what_is_there(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = guest(disks=[DiskSpec(data=4 * MIB, layers=2)])
    made.virsh("snapshot-create-as", "--name", "s1", "--disk-only")
    before = definitions(hypervisor, made)
    there, maps = directory_at(other, made)
    wish = migration(made, other, maps=maps, storage=CopyStorage.INC)
    with watched(hypervisor) as host, removed_from(other, made):
        flat = migration(made, other, maps=maps, storage=CopyStorage.ALL)
        assert refusals(host.plan(flat)) == {"chain-lost"}
        for path in made.chain()[1:]:
            shutil.copy(path, there)
        below = made.chain()[1:]
        for path, base in pairwise(below):
            new = there / Path(path).name
            command(
                "qemu-img",
                "rebase",
                "-u",
                "-f",
                "qcow2",
                "-b",
                str(there / Path(base).name),
                "-F",
                "qcow2",
                str(new),
            )
        carried_out(host, wish)
        assert known(definitions(other, made)) == known(before, maps)
        assert current_at(other, made) == "s1"
        new = Path(source_at(other, made) or "")
        assert new.parent == there
        assert is_writing(new)
        other.virsh("destroy", made.uuid)
        chain = json.loads(command("qemu-img", "info", "--backing-chain", "--output=json", str(new)))
        assert [Path(layer["filename"]).parent for layer in chain] == [there] * 3


def test_a_disk_that_both_have_stays_where_it_is(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = guest(disks=[DiskSpec(), DiskSpec()])
    there, _maps = directory_at(other, made)
    own = made.chain("vda")[0]
    maps = ((own, str(there / "own.qcow2")),)
    with watched(hypervisor) as host, removed_from(other, made):
        plan = accepted(host, migration(made, other, maps=maps, unsafe=True))
        assert [
            getattr(step, "targets", None) for step in plan.steps if type(step).__name__ == "Migrate"
        ] == [("vda",)]
        carried_out(host, migration(made, other, maps=maps, unsafe=True))
        assert source_at(other, made) == str(there / "own.qcow2")
        assert source_at(other, made, "vdb") == str(made.images("vdb")[-1])


def test_states_inside_go_with_shared_storage_only(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = guest()
    made.virsh("snapshot-create-as", "--name", "inside")
    _there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        plan = host.plan(migration(made, other, maps=maps))
        assert refusals(plan) == {"internal-lost"}
        carried_out(host, migration(made, other, unsafe=True))
        assert list(definitions(other, made)) == ["inside"]
        assert current_at(other, made) == "inside"


def test_checkpoints_go_along(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    made = guest()
    for name in ("c1", "c2"):
        made.virsh("checkpoint-create-as", "--name", name)
    _there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        carried_out(host, migration(made, other, maps=maps))
        assert other.virsh("checkpoint-list", made.uuid, "--name").split() == ["c1", "c2"]
        assert "c1" in other.virsh("checkpoint-parent", made.uuid, "c2")
        # An incremental backup is the proof that the bitmaps are there.
        backup = made.directory / "backup.xml"
        target = made.directory / "backup.qcow2"
        backup.write_text(
            f"<domainbackup><incremental>c2</incremental><disks><disk name='vda' type='file'><target file='{target}'/>"
            "<driver type='qcow2'/></disk></disks></domainbackup>"
        )
        other.virsh("backup-begin", made.uuid, backup)
        wait_for(lambda: "None" in other.virsh("domjobinfo", made.uuid) or target.exists(), what="the backup")
        other.virsh("domjobabort", made.uuid, check=False)


def test_what_is_refused(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    made = guest()
    there, maps = directory_at(other, made)
    (old,) = made.chain()
    with watched(hypervisor) as host:
        assert refusals(host.plan(migration(made, hypervisor))) == {"same-host"}
        away = migration(made, other)
        nobody = type(away)(made.uuid, "qemu+unix:///system?socket=/nowhere")
        assert refusals(host.plan(nobody)) == {"host-away"}
        taken = guest(name="taken", hypervisor=other, running=False)
        assert "name-taken" in refusals(host.plan(migration(made, other, maps=maps, name=taken.name)))
        command("qemu-img", "create", "-q", "-f", "qcow2", str(there / Path(old).name), "65M")
        assert refusals(host.plan(migration(made, other, maps=maps))) == {"size-differs"}


@pytest.mark.parametrize("how", ["called back", "daemon killed"])
def test_while_memory_is_sent(hypervisor: Hypervisor, other: Hypervisor, guest: Guests, how: str) -> None:
    made = with_memory(guest, 32 * MIB)
    tree_of_two_branches(made)
    tree = definitions(hypervisor, made)
    with watched(hypervisor) as host, removed_from(other, made):
        run = host.run(accepted(host, migration(made, other, unsafe=True, bandwidth=SLOW)))
        assert host.wait_for(partial(sends_memory, made), timeout=PATIENCE), run.outcome
        if how == "called back":
            run.leave()
        else:
            other.stop_daemon(kill=True)
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        other.start_daemon()
        assert outcome.end is End.FAILED, outcome.message
        assert journal_is_empty(host)
    as_before(made, hypervisor, other, tree, "b")


@pytest.mark.parametrize("action", [TimeoutAction.SUSPEND, TimeoutAction.POSTCOPY])
def test_memory_that_takes_too_long(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, action: TimeoutAction
) -> None:
    """It is paused until its memory is there, or goes on at the other host and fetches the rest."""
    made = with_memory(guest, 32 * MIB)
    convergence = Convergence(postcopy=action is TimeoutAction.POSTCOPY, timeout=1.0, timeout_action=action)
    asked = migration(made, other, unsafe=True, bandwidth=SLOW, convergence=convergence)
    with watched(hypervisor) as host, removed_from(other, made):
        phases: set[MigrationPhase] = set()
        stop = host.subscribe(
            lambda s: phases.update(m.phase for m in s.migrations.values()), lambda _line: None
        )
        run = host.run(accepted(host, asked))
        if action is TimeoutAction.SUSPEND:
            wait_for(lambda: state_at(hypervisor, made) == "paused", timeout=PATIENCE, what="it is paused")
        else:
            wait_for(lambda: state_at(other, made) == "running", timeout=PATIENCE, what="it runs there")
            assert run.outcome is None, "and its memory is not there yet"
        outcome = run.wait(PATIENCE)
        stop()
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert state_at(other, made) == "running"
        assert is_writing(Path(source_at(other, made) or ""))
        assert MigrationPhase.MEMORY in phases
        assert (MigrationPhase.POSTCOPY in phases) is (action is TimeoutAction.POSTCOPY)


def test_changed_while_it_runs(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    made = with_memory(guest, 48 * MIB)
    with watched(hypervisor) as host, removed_from(other, made):
        run = host.run(accepted(host, migration(made, other, unsafe=True, bandwidth=MIB)))
        assert host.wait_for(partial(sends_memory, made), timeout=PATIENCE), run.outcome
        assert refusals(host.plan(MigrationTuneRequest(made.uuid, Tune.POSTCOPY))) == {"no-postcopy"}
        carried_out(host, MigrationTuneRequest(made.uuid, Tune.DOWNTIME, 700))
        assert hypervisor.virsh("migrate-getmaxdowntime", made.uuid).strip() == "700"
        carried_out(host, MigrationTuneRequest(made.uuid, Tune.SUSPEND))
        wait_for(lambda: state_at(hypervisor, made) == "paused", what="it is paused")
        assert run.outcome is None
        carried_out(host, MigrationTuneRequest(made.uuid, Tune.BANDWIDTH, 0))
        outcome = run.wait(PATIENCE / 2)
        assert outcome is not None, "at the old speed it takes longer than that"
        assert outcome.end is End.DONE, outcome.message
        assert state_at(other, made) == "running"


def test_switched_over_before_its_memory_is_there(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = with_memory(guest, 48 * MIB)
    with watched(hypervisor) as host, removed_from(other, made):
        early = Convergence(postcopy=True)
        run = host.run(accepted(host, migration(made, other, unsafe=True, bandwidth=MIB, convergence=early)))
        assert host.wait_for(partial(sends_memory, made), timeout=PATIENCE), run.outcome
        carried_out(host, MigrationTuneRequest(made.uuid, Tune.POSTCOPY))
        assert host.wait_for(partial(fetches_memory, made), timeout=PATIENCE), run.outcome
        assert refusals(host.plan(MigrationTuneRequest(made.uuid, Tune.CALL_BACK))) == {"past-the-switch"}
        carried_out(host, MigrationTuneRequest(made.uuid, Tune.BANDWIDTH, 0))
        outcome = run.wait(PATIENCE / 2)
        assert outcome is not None, "at the old speed it takes longer than that"
        assert outcome.end is End.DONE, outcome.message
        assert state_at(other, made) == "running"
