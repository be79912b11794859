"""Who runs a plan: how its journal tells that this program does, and what is said of it then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fake_host import NOW, make_disk, make_domain, make_state, uuid_of
from tui.engine import journal
from tui.model.begin_steps import StartCopy
from tui.model.doctor import DoctorFacts, examine
from tui.model.end_plan import plan_end
from tui.model.facts import EndFacts
from tui.model.finding import Finding
from tui.model.journal import Entry, entry_xml
from tui.model.quiet_checks import check_plans
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.request import Ending, EndRequest, RecoverRequest
from tui.model.steps import AwaitSync

UUID = uuid_of("db01")
DOMAIN = make_domain("db01", disks=[make_disk("vda")])
STEPS = (
    StartCopy(UUID, "db01", "vda", "/slow/vda", "/fast/vda", "<disk/>", creates=True),
    AwaitSync(UUID, "db01", "vda"),
)
ENTRY = Entry("p1", UUID, "Mirror vda", STEPS, 1, "root@host-b:7", NOW - 60, NOW)


def test_an_entry_of_this_process_is_known_as_such() -> None:
    own = replace(ENTRY, id="p2", owner=journal.owner())
    found, problems = journal.read([entry_xml(one) for one in (ENTRY, own)], UUID)
    assert not problems
    assert [entry.here for entry in found] == [False, True]
    assert [entry.owner for entry in found] == ["root@host-b:7", journal.owner()]


def said(entry: Entry) -> list[Finding]:
    """What is said of it, wherever it stands in the way."""
    recovered = plan_recover(RecoverRequest(UUID, undo=False), RecoverFacts(DOMAIN, (entry,), now=NOW), "p9")
    ended = plan_end(EndRequest(UUID, ("vda",), Ending.CANCEL), EndFacts(DOMAIN, (), (entry,), now=NOW), "p9")
    doctor = DoctorFacts(replace(make_state(DOMAIN), entries=(entry,)), UUID, now=NOW)
    return [
        *recovered.findings,
        *ended.findings,
        *check_plans(DOMAIN, (entry,), NOW),
        *(finding for finding in examine(doctor) if finding.check.startswith("plan")),
    ]


@pytest.mark.parametrize(("here", "who"), [(True, "this program"), (False, "root@host-b:7")])
@pytest.mark.parametrize("heartbeat", [NOW, 0.0])
def test_this_program_is_called_so(who: str, heartbeat: float, *, here: bool) -> None:
    about = [
        finding.reason
        for finding in said(replace(ENTRY, here=here, heartbeat=heartbeat))
        if finding.check in {"plan-in-progress", "plan-interrupted", "plan-left-over"}
        and not finding.reason.startswith("A plan of db01")
    ]
    assert len(about) >= 3
    for reason in about:
        assert who in reason[0].lower() + reason[1:], reason
        assert here != ("root@host-b:7" in reason)
