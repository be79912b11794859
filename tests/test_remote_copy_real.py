"""Copies to another host, seen from outside of both: the image, and the processes that serve it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    copy_request,
    cut_off,
    end_request,
    job_in,
    journal_is_empty,
    refusals,
    watched,
)
from tests.guests import DiskSpec, Guest, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.layouts import lay_out, layout_of
from tests.outside import allocated, check, images_equal, is_writing, virtual_size, wait_for
from tests.ssh_server import SshServer
from tests.test_cli_real import program
from tests.test_ssh_real import socket_of
from tui.engine import serve_steps
from tui.engine.control import End
from tui.model.job import Phase
from tui.model.request import Ending, RecoverRequest, RemoteCopyRequest, Then

if TYPE_CHECKING:
    from tests.conftest import MakeNbd

DATA = 8 * MIB
SLOW = 2 * MIB


@pytest.fixture(params=["here", "ssh"])
def there(request: pytest.FixtureRequest, other: Hypervisor, tmp_path: Path) -> Iterator[str]:
    """How it is reached: it is this machine, or behind ssh."""
    if request.param == "here":
        yield other.uri
        return
    server = SshServer(tmp_path)
    # Which is another name for it than the one by which it knows itself.
    yield server.uri(socket_of(other)).replace("127.0.0.1", "localhost", 1)
    server.stop()


@pytest.fixture
def image(other: Hypervisor) -> Iterator[Path]:
    """A path at that host, with what a shell would take for something else in it."""
    directory = other.root / "of a 'copy' $HOME"
    directory.mkdir()
    path = directory / "it's.qcow2"
    yield path
    path.unlink(missing_ok=True)
    directory.rmdir()


def wish(guest: Guest, there: str, path: Path, **more: Any) -> RemoteCopyRequest:
    return RemoteCopyRequest(copy_request(guest, path, **more), there)


def servers(path: Path) -> list[str]:
    """The processes that serve an image."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue  # It has ended since the directory was read.
        if b"qemu-nbd" in words[:1] and str(path).encode() in words:
            found.append(entry.name)
    return found


def test_a_copy_is_kept(hypervisor: Hypervisor, there: str, guest: Guests, image: Path) -> None:
    made = guest(disks=[DiskSpec(layers=2, data=DATA)], delay=None)
    with watched(hypervisor) as host:
        outcome = carried_out(host, wish(made, there, image, then=Then.KEEP))
        assert {f.check for f in outcome.findings} == {"copy-there"}
        assert journal_is_empty(host)
    assert servers(image) == []
    assert made.mirror() is None
    assert made.source() == str(made.images()[-1])
    assert images_equal(image, made.images()[-1])
    assert virtual_size(image, "qcow2") == DiskSpec().size
    assert allocated(image) < 2 * DATA
    assert check(image) == 0


def test_the_image_there_is_laid_out_as_the_one_here(
    hypervisor: Hypervisor, there: str, guest: Guests, image: Path
) -> None:
    made = guest(disks=[DiskSpec()], running=False)
    lay_out(made)
    made.virsh("start")
    with watched(hypervisor) as host:
        carried_out(host, wish(made, there, image, then=Then.KEEP))
    assert layout_of(image) == layout_of(made.images()[-1])
    assert layout_of(image)["cluster-size"] == MIB
    assert check(image) == 0


def test_a_mirror_is_held_and_then_kept(
    hypervisor: Hypervisor, there: str, guest: Guests, image: Path
) -> None:
    made = guest()
    words = ("copy", made.name, "vda", image, "--on", there)
    assert "virt-mirror migrate" in program(hypervisor, *words, "--pivot", "--yes", status=3).stderr
    said = program(hypervisor, *words, "--raw", "--yes")
    assert "NBD is not encrypted" in said.stderr
    assert f"keep {made.name} vda" in said.stdout
    assert len(servers(image)) == 1
    made.wait_ready()
    assert "virt-mirror migrate" in program(hypervisor, "pivot", made.name, "--yes", status=3).stderr
    made.virsh("suspend")
    kept = program(hypervisor, "keep", made.name, "--yes")
    assert f"{image} stays at host-b" in kept.stdout
    assert servers(image) == []
    assert images_equal(image, made.images()[0], one_format="raw")
    assert allocated(image) < DiskSpec().size // 2
    assert "urn:virt-mirror" not in made.xml() + made.xml(inactive=True)


def test_cancelled_it_leaves_nothing(hypervisor: Hypervisor, there: str, guest: Guests, image: Path) -> None:
    made = guest(disks=[DiskSpec(data=16 * MIB), DiskSpec(data=MIB)])
    beside = wish(made, there, image.with_name("vdb"), target="vdb")
    with watched(hypervisor) as host:
        assert "space-promised" not in {f.check for f in host.plan(beside).findings}
        plan = accepted(host, wish(made, there, image, bandwidth=SLOW))
        assert "127.0.0.1" in dict(plan.facts)["through"]
        run = host.run(plan)
        job_in(host, made, Phase.COPYING)
        assert len(servers(image)) == 1
        (told,) = (f.reason for f in host.plan(beside).findings if f.check == "space-promised")
        assert f"will be taken by {made.name}" in told
        run.leave()
    with watched(hypervisor) as host:
        outcome = carried_out(host, end_request(made, Ending.CANCEL))
        assert f"{image} was removed at host-b." in {f.reason for f in outcome.findings}
        assert journal_is_empty(host)
    assert servers(image) == []
    assert not image.exists()
    assert made.mirror() is None
    assert is_writing(made.images()[0])


