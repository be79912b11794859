"""``virt-mirror history``: what it shows of a file that others have written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tui.__main__ as program
from tests.engine import ROOT
from tests.fake_host import FakeControl, uuid_of
from tests.records import MIGRATED, make_record
from tests.test_cli import invoke
from tui.cli.errors import WRONG
from tui.engine.history import History
from tui.model.figures import Figures
from tui.model.history import Result, document, line_of
from tui.model.quantity import moment

FAILED = make_record(
    1,
    result=Result.FAILED,
    reached=1,
    message="It is full.",
    figures=Figures(),
    uri="qemu:///b",
    hostname="b",
)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Three records of two domains on two hosts."""
    made = History(tmp_path / "history.jsonl")
    for record in (make_record(0), FAILED, MIGRATED):
        made.append(record)
    return made


def test_the_latest_is_last_and_no_host_is_asked(
    history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    host = FakeControl()
    assert invoke("history", hosts=(host,), history=history) == 0
    assert (host.calls, host.subscribers) == ([], 0)
    said = capsys.readouterr()
    indent = " " * 21
    assert said.out.splitlines() == [
        f"{moment(make_record(0).begun)}  ✓ done        12.0 s  fake-host  Mirror vda of db01",
        f"{indent}1 GiB of disks",
        f"{moment(FAILED.begun)}  ✗ failed      12.0 s  b          Mirror vda of db01",
        f"{indent}step 2 of 4: It is full.",
        f"{moment(MIGRATED.begun)}  ✓ done        12.0 s  fake-host  Migrate web01 to host-b",
        f"{indent}the guest stood still for 99 ms, 3 GiB of memory in 4 rounds",
    ]
    assert not said.err


@pytest.mark.parametrize(
    ("words", "plans"),
    [
        ((), ["p0", "p1", "p9"]),
        (("db01",), ["p0", "p1"]),
        ((uuid_of("web01").upper(),), ["p9"]),
        (("--limit", "2"), ["p1", "p9"]),
        (("db01", "--limit", "1"), ["p1"]),
        (("-c", "qemu:///b"), ["p1"]),
        (("gone",), []),
    ],
)
def test_json(
    words: tuple[str, ...], plans: list[str], history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("history", *words, "--json", history=history) == 0
    shown = json.loads(capsys.readouterr().out)["history"]
    assert [one["plan"] for one in shown] == plans
    if "p9" in plans:
        assert shown[-1] == json.loads(json.dumps(document(MIGRATED)))


def test_the_command_that_names_a_kept_lab_shows_what_was_done_in_it(tmp_path: Path) -> None:
    """As the demo prints it; beside another host the latest is last, wherever it was kept."""
    lab, state = tmp_path / "lab", tmp_path / "state"
    uri = f"qemu:///embed?root={lab}"
    for kept, record in (
        (lab, make_record(0, plan="in the lab", uri=uri)),
        (state / "virt-mirror", make_record(1, plan="at home")),
        (lab, make_record(2, plan="in the lab again", uri=uri)),
    ):
        History(kept / "history.jsonl").append(record)

    def shown(*uris: str) -> list[str]:
        words = [word for named in uris for word in ("-c", named)]
        done = subprocess.run(
            [sys.executable, "-m", "tui", *words, "history", "--json"],
            cwd=ROOT,
            env={**os.environ, "XDG_STATE_HOME": str(state)},
            capture_output=True,
            text=True,
            check=True,
        )
        return [one["plan"] for one in json.loads(done.stdout)["history"]]

    assert shown() == ["at home"]
    assert shown(uri) == ["in the lab", "in the lab again"]
    assert shown(uri, make_record(1).uri) == ["in the lab", "at home", "in the lab again"]


@pytest.mark.parametrize("command", [("list",), ()], ids=["a command", "the screen"])
def test_a_host_writes_to_the_history_that_its_uri_leads_to(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[str, Path] = {}

    def connect(uri: str, *, history: History, **_options: object) -> FakeControl:
        kept[uri] = history.path
        return FakeControl()

    monkeypatch.setattr(program, "Host", connect)
    monkeypatch.setattr("tui.app.main.run", lambda _hosts, **_options: 0)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    lab = f"qemu:///embed?root={tmp_path}/lab"
    assert program.main(["-c", lab, "-c", "qemu:///system", *command]) == 0
    assert kept == {
        lab: tmp_path / "lab" / "history.jsonl",
        "qemu:///system": tmp_path / "virt-mirror" / "history.jsonl",
    }


def test_what_is_no_record_is_said(history: History, capsys: pytest.CaptureFixture[str]) -> None:
    with history.path.open("a") as file:
        file.write("half")
    assert invoke("history", "--json", history=history) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)["history"]) == 3
    assert f"{history.path}: 1 line of it is no record, and left out." in said.err


def test_nothing_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("history", "db01", history=History(tmp_path / "none")) == 0
    assert capsys.readouterr().out == "No plan on db01 has ended yet, as far as is known here.\n"


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("history", history=History(tmp_path)) == 1
    assert f"{tmp_path} cannot be read: it is no file." in capsys.readouterr().err


def test_hostile_text_and_plain_signs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "history.jsonl"
    nasty = "a\x1b[2J\n"
    path.write_text(line_of(make_record(hostname=nasty, title=nasty, message=nasty, result=Result.LEFT)))
    assert invoke("--ascii", "history", history=History(path)) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "\\x1b[2J" in said
    assert said.isascii()


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5"])
def test_a_limit_is_a_number(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        invoke("history", "--limit", limit)
    assert left.value.code == WRONG
    assert "a whole number above 0" in capsys.readouterr().err
