"""What plans under way bring to another host: two domains that stand on one image bring it once."""

from __future__ import annotations

from collections.abc import Iterable

from tui.model.begin_steps import StartCopy
from tui.model.journal import Entry
from tui.model.migrate_steps import CompareThere, CopyLayersThere, MakeThere


def coming_to(host: str, entries: Iterable[Entry]) -> dict[str, Entry]:
    """The paths at a host of files that are not wholly there yet, and the plan that brings each."""
    return {
        image.path: entry
        for entry in entries
        for step in entry.steps[entry.reached :]
        if isinstance(step, CopyLayersThere) and step.host == host
        for image in step.images
    }


def counted_on(host: str, entries: Iterable[Entry]) -> dict[str, Entry]:
    """The paths at a host of files that others have brought, and a plan that is to use each."""
    return {
        image.path: entry
        for entry in entries
        for step in entry.steps
        if isinstance(step, CompareThere) and step.host == host
        for image in step.images
    }


def still_goes(entry: Entry, host_uuid: str) -> bool:
    """Whether a plan takes its domain to that host, and has not done so."""
    migration = entry.migration
    return (
        migration is not None
        and migration.host_uuid == host_uuid
        and entry.reached <= entry.steps.index(migration)
    )


def still_copies(entry: Entry) -> bool:
    """Whether a plan is to copy disks, and has not begun to."""
    return not any(isinstance(step, StartCopy) for step in entry.steps[: entry.reached])


def room_for(entry: Entry) -> dict[str, int]:
    """The paths of the files that are made for a plan at the other host, and the bytes that each can take there."""
    made = {step.image.path: step.image.size for step in entry.steps if isinstance(step, MakeThere)}
    brought = (step for step in entry.steps if isinstance(step, CopyLayersThere))
    taken = {
        image.path: amount for step in brought for image, amount in zip(step.images, step.sizes, strict=True)
    }
    pooled = dict(entry.migration.pooled) if entry.migration else {}
    return {**pooled, **made, **taken}
