"""Moves on a host behind ssh: its own tools handle its images, and nothing is lost when the line is cut."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    copy_request,
    end_request,
    job_in,
    journal_is_empty,
    log_of,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.outside import allocated, check, images_equal, is_writing, wait_for
from tests.ssh_server import SshServer
from tests.test_ssh_real import socket_of
from tui.engine import batches, room, ssh
from tui.engine.control import End
from tui.engine.errors import AlreadyThere, HostError
from tui.engine.files import Files, FilesHere
from tui.engine.ssh import ALIVE, Ssh, ssh_words
from tui.engine.ssh_files import FilesThere
from tui.engine.still_files import still_files
from tui.model.chain_steps import ImageCopy, MakeImage
from tui.model.job import Phase
from tui.model.quarantine import PREFIX
from tui.model.request import Ending, How, MoveRequest, RecoverRequest
from tui.model.storage import FileSource, Layer

HOSTILE = "a 'b' \"c\" $(touch pwned) `d` \\ ; -e"
CHAIN = DiskSpec(layers=3, data=8 * MIB)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """Somebody to connect to."""
    made = SshServer(tmp_path_factory.mktemp("ssh"))
    yield made
    made.stop()


@pytest.fixture
def files(server: SshServer, hypervisor: Hypervisor) -> FilesThere:
    """The images behind it."""
    words = ssh_words(server.uri(socket_of(hypervisor)))
    assert words is not None
    return FilesThere(words)


def move(guest: Guest, directory: Path, **wish: object) -> MoveRequest:
    return MoveRequest(guest.uuid, str(directory), merge_overlay=True, **wish)  # type: ignore[arg-type]


@pytest.mark.parametrize("relative", [True, False])
def test_a_chain_goes_along(
    server: SshServer,
    hypervisor: Hypervisor,
    guest: Guests,
    tmp_path: Path,
    relative: bool,  # noqa: FBT001
) -> None:
    made = guest(disks=[DiskSpec(layers=3, data=8 * MIB, relative_backing=relative)])
    base, mid, top = made.images()
    there = tmp_path / "there it's $HOME"
    there.mkdir()
    with watched(server.uri(socket_of(hypervisor)), may_ask=False) as host:
        assert not host.local
        carried_out(host, move(made, there, delete_source=True))
        assert journal_is_empty(host)
    assert made.chain() == [str(there / path.name) for path in (top, mid, base)]
    assert is_writing(there / top.name)
    (place,) = {path for path in made.directory.iterdir() if path.name.startswith(PREFIX)}
    assert images_equal(place / base.name, there / base.name)
    assert allocated(there / mid.name) <= allocated(place / mid.name)
    made.virsh("destroy")
    for path in (base, mid, top):
        assert check(there / path.name) == 0
        assert (there / path.name).stat().st_mode == (place / path.name).stat().st_mode


def test_a_move_under_way_is_taken_back(
    server: SshServer, hypervisor: Hypervisor, guest: Guests, tmp_path: Path
) -> None:
    made = guest(disks=[CHAIN])
    before = made.chain()
    with watched(server.uri(socket_of(hypervisor)), may_ask=False) as host:
        run = host.run(accepted(host, move(made, tmp_path, bandwidth=MIB)))
        job_in(host, made, Phase.COPYING, Phase.IN_SYNC)
        assert host.wait_for(lambda s: True if s.files else None, timeout=PATIENCE)
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        assert run.wait(PATIENCE)
        assert journal_is_empty(host)
    assert made.chain() == before
    assert list(tmp_path.iterdir()) == []
    assert is_writing(Path(before[0]))


def test_the_line_is_cut_in_the_middle(
    server: SshServer, hypervisor: Hypervisor, guest: Guests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "LOOK", 0.2)
    made = guest(disks=[CHAIN], delay=20)
    with watched(server.uri(socket_of(hypervisor)), may_ask=False) as host:
        log = log_of(host)
        run = host.run(accepted(host, move(made, tmp_path, bandwidth=6 * MIB)))
        assert host.wait_for(lambda s: True if s.files else None, timeout=PATIENCE)
        server.hang_up()
        outcome = run.wait(2 * PATIENCE)
        assert any("The connection broke during" in line.text for line in log)
        assert outcome is not None
        assert outcome.end is End.DONE, outcome.message
        assert journal_is_empty(host)
    assert {Path(path).parent for path in made.chain()} == {tmp_path}
    assert is_writing(Path(made.chain()[0]))


def test_where_ssh_lets_nobody_in_flat_images_still_move(
    server: SshServer, hypervisor: Hypervisor, guest: Guests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = guest(disks=[CHAIN])
    with watched(server.uri(socket_of(hypervisor)), may_ask=False) as host:
        assert isinstance(host.files, FilesThere)
        stranger = ssh_words(server.uri(socket_of(hypervisor), key="stranger"))
        assert stranger is not None
        monkeypatch.setattr(host.files, "_ssh", Ssh(stranger))
        plan = host.plan(move(made, tmp_path))
        assert refusals(plan) == {"files-elsewhere"}
        assert "Permission denied" in next(f.reason for f in plan.findings if f.check == "files-elsewhere")
        assert refusals(host.plan(move(made, tmp_path, how=How.FLATTEN))) == set()


# The files themselves


def test_no_name_becomes_a_command(files: FilesThere, tmp_path: Path) -> None:
    source, path = tmp_path / HOSTILE, tmp_path / f"{HOSTILE} copy"
    source.write_bytes(b"x" * 5000)
    files.make(MakeImage("u", "d", "vda", str(path), "raw", 4096, like=str(source)))
    left = threading.Event()
    for limit in (0, 64 * MIB):
        copy = ImageCopy(str(source), str(path), "raw")
        assert files.fill([copy], limit, lambda *_: None, lambda _: False, left) > 0
        assert path.read_bytes() == source.read_bytes()
        path.write_bytes(b"else")
    assert files.existing([str(path), str(tmp_path / "no"), str(source)]) == {str(path), str(source)}
    assert files.readable([str(source)]) == {str(source)}
    assert files.writable(str(tmp_path))
    assert not files.writable(str(source))
    assert files.layer(Layer(FileSource(str(source)), "raw")).allocated == source.stat().st_blocks * 512
    assert files.put_away(str(path), str(tmp_path / f"{HOSTILE} attic" / "x")) == ""
    assert not path.exists()
    assert (tmp_path / f"{HOSTILE} attic" / "x").read_bytes() == b"else"
    assert files.remove(str(source), source.stat().st_ctime) == ""
    assert not source.exists()
    assert files.free(str(tmp_path / "no" / HOSTILE)) is None
    assert not list(tmp_path.rglob("pwned"))
    assert not Path("pwned").exists()


def test_what_cannot_be_seen_is_not_said_to_be_missing() -> None:
    # The directories of tests are closed to others.
    with TemporaryDirectory() as name:
        open_, closed = Path(name), Path(name) / "closed"
        open_.chmod(0o755)
        closed.mkdir()
        (closed / "image").touch()
        (open_ / "dangling").symlink_to(open_ / "nowhere")
        gone = {f"{name}/no", f"{name}/no/{HOSTILE}", f"{name}/dangling"}
        hidden = {f"{closed}/no", f"{closed}/image/x", f"{closed}/deep/no"}
        paths = [*gone, *hidden, str(closed / "image"), name]
        there = FilesThere(("sh", "-c"))
        assert there.missing(paths) == FilesHere().missing(paths) == gone | hidden
        closed.chmod(0)
        if os.geteuid() == 0:
            # Nothing is closed to root.
            there = FilesThere(("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c"))
        else:
            assert FilesHere().missing(paths) == gone
        assert there.missing(paths) == gone


def test_many_images_take_few_connections(
    files: FilesThere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred snapshots would take hundreds of handshakes, one after the other."""
    monkeypatch.setattr(batches, "AT_A_TIME", 4)
    base, broken, gone = tmp_path / "base", tmp_path / f"{HOSTILE}\n{{", tmp_path / "gone"
    base.write_bytes(b"x" * 5000)
    broken.write_bytes(b"no image")
    first = MakeImage("u", "d", "vda", str(tmp_path / f"{HOSTILE}\n0"), "qcow2", MIB, "base", "raw")
    files.make(first)
    layers = [tmp_path / f"{HOSTILE}\n{number}" for number in range(6)]
    for path in layers[1:]:
        path.write_bytes(layers[0].read_bytes())
    formats = dict.fromkeys([*map(str, layers), str(broken), str(gone)], "qcow2")
    words, runs = Ssh.words, count()

    def counted(way: Ssh, script: str, *arguments: str) -> tuple[str, ...]:
        next(runs)
        return words(way, script, *arguments)

    monkeypatch.setattr(Ssh, "words", counted)
    still = still_files(formats, frozenset(), files)
    # Eight files in two goes, seven images in two, and what six of them stand on.
    assert next(runs) == 5
    here = still_files(formats, frozenset(), FilesHere())
    assert {path: one for path, one in still.items() if path != str(broken)} == {
        path: one for path, one in here.items() if path != str(broken)
    }
    assert still.keys() == {*formats, str(base)}
    assert {still[str(path)].below for path in layers} == {str(base)}
    assert (still[str(broken)].trouble[:15], still[str(gone)].trouble) == ("cannot be read ", "is no file")
    infos = files.infos(formats)
    assert infos[first.path] == files.info(first.path, "qcow2")
    assert isinstance(infos[str(gone)], HostError)