def test_it_fails_with_its_server(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, image: Path
) -> None:
    made = guest(disks=[DiskSpec(size=256 * MIB, data=128 * MIB)])
    with watched(hypervisor) as host:
        # QEMU notices with its next write, and takes its time to that with a low limit.
        run = host.run(accepted(host, wish(made, other.uri, image, bandwidth=16 * MIB)))
        job_in(host, made, Phase.COPYING)
        (server,) = servers(image)
        os.kill(int(server), signal.SIGKILL)
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert journal_is_empty(host)
    assert not image.exists()
    assert made.mirror() is None
    assert is_writing(made.images()[0])


def test_of_a_guest_that_is_gone_the_rest_is_tidied_up(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, image: Path
) -> None:
    made = guest()
    with watched(hypervisor) as host:
        carried_out(host, wish(made, other.uri, image))
        assert host.wait_for(
            lambda s: True if s.entries and s.entries[0].step is None else None, timeout=PATIENCE
        )
        (held,) = host.examine(made.uuid)
        assert "the copy to host-b is in sync and waits" in held.reason
        assert f"keep {made.name} vda" in held.remedy
        made.virsh("destroy")
        wait_for(lambda: not servers(image), what="the server ends with its client")
        assert host.wait_for(lambda s: s.leftover(made.uuid, "vda"), timeout=PATIENCE)
        assert image.exists()
        (left,) = host.examine(made.uuid)
        assert left.check == "copy-left-over"
        assert f"{image} at host-b is left" in left.reason
        carried_out(host, end_request(made, Ending.CANCEL))
        assert journal_is_empty(host)
    assert not image.exists()


@pytest.mark.parametrize(
    "cut",
    [(1, "before", 0), (1, "inside", 1), (2, "before", 1), (2, "inside", 1), (4, "before", 1)],
    ids=lambda cut: f"{cut[1]}-{cut[0]}",
)
def test_killed_it_is_taken_back(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, image: Path, cut: tuple[int, str, int]
) -> None:
    made = guest()
    number, when, served = cut
    cut_off(made, {"uuid": made.uuid, "on": other.uri, "path": str(image)}, number, when)
    assert image.exists()
    assert len(servers(image)) == served
    with watched(hypervisor) as host:
        carried_out(host, RecoverRequest(made.uuid, undo=True))
        assert journal_is_empty(host)
    assert servers(image) == []
    assert not image.exists()
    assert made.mirror() is None
    assert is_writing(made.images()[0])


@pytest.mark.parametrize(
    "cut", [(1, "inside"), (3, "before"), (5, "before")], ids=lambda cut: f"{cut[1]}-{cut[0]}"
)
def test_killed_it_goes_on(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, image: Path, cut: tuple[int, str]
) -> None:
    made = guest(disks=[DiskSpec(data=8 * MIB)], delay=None)
    cut_off(made, {"uuid": made.uuid, "on": other.uri, "path": str(image)}, *cut)
    with watched(hypervisor) as host:
        carried_out(host, RecoverRequest(made.uuid, undo=False))
        assert journal_is_empty(host)
    assert servers(image) == []
    assert made.mirror() is None
    assert images_equal(image, made.images()[0])


def test_what_is_there_stays(hypervisor: Hypervisor, there: str, guest: Guests, image: Path) -> None:
    made = guest()
    image.write_bytes(b"mine")
    with watched(hypervisor) as host:
        assert refusals(host.plan(wish(made, there, image))) == {"destination-exists"}
        # Somebody has made it since the plan.
        image.unlink()
        plan = accepted(host, wish(made, there, image))
        image.write_bytes(b"mine")
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
    assert servers(image) == []


def test_where_it_cannot_go(hypervisor: Hypervisor, other: Hypervisor, guest: Guests, image: Path) -> None:
    made = guest()
    with watched(hypervisor) as host, socket.create_server(("127.0.0.1", 0)) as taken:
        busy = replace(wish(made, other.uri, image), port=taken.getsockname()[1])
        assert refusals(host.plan(busy)) == {"port-taken"}
        assert refusals(host.plan(wish(made, hypervisor.uri, image))) == {"same-host"}
        assert refusals(host.plan(wish(made, other.uri, image.parent / "no" / "x"))) == {"directory-missing"}
        gone = wish(made, f"qemu+unix:///system?socket={image}", image)
        assert refusals(host.plan(gone)) == {"host-unreached"}


def test_a_server_that_is_not_reached_is_not_copied_to(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = guest()
    # As with a firewall in between, but at once.
    monkeypatch.setattr(serve_steps, "_SERVE", "exit 0")
    with watched(hypervisor) as host:
        plan = accepted(host, wish(made, other.uri, image))
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert "host-a does not reach port" in outcome.message
        assert "Connection refused. Open it in the firewall" in outcome.message
        assert host.state.job(made.uuid, "vda") is None
        assert journal_is_empty(host)
    assert not image.exists()


def test_where_the_server_does_not_start_nothing_is_left(
    hypervisor: Hypervisor, there: str, guest: Guests, image: Path
) -> None:
    made = guest()
    with watched(hypervisor) as host:
        # An address that no machine has.
        plan = accepted(host, replace(wish(made, there, image), address="192.0.2.1"))
        outcome = host.run(plan).wait(PATIENCE)
        assert outcome is not None
        assert outcome.end is End.FAILED
        assert "Cannot assign requested address" in outcome.message
        assert journal_is_empty(host)
    assert not image.exists()
    assert servers(image) == []


def test_only_the_own_server_is_ended(
    hypervisor: Hypervisor, other: Hypervisor, guest: Guests, image: Path, nbd_server: MakeNbd
) -> None:
    made = guest()
    strange = nbd_server(tcp=True)
    with watched(hypervisor) as host:
        carried_out(host, wish(made, other.uri, image))
        carried_out(host, end_request(made, Ending.CANCEL))
    assert servers(image) == []
    assert servers(strange.image)
