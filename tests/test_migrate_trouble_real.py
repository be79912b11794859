"""Guests that do not get to another host: called back, too late, or somebody died; nothing is lost or left."""

from __future__ import annotations

import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    cut_off,
    journal_is_empty,
    log_of,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.memory import with_memory
from tests.outside import allocated, is_writing, wait_for
from tests.test_cli_real import ROOT, program, words
from tests.two_hosts import (
    LOOPBACK,
    SLOW,
    as_before,
    copies_disks,
    current_at,
    definitions,
    directory_at,
    known,
    migration,
    removed_from,
    sends_memory,
    source_at,
    state_at,
    tree_of_two_branches,
)
from tui.engine.control import End
from tui.model import journal
from tui.model.abandoned import abandoned
from tui.model.finding import Acceptance
from tui.model.host import HostState
from tui.model.migrate_request import (
    Convergence,
    MigrationTuneRequest,
    TimeoutAction,
    Tune,
)
from tui.model.migrate_steps import Migrate
from tui.model.request import RecoverRequest


@pytest.mark.parametrize("p2p", [False, True], ids=["led", "by the hosts"])
def test_called_back_by_a_plan(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, *, p2p: bool
) -> None:
    made = guest(disks=[DiskSpec(data=16 * MIB)])
    there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        run = host.run(accepted(host, migration(made, other, maps=maps, bandwidth=SLOW, p2p=p2p)))
        # At once: libvirt may not have begun yet.
        assert host.wait_for(lambda s: s.migrations.get(made.uuid), timeout=PATIENCE), run.outcome
        carried_out(host, MigrationTuneRequest(made.uuid, Tune.CALL_BACK))
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.cancelled, outcome.message
        assert journal_is_empty(host)
        assert refusals(host.plan(MigrationTuneRequest(made.uuid, Tune.CALL_BACK))) == {"not-migrating"}
    as_before(made, hypervisor, other, {}, None)
    assert list(there.iterdir()) == []