def test_one_command_takes_so_many_paths() -> None:
    short, long = (
        [f"/p{number}" for number in range(450)],
        [f"/{number}{'x' * 40_000}" for number in range(5)],
    )
    assert [len(some) for some in batches.batches([*short, *short])] == [200, 200, 50]
    assert [len(some) for some in batches.batches(long)] == [2, 2, 1]
    assert [len(some) for some in batches.batches(["'" * 50_000, "/a"])] == [1, 1]
    assert [path for some in batches.batches([*short, *long]) for path in some] == [*short, *long]


def test_what_was_there_before_stays(files: FilesThere, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.touch()
    assert "older" in files.remove(str(old), old.stat().st_ctime + 10)
    other = tmp_path / "attic" / "old"
    other.parent.mkdir()
    other.touch()
    assert "another image" in files.put_away(str(old), str(other))


@pytest.mark.parametrize("way", ["here", "there"])
def test_an_image_is_made_once(files: FilesThere, tmp_path: Path, way: str) -> None:
    """Of two who make one both would write to it, and either would remove it."""
    handled: Files = FilesHere() if way == "here" else files
    step = MakeImage("u", "d", "vda", str(tmp_path / HOSTILE), "qcow2", MIB, "/none", "raw")
    path = Path(step.path)
    assert not handled.made(step)
    handled.make(step)
    assert handled.made(step)
    held = path.read_bytes()
    with pytest.raises(AlreadyThere):
        handled.make(step)
    assert path.read_bytes() == held
    path.write_bytes(held)
    assert not handled.made(step), "whoever has written to it may have made it"
    for wrong in (
        replace(step, path=str(tmp_path / "none" / "x")),
        replace(step, path=str(tmp_path / "y"), format="no"),
    ):
        with pytest.raises(HostError) as failed:
            handled.make(wrong)
        assert not isinstance(failed.value, AlreadyThere)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AlreadyThere):
        handled.make(replace(step, path=str(link)))
    assert {one.name for one in tmp_path.iterdir()} >= {HOSTILE, "link"}
    assert not (tmp_path / "y").exists()
    assert not (tmp_path / "elsewhere").exists()


