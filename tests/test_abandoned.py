"""Plans that nobody carries on are named beside the jobs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.fake_host import NOW, FakeControl, make_domain, make_job, make_state, uuid_of
from tests.moving import COPYING, NAME, PLAN, UUID, moving
from tests.test_cli import invoke
from tui.model.abandoned import abandoned, advice, ways_out
from tui.model.begin_steps import StartCopy
from tui.model.domain import RunState
from tui.model.host import HostState
from tui.model.journal import Entry
from tui.model.steps import AwaitSync


def copied(*, job: bool, reached: int = 1, heartbeat: float = 0.0) -> HostState:
    """A copy of one disk whose program has ended, with its mirror or without."""
    uuid = uuid_of("db01")
    steps = (
        StartCopy(uuid, "db01", "vda", "/a", "/fast/a", "<disk/>", creates=True),
        AwaitSync(uuid, "db01", "vda"),
    )
    entry = Entry("p1", uuid, "Copy vda of db01", steps, reached, "me@here:1", NOW - 10, heartbeat)
    return replace(make_state(make_domain(), jobs=[make_job()] if job else ()), entries=(entry,))


@pytest.mark.parametrize(
    ("state", "plans"),
    [
        (moving(COPYING, stale=True), [PLAN]),
        (moving(COPYING), []),
        (copied(job=False), ["p1"]),
        # The job says all that there is to say: it can be ended by itself.
        (copied(job=True), []),
        (copied(job=False, reached=2), []),
        (copied(job=False, heartbeat=NOW), []),
    ],
)
def test_what_nobody_carries_on(state: HostState, plans: list[str]) -> None:
    assert [entry.id for entry in abandoned(state)] == plans


def test_with_several_plans_the_commands_say_which() -> None:
    state = copied(job=False)
    (entry,) = state.entries
    assert ways_out(state, entry)["undo"] == "virt-mirror undo db01"
    both = replace(state, entries=(entry, replace(entry, id="p2")))
    assert ways_out(both, entry)["resume"] == "virt-mirror resume db01 --plan p1"


def test_nobody_is_sent_where_the_plan_would_be_refused() -> None:
    both = moving(COPYING, stale=True)
    go_on, take_back = f"virt-mirror resume {NAME}", f"virt-mirror undo {NAME}"
    assert advice(both, both.entries[0]) == f"Go on with {go_on}, or take it back with {take_back}."
    # The job that was to get in sync is gone.
    gone = copied(job=False)
    assert advice(gone, gone.entries[0]) == "Take it back with virt-mirror undo db01."
    off = replace(both, domains=tuple(replace(d, state=RunState.SHUT_OFF) for d in both.domains))
    assert advice(off, off.entries[0]).startswith(f"{NAME} is shut off")


def test_people_read_whose_it_was_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = moving(COPYING, stale=True, title="Move [/x] \x1b[31m")
    assert invoke("jobs", hosts=(FakeControl(states=hostile),)) == 0
    said = capsys.readouterr().out
    assert f"{NAME}  interrupted at step 5 of 9: Move [/x]" in said
    assert (
        "begun by me, not heard of for 1m31s. Go on with virt-mirror -c test:///fake resume db01, or" in said
    )
    assert "\x1b" not in said
    assert invoke("jobs", hosts=(FakeControl(states=copied(job=False)),)) == 0
    assert "begun by me@here:1, which has ended." in capsys.readouterr().out


def test_scripts_read_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("jobs", "--json", hosts=(FakeControl(states=moving(COPYING, stale=True)),)) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["jobs"]) == 2
    assert document["interrupted"] == [
        {
            "host": "test:///fake",
            "domain": NAME,
            "uuid": UUID,
            "plan": PLAN,
            "title": "Move vda and vdb of db01 to /fast",
            "step": 5,
            "steps": 9,
            "owner": "me",
            "heartbeat_age_seconds": 91,
            "resume": "virt-mirror -c test:///fake resume db01",
            "undo": "virt-mirror -c test:///fake undo db01",
        }
    ]