def test_another_program_looks_on_for_long(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal gives no sign of life on the way, and yet it is known that it goes on."""
    made = guest(disks=[DiskSpec(size=256 * MIB, data=192 * MIB)])
    there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        run = host.run(accepted(host, migration(made, other, maps=maps, bandwidth=MIB)))
        assert host.wait_for(partial(copies_disks, made), timeout=PATIENCE), run.outcome
        monkeypatch.setattr(journal, "STALE_AFTER", 0.0)
        with watched(hypervisor) as onlooker, watched(other) as destination:
            assert [entry.stale(onlooker.clock()) for entry in onlooker.state.entries] == [True]
            seen = onlooker.state.migrations[made.uuid]
            assert not seen.led

            def gone_on(state: HostState) -> bool | None:
                (now,) = state.migrations[made.uuid].disks
                return True if len(now.samples) > 2 else None

            assert onlooker.wait_for(gone_on, timeout=PATIENCE)
            assert abandoned(onlooker.state) == ()
            assert {f.check for f in onlooker.examine(made.uuid)} & {"plan-interrupted"} == set()

            arriving = destination.state.domain(made.uuid)
            assert arriving is not None
            assert arriving.arriving_from == "host-a"
            assert [entry.stale(destination.clock()) for entry in destination.state.entries] == [True]
            assert abandoned(destination.state) == ()
            assert {f.check for f in destination.examine(made.uuid)} == {"plan-in-progress"}
            for undo in (False, True):
                plan = destination.plan(RecoverRequest(made.uuid, undo=undo))
                assert [finding.check for finding in plan.findings] == ["arriving"]
            assert program(other, "jobs").stdout == "No jobs.\n"
            assert f"{made.name}  arriving from host-a" in program(other, "list", made.name).stdout
            assert "is arriving from host-a" in program(other, "resume", made.name, "--yes", status=3).stderr

            run.leave()
            assert run.wait(PATIENCE)
            assert onlooker.wait_for(lambda s: True if not s.migrations else None, timeout=PATIENCE)
            assert destination.wait_for(
                lambda s: True if s.domain(made.uuid) is None else None, timeout=PATIENCE
            )
            assert journal_is_empty(onlooker)
    as_before(made, hypervisor, other, {}, None)
    assert list(there.iterdir()) == []


@pytest.mark.parametrize("branches", [False, True], ids=["alone", "with snapshots"])
def test_called_back_while_disks_are_copied(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, *, branches: bool
) -> None:
    made = guest(disks=[DiskSpec(data=16 * MIB)])
    if branches:
        tree_of_two_branches(made)
    tree, current = definitions(hypervisor, made), current_at(hypervisor, made)
    there, maps = directory_at(other, made)
    lose = frozenset({Acceptance.LOSE_SNAPSHOTS})
    with watched(hypervisor) as host, removed_from(other, made):
        run = host.run(accepted(host, migration(made, other, maps=maps, bandwidth=SLOW, accepted=lose)))
        assert host.wait_for(partial(copies_disks, made), timeout=PATIENCE), run.outcome
        assert not host.state.active_jobs, "what belongs to a migration is nobody's mirror"
        run.leave()
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.cancelled, outcome.message
        assert journal_is_empty(host)
        assert host.state.migrations == {}
    as_before(made, hypervisor, other, tree, current)
    assert list(there.iterdir()) == []


def test_left_before_the_hosts_talk_to_each_other(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    """Nobody would call back what they do by themselves."""
    made = guest()
    there, maps = directory_at(other, made)
    with watched(hypervisor) as host, removed_from(other, made):
        run = host.run(accepted(host, migration(made, other, maps=maps, p2p=True)))
        run.leave()
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.cancelled, outcome.message
        assert journal_is_empty(host)
    as_before(made, hypervisor, other, {}, None)
    assert list(there.iterdir()) == []


def test_the_command_is_interrupted_before_the_hosts_talk_to_each_other(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = guest(disks=[DiskSpec(layers=2, data=24 * MIB)])
    there, maps = directory_at(other, made)
    ((before, after),) = maps
    options = ("--map", f"{before}={after}", "--copy-storage", "inc", "--bandwidth", "1", "--p2p", "--yes")
    command = words(hypervisor, "migrate", made.name, other.uri, "--migrate-uri", LOOPBACK, *options)
    with (
        removed_from(other, made),
        subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process,
    ):
        layer = there / made.images()[0].name
        wait_for(lambda: layer.exists() and allocated(layer) > MIB, PATIENCE, "its layer is being copied")
        process.send_signal(signal.SIGINT)
        _said, complained = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert f"The migration of {made.name} was called back." in complained
    as_before(made, hypervisor, other, {}, None)
    assert list(there.iterdir()) == []


def test_it_takes_too_long(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    made = guest(disks=[DiskSpec(data=16 * MIB)])
    there, maps = directory_at(other, made)
    slow = Convergence(timeout=0.5, timeout_action=TimeoutAction.ABORT)
    with watched(hypervisor) as host, removed_from(other, made):
        wish = migration(made, other, maps=maps, bandwidth=SLOW, convergence=slow)
        outcome = carried_out(host, wish, End.FAILED)
        assert "within 0.5 s; it was called back" in outcome.message
        assert journal_is_empty(host)
    as_before(made, hypervisor, other, {}, None)
    assert list(there.iterdir()) == []


def test_the_other_daemon_dies(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    """It ends what was arriving when it is back, long before the disk can be there."""
    made = guest(disks=[DiskSpec(data=16 * MIB)])
    tree_of_two_branches(made)
    tree = definitions(hypervisor, made)
    there, maps = directory_at(other, made)
    lose = frozenset({Acceptance.LOSE_SNAPSHOTS})
    with watched(hypervisor) as host, removed_from(other, made):
        run = host.run(accepted(host, migration(made, other, maps=maps, bandwidth=SLOW, accepted=lose)))
        assert host.wait_for(partial(copies_disks, made), timeout=PATIENCE), run.outcome
        other.restart(kill=True)
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED, outcome.message
        assert not outcome.cancelled, outcome.message
        assert journal_is_empty(host), outcome.message
    as_before(made, hypervisor, other, tree, "b")
    assert list(there.iterdir()) == []


KILLED = [(0, "before"), (0, "after"), (1, "inside"), (1, "after"), (2, "before"), (2, "inside")]


@pytest.mark.parametrize("undo", [True, False], ids=["undo", "resume"])
@pytest.mark.parametrize(("number", "when"), KILLED)
def test_killed_on_this_side(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, number: int, when: str, *, undo: bool
) -> None:
    """An image is made there (0), snapshots are set aside (1), and the guest goes (2)."""
    made = guest(disks=[DiskSpec(data=8 * MIB)])
    made.virsh("snapshot-create-as", "--name", "inside")
    made.virsh("snapshot-create-as", "--name", "more")
    tree = definitions(hypervisor, made)
    there, maps = directory_at(other, made)
    wish = {"uuid": made.uuid, "destination": other.uri, "maps": maps, "bandwidth": 4 * SLOW, "lose": True}
    with removed_from(other, made):
        cut_off(made, wish, number, when)
        # Nobody looks, and yet it is called back: libvirt would send it on to where nobody starts it.
        wait_for(lambda: state_at(other, made) is None, timeout=PATIENCE, what="nothing of it is there")
        wait_for(lambda: state_at(hypervisor, made) == "running", what="the guest goes on")
        assert is_writing(Path(made.chain()[0]))
        with watched(hypervisor) as host:
            # libvirtd takes a moment to see that nobody leads the migration any more.
            wait_for(lambda: refusals(host.plan(RecoverRequest(made.uuid, undo=undo))) != {"migrating"})
            carried_out(host, RecoverRequest(made.uuid, undo=undo))
            assert journal_is_empty(host)
        if undo:
            as_before(made, hypervisor, other, tree, "more")
            assert list(there.iterdir()) == []
            return
        assert state_at(other, made) == "running"
        assert state_at(hypervisor, made) is None
        assert known(definitions(other, made)) == known(tree, maps)
        assert current_at(other, made) == "more"


@pytest.mark.parametrize(("number", "when"), [(2, "after"), (3, "inside"), (3, "after"), (4, "before")])
def test_killed_on_the_other_side(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, number: int, when: str
) -> None:
    """The guest has gone (2), its snapshots are known (3), and that is proved (4): the plan is there, and not here."""
    made = guest()
    made.virsh("snapshot-create-as", "--name", "inside")
    made.virsh("snapshot-create-as", "--name", "more")
    tree = definitions(hypervisor, made)
    _there, maps = directory_at(other, made)
    wish = {"uuid": made.uuid, "destination": other.uri, "maps": maps, "lose": True}
    with removed_from(other, made):
        cut_off(made, wish, number, when)
        assert state_at(hypervisor, made) is None
        with watched(other) as host:
            assert refusals(host.plan(RecoverRequest(made.uuid, undo=True))) == {"past-the-switch"}
            carried_out(host, RecoverRequest(made.uuid, undo=False))
            assert journal_is_empty(host)
        assert state_at(other, made) == "running"
        assert known(definitions(other, made)) == known(tree, maps)
        assert current_at(other, made) == "more"


@pytest.mark.parametrize("how", ["undo", "resume", "by the hosts"])
def test_killed_while_memory_is_sent(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, how: str
) -> None:
    """Its snapshots are in the journal alone, and all its layers there; hosts that talk to each other go on with it."""
    made = with_memory(guest, 32 * MIB, disks=[DiskSpec(data=MIB)], delay=20)
    tree_of_two_branches(made)
    tree = definitions(hypervisor, made)
    there, maps = directory_at(other, made)
    undo, led = how == "undo", how != "by the hosts"
    with watched(hypervisor) as host:
        steps = accepted(host, migration(made, other, maps=maps, p2p=not led)).steps
    wish = {"uuid": made.uuid, "destination": other.uri, "maps": maps, "bandwidth": SLOW, "p2p": not led}
    with removed_from(other, made):
        cut_off(made, wish, [isinstance(step, Migrate) for step in steps].index(True), "memory")
        if led:
            wait_for(lambda: state_at(other, made) is None, what="nothing of it is there")
            wait_for(lambda: state_at(hypervisor, made) == "running", what="the guest goes on")
            assert is_writing(Path(made.chain()[0]))
            assert definitions(hypervisor, made) == {}
        else:
            # It may be there by now.
            made.virsh("migrate-setspeed", "1000", check=False)
            wait_for(lambda: state_at(hypervisor, made) is None, what="the guest goes over")
        with watched(hypervisor if led else other) as host:
            # libvirtd takes a moment to see that nobody leads the migration any more.
            found = host.wait_for(lambda s: abandoned(s) or None, timeout=PATIENCE)
            assert found is not None
            assert [entry.title for entry in found] == [f"Migrate {made.name} to host-b"]
            wait_for(
                lambda: not refusals(host.plan(RecoverRequest(made.uuid, undo=undo))), what="its end is seen"
            )
            assert "plan-interrupted" in {finding.check for finding in host.examine(made.uuid)}
            run = host.run(accepted(host, RecoverRequest(made.uuid, undo=undo)))
            if how == "resume":
                assert host.wait_for(partial(sends_memory, made), timeout=PATIENCE), run.outcome
                carried_out(host, MigrationTuneRequest(made.uuid, Tune.BANDWIDTH, 0))
            outcome = run.wait(PATIENCE)
            assert outcome is not None
            assert outcome.end is End.DONE, outcome.message
            assert journal_is_empty(host)
        if undo:
            as_before(made, hypervisor, other, tree, "b")
            assert list(there.iterdir()) == []
            return
        assert (state_at(hypervisor, made), state_at(other, made)) == (None, "running")
        assert known(definitions(other, made)) == known(tree, maps)
        assert current_at(other, made) == "b"
        assert is_writing(Path(source_at(other, made) or ""))


def test_the_daemon_here_dies(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    """The connection breaks in the middle; when the host is back the guest has not gone, and goes then."""
    made = guest(disks=[DiskSpec(data=16 * MIB)])
    made.virsh("snapshot-create-as", "--name", "s1", "--disk-only")
    tree = definitions(hypervisor, made)
    _there, maps = directory_at(other, made)
    lose = frozenset({Acceptance.LOSE_SNAPSHOTS})
    with watched(hypervisor) as host, watched(other) as arrival, removed_from(other, made):
        log = log_of(host)
        run = host.run(accepted(host, migration(made, other, maps=maps, bandwidth=2 * SLOW, accepted=lose)))
        assert host.wait_for(partial(copies_disks, made), timeout=PATIENCE), run.outcome
        hypervisor.restart(kill=True)
        outcome = run.wait(2 * PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert any("The connection broke during" in line.text for line in log)
        assert journal_is_empty(host)
        assert journal_is_empty(arrival)
        assert state_at(hypervisor, made) is None
        assert state_at(other, made) == "running"
        assert known(definitions(other, made)) == known(tree, maps)
        assert current_at(other, made) == "s1"