def test_a_copy_ends_when_nobody_waits(
    files: FilesThere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "LOOK", 0.05)
    source, path = tmp_path / "source", tmp_path / "path"
    source.write_bytes(b"x" * 32 * MIB)
    path.touch()
    left = threading.Event()
    copy = ImageCopy(str(source), str(path), "raw")
    files.fill([copy], MIB, lambda *_: left.set(), lambda _: False, left)
    assert left.is_set()
    assert path.read_bytes() != source.read_bytes()


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("qemu+ssh://host/system", ("ssh", "-T", "-o", "BatchMode=yes", "-e", "none", *ALIVE, "--", "host")),
        (
            "qemu+ssh://me@host:77/system?keyfile=/k&no_verify=1&command=/bin/myssh",
            (
                *(
                    "/bin/myssh",
                    "-p",
                    "77",
                    "-l",
                    "me",
                    "-i",
                    "/k",
                    "-T",
                    "-o",
                    "BatchMode=yes",
                    "-e",
                    "none",
                ),
                *(*ALIVE, "-o", "StrictHostKeyChecking=no", "--", "host"),
            ),
        ),
        ("qemu+tls://host/system", None),
        ("qemu:///system", None),
        ("qemu+ssh://host:port/system", None),
    ],
)
def test_the_way_is_the_one_that_libvirt_takes(uri: str, words: tuple[str, ...] | None) -> None:
    assert ssh_words(uri) == words


