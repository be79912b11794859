"""Files that go through this program: what comes of them whatever they are called, and what is said if they cannot."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engine import PATIENCE
from tests.outside import allocated
from tests.ssh_server import SshServer
from tui.engine import carrying, ssh
from tui.engine.carrying import BREAKS, Carrier, patiently
from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.files import Files, FilesHere
from tui.engine.room import CRAWL, crawling
from tui.engine.ssh import PATIENCE as PATIENCE_OF_SSH
from tui.engine.ssh import ssh_words
from tui.engine.ssh_files import FilesThere
from tui.model.chain_steps import ImageCopy

MIB = 1024 * 1024
ODD = ("-e", "a 'b' \"c\" $(touch pwned) `d` ;", "s,x,&\\1\\\\,g", "two\nlines", "ü", "%p")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """Somebody to connect to."""
    made = SshServer(tmp_path_factory.mktemp("ssh"))
    yield made
    made.stop()


@pytest.fixture
def there(server: SshServer) -> FilesThere:
    """Files behind it."""
    words = ssh_words(server.uri(Path("/nowhere")))
    assert words is not None
    return FilesThere(words)


def carrier(
    source: Files,
    target: Files,
    *,
    bandwidth: int = 0,
    left: threading.Event | None = None,
    tell: Callable[[str, int], None] = lambda _path, _done: None,
    crawls: Callable[[str], bool] = lambda _path: False,
) -> Carrier:
    return Carrier(
        source,
        target,
        bandwidth=bandwidth,
        tell=tell,
        crawls=crawls,
        left=left or threading.Event(),
    )


def sparse(path: Path) -> bytes:
    """A file with a hole in the middle and one at its end, and what is in it."""
    with path.open("wb") as file:
        file.write(os.urandom(70_000))
        file.seek(40 * MIB)
        file.write(b"x" * 5000)
        file.truncate(64 * MIB + 77)
    return path.read_bytes()


@pytest.mark.parametrize("name", ODD)
def test_whatever_they_are_called(there: FilesThere, tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "from" / name, tmp_path / "to" / f"{name} too"
    for path in (source, target):
        path.parent.mkdir()
    held = sparse(source)
    source.chmod(0o404)
    for one, other in ((FilesHere(), there), (there, FilesHere())):
        target.write_bytes(b"y" * 100 * 1024)
        told: list[int] = []
        copy = ImageCopy(str(source), str(target), "raw")
        carry = carrier(one, other, tell=lambda _path, done, told=told: told.append(done))  # type: ignore[misc]
        carry.carry(copy)
        # Nobody else reads it before all of it is there, and a header is written to whatever the mode was.
        assert target.stat().st_mode & 0o777 == 0o600
        carry.settle(copy)
        assert target.read_bytes() == held
        assert target.stat().st_mode & 0o777 == 0o404
        assert allocated(target) <= allocated(source)
        assert allocated(source) <= told[-1] < allocated(source) + MIB // 4
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted((name, target.name))


def test_content_is_told_in_one_way_everywhere(there: FilesThere, tmp_path: Path) -> None:
    path, left = tmp_path / ODD[1], threading.Event()
    sparse(path)
    here = FilesHere()
    for skip in (0, 1, 65536):
        assert here.digest(str(path), skip, left) == there.digest(str(path), skip, left) != ""
    assert here.digest(str(path), 0, left) != here.digest(str(path), 1, left)
    left.set()
    assert here.digest(str(path), 0, left) == ""
    for files in (here, there):
        with pytest.raises(StepFailed, match="No such file"):
            files.digest(str(tmp_path / "none"), 0, threading.Event())


@pytest.mark.parametrize("wrong", ["no source", "no place", "a link in its place"])
def test_what_cannot_be_done_is_said(there: FilesThere, tmp_path: Path, wrong: str) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    if wrong != "no source":
        sparse(source)
    if wrong == "no source":
        target.touch()
    if wrong == "a link in its place":
        target.symlink_to(tmp_path / "elsewhere")
    words = "No such file" if wrong == "no source" else "what was made there is gone"
    for one, other in ((FilesHere(), there), (there, FilesHere())):
        with pytest.raises(StepFailed, match=words):
            carrier(one, other).carry(ImageCopy(str(source), str(target), "raw"))
    assert not (tmp_path / "elsewhere").exists()


def test_nobody_waits_any_more(there: FilesThere, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    sparse(source)
    target.touch()
    left = threading.Event()
    # At that speed it would take for ever.
    carry = carrier(FilesHere(), there, bandwidth=1, left=left, tell=lambda _path, _done: left.set())
    carry.carry(ImageCopy(str(source), str(target), "raw"))
    assert target.stat().st_size < 40 * MIB


@pytest.mark.parametrize("answers", ["late", "badly"])
def test_a_look_at_the_room_holds_nothing_up(tmp_path: Path, answers: str) -> None:
    """Nobody says how much is left there, or not before all is copied."""
    source, target = tmp_path / "source", tmp_path / "target"
    held = sparse(source)
    target.touch()
    asked, copied = threading.Event(), threading.Event()

    def crawls(_path: str) -> bool:
        asked.set()
        if answers == "late":
            copied.wait(PATIENCE)
            return True
        raise NoConnection("It broke.")

    def tell(_path: str, _done: int) -> None:
        assert asked.wait(PATIENCE)
        assert not copied.is_set()

    carrier(FilesHere(), FilesHere(), crawls=crawls, tell=tell).carry(
        ImageCopy(str(source), str(target), "raw")
    )
    copied.set()
    assert target.read_bytes() == held


def test_it_crawls_when_room_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "LOOK_THERE", 0)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(4 * MIB))
    target.touch()
    left, looks, known, waits = threading.Event(), count(), threading.Event(), list[float]()

    def crawls(_path: str) -> bool:
        # Before the second look begins, what the first one saw is known.
        if next(looks) == 1:
            known.set()
        return True

    def wait(seconds: float) -> None:
        waits.append(seconds)
        left.set()

    def tell(_path: str, done: int) -> None:
        assert known.wait(PATIENCE)
        told.append(done)

    told: list[int] = []
    monkeypatch.setattr(left, "wait", wait)
    carry = carrier(FilesHere(), FilesHere(), crawls=crawls, left=left, tell=tell)
    carry.carry(ImageCopy(str(source), str(target), "raw"))
    assert waits == [told[0] / CRAWL]


def test_only_the_first_copy_that_is_to_crawl_is_told_of() -> None:
    told: list[str] = []
    files: Any = SimpleNamespace(left_for={"/big/a": None, "/full/b": MIB, "/full/c": MIB}.get)
    host: Any = SimpleNamespace(log=lambda words, _level, domain: told.append(f"{domain}: {words}"))
    crawls = crawling(files, host, "db01", at="other")
    assert [crawls(path) for path in ("/big/a", "/full/b", "/full/c", "/big/a")] == [False, True, True, False]
    assert told == ["db01: Only 1 MiB are left for /full/b at other: its copy crawls until there is room."]


def test_a_host_that_does_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "TIMEOUT", 0.01)
    mute = FilesThere(("sh", "-c", "exec sleep 60"))
    for _again in range(PATIENCE_OF_SSH):
        with pytest.raises(NoConnection, match="did not answer"):
            mute.ask("true")
    with pytest.raises(HostError, match="did not answer") as error:
        mute.ask("true")
    assert not isinstance(error.value, NoConnection), "but not for ever"


def test_a_line_may_break_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    left, broke, waits = threading.Event(), list[str](), list[float]()
    monkeypatch.setattr(left, "wait", waits.append)

    def call(times: int) -> str:
        if len(broke) < times:
            raise NoConnection("It broke.")
        return "done"

    assert patiently(lambda: call(BREAKS), broke.append, left) == "done"
    assert broke == ["It broke."] * BREAKS
    assert waits == [1, 2, 4, 8, 16, 30]
    broke.clear()
    with pytest.raises(StepFailed, match="It broke"):
        patiently(lambda: call(BREAKS + 1), broke.append, left)
    broke.clear()
    assert patiently(lambda: call(40), broke.append, left, lambda: len(broke) // 3) == "done"
    broke.clear()
    with pytest.raises(StepFailed, match="It broke"):
        patiently(lambda: call(40), broke.append, left, lambda: min(len(broke), 10))
    assert len(broke) == 10 + BREAKS


def test_who_is_not_let_in_hears_why(server: SshServer, tmp_path: Path) -> None:
    words = ssh_words(server.uri(Path("/nowhere"), key="stranger"))
    assert words is not None
    source, target = tmp_path / "source", tmp_path / "target"
    sparse(source)
    target.touch()
    with pytest.raises(NoConnection, match="Permission denied"):
        carrier(FilesHere(), FilesThere(words)).carry(ImageCopy(str(source), str(target), "raw"))
