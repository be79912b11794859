"""A host behind ssh: the same as any other, but for its files, which are not this machine's."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import (
    PATIENCE,
    accepted,
    carried_out,
    copy_request,
    end_request,
    job_in,
    log_of,
    watched,
)
from tests.guests import DiskSpec, Guests
from tests.hypervisor import MIB, Hypervisor
from tests.ssh_server import SshServer
from tui.engine.host import Host
from tui.model.host import HostState, Link
from tui.model.job import Phase
from tui.model.mirrored_snapshot import Snapshot, file_disk
from tui.model.request import Ending, RecoverRequest, SnapshotEndRequest, SnapshotRequest, SpeedRequest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    """Somebody to connect to."""
    made = SshServer(tmp_path)
    yield made
    made.stop()


def socket_of(hypervisor: Hypervisor) -> Path:
    return hypervisor.root / "sock" / "libvirt-sock"


def lost(host: Host, retries: int = 1) -> HostState:
    """Wait until a host was tried to be reached so often in vain."""
    state = host.wait_for(
        lambda s: s if s.link is Link.LOST and s.retries >= retries else None, timeout=PATIENCE
    )
    assert state is not None, host.state
    return state


def test_a_copy_outlives_the_way_to_its_host(
    server: SshServer, hypervisor: Hypervisor, guest: Guests
) -> None:
    vm = guest(disks=[DiskSpec(data=16 * MIB)])
    destination = vm.directory / "copy.qcow2"
    uri = server.uri(socket_of(hypervisor))
    with watched(uri, may_ask=False) as host:
        assert (host.state.uri, host.state.hostname, host.local) == (uri, hypervisor.name, False)
        lines = log_of(host)
        run = host.run(host.plan(copy_request(vm, destination, bandwidth=MIB)))
        before = job_in(host, vm, Phase.COPYING)
        server.hang_up()
        state = lost(host)
        assert "lost" in (state.error or "")
        assert state.link_since > 0
        assert host.wait_for(lambda s: s.complete or None, timeout=PATIENCE)
        assert server.connections == 2
        assert job_in(host, vm, Phase.COPYING).number == before.number
        carried_out(host, SpeedRequest(vm.uuid, "vda", 0))
        job_in(host, vm, Phase.IN_SYNC)
        outcome = run.wait(PATIENCE)
        assert outcome is not None
        cancel = accepted(host, end_request(vm, Ending.CANCEL))
        assert "destination-left" in {finding.check for finding in cancel.findings}
        carried_out(host, end_request(vm, Ending.CANCEL))
        assert any("lost" in line.text for line in lines)
    assert vm.mirror() is None
    # Whose file that is cannot be seen from here.
    assert destination.exists()


def test_a_snapshot_there_is_taken_back(server: SshServer, hypervisor: Hypervisor, guest: Guests) -> None:
    vm = guest(disks=[DiskSpec(layers=2)])
    before, mirror = vm.chain(), vm.directory / "mirror.qcow2"
    snapshot = Snapshot("s1", disks=(file_disk("vda", mirror=str(mirror)),))
    with watched(server.uri(socket_of(hypervisor)), may_ask=False) as host:
        carried_out(host, SnapshotRequest(vm.uuid, snapshot))
        overlay = Path(vm.chain()[0])
        carried_out(host, RecoverRequest(vm.uuid, undo=True))
        assert not overlay.exists()
        assert not mirror.exists()
        carried_out(host, SnapshotRequest(vm.uuid, snapshot))
        carried_out(host, SnapshotEndRequest(vm.uuid, "s1", Ending.PIVOT))
    assert vm.chain() == [str(mirror), *before]
    assert vm.virsh("snapshot-list", "--name").split() == []


@pytest.mark.parametrize(
    ("wrong", "why", "remedy"),
    [
        ({"key": "stranger"}, "Permission denied (publickey)", "ssh-agent"),
        ({"known_hosts": "no_hosts"}, "Host key verification failed", "Connect once with ssh"),
    ],
)
def test_a_host_that_does_not_let_us_in_is_not_asked_again_and_again(
    server: SshServer, hypervisor: Hypervisor, wrong: dict[str, str], why: str, remedy: str
) -> None:
    host = Host(server.uri(socket_of(hypervisor), **wrong), may_ask=False)
    try:
        state = lost(host)
        assert why in (state.error or "")
        assert remedy in (state.error or "")
        assert "Cannot recv data" not in (state.error or "")
        host.refresh()
        assert lost(host, 2).retries == 2
    finally:
        host.close()
    assert server.connections == 0


ASK = """
import os, sys
os.open(sys.argv[1], os.O_RDWR)  # a session's first terminal is the one that ssh asks on
from tui.engine.host import Host
from tui.model.host import Link
host = Host(sys.argv[2], may_ask=sys.argv[3] == "may ask")
state = host.wait_for(lambda s: s if s.link is Link.LOST else None, timeout=30)
print(state.error)
"""


@pytest.mark.parametrize("may_ask", [True, False])
def test_ssh_asks_on_the_terminal_only_where_it_may(
    server: SshServer,
    hypervisor: Hypervisor,
    may_ask: bool,  # noqa: FBT001
) -> None:
    master, terminal = pty.openpty()
    uri = server.uri(socket_of(hypervisor), known_hosts="no_hosts")
    words = [sys.executable, "-c", ASK, os.ttyname(terminal), uri, "may ask" if may_ask else "may not"]
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        if may_ask:
            asked = ""
            while "yes/no" not in asked:
                assert select.select([master], [], [], PATIENCE)[0], asked
                asked += os.read(master, 4096).decode()
            os.write(master, b"no\n")
        said, _ = process.communicate(timeout=PATIENCE)
        assert "Host key verification failed" in said
        assert may_ask or not select.select([master], [], [], 0)[0]
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(terminal)
