"""What the tests of the checks share: a bench on which a plan is made, and then done all the same."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.guests import DiskSpec
from tests.hypervisor import MIB
from tests.outside import wait_for
from tui.engine.connection import BlockJobChanged, Connection, Event
from tui.engine.disk_calls import CopyFlags
from tui.engine.errors import HostError
from tui.engine.planning import make_plan
from tui.model.begin_steps import StartCopy
from tui.model.definition import parse_domain
from tui.model.domain import Domain
from tui.model.finding import Severity
from tui.model.host import HostState
from tui.model.job import JobEvent
from tui.model.plan import Plan
from tui.model.request import CopyRequest, Ending, EndRequest, Request
from tui.model.storage import (
    BlockSource,
    Chain,
    FileSource,
    Layer,
)

if TYPE_CHECKING:
    from tests.guests import Guest, Guests


INVALID_ARG = 8
OPERATION_FAILED = 9
SYSTEM_ERROR = 38
OPERATION_INVALID = 55
CONFIG_UNSUPPORTED = 67
BLOCK_COPY_ACTIVE = 83
OPERATION_UNSUPPORTED = 84


@dataclass
class Bench:
    """A connection to the real host, and what it said."""

    connection: Connection
    uri: str
    events: list[Event] = field(default_factory=list)
    libvirt: tuple[int, int, int] | None = None

    def state(self) -> HostState:
        domains = []
        for uuid in self.connection.list_domains():
            reading = self.connection.read(uuid)
            if reading is not None:
                domains.append(Domain(parse_domain(reading.xml), reading.state, reading.persistent))
        version = self.libvirt or self.connection.libvirt_version()
        return HostState(self.uri, libvirt=version, domains=tuple(domains))

    def make(self, request: Request) -> Plan:
        return make_plan(request, self.connection, self.state(), "p1", time.time())

    def plan(self, guest: Guest, destination: Chain | Path, *, target: str = "vda", **wish: Any) -> Plan:
        place = destination if isinstance(destination, Chain) else file(destination)
        return self.make(CopyRequest(guest.uuid, target, place, **wish))

    def end(self, guest: Guest, ending: Ending, *targets: str, **wish: bool) -> Plan:
        return self.make(EndRequest(guest.uuid, targets, ending, **wish))

    def start(self, made: Plan) -> int | None:
        """Do what the plan would have begun with; answer libvirt's code where it refuses, and 0 where not."""
        step = made.steps[0]
        assert isinstance(step, StartCopy)
        wanted = {"bandwidth": step.bandwidth, "granularity": step.granularity, "buf-size": step.buf_size}
        params = {name: value for name, value in wanted.items() if value}
        flags = CopyFlags(step.shallow, step.reuse_external, step.transient_job, step.synchronous_writes)
        self.events.clear()
        try:
            if step.legacy:
                legacy = CopyFlags(
                    step.shallow, step.reuse_external, raw=step.format == "raw", blockdev=step.blockdev
                )
                self.connection.block_rebase_copy(step.uuid, step.target, step.path, step.bandwidth, legacy)
            else:
                self.connection.block_copy(step.uuid, step.target, step.xml, params, flags)
        except HostError as error:
            return error.code
        return 0

    def copy(self, guest: Guest, xml: str, target: str = "vda") -> int | None:
        """Begin a copy that no plan could express."""
        try:
            self.connection.block_copy(guest.uuid, target, xml, {}, CopyFlags(transient_job=True))
        except HostError as error:
            return error.code
        return 0

    def heard(self, event: JobEvent) -> None:
        def seen() -> bool:
            return any(isinstance(e, BlockJobChanged) and e.event is event for e in self.events)

        wait_for(seen, what=f"the event {event}")

    def finish(self, guest: Guest, *, pivot: bool = False, target: str = "vda") -> None:
        """Wait until the copy is in sync, and end it."""
        guest.wait_ready(target)
        self.events.clear()
        self.connection.end_job(guest.uuid, target, pivot=pivot)
        self.heard(JobEvent.COMPLETED if pivot else JobEvent.CANCELED)


def file(path: Path | str, kind: str | None = None, *below: Path, **more: Any) -> Chain:
    layers = tuple(Layer(FileSource(str(p)), "qcow2") for p in below)
    return Chain((Layer(FileSource(str(path)), kind, **more), *layers), complete=False)


def device(path: str, kind: str | None = None) -> Chain:
    return Chain((Layer(BlockSource(path), kind),), complete=False)


def refusals(made: Plan) -> set[str]:
    return {f.check for f in made.findings if f.severity is Severity.REFUSED}


def warnings(made: Plan) -> set[str]:
    return {f.check for f in made.findings if f.severity is Severity.WARNING}


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def create(path: Path, size: int = 64 * MIB, kind: str = "qcow2") -> Path:
    qemu_img("create", "-q", "-f", kind, path, str(size))
    return path


def overlay(path: Path, backing: Path, kind: str = "qcow2") -> Path:
    qemu_img("create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", kind, path, str(64 * MIB))
    return path


@contextmanager
def loop_device(path: Path, size: int) -> Iterator[str]:
    create(path, size, "raw")
    done = subprocess.run(
        ["losetup", "--find", "--show", str(path)], capture_output=True, check=False, text=True
    )
    if done.returncode:
        pytest.skip(f"no loop devices here: {done.stderr}")
    try:
        yield done.stdout.strip()
    finally:
        subprocess.run(["losetup", "--detach", done.stdout.strip()], check=True)


def idle(guest: Guests, *disks: DiskSpec | str, **more: Any) -> Guest:
    """A guest that does not write, so that images can be compared."""
    specs: Sequence[DiskSpec | str] = disks or (DiskSpec(),)
    return guest(disks=specs, delay=None, **more)
