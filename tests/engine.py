"""What the tests of the engine share: a host that is listed, requests in a line, runs that are awaited."""

from __future__ import annotations

import faulthandler
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import outside
from tests.guests import Guest
from tests.hypervisor import Hypervisor
from tui.engine import journal
from tui.engine.connection import Connection
from tui.engine.control import End, LogLine, Outcome
from tui.engine.host import Host
from tui.model.definition import parse_domain
from tui.model.domain import Domain, RunState
from tui.model.host import HostState
from tui.model.job import Job, Phase
from tui.model.journal import Entry
from tui.model.plan import Plan
from tui.model.request import CopyRequest, Ending, EndRequest, Request
from tui.model.storage import Chain, FileSource, Layer

ROOT = Path(__file__).parent.parent
PATIENCE = outside.PATIENCE


@contextmanager
def watched(hypervisor: Hypervisor | str, **options: Any) -> Iterator[Host]:
    """A host, or the one that a URI names, its listing complete."""
    host = Host(hypervisor if isinstance(hypervisor, str) else hypervisor.uri, **options)
    try:
        assert host.wait_for(lambda s: s.complete or None, timeout=PATIENCE), host.state.error
        yield host
    finally:
        host.close()


def log_of(host: Host) -> list[LogLine]:
    """A list that the host's log lines are added to."""
    lines: list[LogLine] = []
    host.subscribe(lambda _state: None, lines.append)
    return lines


def copy_request(
    guest: Guest,
    path: Path | str,
    *,
    target: str = "vda",
    image_format: str | None = None,
    **options: Any,
) -> CopyRequest:
    """Copy a disk to a file."""
    return CopyRequest(
        guest.uuid, target, Chain((Layer(FileSource(str(path)), image_format),), complete=False), **options
    )


def end_request(guest: Guest, ending: Ending, *targets: str, **options: Any) -> EndRequest:
    """End jobs of a guest."""
    return EndRequest(guest.uuid, targets or ("vda",), ending, **options)


def carried_out(host: Host, request: Request, end: End = End.DONE) -> Outcome:
    """Plan it, run it, and insist on how it ends."""
    plan = accepted(host, request)
    run = host.run(plan)
    outcome = run.wait(PATIENCE)
    assert outcome is not None, f"{plan.title} did not end: {plan.steps[run.step]}, {host.state.jobs}"
    assert outcome.end is end, outcome.message
    return outcome


def accepted(host: Host, request: Request) -> Plan:
    """A plan that nothing refuses."""
    plan = host.plan(request)
    assert not plan.refused, [f for f in plan.findings if f.severity.value == "refused"]
    return plan


def refusals(plan: Plan) -> set[str]:
    """The checks that refuse a plan."""
    return {f.check for f in plan.findings if f.severity.value == "refused"}


def journal_is_empty(host: Host) -> bool:
    """Wait until no plan is in progress; the metadata's event comes after the plan's end."""
    empty = host.wait_for(lambda s: True if not s.entries else None, timeout=PATIENCE)
    if not empty:
        # Whether the entry is there still, or a thread hangs that should have seen that it is not.
        for domain in host.state.domains:
            sys.stderr.write(f"{host.connection().read(domain.uuid)}\n")
        faulthandler.dump_traceback()
    return bool(empty)


def job_in(host: Host, guest: Guest, *phases: Phase, target: str = "vda") -> Job:
    """Wait for a disk's job to be in one of these phases, the call that starts it having returned."""

    def found(state: HostState) -> Job | None:
        job = state.job(guest.uuid, target)
        return job if job is not None and job.phase in phases and not job.starting else None

    job = host.wait_for(found, timeout=PATIENCE)
    assert job is not None, host.state.job(guest.uuid, target)
    return job


def command(*words: str) -> str:
    """Run a program to its end and give what it printed; a failure fails the test."""
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout


def left_in_the_middle(guest: Guest, plan: Plan, kind: type) -> None:
    """Write the journal of a process that is no more, and was in the first step of a kind, with nobody looking on."""
    client = Connection(guest.hypervisor.uri, read_only=False, on_event=lambda _event: None)
    domain = Domain(parse_domain(guest.xml()), RunState.RUNNING, persistent=True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    owner = journal.owner().rpartition(":")[0] + f":{gone.pid}"
    reached = next(number for number, step in enumerate(plan.steps) if isinstance(step, kind))
    now = time.time()
    journal.write(
        client, domain, Entry(plan.id, guest.uuid, plan.title, plan.steps, reached, owner, now, now)
    )
    client.close()


def cut_off(guest: Guest, wish: dict[str, object], number: int, when: str) -> None:
    """Have a program of its own carry out a wish for a guest, and die at a step; see ``tests.killed``."""
    words = [sys.executable, "-m", "tests.killed", guest.hypervisor.uri, json.dumps(wish), str(number), when]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    # libvirtd 9.0 itself has died of a client that was cut off, once in thousands of times; an init system would
    # start it again.
    guest.hypervisor.start_daemon()
