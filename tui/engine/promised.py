"""Room that is free and is not: what plans under way will still write to a file system.

Files are looked at where the host is this machine. Elsewhere a running mirror says what it has left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tui.engine.look import Look
from tui.engine.room import taken
from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import MakeImage
from tui.model.facts import parent_of
from tui.model.finding import Severity, fine, warning
from tui.model.journal import Entry
from tui.model.plan import Plan
from tui.model.quantity import size
from tui.model.storage import Chain, FileSource, Layer
from tui.model.text import printable
from tui.model.volume_steps import MakeVolume

# Paths stay strings here, to the byte what the host calls them: a Path drops slashes and dots.
# ruff: noqa: PTH116


def device_of(directory: str) -> int | None:
    """The file system of a directory of this machine; ``None`` where it cannot be seen."""
    try:
        return os.stat(directory).st_dev
    except (OSError, ValueError):
        return None


def promised_in(directory: str, look: Look) -> dict[str, int]:
    """Bytes that other plans will still write to the file system of a directory, by the names of their domains."""
    found: dict[str, int] = {}
    for entry in look.plans:
        amount = sum(_left(entry, directory, look))
        if amount:
            name = next((step.domain for step in entry.copies), entry.uuid)
            found[name] = found.get(name, 0) + amount
    return found


def promised_of(pool: str, look: Look) -> dict[str, int]:
    """Bytes of a logical pool for which other plans will still make volumes, by the names of their domains."""
    found: dict[str, int] = {}
    for entry in look.plans:
        if not carried_on(entry, look):
            continue
        for step in entry.steps[entry.reached :]:
            if isinstance(step, MakeVolume) and step.pool == pool:
                found[step.domain] = found.get(step.domain, 0) + step.size
    return found


def promised_to(destination: Chain, look: Look) -> dict[str, int]:
    """The same for where a new image lies; nothing for what is no file."""
    match destination.active:
        case Layer(source=FileSource(path=path)):
            return promised_in(parent_of(path), look)
        case _:
            return {}


def remaining(free: int | None, promised: dict[str, int]) -> int | None:
    """What is free beside that."""
    return None if free is None else max(0, free - sum(promised.values()))


def told(plan: Plan, promised: Mapping[str, int]) -> Plan:
    """A plan that says why less is free than ``df`` shows."""
    if not promised:
        return plan
    names = ", ".join(printable(name) for name in promised)
    reason = (
        f"{size(sum(promised.values()))} of what is free there will be taken by {names}, and do not count."
    )
    tight = any(f.check.startswith("space") and f.severity is not Severity.FINE for f in plan.findings)
    finding = (
        warning("space-promised", reason, "Wait until that has ended, and look again.")
        if tight
        else fine("space-promised", reason)
    )
    return replace(plan, findings=(*plan.findings, finding))


def _left(entry: Entry, directory: str, look: Look) -> Iterator[int]:
    """What an entry's plan will still write there, image by image."""
    mirrored = {copy.path for copy in entry.copies}
    for copy in entry.copies:
        if _together(copy.path, directory, look):
            yield _left_of_copy(copy, look)
    if not look.local or not carried_on(entry, look):
        # Nobody fills the images of a move that was left, and those of one that has ended are full.
        return
    for step in entry.steps:
        if not isinstance(step, MakeImage) or step.like is None or step.path in mirrored:
            continue
        if _together(step.path, directory, look):
            yield max(0, _allocated(step.like) - _allocated(step.path))


def carried_on(entry: Entry, look: Look) -> bool:
    """Whether somebody works on it; one of ours that is not under way has ended before the host's picture knew."""
    if entry.here:
        return any(one.id == entry.id for one in look.under_way)
    # A journal stands still while its domain is on its way.
    return not entry.stale(look.now) or look.state.under_way(entry.uuid)


def _left_of_copy(copy: StartCopy, look: Look) -> int:
    domain = look.state.domain(copy.uuid)
    disk = domain.disk(copy.target) if domain else None
    if domain is None or disk is None or not domain.is_on(copy.target, copy.source):
        # It has gone over, or has not begun: of a chain that goes along the layers are counted.
        return 0
    if not look.local:
        job = look.state.job(copy.uuid, copy.target)
        progress = job.progress if job and not job.phase.ended else None
        return (progress.remaining or 0) if progress else 0
    whole = [layer.path for layer in disk.chain.layers[: 1 if copy.shallow else None]]
    return max(0, sum(map(_allocated, whole)) - _allocated(copy.path))


def _together(path: str, directory: str, look: Look) -> bool:
    parent = parent_of(path)
    if not look.local:
        return parent == directory
    device = device_of(directory)
    return device is not None and device_of(parent) == device


def _allocated(path: str) -> int:
    try:
        return taken(os.stat(path))
    except (OSError, ValueError):
        # Not made yet, or not a file that could be seen from here.
        return 0
