"""What must be known before layers of a chain are merged: the disk, its images, their room, and who needs them."""

from __future__ import annotations

from dataclasses import replace

from tui.engine.look import Look, layers_of, snapshots_of, unfollowed, uses_of
from tui.model.merge_case import MergeFacts
from tui.model.storage import BlockSource, Layer


def merge_facts(target: str, look: Look) -> MergeFacts:
    """Look, with as few calls as that takes."""
    domain = look.domain
    disk = domain.disk(target)
    facts = MergeFacts(domain, disk, entries=look.entries, now=look.now)
    if disk is None or disk.empty or not domain.state.active:
        return facts
    sizes = look.sizes(disk)
    # A commit changes images on which others may stand that are off, and no definition lists their chains.
    whole = look.followed()
    return replace(
        facts,
        capacity=sizes.capacity if sizes else None,
        running=look.progress(disk),
        layers=layers_of(disk, look),
        room=tuple(_free_beside(layer, look) for layer in disk.chain.layers),
        uses=uses_of(whole),
        unfollowed=unfollowed(whole),
        snapshots=snapshots_of(look.connection, domain),
    )


def _free_beside(layer: Layer, look: Look) -> int | None:
    # A device does not grow, and how much of it an image has used is not seen from outside.
    return None if isinstance(layer.source, BlockSource) else look.place(layer).free
