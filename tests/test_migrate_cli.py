"""The command that takes a domain to another host, in front of a scripted one: what it asks for, and what it says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.fake_host import FakeControl, FakeRun, make_domain, make_samples, make_state, uuid_of
from tests.test_cli import invoke
from tui.cli import writing
from tui.cli.errors import Interrupted
from tui.cli.output import Output
from tui.cli.progress import Lines
from tui.engine.control import End, Outcome
from tui.model.chain_steps import MakeImage
from tui.model.finding import Acceptance
from tui.model.migrate_request import (
    Convergence,
    CopyStorage,
    MigrateRequest,
    MigrationTuneRequest,
    TimeoutAction,
    Transport,
    Tune,
)
from tui.model.migrate_steps import MakeThere, Migrate
from tui.model.migration import DiskOnTheWay, LayersOnTheWay, MemoryOnTheWay, Migration, MigrationPhase
from tui.model.on_the_way import with_layers
from tui.model.plan import Plan

DB01 = uuid_of("db01")
BACK = Outcome(End.FAILED, "The migration of db01 was called back.", cancelled=True)
RECOVER = "virt-mirror resume db01, or take it back with virt-mirror undo db01."
TO = "qemu+ssh://root@host-b/system"
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("", MigrateRequest(DB01, TO)),
        (
            "--copy-storage inc --migrate-disks vda --map /a=/b --map /c=/d --synchronous-writes --unsafe",
            MigrateRequest(
                DB01,
                TO,
                storage=CopyStorage.INC,
                targets=("vda",),
                maps=(("/a", "/b"), ("/c", "/d")),
                convergence=Convergence(synchronous_writes=True),
                unsafe=True,
            ),
        ),
        (
            "--dname other --no-persistent --no-undefine-source --offline --change-protection --abort-on-error",
            MigrateRequest(
                DB01,
                TO,
                name="other",
                persistent=False,
                undefine_source=False,
                offline=True,
                change_protection=True,
                abort_on_error=True,
            ),
        ),
        (
            "--p2p --tls --bandwidth 8 --parallel 2 --compressed --migrate-uri t --disks-uri d --listen-address ::",
            MigrateRequest(
                DB01,
                TO,
                transport=Transport(
                    p2p=True,
                    tls=True,
                    migrate_uri="t",
                    disks_uri="d",
                    listen_address="::",
                    bandwidth=8 * MIB,
                    parallel=2,
                    compressed=True,
                ),
            ),
        ),
        (
            "--auto-converge --postcopy --max-downtime 300 --timeout 60 --timeout-action postcopy --lose-snapshots",
            MigrateRequest(
                DB01,
                TO,
                convergence=Convergence(
                    auto_converge=True,
                    postcopy=True,
                    max_downtime=300,
                    timeout=60.0,
                    timeout_action=TimeoutAction.POSTCOPY,
                ),
                accepted=frozenset({Acceptance.LOSE_SNAPSHOTS}),
            ),
        ),
    ],
)
def test_what_is_asked_for(line: str, request_: MigrateRequest) -> None:
    control = FakeControl()
    invoke("migrate", "db01", TO, *line.split(), "--dry-run", hosts=(control,))
    assert control.requests == [request_]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "required: DEST_URI"),
        (f"{TO} --copy-storage some", "invalid choice"),
        (f"{TO} --map a=b", "two absolute paths"),
        (f"{TO} --p2p --direct", "not allowed with"),
        (f"{TO} --disks-port 0", "a port is a number from 1 to 65535"),
        (f"{TO} --disks-port 65536", "a port is a number from 1 to 65535"),
        (f"{TO} --parallel 0", "a whole number above 0"),
        (f"{TO} --parallel 2147483648", "a whole number above 0"),
        (f"{TO} --max-downtime \N{ARABIC-INDIC DIGIT THREE}", "a whole number above 0"),
        (f"{TO} --disks-uri tcp://b:1 --disks-port 1", "not allowed with"),
        (f"{TO} --timeout -1", "seconds above 0"),
        (f"{TO} --bytes", "--bandwidth is meant"),
    ],
)
def test_what_makes_no_sense(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        invoke("migrate", "db01", *line.split())
    assert message in capsys.readouterr().err


def way(phase: MigrationPhase, memory: MemoryOnTheWay | None = None, *disks: DiskOnTheWay) -> Migration:
    return Migration(DB01, "db01", "host-b", phase, disks, memory)


@pytest.mark.parametrize(
    ("line", "tune", "value"),
    [
        ("speed db01 8", Tune.BANDWIDTH, 8 * MIB),
        ("speed db01 8 --bytes", Tune.BANDWIDTH, 8),
        ("tune db01 --max-downtime 900", Tune.DOWNTIME, 900),
        ("tune db01 --postcopy", Tune.POSTCOPY, 0),
        ("tune db01 --suspend", Tune.SUSPEND, 0),
    ],
)
def test_how_it_goes_on_is_changed(
    line: str, tune: Tune, value: int, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = replace(way(MigrationPhase.MEMORY, MemoryOnTheWay(100, 40)), postcopy=True, led=False)
    control = FakeControl(states=replace(make_state(), migrations={DB01: sent}))
    assert invoke(*line.split(), "--yes", hosts=(control,)) == 0
    assert control.requests == [MigrationTuneRequest(DB01, tune, value)]
    assert len(control.runs) == 1
    staying = FakeControl()
    assert invoke(*line.split(), "--yes", hosts=(staying,)) == 3
    assert "db01 is on its way to no other host" in capsys.readouterr().err


def test_how_far_it_is_in_words() -> None:
    disks = (DiskOnTheWay("vda", 30, 100), DiskOnTheWay("vdb", 100, 100, in_sync=True))
    assert way(MigrationPhase.PREPARING).words == "preparing"
    aside = replace(way(MigrationPhase.PREPARING), doing="its snapshots are set aside")
    assert aside.words == "preparing, its snapshots are set aside"
    assert way(MigrationPhase.IN_SYNC, None, disks[1]).words == "in sync"
    assert (
        way(MigrationPhase.DISKS, None, *disks).words
        == "copying disks 65 %, in sync in –, vda 30 %, vdb in sync"
    )
    assert way(MigrationPhase.DISKS, None, disks[0]).words == "copying disks 30 %, in sync in –"
    first = replace(way(MigrationPhase.LAYERS), layers=LayersOnTheWay(30, 100))
    assert first.words.startswith("copying layers 30 %, there in ")
    assert way(MigrationPhase.COMPARING).words == "comparing layers"
    memory = MemoryOnTheWay(100 * MIB, 40 * MIB, rate=10 * MIB, dirty_rate=2 * MIB, iteration=1)
    sent = way(MigrationPhase.MEMORY, memory)
    assert sent.words == "sending memory 60 %, 40 MiB left, at 10 MiB/s, changed at 2 MiB/s, about 5s"
    busy = MemoryOnTheWay(100 * MIB, 40 * MIB, rate=10 * MIB, dirty_rate=20 * MIB, iteration=3)
    assert "the guest changes its memory faster than it is sent" in way(MigrationPhase.MEMORY, busy).words
    assert busy.seconds is None
    assert MemoryOnTheWay(10, 0).percent == 99, "the guest has not gone over yet"
    assert way(MigrationPhase.MEMORY).words == "sending memory"


def test_jobs_tell_of_layers(capsys: pytest.CaptureFixture[str]) -> None:
    """They are no disk of the domain."""
    samples = make_samples(rate=20 * MIB)
    layers = LayersOnTheWay(samples[-1].cur, samples[-1].end, samples)
    seen = replace(make_state(), migrations={DB01: replace(way(MigrationPhase.LAYERS), layers=layers)})
    assert invoke("jobs", "--json", hosts=(FakeControl(states=seen),)) == 0
    (told,) = json.loads(capsys.readouterr().out)["migrations"]
    assert (told["layers"], told["disks"]) == ({"cur": layers.cur, "end": layers.end}, [])
    assert told["rate"] == pytest.approx(20 * MIB, rel=0.01)
    assert told["percent"] == layers.percent
    assert told["remaining_seconds"] is not None
    later = replace(layers, samples=samples[:1])
    joined = with_layers(seen, DB01, MigrationPhase.LAYERS, later).migrations[DB01].layers
    assert joined is not None
    assert joined.samples == (*samples, *samples[:1])


def test_jobs_tell_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    busy = make_samples(rate=20 * MIB, guest=80 * MIB)
    disks = (
        DiskOnTheWay("vda", busy[-1].cur, busy[-1].end, limit=25 * MIB, samples=busy),
        DiskOnTheWay("vdb", 100, 100, in_sync=True),
    )
    state = make_state()
    seen = replace(state, migrations={DB01: way(MigrationPhase.DISKS, None, *disks)})
    assert invoke("jobs", "--json", hosts=(FakeControl(states=seen),)) == 0
    (told,) = json.loads(capsys.readouterr().out)["migrations"]
    assert (told["domain"], told["to"], told["phase"]) == ("db01", "host-b", "copying disks")
    assert (told["remaining_seconds"], told["memory"]) == (None, None)
    assert told["troubles"] == ["the guest writes faster than vda is copied"]
    vda, vdb = told["disks"]
    assert (vda["in_sync"], vda["forecast"], vda["bandwidth"]) == (False, "diverges", 25 * MIB)
    assert (vda["rate"], vda["guest_write_rate"]) == (20 * MIB, 80 * MIB)
    assert (vdb["in_sync"], vdb["percent"]) == (True, None)

    assert invoke("jobs", hosts=(FakeControl(states=seen),)) == 0
    assert "the guest writes faster than vda is copied" in capsys.readouterr().out
    theirs = replace(seen, migrations={DB01: replace(seen.migrations[DB01], led=False)})
    assert invoke("jobs", "--json", hosts=(FakeControl(states=theirs),)) == 0
    (told,) = json.loads(capsys.readouterr().out)["migrations"]
    assert [disk["in_sync"] for disk in told["disks"]] == [None, True], "libvirt may have said so before"


def test_jobs_tell_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    memory = MemoryOnTheWay(100 * MIB, 40 * MIB, rate=10 * MIB, dirty_rate=2 * MIB, iteration=3)
    sent = replace(
        way(MigrationPhase.MEMORY, memory), downtime=300, p2p=True, postcopy=True, auto_converge=True
    )
    told = []
    for one in (sent, way(MigrationPhase.MEMORY, MemoryOnTheWay(100, 40))):
        seen = replace(make_state(), migrations={DB01: one})
        assert invoke("jobs", "--json", hosts=(FakeControl(states=seen),)) == 0
        told += json.loads(capsys.readouterr().out)["migrations"]
    keys = ("expected_downtime_ms", "p2p", "postcopy", "auto_converge")
    assert [[one[key] for key in keys] for one in told] == [
        [300, True, True, True],
        [None, False, False, False],
    ]
    assert [one["memory"] for one in told] == [
        {
            "total": 100 * MIB,
            "remaining": 40 * MIB,
            "rate": 10 * MIB,
            "dirty_rate": 2 * MIB,
            "iteration": 3,
        },
        {"total": 100, "remaining": 40, "rate": None, "dirty_rate": None, "iteration": 0},
    ]


def test_a_disk_that_got_in_sync_is_news(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(Output(ascii_only=True), several_hosts=True, clock=lambda: 0.0)
    disks = (DiskOnTheWay("vda", 10, 100), DiskOnTheWay("vdb", 99, 100))
    for migration in (
        way(MigrationPhase.DISKS, None, *disks),
        way(MigrationPhase.DISKS, None, disks[0], replace(disks[1], in_sync=True)),
    ):
        lines.show((), [(make_state(), migration)])
    assert capsys.readouterr().out.splitlines() == [
        "fake-host  db01 to host-b  copying disks 54 %, in sync in -, vda 10 %, vdb 99 %",
        "fake-host  db01 to host-b  copying disks 54 %, in sync in -, vda 10 %, vdb in sync",
    ]


def test_news_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = Lines(Output(), several_hosts=False, clock=lambda: now[0])
    half, more = (way(MigrationPhase.DISKS, None, DiskOnTheWay("vda", n, 100)) for n in (50, 60))
    for migration in (half, half, more):
        lines.show((), [(make_state(), migration)])
    assert capsys.readouterr().out.splitlines() == [
        "db01 to host-b  copying disks 50 %, in sync in –",
        "db01 to host-b  copying disks 60 %, in sync in –",
    ]
    now[0] = 60.0
    lines.show((), [(make_state(), more)])
    assert capsys.readouterr().out.count("60 %") == 1, "now and then it is said again"


@pytest.mark.parametrize(
    ("p2p", "step", "outcome", "patience", "said"),
    [
        (False, 1, BACK, 60.0, BACK.message),
        (False, 1, None, 60.0, RECOVER),
        (True, 0, BACK, 60.0, BACK.message),
        (True, 0, Outcome(End.LEFT), 60.0, RECOVER),
        (True, 1, None, 1.0, "What was begun goes on"),
    ],
    ids=["led", "led and stuck", "the hosts', before it", "the hosts', cut off before it", "the hosts'"],
)
def test_interrupted(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    p2p: bool,
    step: int,
    outcome: Outcome | None,
    patience: float,
    said: str,
) -> None:
    """What is taken back without this program is waited for; what the hosts do by themselves goes on."""
    control, waited = FakeControl(states=make_state(make_domain())), list[float | None]()
    image = MakeThere(TO, "host-b", MakeImage(DB01, "db01", "vda", "/x", "qcow2", MIB))
    goes = Migrate(DB01, "db01", TO, "host-b", "u", "db01", transport=Transport(p2p=p2p))
    control.planner = lambda wish: Plan("p", "Migrate db01", DB01, "db01", (), (image, goes), request=wish)

    def interrupt(_control: object, run: FakeRun, _output: object) -> None:
        run.step = step
        raise Interrupted

    def wait(_run: FakeRun, timeout: float | None = None) -> Outcome | None:
        waited.append(timeout)
        return outcome

    monkeypatch.setattr(writing, "_follow", interrupt)
    monkeypatch.setattr(FakeRun, "leave", lambda _run: None)
    monkeypatch.setattr(FakeRun, "wait", wait)
    control.outcome = None
    assert invoke("migrate", "db01", TO, "--yes", hosts=(control,)) == 130
    assert waited == [patience]
    assert said in capsys.readouterr().err
