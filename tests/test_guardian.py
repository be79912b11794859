"""Who acts for a program that was killed, and for whom it does not."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guests import Guest, Guests
from tests.hypervisor import Hypervisor
from tests.outside import wait_for
from tui.engine import guardian

import libvirt

ROOT = Path(__file__).parent.parent
OWNER = "root@host-a:4711"
PROGRAM = """
import sys
from tui.engine.guardian import guarded
with guarded(sys.argv[1], sys.argv[2], "resume", sys.argv[3]):
    print("guarded", flush=True)
    sys.stdin.read()
"""


def guarded(guest: Guest) -> bool:
    """Whether a process watches over it."""
    words = (guardian.__file__, guest.uuid)
    return any(all(word.encode() in line for word in words) for line in command_lines())


def command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # One that has just ended has none any more.
        with contextlib.suppress(OSError):
            yield path.read_bytes()


def killed(guest: Guest) -> None:
    """A program by which the guest stands still is killed; returns when its guardian has done what it does."""
    command = [sys.executable, "-c", PROGRAM, guest.hypervisor.uri, guest.uuid, OWNER]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"guarded\n"
        # Whoever starts another program hears that it has begun before its command line can be seen.
        wait_for(lambda: guarded(guest), what="the guardian has begun")
        process.kill()
    wait_for(lambda: not guarded(guest), what="the guardian has ended")


@pytest.mark.parametrize(
    ("owner", "state"),
    [(OWNER, "running"), (f"{OWNER}2", "paused"), ("root@host-b:1", "paused"), ("", "paused")],
)
def test_it_acts_for_nobody_whose_plan_somebody_else_has_taken_up(
    guest: Guests, owner: str, state: str
) -> None:
    made = guest()
    if owner:
        made.virsh("metadata", "urn:virt-mirror:plan:x", "--key", "plan", "--set", f"<plan owner='{owner}'/>")
    made.virsh("suspend")
    killed(made)
    assert made.state() == state


@pytest.mark.parametrize("state", ["paused", "running", "shut off", "nowhere"])
def test_it_comes_again_when_the_daemon_dies_under_it(
    hypervisor: Hypervisor, guest: Guests, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """And it ends when there is nobody to be let go on."""
    made = guest(running=state in ("paused", "running"))
    if state == "paused":
        made.virsh("suspend")
    uuid = "00000000-0000-4000-8000-000000000000" if state == "nowhere" else made.uuid
    resume, tries = libvirt.virDomain.resume, 0

    def resumed(domain: libvirt.virDomain) -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            hypervisor.restart(kill=True)
        return int(resume(domain))

    monkeypatch.setattr(libvirt.virDomain, "resume", resumed)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    guardian._watch(hypervisor.uri, uuid, "resume", "")  # noqa: SLF001
    assert tries == (0 if state == "nowhere" else 2)
    assert made.state() == ("running" if state in ("paused", "running") else "shut off")