def test_a_copy_there_stands_still_while_there_is_no_room(
    server: SshServer, hypervisor: Hypervisor, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "LOOK", 0.1)
    words = ssh_words(server.uri(socket_of(hypervisor)))
    assert words is not None
    files = FilesThere(words)
    source, ballast, target = tmp_path / "source", small / "ballast", small / "target"
    source.write_bytes(os.urandom(8 * MIB))
    target.touch()
    system = os.statvfs(small)
    free = system.f_bavail * system.f_frsize
    # It would run full before the end.
    ballast.write_bytes(bytes(free - 6 * MIB))
    few, freed = threading.Event(), threading.Event()

    def crawls(path: str) -> bool:
        found = files.left_for(path) is not None
        if found:
            few.set()
        return found

    def make_room() -> None:
        assert few.wait(PATIENCE)
        # It is told to stand still right after this look: what it has then is what it has later.
        wait_for(lambda: stopped(target), what="the copy stands still")
        freed.set()
        ballast.unlink()

    maker = threading.Thread(target=make_room)
    maker.start()
    amount = files.fill(
        [ImageCopy(str(source), str(target), "raw")], MIB, lambda *_: None, crawls, threading.Event()
    )
    maker.join()
    assert freed.is_set()
    assert amount == 8 * MIB
    assert target.read_bytes() == source.read_bytes()


def stopped(path: Path) -> bool:
    """Whether the process that writes to a file is held by a signal."""
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue
        if words[0] == b"qemu-img" and str(path).encode() in words:
            return state == "T"
    return False


def test_a_mirror_there_crawls_before_its_destination_is_full(
    server: SshServer, hypervisor: Hypervisor, guest: Guests, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LOOK_THERE", 0.2)
    vm = guest(disks=[DiskSpec(data=8 * MIB)], delay=None)
    system = os.statvfs(small)
    ballast = small / "ballast"
    ballast.write_bytes(bytes(system.f_bavail * system.f_frsize - MIB))
    with watched(server.uri(socket_of(hypervisor)), may_ask=False) as host:
        plan = host.plan(copy_request(vm, small / "copy.qcow2", bandwidth=MIB // 4))
        accepted_losses = frozenset(f.acceptance for f in plan.findings if f.acceptance is not None)
        request = copy_request(vm, small / "copy.qcow2", bandwidth=MIB // 4, accepted=accepted_losses)
        run = host.run(accepted(host, request))
        told = host.wait_for(
            lambda s: next((j for j in s.jobs if "crawls until there is room" in (j.remark or "")), None),
            timeout=PATIENCE,
        )
        assert told is not None
        ballast.unlink()
        assert host.wait_for(
            lambda s: True if all(j.remark is None for j in s.jobs) else None, timeout=PATIENCE
        )
        run.leave()
        carried_out(host, end_request(vm, Ending.CANCEL))
