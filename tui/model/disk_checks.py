"""What speaks for and against any job on a disk: the domain, the disk, the jobs and plans there are already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from tui.model.command import own
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.finding import Finding, refused, warning
from tui.model.job import JobType, Progress
from tui.model.journal import Entry
from tui.model.text import printable

LONGEST = 2**63 - 1
"""The largest number that libvirt passes on to QEMU."""


class AboutDisk(Protocol):
    """What must be known of a disk that a job is to begin on."""

    @property
    def domain(self) -> Domain:
        """Whose disk it is."""

    @property
    def disk(self) -> Disk | None:
        """The disk; ``None`` where the domain has no such disk."""

    @property
    def running(self) -> Progress | None:
        """The job on the disk; pulls and commits show no mirror."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The journal of the domain."""

    @property
    def now(self) -> float:
        """Wall clock, seconds since the epoch."""


def no_such_disk(domain: Domain, target: str) -> Finding:
    """The domain has no disk that is called so."""
    disks = ", ".join(printable(disk.target) for disk in domain.disks) or "none"
    return refused(
        "no-such-disk",
        f"{printable(domain.name)} has no disk {printable(target)}.",
        f"Choose one of its disks: {disks}.",
    )


def check_medium(facts: AboutDisk, target: str, *, verb: str, instead: str) -> Iterator[Finding]:
    """Whether there is a running guest with such a disk, and a medium in it.

    Args:
        facts: what is known.
        target: the disk.
        verb: what is to be done to it, as ``mirrored``.
        instead: what can be done while the guest is off, a half sentence.
    """
    name, shown = printable(facts.domain.name), printable(target)
    if not facts.domain.state.active:
        yield refused(
            "domain-not-running",
            f"{name} is {facts.domain.state}; only a running guest's disk can be {verb}.",
            f"Start the guest, or {instead}.",
        )
    if facts.disk is None:
        yield no_such_disk(facts.domain, target)
    elif facts.disk.empty:
        yield refused(
            "disk-empty",
            f"{shown} of {name} is a drive without a medium.",
            "Insert a medium, or choose another disk.",
        )


def check_kind(facts: AboutDisk, disk: Disk) -> Iterator[Finding]:
    """What kinds of disk libvirt has no block jobs for."""
    name = name_of(facts, disk)
    if disk.outside_qemu:
        yield refused(
            "disk-outside-qemu",
            f"{name} is served by another process, so QEMU has no blocks to copy.",
            "Copy it with the tools of the process that serves it.",
        )
    if disk.bus == "sd":
        yield refused(
            "disk-bus",
            f"{name} is on the sd bus, where libvirt has no block jobs.",
            "Use another bus for it.",
        )
    if disk.transient:
        yield refused(
            "disk-transient",
            f"{name} is transient: its changes are thrown away when the guest stops.",
            "Take <transient/> off the disk, and restart the guest.",
        )


def check_jobs(facts: AboutDisk, disk: Disk) -> Iterator[Finding]:
    """One block job a disk, and one plan."""
    name, running = name_of(facts, disk), facts.running
    domain = facts.domain.name
    moves = any(e.moves for e in facts.entries if disk.target in e.targets)
    taken = next((e for e in facts.entries if disk.target in e.targets and e.snapshot), None)
    command = own("undo", domain) if moves else own("cancel", domain, disk.target)
    if taken is not None:
        command = taken.ways_out
    if disk.mirror or running:
        kind = (
            disk.mirror.job.value if disk.mirror else running.type.value if running else JobType.UNKNOWN.value
        )
        where = disk.mirror.destination if disk.mirror else None
        to = f" to {printable(where.path)}" if where else ""
        ours = any(e.begin_of(disk.target) for e in facts.entries)
        whose = "" if ours else ", started by somebody else"
        yield refused(
            "job-running",
            f"{name} has a block job already: {kind or 'one that is ending'}{to}{whose}.",
            f"Wait for it, or end it: {printable(command)}",
        )
        return
    for entry in facts.entries:
        if disk.target not in entry.targets:
            continue
        if not entry.stale(facts.now):
            yield refused(
                "plan-in-progress",
                f"{name} is being worked on by {entry.who}: {printable(entry.title)}.",
                "Wait until that has ended.",
            )
        else:
            yield refused(
                "plan-left-over",
                f"A plan of {entry.who} is still open on this disk: {printable(entry.title)}.",
                f"Clear it first: {printable(command)}",
            )


def check_bandwidth(bandwidth: int) -> Iterator[Finding]:
    """A limit that libvirt can count."""
    if not 0 <= bandwidth <= LONGEST:
        yield refused(
            "bandwidth",
            f"A limit of {bandwidth} bytes per second is none that libvirt can count.",
            "Give a smaller one, or 0 for no limit.",
        )


def check_meanwhile(facts: AboutDisk, disk: Disk, what: str) -> Iterator[Finding]:
    """What libvirt forbids while a job runs."""
    yield warning(
        "forbidden-meanwhile",
        f"While the {what} runs, {printable(facts.domain.name)} cannot be saved, migrated, or snapshot with its "
        f"memory, and {printable(disk.target)} can be neither detached nor resized.",
        "Do these before, or afterwards.",
    )


def name_of(facts: AboutDisk, disk: Disk) -> str:
    """The disk, for people."""
    return f"{printable(disk.target)} of {printable(facts.domain.name)}"
