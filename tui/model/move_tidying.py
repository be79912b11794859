"""What is left at the old place when disks have moved, and what libvirt's snapshots have to say of it."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model.chain_steps import MapSnapshots, Quarantine
from tui.model.facts import who
from tui.model.finding import Finding, fine, refused, warning
from tui.model.move_case import MovedDisk, MoveFacts
from tui.model.request import How, MoveRequest, Then
from tui.model.steps import TidyStep
from tui.model.storage import FileSource
from tui.model.text import printable


def tidying(
    request: MoveRequest, facts: MoveFacts, disks: tuple[MovedDisk, ...], mark: str
) -> Iterator[TidyStep]:
    """What is done when the guest has gone over."""
    uuid, name = facts.domain.uuid, facts.domain.name
    targets = tuple(disk.target for disk in disks)
    renames = _renames(disks)
    following = _following(facts, renames)
    if following:
        yield MapSnapshots(uuid, name, targets, following, tuple(renames), tuple(renames.values()))
    if request.delete_source:
        paths = tuple(path for disk in disks for path in _old(disk) if not _needed(facts, disks, path))
        if paths:
            yield Quarantine(uuid, name, targets, tuple(dict.fromkeys(paths)), mark)


def check_snapshots(
    request: MoveRequest, facts: MoveFacts, disks: tuple[MovedDisk, ...]
) -> Iterator[Finding]:
    """What libvirt remembers of the domain names its images by their paths."""
    if facts.snapshots is None:
        yield warning(
            "snapshots-unchecked",
            "Nobody could see whether snapshots name these images.",
            "Look on the host: virsh snapshot-list",
        )
        return
    renames = _renames(disks) if request.then is Then.PIVOT else {}
    following = _following(facts, renames)
    if following:
        yield fine(
            "snapshots-follow",
            f"The snapshots {', '.join(map(printable, following))} will name the images at the new place.",
        )
    left = {layer.path for disk in disks for layer in disk.chain.layers} - {*renames, *renames.values()}
    names = [printable(snapshot.name) for snapshot in facts.snapshots if snapshot.files & left]
    moved = any(disk.how is not How.KEEP_CHAIN or request.then is not Then.PIVOT for disk in disks)
    if names and moved:
        yield warning(
            "snapshots-stay",
            f"The snapshots {', '.join(names)} go on to name images at the old place.",
            "Keep those images for as long as the snapshots are wanted.",
        )


def check_sources(request: MoveRequest, facts: MoveFacts, disks: tuple[MovedDisk, ...]) -> Iterator[Finding]:
    """Whether the old images can go, if they are to."""
    if not request.delete_source:
        return
    if request.then is not Then.PIVOT:
        yield refused(
            "source-held",
            "The old images are what a guest that is not pivoted yet runs on.",
            "Leave --delete-source out, or pivot at once.",
        )
        return
    if facts.out_of_reach:
        yield refused(
            "files-elsewhere",
            f"The old images cannot be put away: {printable(facts.out_of_reach)}.",
            "Leave --delete-source out.",
        )
        return
    for disk in disks:
        for path in _old(disk):
            why = _needed(facts, disks, path)
            if why:
                yield fine("source-stays", f"{printable(path)} {why}, and stays where it is.")
    yield warning(
        "source-quarantined",
        "Old images go to a directory beside them, and nothing is deleted; but an image that stands on them and is in "
        "no domain and no snapshot of this host is left without what it stands on.",
        "Keep them if you made such overlays, as backups or for another host.",
    )


def _renames(disks: tuple[MovedDisk, ...]) -> dict[str, str]:
    return {before: after for disk in disks for before, after in disk.renames.items()}


def _following(facts: MoveFacts, renames: dict[str, str]) -> tuple[str, ...]:
    return tuple(s.name for s in facts.snapshots or () if not s.noted and s.files & renames.keys())


def left_there(request: MoveRequest, disks: tuple[MovedDisk, ...]) -> tuple[str, ...]:
    """The images that nobody puts away: those that the guest has left, and the overlay that it got for the move."""
    if request.then is not Then.PIVOT or request.delete_source:
        return ()
    return tuple(dict.fromkeys(path for disk in disks for path in _old(disk)))


def _old(disk: MovedDisk) -> tuple[str, ...]:
    """The images that the disk does not stand on any more, the active one first."""
    after = {layer.path for layer in disk.then(merged=False).layers}
    overlay = (disk.overlay,) if disk.how is How.KEEP_CHAIN else ()
    return (*overlay, *(layer.path for layer in disk.chain.layers if layer.path not in after))


def _needed(facts: MoveFacts, disks: tuple[MovedDisk, ...], path: str) -> str:
    """Why an old image has to stay; nothing where it has not."""
    own = {(facts.domain.uuid, disk.target) for disk in disks}
    layer = next((one for disk in disks for one in disk.chain.layers if one.path == path), None)
    if layer is not None and not isinstance(layer.source, FileSource):
        return "is no file"
    users = who(facts.users_of(path, *own))
    if users:
        return f"is used by {', '.join(users)}"
    if facts.unfollowed:
        return f"may be what {facts.unfollowed[0]} stands on, whose chain nobody could see"
    if facts.snapshots is None:
        return "may be named by snapshots that nobody could see"
    # Overlays of other branches stand on these images, and only snapshots tell of them.
    known = {p for disk in disks for p in (*disk.renames, *disk.renames.values(), *_old(disk))}
    strangers = [s.name for s in facts.snapshots if s.files - known and s.files & known]
    staying = [
        s.name for s in facts.snapshots if path in (s.files if s.noted else s.files - _renames(disks).keys())
    ]
    for name in (*staying, *strangers):
        return f"is needed by the snapshot {printable(name)}"
    return ""
