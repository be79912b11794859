"""Guests that change their memory faster than it is sent to another host: what is said of that, and each remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine import PATIENCE, accepted, carried_out, journal_is_empty, log_of, watched
from tests.guests import Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.memory import CHANGED, count, restless
from tests.outside import wait_for
from tests.test_cli_real import program
from tests.two_hosts import as_before, assert_proved, migration, removed_from, source_at, state_at, until
from tui.engine.control import End, Outcome, Run
from tui.model.migrate_request import Convergence, MigrateRequest, TimeoutAction

SHORT = 30
"""Milliseconds at a standstill in which next to nothing of what the guest has changed can be sent."""
LATE = 4.0
"""Seconds in which its memory is sent more than once."""
SOME = 3
"""Rounds after which no more will be other than these."""
NEVER = ("the guest changes its memory faster than it is sent",)


def outrun(guest: Guest, to: Hypervisor, **more: Any) -> MigrateRequest:
    """With a link that the guest outruns, and next to no time to stand still."""
    convergence = Convergence(max_downtime=SHORT, **more)
    return migration(guest, to, unsafe=True, bandwidth=MIB, convergence=convergence)


def goes_on_there(hypervisor: Hypervisor, other: Hypervisor, made: Guest, before: int) -> None:
    """It runs at the other host and nowhere else, and counts on from where it was."""
    assert state_at(other, made) == "running"
    assert state_at(hypervisor, made) is None
    image = Path(source_at(other, made) or "")
    there = count(image)
    assert there >= before
    wait_for(lambda: count(image) > there, what="it writes on")


def arrived(run: Run) -> Outcome:
    """How it has ended, once it has, and nothing is wrong with that."""
    outcome = run.wait(PATIENCE)
    assert outcome is not None
    assert outcome.end is End.DONE, outcome.message
    assert_proved(outcome)
    return outcome


REMEDIES = {
    "bandwidth": ("speed", "64"),
    "downtime": ("tune", "--max-downtime", "5000"),
    "post-copy": ("tune", "--postcopy"),
    "pause": ("tune", "--suspend"),
}


@pytest.mark.parametrize("remedy", REMEDIES)
def test_it_never_arrives_without_a_remedy(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, remedy: str
) -> None:
    made = restless(guest)
    wish = outrun(made, other, postcopy=remedy == "post-copy")
    with (
        watched(hypervisor) as host,
        watched(hypervisor, read_only=True) as second,
        removed_from(other, made),
    ):
        run = host.run(accepted(host, wish))
        assert until(host, made, lambda m: m.outruns).troubles == NEVER
        assert until(second, made, lambda m: m.outruns).troubles == NEVER
        # Round after round as much is left as before, and libvirt would go on like that for ever.
        seen = until(host, made, lambda m: m.memory and len(m.memory.rounds) > SOME)
        assert seen.memory
        assert min(one.size for one in seen.memory.rounds) >= CHANGED
        assert seen.troubles == NEVER
        assert seen.seconds is None
        assert (seen.downtime or 0) > SHORT
        assert run.outcome is None
        before = count(made.images()[0])
        command, *options = REMEDIES[remedy]
        program(hypervisor, command, made.name, *options, "--yes")
        arrived(run)
        goes_on_there(hypervisor, other, made, before)
        assert journal_is_empty(host)


def test_it_is_slowed_down_until_it_arrives(hypervisor: Hypervisor, other: Hypervisor, guest: Guests) -> None:
    made = restless(guest)
    # QEMU begins with 20 % and adds 10 now and then, and the guest needs next to no time for what it changes.
    asked = {"execute": "migrate-set-parameters", "arguments": {"cpu-throttle-initial": 99}}
    assert "error" not in made.virsh("qemu-monitor-command", json.dumps(asked))
    before = count(made.images()[0])
    with watched(hypervisor) as host, removed_from(other, made):
        outcome = arrived(host.run(accepted(host, outrun(made, other, auto_converge=True))))
        goes_on_there(hypervisor, other, made, before)
    told = {finding.check: finding for finding in outcome.findings}
    figures = told["migrated"].figures
    assert figures
    assert told["memory-sent"].reason == f"The memory was sent in {figures.rounds} rounds."


@pytest.mark.parametrize("action", [TimeoutAction.SUSPEND, TimeoutAction.POSTCOPY])
def test_it_takes_too_long(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, action: TimeoutAction
) -> None:
    made = restless(guest)
    before = count(made.images()[0])
    postcopy = action is TimeoutAction.POSTCOPY
    with watched(hypervisor) as host, removed_from(other, made):
        lines = log_of(host)
        wish = outrun(made, other, postcopy=postcopy, timeout=LATE, timeout_action=action)
        arrived(host.run(accepted(host, wish)))
        does = "it is switched over now" if postcopy else "it is paused until it is"
        assert [line.text for line in lines if "is not there within" in line.text] == [
            f"{made.name} is not there within {LATE:g} s: {does}."
        ]
        goes_on_there(hypervisor, other, made, before)


def test_it_is_called_back_when_it_takes_too_long(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests
) -> None:
    made = restless(guest)
    with watched(hypervisor) as host, removed_from(other, made):
        wish = outrun(made, other, timeout=LATE, timeout_action=TimeoutAction.ABORT)
        outcome = carried_out(host, wish, End.FAILED)
        assert outcome.message == f"{made.name} was not at host-b within {LATE:g} s; it was called back."
        assert journal_is_empty(host)
    as_before(made, hypervisor, other, {}, None)
