"""What speaks for and against holding the state of disks, each by its method, at one instant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tui.model.disk_checks import no_such_disk
from tui.model.domain import Domain, RunState
from tui.model.finding import Finding, fine, refused, warning
from tui.model.live_case import DiskFacts, LiveCase, LiveDisk, unfit
from tui.model.memory_checks import check_memory
from tui.model.methods import Method, Quiesce
from tui.model.place_checks import check_new_file
from tui.model.quantity import duration, rate, size
from tui.model.text import printable

_LONGEST_LIMIT = 3600.0
_LVM_NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*")


def check_subject(case: LiveCase) -> Iterator[Finding]:
    """Whether there is a guest, and disks."""
    request, domain = case.request, case.facts.domain
    name = printable(domain.name)
    if not domain.state.active:
        yield refused(
            "domain-not-running",
            f"{name} is {domain.state}; live snapshots are of running guests.",
            "Start the guest, or copy its images: nothing changes them now.",
        )
        return
    for wish in request.disks:
        if domain.disk(wish.target) is None:
            yield no_such_disk(domain, wish.target)
    named = [wish.target for wish in request.disks]
    for target in sorted({target for target in named if named.count(target) > 1}):
        yield refused("disk-twice", f"{printable(target)} is named twice.", "Name it once.")
    if not 0 < request.limit <= _LONGEST_LIMIT:
        yield refused(
            "limit",
            f"A guest cannot stand still for {request.limit:g} s at most.",
            "Choose 1 to 3600 seconds.",
        )


def check_disks(case: LiveCase) -> Iterator[Finding]:
    """Whether each disk can be snapshot by its method."""
    for disk in case.disks:
        if disk.method is not Method.NO:
            yield from _check_disk(case, disk)
        elif not disk.disk.empty:
            yield fine("stays", f"{printable(disk.target)} is not a part of it, and goes on as it is.")
    if not case.chosen:
        yield refused("nothing-chosen", "No disk is a part of this snapshot.", "Choose at least one.")
    paths = [disk.path for disk in case.disks] + [case.request.memory]
    for path in sorted({path for path in paths if path is not None and paths.count(path) > 1}):
        yield refused("same-name", f"Several files would be {printable(path)}.", "Give each its own name.")


def _check_disk(case: LiveCase, disk: LiveDisk) -> Iterator[Finding]:
    method = disk.method
    why = unfit(method, disk.facts)
    if why:
        yield refused(
            "method-unfit",
            f"The method {method} does not fit: {why}.",
            f"Leave it out, or name another: {_fit(disk.facts)}.",
        )
        return
    match method:
        case Method.QEMU:
            yield from _check_overlay(disk)
        case Method.BTRFS:
            yield from _check_clone(case, disk)
        case Method.LVM:
            yield from _check_volume(disk)
        case Method.MANUAL:
            yield from _check_manual(case, disk)
        case Method.INTERNAL if disk.facts.copy.running is not None:
            yield refused(
                "disk-busy",
                f"{printable(disk.target)} has a block job.",
                "Wait for its end, or leave the disk out.",
            )


def _fit(facts: DiskFacts) -> str:
    return ", ".join(m for m in Method if m is not Method.NO and not unfit(m, facts)) or "none fits"


def _check_overlay(disk: LiveDisk) -> Iterator[Finding]:
    if disk.path is None:
        yield refused(
            "no-file-name",
            f"{printable(disk.target)} is no file, so that no name follows for its overlay.",
            "Name a file for it, as file=/PATH.",
        )
    if disk.wish.format not in (None, "qcow2", "qed"):
        yield refused("format-unsupported", "libvirt makes overlays as qcow2 or qed.", "Choose qcow2.")


def _check_clone(case: LiveCase, disk: LiveDisk) -> Iterator[Finding]:
    known, path, shown = disk.facts, disk.path or "", printable(disk.target)
    if disk.pool is None and not case.facts.reached:
        yield refused(
            "files-elsewhere",
            f"The image of {shown} can be handled neither here nor through ssh.",
            "Use qemu, or run virt-mirror on that host; libvirt itself clones raw volumes of pools.",
        )
    yield from check_new_file(path, known.place)
    if known.shares_blocks is None:
        yield warning(
            "reflink-untried",
            f"Nobody could try whether the file system of {shown} lets files share blocks.",
            "If it does not, nothing is taken, and what was begun is taken back.",
        )
    backing = known.copy.layers[0].backing if known.copy.layers else None
    elsewhere = path.rpartition("/")[0] != disk.active.path.rpartition("/")[0]
    if elsewhere and backing is not None and not backing.startswith("/"):
        yield refused(
            "relative-backing",
            f"{printable(disk.active.path)} names the layer below as {printable(backing)}, which is not found from "
            f"{printable(path)}.",
            "Clone it into its own directory.",
        )
    if len(disk.disk.chain.layers) > 1:
        yield fine(
            "stands-on",
            f"The clone of {shown} stands on the same layers below, which have to stay as they are.",
        )


def _check_volume(disk: LiveDisk) -> Iterator[Finding]:
    known, room, shown = disk.facts, disk.room, printable(disk.target)
    logical = known.logical
    if not _LVM_NAME.fullmatch(disk.volume):
        yield refused(
            "volume-name",
            f"LVM takes no volume of the name {printable(disk.volume)}.",
            "Name it with letters, digits and + _ . - as name=NAME.",
        )
    if logical is not None and logical.free is not None and room > logical.free:
        yield refused(
            "space",
            f"The pool {printable(logical.pool)} has {size(logical.free)} left; {size(room)} are wanted for {shown}.",
            "Name less, as size=SIZE, or make room.",
        )
    if known.rate:
        lasts = f"at {rate(known.rate)}, which the guest writes now, they are full after {duration(room / known.rate)}"
    elif known.rate == 0:
        lasts = "the guest writes nothing now"
    else:
        lasts = "how fast the guest writes is not known"
    yield warning(
        "cow-size",
        f"{size(room)} are kept for what changes on {shown}: {lasts}. A snapshot volume that is full is lost.",
        "Make the backup before that, or name more, as size=SIZE.",
    )
    yield fine("thick", "LVM's thick snapshots are what libvirt can make; thin pools are beyond it.")


def _check_manual(case: LiveCase, disk: LiveDisk) -> Iterator[Finding]:
    if not case.request.command.strip() and not case.request.asks:
        yield refused(
            "no-command",
            f"The state of {printable(disk.target)} is to be held by hand, and there is no command for that.",
            "Say it with --command, or do it by hand with --wait: the guest stands still for so long.",
        )


# One instant


def check_instant(case: LiveCase) -> Iterator[Finding]:
    """Whether all disks are of one instant, and whether that is one at which their file systems are whole."""
    request, domain, rest = case.request, case.facts.domain, case.rest
    name, paused = printable(domain.name), domain.state is RunState.PAUSED
    if case.holds_memory:
        yield from check_memory(case)
        return
    if case.chosen:
        yield from check_frozen(domain, request.quiesce, freezes=rest.freezes)
    if case.must_rest and not (paused or rest.pause or rest.freezes):
        yield refused(
            "not-one-instant",
            f"{name} would go on writing meanwhile, and the disks would be of several instants, or an image torn.",
            "Let it be paused for the moment with --pause, or have an agent freeze its file systems.",
        )


def check_frozen(domain: Domain, wanted: Quiesce, *, freezes: bool) -> Iterator[Finding]:
    """Whether the file systems of the guest are whole at that instant."""
    name = printable(domain.name)
    if freezes:
        yield fine(
            "quiesced", f"The file systems of {name} are frozen for it, so that what is held mounts clean."
        )
        return
    if wanted is Quiesce.REQUIRED:
        paused = domain.state is RunState.PAUSED
        why = (
            f"{name} is paused, so that its agent cannot answer" if paused else f"no agent answers in {name}"
        )
        yield refused(
            "no-agent",
            f"Its file systems are to be frozen, and {why}.",
            "Start qemu-guest-agent there, or use --quiesce auto.",
        )
    else:
        why = "it was not wanted" if wanted is Quiesce.NO else "no agent answers"
        yield warning(
            "crash-consistent",
            f"The file systems of {name} are not frozen ({why}): what is held is as after a power cut.",
            "Journalling file systems recover from that; start qemu-guest-agent in the guest for more.",
        )
