"""The command line in front of a scripted host: what it asks for, what it says, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import tui.__main__ as program
from tests.fake_host import (
    FakeControl,
    default_plan,
    make_disk,
    make_domain,
    make_job,
    make_mirror,
    make_state,
    uuid_of,
)
from tui.cli import arguments, writing
from tui.cli.errors import Interrupted
from tui.cli.main import run
from tui.engine.control import Control, End, Outcome
from tui.engine.history import History
from tui.model.begin_steps import StartCopy
from tui.model.finding import Acceptance, refused
from tui.model.host import Link
from tui.model.job import Phase
from tui.model.plan import Plan
from tui.model.request import (
    CommitRequest,
    CopyRequest,
    Ending,
    EndRequest,
    How,
    MoveRequest,
    PullRequest,
    RemoteCopyRequest,
    Request,
    SpeedRequest,
    Then,
)
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkHost, NetworkSource, Source

DB01 = uuid_of("db01")
MIB = 1024 * 1024


def invoke(*words: str, hosts: tuple[FakeControl, ...] = (), history: History | None = None) -> int:
    """Run a command line on scripted hosts, one for each ``-c`` or a single one."""
    remaining = list(hosts) or [FakeControl()]

    def connect(_uri: str | None, _read_only: bool) -> Control:  # noqa: FBT001  # as Connect calls it
        return remaining.pop(0)

    return run(arguments.parse(words), connect, lambda _uri: history or History(Path(os.devnull) / "history"))


def to(source: Source, image_format: str | None = None) -> Chain:
    return Chain((Layer(source, image_format),), complete=False)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("copy db01 vda /new", CopyRequest(DB01, "vda", to(FileSource("/new")))),
        ("copy db01 /slow/vda.qcow2 /new", CopyRequest(DB01, "vda", to(FileSource("/new")))),
        ("copy db01 vda /new --raw", CopyRequest(DB01, "vda", to(FileSource("/new"), "raw"))),
        ("copy db01 vda /dev/x --blockdev", CopyRequest(DB01, "vda", to(BlockSource("/dev/x")))),
        (
            "copy db01 vda nbd://h:10810/disk --format raw",
            CopyRequest(DB01, "vda", to(NetworkSource("nbd", "disk", (NetworkHost("h", "10810"),)), "raw")),
        ),
        (
            "copy db01 vda /new --on qemu+ssh://h/system --raw --keep --nbd-address 10.0.0.2 --nbd-port 10809",
            RemoteCopyRequest(
                CopyRequest(DB01, "vda", to(FileSource("/new"), "raw"), then=Then.KEEP),
                "qemu+ssh://h/system",
                "10.0.0.2",
                10809,
            ),
        ),
        (
            "copy db01 vda /new --shallow --reuse-external --format qcow2 --synchronous-writes --transient-job",
            CopyRequest(
                DB01,
                "vda",
                to(FileSource("/new"), "qcow2"),
                shallow=True,
                reuse_external=True,
                synchronous_writes=True,
                transient_job=True,
            ),
        ),
        (
            "copy db01 vda /new --bandwidth 5 --granularity 64k --buf-size 1M --pivot --timeout 9",
            CopyRequest(
                DB01,
                "vda",
                to(FileSource("/new")),
                bandwidth=5 * MIB,
                granularity=65536,
                buf_size=MIB,
                then=Then.PIVOT,
                timeout=9.0,
            ),
        ),
        (
            "copy db01 vda /new --bandwidth 5 --bytes --keep --lose-checkpoints",
            CopyRequest(
                DB01,
                "vda",
                to(FileSource("/new")),
                bandwidth=5,
                then=Then.KEEP,
                accepted=frozenset({Acceptance.LOSE_CHECKPOINTS}),
            ),
        ),
        ("commit db01 vda", CommitRequest(DB01, "vda")),
        (
            "commit db01 vda --top vda[2] --base /b --delete --keep-relative --bandwidth 3 --lose-snapshots",
            CommitRequest(
                DB01,
                "vda",
                top="vda[2]",
                base="/b",
                delete=True,
                keep_relative=True,
                bandwidth=3 * MIB,
                accepted=frozenset({Acceptance.LOSE_SNAPSHOTS}),
            ),
        ),
        ("commit db01 vda --shallow --pivot", CommitRequest(DB01, "vda", shallow=True, then=Then.PIVOT)),
        ("pull db01 vda --base vda[3] --wait", PullRequest(DB01, "vda", base="vda[3]")),
        ("move db01 --to /new", MoveRequest(DB01, "/new")),
        (
            "move db01 vda --to pool:fast --keep-chain --hold --merge-overlay --bandwidth 9 --synchronous-writes",
            MoveRequest(
                DB01,
                "pool:fast",
                ("vda",),
                how=How.KEEP_CHAIN,
                bandwidth=9 * MIB,
                synchronous_writes=True,
                then=Then.HOLD,
                merge_overlay=True,
            ),
        ),
        (
            "move db01 --to /new --flatten --format raw",
            MoveRequest(DB01, "/new", how=How.FLATTEN, format="raw"),
        ),
        ("pivot db01", EndRequest(DB01, (), Ending.PIVOT)),
        ("pivot db01 vda vdb --wait", EndRequest(DB01, ("vda", "vdb"), Ending.PIVOT, wait=True)),
        ("keep db01 vda --pause", EndRequest(DB01, ("vda",), Ending.KEEP, pause=True)),
        ("cancel db01 vda", EndRequest(DB01, ("vda",), Ending.CANCEL)),
        ("speed db01 vda 8", SpeedRequest(DB01, "vda", 8 * MIB)),
        ("speed db01 vda 8 --bytes", SpeedRequest(DB01, "vda", 8)),
    ],
)
def test_a_line_becomes_a_request(line: str, request_: Request) -> None:
    host = FakeControl()
    assert invoke(*line.split(), "--dry-run", hosts=(host,)) == 0
    assert [call[0] for call in host.calls] == ["plan", "close"]
    assert host.requests == [request_]


@pytest.mark.parametrize(
    "line",
    [
        "copy db01 vda",
        "copy db01 vda /new --xml f",
        "copy db01 vda /new --raw --format qcow2",
        "copy db01 vda --xml f --on qemu+ssh://h/system",
        "copy db01 vda nbd://h/x --on qemu+ssh://h/system",
        "copy db01 vda /new --nbd-port 10809",
        "copy db01 vda /new --nbd-address h",
        "copy db01 vda /new --on qemu+ssh://h/system --nbd-port 65536",
        "copy db01 vda /new --on qemu+ssh://h/system --nbd-port x",
        "copy db01 vda /new --bytes",
        "copy db01 vda /new --timeout 5",
        "copy db01 vda /new --pivot --keep",
        "copy db01 vda /new --bandwidth fast",
        "speed db01 vda",
        "speed db01",
        "tune db01",
        "tune db01 --max-downtime 0",
        "tune db01 --postcopy --suspend",
        "pull db01 vda --top vda[2]",
        "commit db01",
        "move db01",
        "move db01 --to /new --flatten --shallow",
        "undo",
        "fly",
    ],
)
def test_wrong_usage_is_one_sentence(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments.parse(line.split())
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_a_terminal_a_write_needs_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = FakeControl()
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert invoke("copy", "db01", "vda", "/new", hosts=(host,)) == 2
    assert not host.runs
    assert "--yes" in capsys.readouterr().err


def refusing(request: Request) -> Plan:
    """A plan that may not run, and would if a loss were accepted."""
    finding = refused(
        "snapshots", "It has [/x] \x1b[31msnapshots.", "Think.", Acceptance.LOSE_INTERNAL_SNAPSHOTS
    )
    return default_plan(request, make_state(), (finding,))


def test_yes_never_stands_for_a_loss(capsys: pytest.CaptureFixture[str]) -> None:
    host = FakeControl()
    host.planner = refusing
    assert invoke("copy", "db01", "vda", "/new", "--yes", hosts=(host,)) == 3
    assert not host.runs
    said = capsys.readouterr().err
    assert "--lose-internal-snapshots" in said
    assert "[/x]" in said
    assert "\x1b" not in said


def test_commands_that_are_proposed_name_the_hosts_that_were_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke("-c", "test:///a b", "list", "nothing") == 2
    assert "See: virt-mirror -c 'test:///a b' list" in capsys.readouterr().err
    hosts = (FakeControl("a"), FakeControl("b", make_state(make_domain("web01"))))
    assert invoke("-c", "a", "-c", "b", "copy", "web01", "vda", "/new", "--yes", hosts=hosts) == 0
    said = capsys.readouterr().out
    assert (
        "Follow it: virt-mirror -c a -c b jobs --watch. In sync: virt-mirror -c a -c b pivot web01 vda"
        in said
    )
    assert invoke("list", "nothing") == 2
    assert "See: virt-mirror list" in capsys.readouterr().err


@pytest.mark.parametrize(("more", "out", "err"), [((), 1, 0), (("--json",), 1, 1)])
def test_a_dry_run_tells_a_refusal_once_where_people_read(
    more: tuple[str, ...], out: int, err: int, capsys: pytest.CaptureFixture[str]
) -> None:
    host = FakeControl()
    host.planner = refusing
    assert invoke("copy", "db01", "vda", "/new", "--dry-run", *more, hosts=(host,)) == 3
    said = capsys.readouterr()
    assert (said.out.count("snapshots. "), said.err.count("snapshots. ")) == (out if not more else 0, err)
    assert said.out.count("Think.") == 1


def test_a_failed_run_is_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    host = FakeControl()
    host.outcome = Outcome(End.FAILED, "No space left.")
    assert invoke("pivot", "db01", "vda", "--yes", hosts=(host,)) == 1
    assert "No space left." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (
            ("vda",),
            "end it with virt-mirror pivot db01 vda, virt-mirror keep db01 vda or virt-mirror cancel db01 vda.",
        ),
        (
            ("vda", "vdb"),
            "go on with virt-mirror resume db01, or take it back with virt-mirror undo db01.",
        ),
    ],
    ids=["one disk", "two disks"],
)
def test_an_interrupted_move_tells_how_it_goes_on(
    targets: tuple[str, ...],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control, uuid = FakeControl(states=make_state(make_domain())), uuid_of("db01")
    copies = tuple(
        StartCopy(uuid, "db01", target, f"/slow/{target}", f"/fast/{target}", "<disk/>", creates=True)
        for target in targets
    )
    control.planner = lambda wish: Plan("p", "Move db01", uuid, "db01", (), copies, request=wish)
    control.outcome = Outcome(End.LEFT)

    def interrupt(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr(writing, "_follow", interrupt)
    assert invoke("move", "db01", "--to", "/fast", "--yes", hosts=(control,)) == 130
    err = capsys.readouterr().err
    assert said in err
    assert len(targets) == 1 or "virt-mirror cancel" not in err


def test_read_only_refuses_before_it_connects(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("--read-only", "cancel", "db01", "--yes") == 2
    assert "--read-only" in capsys.readouterr().err


def test_an_unknown_domain_is_told_with_what_is_like_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("pivot", "db1", "--yes") == 2
    assert "db01" in capsys.readouterr().err


def dead(uri: str = "test:///dead") -> FakeControl:
    """A host that does not answer."""
    return FakeControl(uri, make_state(make_domain("x"), link=Link.LOST, error="No route."))


def test_no_connection_is_exit_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("list", hosts=(dead(),)) == 4
    assert "No route" in capsys.readouterr().err


def test_a_dead_host_does_not_hide_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("-c", "a", "-c", "b", "list", hosts=(dead(), FakeControl("test:///b"))) == 4
    said = capsys.readouterr()
    assert "db01" in said.out
    assert "No route" in said.err


LISTED = {"name", "uuid", "state", "persistent", "disks"}
DISK = {"target", "device", "bus", "capacity", "chain", "mirror", "job"}
JOB = {
    *(
        "host",
        "domain",
        "uuid",
        "target",
        "type",
        "phase",
        "cur",
        "end",
        "percent",
        "rate",
        "guest_write_rate",
    ),
    *("lag", "bandwidth", "remaining_seconds", "forecast", "source", "destination", "plan", "remark"),
}


def test_json_is_all_that_stands_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    domain = make_domain("[/x]\x1b]0;t\x07\n", disks=[make_disk()])
    host = FakeControl(states=make_state(domain, jobs=[make_job(domain)]))
    assert invoke("list", "--json", hosts=(host,)) == 0
    (listed,) = json.loads(capsys.readouterr().out)["hosts"]
    assert listed.keys() == {"uri", "hostname", "domains"}
    (found,) = listed["domains"]
    assert found.keys() == LISTED
    assert found["name"] == domain.name
    assert found["disks"][0].keys() == DISK
    assert found["disks"][0]["chain"][0].keys() == {"type", "path", "format", "index"}
    assert found["disks"][0]["job"].keys() == {"type", "phase", "cur", "end", "bandwidth"}


def test_jobs_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    host = FakeControl(states=make_state(jobs=[make_job(phase=Phase.IN_SYNC)]))
    assert invoke("jobs", "--json", hosts=(host,)) == 0
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert job.keys() == JOB


@pytest.mark.parametrize("flag", ["--dry-run", "--yes"])
def test_a_write_as_json(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("pivot", "db01", "vda", flag, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document.keys() == ({"plan"} if flag == "--dry-run" else {"plan", "outcome"})


def test_hostile_names_are_shown_and_do_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    host = FakeControl(states=make_state(make_domain("vm[prod]\x1b[2J\n", disks=[make_disk("vda", "/[/x]")])))
    assert invoke("list", hosts=(host,)) == 0
    said = capsys.readouterr().out
    assert "vm[prod]\\x1b[2J" in said
    assert "/[/x]" in said
    assert "\x1b" not in said


def test_a_copy_to_another_host_is_listed_with_that_and_its_path(capsys: pytest.CaptureFixture[str]) -> None:
    address = "nbd://10.0.0.2:61000/0000000a"
    copied = make_domain(disks=[make_disk(mirror=make_mirror(address))])
    job = replace(make_job(destination=address), named="host-b:/fast/c.raw")
    assert invoke("list", hosts=(FakeControl(states=make_state(copied, jobs=[job])),)) == 0
    said = capsys.readouterr().out
    assert "⇉ mirror: host-b:/fast/c.raw\n" in said
    assert "nbd" not in said


def in_python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("painter", ["textual", "rich"])
def test_headless_commands_load_nothing_that_paints(painter: str) -> None:
    done = in_python(f"import tui.__main__, sys; sys.exit('{painter}' in sys.modules)")
    assert done.returncode == 0, done.stderr


def test_what_nobody_expected_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    script = """
import sys, tui.__main__ as program
def broken(*_): raise RuntimeError("ouch")
program.headless.run = broken
sys.exit(program.main(["list"]))
"""
    done = in_python(script)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "ouch" in done.stderr
    assert "Traceback" in (tmp_path / "virt-mirror" / "errors.log").read_text()


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = "import sys; from tests.test_cli import invoke; sys.exit(invoke('list'))"
    command = f'{sys.executable} -c "{script}" | true; echo "${{PIPESTATUS[0]}}"'
    root = Path(__file__).parent.parent
    done = subprocess.run(
        ["bash", "-c", command], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == "0"
    assert not done.stderr


@pytest.mark.parametrize("words", [("list",), ("--read-only", "jobs"), ("cancel", "db01", "--yes")])
def test_where_a_lab_was_removed_nothing_is_made_anew(
    words: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "lab"
    uri = f"qemu:///embed?root={root}"
    assert program.main(["-c", uri, *words]) == 4
    assert capfd.readouterr().err == (
        f"virt-mirror: No connection to {uri}: There is no hypervisor in {root} any more. "
        "Make a new lab with ./tui/demo --keep, or check the path.\n"
    )
    assert not root.exists()
