"""The file of the history: several writers at once, what is not of its kind, and that it does not grow for ever."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine import ROOT
from tests.records import make_record
from tui.engine.history import History, Past, history_of, own_history
from tui.engine.own_files import FileTrouble
from tui.model.history import line_of


@pytest.fixture
def history(tmp_path: Path) -> History:
    """One that nobody has written to yet, in a directory that is not there yet."""
    return History(tmp_path / "state" / "history.jsonl")


def test_records_come_back_in_their_order_and_are_private(history: History) -> None:
    assert history.read() == Past()
    records = tuple(make_record(number) for number in range(3))
    assert [history.append(record) for record in records] == [None] * 3
    assert history.read() == Past(records)
    assert stat.S_IMODE(history.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.path.parent.stat().st_mode) == 0o700


def test_it_is_in_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert own_history().path == tmp_path / "virt-mirror" / "history.jsonl"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [True, False])
def test_an_embedded_hypervisor_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    uri = f"qemu:///embed?root={tmp_path}/a%20lab"
    monkeypatch.setenv("LIBVIRT_DEFAULT_URI", "qemu:///system" if named else uri)
    assert history_of(uri if named else None).path == tmp_path / "a lab" / "history.jsonl"
    for other in ("qemu:///system", "qemu+ssh://root@host-a/system", "qemu://[::1/system"):
        assert history_of(other).path == own_history().path
    assert (history_of(None).path == own_history().path) is named


_WRITER = """
import sys
from pathlib import Path
from tests.records import make_record
from tui.engine.history import History
history = History(Path(sys.argv[1]), int(sys.argv[3]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(150):
    assert history.append(make_record(number, domain=sys.argv[2])) is None
"""


@pytest.mark.parametrize("most", [10**7, 100_000])
def test_two_programs_write_at_once(history: History, most: int) -> None:
    """Not a line is torn; while nothing is dropped none is lost, and of those that are none is of the latest."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(history.path), name, str(most)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.communicate("go\n", timeout=60)
        assert writer.returncode == 0
    past = history.read()
    assert past.unreadable == 0
    for name in ("a", "b"):
        numbers = [int(record.plan[1:]) for record in past.records if record.domain == name]
        assert numbers == sorted(numbers)
        if most > history.path.stat().st_size * 2:
            assert numbers == list(range(150))
    assert {past.records[-1].plan} == {"p149"}


@pytest.mark.parametrize(
    "rubbish",
    [b'{"plan": "half', b"\xff\xfe\n", b"[]\nnull\n", b'{"a": 1}'],
)
def test_what_is_no_record_is_left_out_and_counted(history: History, rubbish: bytes) -> None:
    first, second = make_record(1), make_record(2)
    history.append(first)
    with history.path.open("ab") as file:
        file.write(rubbish)
    # A line that nobody has ended does not take the next one along.
    history.append(second)
    past = history.read()
    assert past.records == (first, second)
    assert past.unreadable == len(rubbish.splitlines())
    count = "1 line of it is" if past.unreadable == 1 else "2 lines of it are"
    assert past.complaint == f"{count} no record, and left out."
    assert Past().complaint == ""


def test_the_older_half_is_dropped(history: History) -> None:
    line = len(line_of(make_record(10))) + 1
    small = History(history.path, most=10 * line)
    for number in range(10, 20):
        small.append(make_record(number))
    assert len(small.read().records) == 10
    small.append(make_record(20))
    assert [record.plan for record in small.read().records] == [f"p{n}" for n in range(16, 21)]
    assert sorted(path.name for path in history.path.parent.iterdir()) == ["history.jsonl", "history.lock"]


def test_while_somebody_writes_nothing_is_dropped(history: History) -> None:
    small = History(history.path, most=10)
    history.append(make_record(0))
    with history.path.with_suffix(".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert small.append(make_record(1)) is None
        assert small.append(make_record(2)) is None
    assert len(history.read().records) == 3


def test_a_record_longer_than_all_there_is_room_for(history: History) -> None:
    small = History(history.path, most=100)
    assert small.append(make_record(1)) is None
    assert small.read() == Past()


def test_of_a_file_that_has_grown_elsewhere_the_end_is_read(history: History) -> None:
    records = [make_record(number) for number in range(10, 30)]
    for record in records:
        history.append(record)
    line = len(line_of(records[0])) + 1
    assert History(history.path, most=2 * line).read().records == tuple(records[-4:])
    # As it does where a line ends just there, and where the first one is cut.
    assert History(history.path, most=2 * line + 9).read().records == tuple(records[-4:])


def test_where_nothing_can_be_written_that_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    history = History(tmp_path / "file" / "history.jsonl")
    said = history.append(make_record())
    assert said is not None
    assert said.startswith("What ends is not kept in the history: ")
    assert str(history.path) in said
    assert history.append(make_record()) is None


def test_a_full_disk(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the line is there: that is said, and what comes later is whole."""
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:20]))
        assert "No space left" in (history.append(make_record(1)) or "")
    history.append(make_record(2))
    assert history.read() == Past((make_record(2),), 1)


@pytest.mark.parametrize("kind", ["directory", "pipe"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "history.jsonl"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    history = History(path)
    with pytest.raises(FileTrouble, match="it is no file"):
        history.read()
    assert str(path) in (history.append(make_record()) or "")
