"""The command that takes all domains of a host to another one, in front of scripted hosts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.fake_host import GIB, FakeControl, FakeRun, make_domain, make_state, uuid_of
from tests.test_cli import invoke
from tui.engine.control import End, Outcome
from tui.engine.errors import HostError, NoConnection
from tui.model.domain import RunState
from tui.model.finding import refused, warning
from tui.model.migrate_request import Convergence, CopyStorage, MigrateRequest
from tui.model.migrate_steps import Migrate
from tui.model.plan import Plan
from tui.model.request import Request

TO = "qemu+ssh://root@host-b/system"


def host(*refuse: str, fail: str = "") -> FakeControl:
    """With three domains that run and one that is off."""
    domains = [make_domain(name) for name in ("web", "db", "mail")]
    control = FakeControl(states=make_state(*domains, make_domain("archive", state=RunState.SHUT_OFF)))

    def plan(request: Request) -> Plan:
        assert isinstance(request, MigrateRequest)
        found = control.state.domain(request.uuid)
        assert found is not None
        name = found.name
        findings = (refused("cpu", f"{name} needs more than host-b has.", "Change its CPU."),)
        step = Migrate(request.uuid, name, request.destination, "host-b", "u", name)
        caution = warning("memory", "It is tight there.") if name == "mail" else None
        made = Plan("p", f"Migrate {name} to host-b", request.uuid, name, (), (step,), request=request)
        kept = findings if name in refuse else (caution,) if caution else ()
        return replace(made, findings=kept, memory=None if request.offline else 2 * GIB, needs=4 * GIB)

    control.planner = plan
    if fail:
        control.outcome = None

        def end(run: FakeRun) -> None:
            bad = run.plan.domain == fail
            run.finish(Outcome(End.FAILED if bad else End.DONE, "The line broke." if bad else "Done."))

        control.on_run = end
    return control


def names(control: FakeControl) -> list[str]:
    return [call[1].domain for call in control.calls if call[0] == "run"]


def test_those_that_run_go_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    control = host()
    assert invoke("evacuate", TO, "--yes", hosts=(control,)) == 0
    assert names(control) == ["db", "mail", "web"]
    said = capsys.readouterr().out
    assert "✓ db    2 GiB of memory, 4 GiB of disks" in said
    assert "! mail  2 GiB of memory, 4 GiB of disks" in said
    assert "It is tight there." in said
    assert "3 of 3 have gone from fake-host." in said


def test_those_that_are_named_go_in_that_order_but_for_who_stays() -> None:
    control = host()
    line = ("evacuate", TO, "web", "archive", "db", "--except", "db", "--auto-converge", "--yes")
    assert invoke(*line, hosts=(control,)) == 0
    assert names(control) == ["web", "archive"]
    wish = MigrateRequest(uuid_of("web"), TO, convergence=Convergence(auto_converge=True))
    off = MigrateRequest(uuid_of("archive"), TO, storage=CopyStorage.NONE, offline=True)
    assert control.requests[:2] == [wish, off]


def test_those_that_are_off_go_if_that_is_wished() -> None:
    control = host()
    assert invoke("evacuate", TO, "--with-off", "--yes", hosts=(control,)) == 0
    assert names(control) == ["db", "mail", "web", "archive"]


def test_what_is_refused_stays_and_the_rest_goes(capsys: pytest.CaptureFixture[str]) -> None:
    control = host("db")
    assert invoke("evacuate", TO, "--yes", hosts=(control,)) == 3
    assert names(control) == ["mail", "web"]
    said = capsys.readouterr().out
    assert "✗ db    stays: db needs more than host-b has. Change its CPU." in said
    assert "2 of 3 have gone from fake-host." in said


def test_what_fails_does_not_stop_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    control = host("db", fail="mail")
    assert invoke("evacuate", TO, "--yes", "--json", hosts=(control,)) == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert [plan["refused"] for plan in document["plans"]] == [True, False, False]
    items = document["items"]
    assert [(item["domain"], item["state"]) for item in items] == [("mail", "failed"), ("web", "done")]
    assert items[0]["destination"] == TO
    assert "The line broke." in said.err


def test_what_cannot_be_planned_stays_and_the_rest_goes(capsys: pytest.CaptureFixture[str]) -> None:
    control = host()
    plan = control.planner
    assert plan

    def fail(request: Request) -> Plan:
        if request.uuid == uuid_of("db"):
            raise HostError("The agent of db does not answer.", code=86)
        return plan(request)

    control.planner = fail
    assert invoke("evacuate", TO, "--yes", hosts=(control,)) == 3
    assert names(control) == ["mail", "web"]
    said = capsys.readouterr().out
    assert "✗ db    stays: The agent of db does not answer (libvirt error 86)." in said
    assert "2 of 3 have gone from fake-host." in said


def test_one_that_is_named_twice_goes_once() -> None:
    control = host()
    assert invoke("evacuate", TO, "web", uuid_of("web"), "db", "web", "--yes", hosts=(control,)) == 0
    assert names(control) == ["web", "db"]
    assert [wish.uuid for wish in control.requests[:2]] == [uuid_of("web"), uuid_of("db")]


def test_a_host_that_is_gone_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    control = host()
    control.error = NoConnection("There is no connection to fake-host.")
    assert invoke("evacuate", TO, "--yes", hosts=(control,)) == 4
    assert names(control) == []
    assert "There is no connection to fake-host." in capsys.readouterr().err


def test_nothing_begins_that_is_only_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    control = host("db")
    assert invoke("evacuate", TO, "--dry-run", hosts=(control,)) == 3
    assert invoke("evacuate", TO, "web", "--dry-run", "--json", hosts=(control,)) == 0
    assert names(control) == []
    assert "virsh migrate mail" in capsys.readouterr().out


def test_nothing_may_go(capsys: pytest.CaptureFixture[str]) -> None:
    control = host("db", "mail", "web")
    assert invoke("evacuate", TO, "--yes", hosts=(control,)) == 3
    assert capsys.readouterr().out.count("stays:") == 3
    assert invoke("evacuate", TO, "--yes", "--json", hosts=(control,)) == 3
    assert json.loads(capsys.readouterr().out)["items"] == []
    assert names(control) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("evacuate {to} nobody --yes", "There is no domain nobody"),
        ("evacuate {to} --except web --except db --except mail --yes", "No domain is to leave fake-host."),
        ("evacuate {to}", "There is no terminal to ask on"),
        ("evacuate {to} --at-once 0", "this is a whole number above 0"),
    ],
)
def test_what_makes_no_sense(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status: object = invoke(*line.format(to=TO).split(), hosts=(host(),))
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert message in capsys.readouterr().err


def test_two_hosts_are_not_evacuated_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    line = ("-c", "test:///a", "-c", "test:///b", "evacuate", TO, "--yes")
    assert invoke(*line, hosts=(host(), host())) == 2
    assert "One host is evacuated at a time" in capsys.readouterr().err


def test_it_does_not_write_to_a_host_that_is_only_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("--read-only", "evacuate", TO, "--yes", hosts=(host(),)) == 2
    assert "--read-only was given" in capsys.readouterr().err
