"""What speaks for and against merging layers of a disk's chain: by a commit downwards, or a pull upwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tui.model import disk_checks
from tui.model.command import snapshot_deletion
from tui.model.disk import Disk
from tui.model.facts import UseKind, who
from tui.model.finding import Acceptance, Finding, fine, refused, warning
from tui.model.merge_case import MergeCase, MergeFacts, find_layer
from tui.model.quantity import size
from tui.model.request import CommitRequest, MergeRequest
from tui.model.snapshot import SnapshotFacts
from tui.model.storage import FileSource
from tui.model.text import listed, printable

_MOST_NAMES = 5


def check_subject(request: MergeRequest, facts: MergeFacts) -> Iterator[Finding]:
    """Whether there is a running guest with such a disk, whose chain is known to its end."""
    verb = "merged" if isinstance(request, CommitRequest) else "pulled together"
    instead = "use qemu-img commit or qemu-img rebase while it is off"
    yield from disk_checks.check_medium(facts, request.target, verb=verb, instead=instead)
    disk = facts.disk
    if disk is None or disk.empty or not facts.domain.state.active:
        return
    if not disk.chain.complete:
        yield refused(
            "chain-unknown",
            f"Nobody says on what the last known layer of {disk_checks.name_of(facts, disk)} stands.",
            "Name the formats in the images' headers (qemu-img rebase -u -F), and restart the guest.",
        )
    elif len(disk.chain.layers) == 1:
        yield refused(
            "one-layer",
            f"{disk_checks.name_of(facts, disk)} has a single layer: there is nothing to merge.",
            "Choose a disk whose chain has more of them.",
        )


def span(request: MergeRequest, disk: Disk) -> tuple[int, int] | Finding:
    """Where the merged layers begin, and the first beneath them; or why there is no such range."""
    last = len(disk.chain.layers) - 1
    top: int | None
    below: int | None
    if isinstance(request, CommitRequest):
        top = 0 if request.top is None else find_layer(disk, request.top)
        if top is None:
            return _no_such_layer(disk, request.top or "")
        next_below = min(top + 1, last)
        below = next_below if request.shallow else last
        if request.base is not None:
            below = find_layer(disk, request.base)
            if below is not None and request.shallow and below != next_below:
                return refused(
                    "not-shallow",
                    f"{printable(request.base)} is not the layer right beneath {_named(disk, top)}.",
                    "Leave --shallow out, or leave --base out.",
                )
    else:
        top, below = 1, len(disk.chain.layers)
        if request.base is not None:
            below = find_layer(disk, request.base)
    if below is None:
        return _no_such_layer(disk, request.base or "")
    if below <= top and isinstance(request, CommitRequest):
        return refused(
            "layer-order",
            f"{_named(disk, below)} does not lie beneath {_named(disk, top)}, so it cannot take its data.",
            "Choose a base that is further down in the chain.",
        )
    if below <= top:
        return refused(
            "nothing-between",
            f"Nothing lies between the active layer and {_named(disk, below)}: there is nothing to pull.",
            "Choose a base that is further down in the chain, or none.",
        )
    return top, below


def _named(disk: Disk, place: int) -> str:
    return printable(disk.chain.layers[place].path)


def _no_such_layer(disk: Disk, name: str) -> Finding:
    indexes = [f"{disk.target}[{layer.index}]" for layer in disk.chain.layers if layer.index is not None]
    layers = printable(", ".join(indexes) or ", ".join(layer.path for layer in disk.chain.layers))
    return refused(
        "no-such-layer",
        f"{printable(name)} is no layer of {printable(disk.target)}.",
        f"Choose one of {layers}, or give the path of one.",
    )


def check_disk(case: MergeCase) -> Iterator[Finding]:
    """What any job on this disk needs."""
    yield from disk_checks.check_kind(case.facts, case.disk)
    yield from disk_checks.check_jobs(case.facts, case.disk)
    yield from disk_checks.check_bandwidth(case.request.bandwidth)


def check_shared(case: MergeCase) -> Iterator[Finding]:
    """A commit changes its base, and with it everything else that stands on it."""
    if not case.commits:
        return
    own = (case.facts.domain.uuid, case.disk.target)
    touched = (*case.merged, case.keeper)
    shared = False
    for layer in touched:
        uses = case.facts.users_of(layer.path, own)
        users = who(use for use in uses if use.kind is not UseKind.PLAN)
        if users:
            shared = True
            yield refused(
                "layer-shared",
                f"{printable(layer.path)} is also used by {_some(users)}, whose data a commit would destroy.",
                "Pull instead, which changes the active layer alone, or give the other disk a base of its own.",
            )
    if case.facts.unfollowed:
        yield warning(
            "layers-unchecked",
            f"Nobody could see on which images {_some(case.facts.unfollowed)} stands; a commit destroys the data "
            "of everything else that stands on the same ones.",
            "Look with qemu-img info --backing-chain.",
        )
    elif not shared:
        yield fine("layers-own", "No other disk of this host stands on the layers that change.")


def _some(names: Iterable[str]) -> str:
    return listed(names, _MOST_NAMES)


def check_snapshots(case: MergeCase) -> Iterator[Finding]:
    """Snapshots that libvirt keeps hold on to images that change or go."""
    merged = {layer.path for layer in case.merged}
    known = case.facts.snapshots
    if known is None:
        yield warning(
            "snapshots-unchecked",
            "Nobody could see whether snapshots need these images.",
            "Look on the host: virsh snapshot-list",
        )
        return
    hit = [
        one
        for one in known
        if (one.lost_by(merged, case.keeper.path) if case.commits else one.files & merged)
    ]
    if not hit:
        return
    names = [printable(one.name) for one in hit]
    if case.commits:
        yield refused(
            "snapshots",
            f"The snapshots {_some(names)} need images that this changes; they could not be gone back to.",
            f"Delete them, which merges their overlays as well: {_deletions(case, hit)}. Or accept the loss with "
            "--lose-snapshots.",
            Acceptance.LOSE_SNAPSHOTS,
        ).unless(case.request.accepted)
    else:
        yield warning(
            "snapshots",
            f"The snapshots {_some(names)} name images that leave the chain; libvirt cannot delete them any more.",
            f"Have them forgotten afterwards: {_deletions(case, hit, '--metadata-only')}",
        )


def _deletions(case: MergeCase, snapshots: Iterable[SnapshotFacts], *how: str) -> str:
    """What deletes them, those first that come after others."""
    name = case.facts.domain.name
    each = [printable(snapshot_deletion(name, one.name, *how)) for one in snapshots][::-1]
    more = [f"and so on, {len(each)} in all"] if len(each) > _MOST_NAMES else []
    return "; ".join([*each[:_MOST_NAMES], *more])


def check_losses(case: MergeCase) -> Iterator[Finding]:
    """Internal snapshots lie in an image, go with it, and read what they lack from what it stands on."""
    if not isinstance(case.request, CommitRequest):
        names = [printable(name) for layer in case.facts.layers[:1] for name in layer.snapshots or ()]
        if names:
            yield refused(
                "internal-snapshots",
                f"{printable(case.keeper.path)} holds internal snapshots, which a pull does not fill: "
                f"{_some(names)}. They would miss what leaves the chain.",
                "Delete them first, or accept the loss with --lose-internal-snapshots.",
                Acceptance.LOSE_INTERNAL_SNAPSHOTS,
            ).unless(case.request.accepted)
        return
    if not case.request.delete:
        return
    names = [printable(name) for layer in case.merged_facts for name in layer.snapshots or ()]
    if names:
        yield refused(
            "internal-snapshots",
            f"The images that are removed hold internal snapshots: {_some(names)}.",
            "Leave the images where they are, or accept the loss with --lose-internal-snapshots.",
            Acceptance.LOSE_INTERNAL_SNAPSHOTS,
        ).unless(case.request.accepted)
    kept = [layer for layer in case.merged if not isinstance(layer.source, FileSource)]
    if kept:
        yield warning(
            "not-removed",
            f"{printable(kept[0].path)} is no file, so libvirt does not remove it.",
            "Remove it yourself afterwards.",
        )


def check_relative(case: MergeCase) -> Iterator[Finding]:
    """Relative names can be kept only where there are some."""
    if not case.request.keep_relative:
        return
    if case.active:
        yield refused(
            "relative-meaningless",
            "A commit of the active layer leaves no layer that would have to name another one.",
            "Leave --keep-relative out.",
        )
        return
    if not case.commits and case.below == len(case.disk.chain.layers):
        yield refused(
            "relative-meaningless",
            "Without a base no name is left that could be relative.",
            "Leave --keep-relative out, or name a base.",
        )
        return
    namers = case.facts.layers[case.top - 1 : case.below]
    if any(namer.backing is not None and namer.backing.startswith(("/", "json:")) for namer in namers):
        yield refused(
            "names-absolute",
            f"The layers of {case.name} name each other by absolute paths, which cannot become relative.",
            "Leave --keep-relative out.",
        )


def check_space(case: MergeCase) -> Iterator[Finding]:
    """The layer that takes the data grows."""
    need = growth(case)
    room = case.facts.room[case.place] if case.facts.room else None
    path = printable(case.keeper.path)
    if need is None or room is None:
        yield warning(
            "space-unchecked",
            f"The room at {path} is unchecked; it grows by {size(need)}.",
            "Look on the host first.",
        )
    elif room < need:
        what = "the job fails" if case.commits else "the guest is paused, as its own disk is full"
        yield refused(
            "space",
            f"{path} grows by up to {size(need)}, and there is room for {size(room)}; without it {what}.",
            "Make room, or try all the same with --risk-full-destination.",
            Acceptance.RISK_FULL_DESTINATION,
        ).unless(case.request.accepted)
    else:
        yield fine("space", f"{path} grows by at most {size(need)}, and there is room for {size(room)}.")


def growth(case: MergeCase) -> int | None:
    """By how many bytes the layer that takes the data grows at most."""
    taken = [layer.allocated for layer in case.merged_facts]
    known = [amount for amount in taken if amount is not None]
    most = sum(known) if known and len(known) == len(taken) else None
    if most is None or case.facts.capacity is None:
        return most
    return min(most, case.facts.capacity)


def check_meaning(case: MergeCase) -> Iterator[Finding]:
    """What it means for the images, and for the guest meanwhile."""
    if case.active:
        yield warning(
            "base-modified",
            f"Once begun, even a cancelled commit has written to {printable(case.keeper.path)}: "
            "the guest loses nothing by that, but no other image may stand on it.",
            "Pull instead where the base must stay as it is.",
        )
    yield from disk_checks.check_meanwhile(case.facts, case.disk, "commit" if case.commits else "pull")
