"""What speaks for and against moving disks, beyond what does against copying each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tui.model import destination_checks
from tui.model.copy_case import copy_case
from tui.model.copy_space import Space, predict
from tui.model.disk_checks import no_such_disk
from tui.model.facts import Use, who
from tui.model.finding import Finding, fine, refused, warning
from tui.model.move_case import Fate, MovedDisk, MovedLayer, MoveFacts, chosen, copy_request
from tui.model.place_checks import check_length
from tui.model.quantity import size
from tui.model.request import How, MoveRequest
from tui.model.storage import FileSource
from tui.model.text import printable

_FLATTEN = "Move it with --flatten, which takes its content along as one image."


def check_subject(request: MoveRequest, facts: MoveFacts) -> Iterator[Finding]:
    """Whether there is a running guest, disks of it, and a place to go to."""
    name = printable(facts.domain.name)
    if not facts.domain.state.active:
        yield refused(
            "domain-not-running",
            f"{name} is {facts.domain.state}; only a running guest's disks can be moved.",
            "Start the guest, or move the images with mv and edit the definition while it is off.",
        )
        return
    if facts.directory is None:
        yield refused(
            "no-directory",
            facts.problem or "No directory is given.",
            "Name a directory, or a pool as pool:NAME.",
        )
    for target in request.targets:
        disk = facts.domain.disk(target)
        if disk is None:
            yield no_such_disk(facts.domain, target)
        elif disk.empty:
            yield refused(
                "disk-empty", f"{printable(target)} of {name} is a drive without a medium.", "Leave it out."
            )
    if not request.targets and not chosen(request, facts.domain):
        yield refused("nothing-to-move", f"{name} has no disk that it could write to.", "Name disks.")


def check_left(request: MoveRequest, facts: MoveFacts, disks: tuple[MovedDisk, ...]) -> Iterator[Finding]:
    """The disks that stay, when none were named."""
    moved = {disk.target for disk in disks}
    if request.targets:
        return
    for disk in facts.domain.disks:
        if disk.target not in moved:
            why = "empty" if disk.empty else "read-only" if disk.readonly else f"a {disk.device}"
            yield fine("stays", f"{printable(disk.target)} is {why} and stays where it is.")


def check_names(disks: tuple[MovedDisk, ...]) -> Iterator[Finding]:
    """In one directory each image needs a name of its own."""
    paths = Counter(path for disk in disks for path in images_of(disk))
    for path, count in paths.items():
        if count > 1:
            yield refused(
                "same-name",
                f"{count} images would become {printable(path)}.",
                "Move the disks one by one, into directories of their own.",
            )


def images_of(disk: MovedDisk) -> tuple[str, ...]:
    """What is made at the destination for a disk."""
    if disk.how is not How.KEEP_CHAIN:
        return (disk.destination,)
    return (disk.new_overlay, *(layer.path for layer in disk.copied))


def space(request: MoveRequest, facts: MoveFacts, disks: tuple[MovedDisk, ...]) -> Space:
    """What all disks together take, the one estimate of it; volumes take all of theirs at once."""
    volumes = [disk.volume.size for disk in disks if disk.volume]
    if volumes:
        taken = sum(volumes) if all(volumes) else None
        return Space(taken, taken, facts.free)
    each = [_space(request, disk) for disk in disks]
    return Space(_sum(one.likely for one in each), _sum(one.most for one in each), facts.free)


def _space(request: MoveRequest, disk: MovedDisk) -> Space:
    """What one of them takes, as its copy would; layers that go along are copied as they are."""
    if disk.how is How.KEEP_CHAIN:
        copied = {layer.source for layer in disk.copied}
        return Space(_sum(layer.allocated for layer in disk.facts.layers if layer.path in copied), None, None)
    case = copy_case(copy_request(request, disk), disk.facts)
    return predict(case) if case is not None else Space(None, None, None)


def _sum(amounts: Iterable[int | None]) -> int | None:
    """``None`` where one of them is not known."""
    known = list(amounts)
    return None if None in known else sum(amount or 0 for amount in known)


def check_together(request: MoveRequest, facts: MoveFacts, disks: tuple[MovedDisk, ...]) -> Iterator[Finding]:
    """Room for all of them."""
    needs = space(request, facts, disks)
    need, most, room = needs.likely, needs.most, needs.room
    if need is None or room is None:
        if any(disk.how is How.KEEP_CHAIN or disk.volume for disk in disks):
            yield warning(
                "space-unchecked", "Whether there is room for all disks is unchecked.", "Look first."
            )
    elif room < need:
        yield refused(
            "space-together",
            f"All disks together need about {size(need)}, and {size(room)} are free there.",
            "Make room, or move fewer disks.",
        )
    elif most is not None and room < most:
        yield warning(
            "space-tight",
            f"{size(room)} are free there; about {size(need)} are needed, and {size(most)} once the guest has "
            "written everywhere.",
            "Watch the room there, now and after a pivot.",
        )
    else:
        limit = "" if most in (None, need) else f", and at most {size(most)}"
        yield fine("space-together", f"{size(room)} are free there; about {size(need)} are needed{limit}.")


def check_chain(facts: MoveFacts, disk: MovedDisk) -> Iterator[Finding]:
    """What taking a whole chain along needs: its files, and the right to read and to write them."""
    name = f"{printable(disk.target)} of {printable(facts.domain.name)}"
    if facts.out_of_reach:
        reason = f"The layers of {name} cannot be copied: {printable(facts.out_of_reach)}."
        yield refused("files-elsewhere", reason, _FLATTEN)
        return
    if not disk.chain.complete:
        yield refused(
            "layers-unknown", f"Nobody says on what the last known layer of {name} stands.", _FLATTEN
        )
        return
    if disk.facts.sizes is None:
        yield refused("layers-unknown", f"The size of {name} is not known.", _FLATTEN)
    yield from _check_layers(facts, disk)
    if facts.writable is False:
        yield refused(
            "directory-unwritable",
            f"You cannot make files in {printable(disk.directory)}.",
            f"Run as root. {_FLATTEN}",
        )
    if disk.place(disk.active.path) == disk.active.path:
        reason = f"{name} lies in {printable(disk.directory)} already."
        yield refused("already-there", reason, "Name another directory.")
        return
    yield from _check_made(facts, disk)
    for layer in disk.layers:
        yield from _check_shared(facts, disk, layer)
    if facts.domain.definition.agent:
        yield fine("quiesced", "The guest's agent freezes its file systems for the instant of the overlay.")
    else:
        yield fine(
            "not-quiesced", "No agent answers in the guest: its old chain will be as after a power cut."
        )
    fate = "is folded back" if facts.folds else "stays as one layer more (--merge-overlay folds it back)"
    yield fine(
        "chain-kept",
        f"The {len(disk.layers)} layers of {name} go along under their names; the overlay {fate}.",
    )


def _check_layers(facts: MoveFacts, disk: MovedDisk) -> Iterator[Finding]:
    for layer in disk.chain.layers:
        path = printable(layer.path)
        if not isinstance(layer.source, FileSource):
            yield refused("layer-kind", f"{path} is no file.", _FLATTEN)
        elif layer.format not in ("raw", "qcow2"):
            yield refused(
                "layer-kind", f"{path} is of the format {printable(layer.format or 'unknown')}.", _FLATTEN
            )
        elif layer.encryption or layer.slices or layer.data_store:
            yield refused(
                "layer-kind", f"{path} is encrypted, or a part or has parts of other files.", _FLATTEN
            )
        elif layer.path in facts.missing:
            yield refused(
                "layer-missing",
                f"{path} is not there any more; the guest goes on only as long as it runs, since QEMU has it "
                "open.",
                f"Do not stop the guest. {_FLATTEN}",
            )
        elif layer.path not in facts.readable:
            yield refused("layer-unreadable", f"{path} cannot be read by you.", f"Run as root. {_FLATTEN}")


def _check_made(facts: MoveFacts, disk: MovedDisk) -> Iterator[Finding]:
    for path in (disk.overlay, *images_of(disk)):
        yield from check_length(path)
    for path in images_of(disk):
        if path in facts.there:
            yield from _check_there(facts, disk, path)


def _check_there(facts: MoveFacts, disk: MovedDisk, path: str) -> Iterator[Finding]:
    """An image that is in the way; reusing it only reads it, and is no harm to others."""
    lower = {disk.place(layer.path) for layer in disk.chain.layers[1:]}
    same = " If it holds the same, --shared-base reuse takes it."
    for finding in destination_checks.in_use(
        path, _users(facts, disk, path), (facts.domain.uuid, disk.target)
    ):
        reusable = path in lower and path not in facts.written
        yield replace(finding, remedy=finding.remedy + same) if reusable else finding
    if not _users(facts, disk, path):
        reason = f"{printable(path)} exists already and is not overwritten."
        yield refused("image-exists", reason, same.strip() if path in lower else "Move it away.")


def _users(facts: MoveFacts, disk: MovedDisk, path: str) -> tuple[Use, ...]:
    return tuple(dict.fromkeys((*disk.facts.users_of(path), *facts.users_of(path))))


def _check_shared(facts: MoveFacts, disk: MovedDisk, layer: MovedLayer) -> Iterator[Finding]:
    if layer.fate is Fate.REUSED:
        yield from _check_reused(facts, disk, layer)
        return
    own = (facts.domain.uuid, disk.target)
    users = who(disk.facts.users_of(layer.source, own))
    if not users:
        return
    path = printable(layer.source)
    if layer.fate is Fate.STAYS:
        yield fine("base-stays", f"{path} is also used by {', '.join(users)}, and stays where it is.")
        return
    yield warning(
        "base-shared",
        f"{path} is also used by {', '.join(users)}: it is copied, and takes room twice.",
        "--shared-base leave keeps it where it is; reuse takes an equal image that lies there.",
    )


def _check_reused(facts: MoveFacts, disk: MovedDisk, layer: MovedLayer) -> Iterator[Finding]:
    path, found = printable(layer.path), facts.there[layer.path]
    if layer.path in facts.written:
        yield refused("reused-written", f"A guest writes to {path}.", "Move to another directory.")
    elif found.backing != layer.named:
        away = ", or copy it with --shared-base copy after moving it away"
        yield refused(
            "reused-backing",
            f"{path} stands on {printable(found.backing or 'nothing')}, and not on "
            f"{printable(layer.named or 'nothing')}.",
            f"Move to another directory{'' if _users(facts, disk, layer.path) else away}.",
        )
    else:
        yield fine("base-reused", f"{path} lies there; it is used once it was found equal.")
