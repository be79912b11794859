"""What speaks for and against holding the state of disks, each by its method, at one instant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tui.model.domain import RunState
from tui.model.facts import PathKind
from tui.model.finding import Finding, fine, refused, warning
from tui.model.live_case import DiskFacts, LiveFacts, method_of, place_of, unfit, wish_of
from tui.model.methods import Method, Quiesce
from tui.model.quantity import duration, rate, size
from tui.model.request import LiveSnapshotRequest
from tui.model.text import printable

SHARE_OF_VOLUME = 5
"""A snapshot volume is proposed with a fifth of the size of its origin."""
_LEAST = 64 * 1024 * 1024
_LONGEST_LIMIT = 3600.0
_LVM_NAME = re.compile(r"[A-Za-z0-9+_.][A-Za-z0-9+_.-]*")


@dataclass(frozen=True, slots=True)
class Rest:
    """How a guest is kept from writing for the instant."""

    quiesce: Quiesce
    pause: bool

    @property
    def words(self) -> str:
        """For people; nothing where it goes on."""
        parts = ["file systems frozen"] if self.quiesce is not Quiesce.NO else []
        return " and ".join([*parts, *(["guest paused"] if self.pause else [])])


def check_subject(request: LiveSnapshotRequest, facts: LiveFacts) -> Iterator[Finding]:
    """Whether there is a guest, and disks."""
    name = printable(facts.domain.name)
    if not facts.domain.state.active:
        yield refused(
            "domain-not-running",
            f"{name} is {facts.domain.state}; live snapshots are of running guests.",
            "Start the guest, or copy its images: nothing changes them now.",
        )
        return
    known = {disk.target for disk in facts.domain.disks}
    for wish in request.disks:
        if wish.target not in known:
            disks = ", ".join(map(printable, sorted(known))) or "none"
            yield refused(
                "no-such-disk",
                f"{name} has no disk {printable(wish.target)}.",
                f"Choose one of its disks: {disks}.",
            )
    named = [wish.target for wish in request.disks]
    for target in sorted({target for target in named if named.count(target) > 1}):
        yield refused("disk-twice", f"{printable(target)} is named twice.", "Name it once.")
    if not 0 < request.limit <= _LONGEST_LIMIT:
        yield refused(
            "limit",
            f"A guest cannot stand still for {request.limit:g} s at most.",
            "Choose 1 to 3600 seconds.",
        )


def check_disks(request: LiveSnapshotRequest, facts: LiveFacts) -> Iterator[Finding]:
    """Whether each disk can be snapshot by its method."""
    chosen = 0
    for target, known in facts.disks.items():
        method, shown = method_of(request, known), printable(target)
        if method is Method.NO:
            if not known.disk.empty:
                yield fine("stays", f"{shown} is not a part of it, and goes on as it is.")
            continue
        chosen += 1
        why = unfit(method, known)
        if why:
            yield refused(
                "method-unfit",
                f"{method} is nothing for it: {why}.",
                f"Leave it out, or name another: {_fit(known)}.",
            )
            continue
        if known.copy.running is not None and method is Method.INTERNAL:
            yield refused(
                "disk-busy", f"{shown} has a block job.", "Wait for its end, or leave the disk out."
            )
        yield from _OF_METHOD.get(method, _nothing)(request, facts, known)
    if not chosen:
        yield refused("nothing-chosen", "No disk is a part of this snapshot.", "Choose at least one.")
    paths = [place_of(request, known, method_of(request, known)) for known in facts.disks.values()]
    for path in sorted({path for path in paths if path is not None and paths.count(path) > 1}):
        yield refused("same-name", f"Several images would be {printable(path)}.", "Give each its own name.")


def _fit(facts: DiskFacts) -> str:
    return ", ".join(m for m in Method if m is not Method.NO and not unfit(m, facts)) or "none fits"


def _nothing(_request: LiveSnapshotRequest, _facts: LiveFacts, _known: DiskFacts) -> Iterator[Finding]:
    yield from ()


def _check_overlay(request: LiveSnapshotRequest, _facts: LiveFacts, known: DiskFacts) -> Iterator[Finding]:
    if place_of(request, known, Method.QEMU) is None:
        shown = printable(known.disk.target)
        yield refused(
            "no-file-name",
            f"{shown} is no file, so that no name follows for its overlay.",
            "Name a file for it, as file=/PATH.",
        )
    if wish_of(request, known.disk.target).format not in (None, "qcow2", "qed"):
        yield refused("format-unsupported", "libvirt makes overlays as qcow2 or qed.", "Choose qcow2.")


def _check_clone(request: LiveSnapshotRequest, facts: LiveFacts, known: DiskFacts) -> Iterator[Finding]:
    path, shown = place_of(request, known, Method.BTRFS) or "", printable(known.disk.target)
    active = known.disk.chain.layers[0]
    if not facts.reached:
        yield refused(
            "files-elsewhere",
            f"The image of {shown} can be handled neither here nor through ssh.",
            "Use qemu, or run virt-mirror on that host.",
        )
    if not path.startswith("/"):
        yield refused(
            "path-relative", f"{printable(path)} is no absolute path.", "Name one that begins with a /."
        )
    elif known.place.kind not in (None, PathKind.MISSING):
        yield refused(
            "destination-exists", f"{printable(path)} is {known.place.kind} already.", "Choose another name."
        )
    elif known.place.parent_exists is False:
        yield refused(
            "directory-missing",
            f"There is no directory for {printable(path)}.",
            "Make it, or choose another.",
        )
    if known.shares_blocks is None:
        yield warning(
            "reflink-untried",
            f"Nobody could try whether the file system of {shown} lets files share blocks.",
            "If it does not, nothing is taken, and what was begun is taken back.",
        )
    backing = known.copy.layers[0].backing if known.copy.layers else None
    elsewhere = path.rpartition("/")[0] != active.path.rpartition("/")[0]
    if elsewhere and backing is not None and not backing.startswith("/"):
        yield refused(
            "relative-backing",
            f"{printable(active.path)} names the layer below as {printable(backing)}, which is not found from "
            f"{printable(path)}.",
            "Clone it into its own directory.",
        )
    if len(known.disk.chain.layers) > 1:
        yield fine(
            "stands-on",
            f"The clone of {shown} stands on the same layers below, which have to stay as they are.",
        )


def _check_volume(request: LiveSnapshotRequest, _facts: LiveFacts, known: DiskFacts) -> Iterator[Finding]:
    logical, shown = known.logical, printable(known.disk.target)
    name, room = volume_name(request, known), volume_size(request, known)
    if not _LVM_NAME.fullmatch(name):
        yield refused(
            "volume-name",
            f"LVM takes no volume of the name {printable(name)}.",
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


def _check_manual(request: LiveSnapshotRequest, _facts: LiveFacts, known: DiskFacts) -> Iterator[Finding]:
    if not request.command.strip() and not request.asks:
        yield refused(
            "no-command",
            f"{printable(known.disk.target)} is to be snapshot by hand, and there is no command for that.",
            "Say it with --command, or do it by hand with --wait: the guest stands still for so long.",
        )


_OF_METHOD = {
    Method.QEMU: _check_overlay,
    Method.BTRFS: _check_clone,
    Method.LVM: _check_volume,
    Method.MANUAL: _check_manual,
}


def volume_name(request: LiveSnapshotRequest, facts: DiskFacts) -> str:
    """What a snapshot volume is called where nobody says more."""
    origin = facts.logical.name if facts.logical else ""
    return wish_of(request, facts.disk.target).volume or f"{origin}-{request.name}"


def volume_size(request: LiveSnapshotRequest, facts: DiskFacts) -> int:
    """Bytes that a snapshot volume has for what changes."""
    wanted = wish_of(request, facts.disk.target).size
    if wanted is not None:
        return wanted
    capacity = facts.copy.sizes.capacity if facts.copy.sizes else 0
    return max(_LEAST, capacity // SHARE_OF_VOLUME)


# One instant


def rest_of(request: LiveSnapshotRequest, facts: LiveFacts, chosen: Mapping[str, DiskFacts]) -> Rest:
    """How the guest is kept from writing meanwhile."""
    methods = [method_of(request, known) for known in chosen.values()]
    if Method.INTERNAL in methods or facts.domain.state is RunState.PAUSED:
        return Rest(Quiesce.NO, pause=False)
    freezes = request.quiesce is not Quiesce.NO and facts.domain.definition.agent
    pause = (
        request.pause and _must_rest(request, chosen) and (not freezes or _has_layers_in_use(request, chosen))
    )
    if not freezes:
        return Rest(Quiesce.NO, pause)
    needed = request.quiesce is Quiesce.REQUIRED or (_must_rest(request, chosen) and not pause)
    return Rest(Quiesce.REQUIRED if needed else Quiesce.AUTO, pause)


def _must_rest(request: LiveSnapshotRequest, chosen: Mapping[str, DiskFacts]) -> bool:
    """Whether a guest that went on would make it several instants, or tear an image."""
    methods = [method_of(request, known) for known in chosen.values()]
    parts = sum(method is not Method.QEMU for method in methods) + (Method.QEMU in methods)
    return parts > 1 or Method.MANUAL in methods or _has_layers_in_use(request, chosen)


def _has_layers_in_use(request: LiveSnapshotRequest, chosen: Mapping[str, DiskFacts]) -> bool:
    """Whether an image is cloned whose tables QEMU has in its memory."""
    return any(
        method_of(request, known) is Method.BTRFS and known.disk.chain.layers[0].format != "raw"
        for known in chosen.values()
        if not known.disk.empty
    )


def check_instant(
    request: LiveSnapshotRequest, facts: LiveFacts, chosen: Mapping[str, DiskFacts]
) -> Iterator[Finding]:
    """Whether all disks are of one instant, and whether that is one at which their file systems are whole."""
    name, rest = printable(facts.domain.name), rest_of(request, facts, chosen)
    methods = [method_of(request, known) for known in chosen.values()]
    paused = facts.domain.state is RunState.PAUSED
    if Method.INTERNAL in methods:
        yield from _check_internal(request, facts, chosen)
        return
    if request.quiesce is Quiesce.REQUIRED and rest.quiesce is Quiesce.NO:
        why = (
            f"{name} is paused, so that its agent cannot answer" if paused else f"no agent answers in {name}"
        )
        yield refused(
            "no-agent",
            f"Its file systems are to be frozen, and {why}.",
            "Start qemu-guest-agent there, or use --quiesce auto.",
        )
    still = paused or rest.pause or rest.quiesce is not Quiesce.NO
    if _must_rest(request, chosen) and not still:
        yield refused(
            "not-one-instant",
            f"{name} would go on writing meanwhile, and the disks would be of several instants, or an image torn.",
            "Let it be paused for the moment with --pause, or have an agent freeze its file systems.",
        )
    if rest.quiesce is not Quiesce.NO:
        yield fine(
            "quiesced", f"The file systems of {name} are frozen for it, so that what is held mounts clean."
        )
    elif chosen:
        why = "it was not wanted" if request.quiesce is Quiesce.NO else "no agent answers"
        yield warning(
            "crash-consistent",
            f"The file systems of {name} are not frozen ({why}): what is held is as after a power cut.",
            "Journalling file systems recover from that; start qemu-guest-agent in the guest for more.",
        )


def _check_internal(
    request: LiveSnapshotRequest, facts: LiveFacts, chosen: Mapping[str, DiskFacts]
) -> Iterator[Finding]:
    others = [t for t, known in chosen.items() if method_of(request, known) is not Method.INTERNAL]
    if others:
        yield refused(
            "internal-alone",
            f"States inside of images go with the memory of the guest, and {', '.join(map(printable, others))} cannot "
            "be held with that at one instant.",
            "Use internal for all disks, or for none.",
        )
    left = [
        printable(t)
        for t, known in facts.disks.items()
        if method_of(request, known) is Method.NO and not known.disk.empty and not known.disk.readonly
    ]
    if left:
        yield refused(
            "internal-all",
            f"libvirt holds states inside of all images that a guest writes to or of none, and {', '.join(left)} is "
            "left out.",
            "Use internal for all disks, or qemu.",
        )
    if request.quiesce is Quiesce.REQUIRED:
        yield refused(
            "internal-quiesce",
            "A state with the memory would hold file systems that are frozen, for ever.",
            "Leave --quiesce required out: with its memory the guest goes on as if nothing had been.",
        )
    yield warning(
        "internal-stops",
        f"{printable(facts.domain.name)} stands still until its memory is written into the images, however long that"
        " takes.",
        "Use qemu to hold the disks alone.",
    )
