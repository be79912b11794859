"""The journal in the domain: what is left of it when a plan has ended."""

from __future__ import annotations

import threading

import pytest

from tests.engine import PATIENCE, accepted, carried_out, copy_request, journal_is_empty, watched
from tests.guests import Guests
from tests.hypervisor import Hypervisor
from tests.outside import check
from tui.engine import journal, runner, steps
from tui.engine.connection import Connection
from tui.engine.control import End
from tui.engine.errors import HostError, NoConnection
from tui.engine.host import Host
from tui.model.domain import Domain
from tui.model.finding import Finding, Severity
from tui.model.journal import Entry
from tui.model.request import Then
from tui.model.steps import Step


def test_a_sign_of_life_that_is_under_way_does_not_outlive_its_plan(
    hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that landed after the journal's removal would leave a plan in the domain that nobody ever ends."""
    vm = guest()
    beats, removed = threading.Event(), threading.Event()
    write, remove, run = journal.write, journal.remove, steps.run

    def written(where: Connection, domain: Domain, entry: Entry) -> None:
        if threading.current_thread().name.startswith("heartbeat") and entry.reached == len(entry.steps) - 1:
            beats.set()
            # A plan that does not wait for it goes ahead in this time.
            removed.wait(0.5)
        write(where, domain, entry)

    def taken_out(where: Connection, domain: Domain, plan_id: str) -> None:
        remove(where, domain, plan_id)
        removed.set()

    def until_it_beats(step: Step, host: Host, left: threading.Event) -> tuple[Finding, ...]:
        found = run(step, host, left)
        assert step is not plan.steps[-1] or beats.wait(PATIENCE)
        return found

    monkeypatch.setattr(runner, "HEARTBEAT", 0.1)
    monkeypatch.setattr(journal, "write", written)
    monkeypatch.setattr(journal, "remove", taken_out)
    monkeypatch.setattr(steps, "run", until_it_beats)
    with watched(hypervisor) as host:
        plan = accepted(host, copy_request(vm, vm.directory / "copy.qcow2", then=Then.PIVOT))
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert journal_is_empty(host)
    assert removed.is_set()
    assert "urn:virt-mirror:plan" not in vm.xml() + vm.xml(inactive=True)


@pytest.mark.parametrize("trouble", [HostError("cannot acquire state change lock"), NoConnection("cut")])
def test_what_is_done_stays_done_when_the_journal_cannot_be_removed(
    hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch, trouble: HostError
) -> None:
    vm = guest()
    copy = vm.directory / "copy.qcow2"
    remove, troubles = journal.remove, [trouble]

    def refused(where: Connection, domain: Domain, plan_id: str) -> None:
        if troubles:
            raise troubles.pop()
        remove(where, domain, plan_id)

    monkeypatch.setattr(journal, "remove", refused)
    with watched(hypervisor) as host:
        outcome = carried_out(host, copy_request(vm, copy, then=Then.KEEP))
        assert [f.severity for f in outcome.findings if f.check == "journal-left"] == (
            [] if isinstance(trouble, NoConnection) else [Severity.WARNING]
        )
        assert journal_is_empty(host)
    assert not troubles
    assert check(copy) == 0
    assert vm.mirror() is None
