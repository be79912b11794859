"""What speaks for and against holding the memory of a guest with its disks, inside of the images or in a file."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model.domain import RunState
from tui.model.facts import PathKind
from tui.model.finding import Acceptance, Finding, fine, refused, warning
from tui.model.live_case import LiveCase
from tui.model.methods import Method, Quiesce, takes_name
from tui.model.place_checks import check_new_file
from tui.model.quantity import size
from tui.model.text import printable


def check_memory(case: LiveCase) -> Iterator[Finding]:
    """Whether memory and disks can be of one instant, and what that means for the guest."""
    yield from _check_disks(case)
    if case.request.quiesce is Quiesce.REQUIRED:
        yield refused(
            "memory-quiesce",
            "A state with the memory would hold file systems that are frozen, for ever.",
            "Leave --quiesce required out: with its memory the guest goes on as if nothing had been.",
        )
    path = case.request.memory
    if path is None and not takes_name(case.request.name, case.facts.libvirt):
        yield refused(
            "snapshot-name",
            f"QEMU takes no such name as {printable(case.request.name)} from this libvirt for a state inside.",
            "Choose one of letters without accents, digits, dots, hyphens and underscores.",
        )
    if path is None:
        yield warning(
            "memory-stops",
            f"{printable(case.facts.domain.name)} stands still until its memory is written into the images, however"
            " long that takes.",
            "Use qemu to hold the disks alone.",
        )
        return
    yield from _check_file(case, path)
    yield from _check_standstill(case)


def _check_disks(case: LiveCase) -> Iterator[Finding]:
    method = Method.INTERNAL if case.request.memory is None else Method.QEMU
    others = [disk.target for disk in case.chosen if disk.method is not method]
    if others:
        yield refused(
            "memory-alone",
            f"With the memory all disks have to be held by {method}, and {', '.join(map(printable, others))} would"
            " be held otherwise.",
            _remedy(case, method),
        )
    left = [
        printable(disk.target)
        for disk in case.held_by(Method.NO)
        if not disk.disk.empty and not disk.disk.readonly
    ]
    if left:
        yield refused(
            "memory-all",
            f"The memory of a guest fits the disks of the same instant alone, and {', '.join(left)} would be left out.",
            _remedy(case, method),
        )


def _remedy(case: LiveCase, method: Method) -> str:
    """How the memory is held with all disks, or is not: a state inside of an image has it in any case."""
    other = f"{Method.QEMU} for all" if case.request.memory is None else "hold no memory"
    return f"Use {method} for all disks, or {other}."


def _check_file(case: LiveCase, path: str) -> Iterator[Finding]:
    known, shown = case.facts.memory, printable(path)
    yield from check_new_file(path, known.place)
    if known.place.kind is PathKind.MISSING:
        room, needed = known.place.free, known.size
        if room is None or needed is None or needed <= room:
            return
        reason = f"The memory takes {size(needed)} at most, and there are {size(room)} for {shown}."
        remedy = "Choose another place, or accept that with --risk-full-destination."
        found = refused("memory-space", reason, remedy, Acceptance.RISK_FULL_DESTINATION)
        yield found.unless(case.request.accepted)
    elif known.place.kind is None:
        yield warning(
            "memory-unchecked",
            f"Nobody could see whether there is a file {shown}, which libvirt would write over.",
            "Look on the host.",
        )


def _check_standstill(case: LiveCase) -> Iterator[Finding]:
    name, known = printable(case.facts.domain.name), case.facts.memory.size
    amount = f" of {size(known)}" if known is not None else ""
    if case.facts.domain.state is not RunState.RUNNING:
        yield fine("memory-still", f"{name} stands still already, and its memory{amount} with it.")
    elif case.request.pause:
        yield warning(
            "memory-stops",
            f"{name} stands still until its memory{amount} is written, at most {case.request.limit:g} s.",
            "If it may not be paused for it, it goes on meanwhile.",
        )
    else:
        yield fine(
            "memory-live",
            f"{name} goes on while its memory{amount} is written, and stands still for the moment at the end of that."
            " If it changes its memory faster than that can be written, there is no end, unless it may be paused for"
            " it.",
        )
