"""What must be known before a move: of each disk what a copy asks for, and of every image that goes along."""

from __future__ import annotations

from dataclasses import replace
from os.path import lexists
from pathlib import PurePath

from tui.engine.connection import Connection
from tui.engine.copy_facts import copy_facts
from tui.engine.errors import HostError
from tui.engine.files import Files
from tui.engine.look import Look, snapshots_of, unfollowed, unless_refused, uses_of, written_in
from tui.engine.promised import promised_in, promised_of, remaining
from tui.model.facts import CopyFacts, same_name
from tui.model.logical_pool import LogicalPool
from tui.model.move_case import MovedDisk, MoveFacts, chosen, copy_request, moved_disks
from tui.model.move_checks import images_of
from tui.model.request import MoveRequest, Shared
from tui.model.storage import FileSource, Layer
from tui.model.storage_pool import LOGICAL, POOLS_OF_FILES, Pool
from tui.model.text import printable


def move_facts(request: MoveRequest, look: Look, mark: str, files: Files | None) -> MoveFacts:
    """Look, first at the disks and then at what their move makes of their images."""
    directory, problem, pool = pool_or_directory(request.directory, look.connection)
    facts = MoveFacts(
        look.domain,
        directory,
        problem,
        pool,
        folds=request.merge_overlay,
        snapshots=snapshots_of(look.connection, look.domain),
    )
    if directory is None or not look.domain.state.active:
        return facts
    whole = look.followed() if _thorough(request, look) else look
    facts = replace(facts, uses=uses_of(whole), unfollowed=unfollowed(whole))
    # First what is known of each disk, then what that makes of its images.
    facts = replace(
        facts, copies={disk.target: CopyFacts(look.domain, disk) for disk in chosen(request, look.domain)}
    )
    disks = moved_disks(request, facts, mark)
    copies = {
        disk.target: _with_users(copy_facts(copy_request(request, disk), look), facts, disk) for disk in disks
    }
    facts = replace(facts, copies=copies, free=_free_in(directory, facts, look))
    if pool is not None:
        facts = replace(facts, pool=replace(pool, taken=_taken(moved_disks(request, facts, mark), look)))
    if files is None:
        name = printable(look.state.name)
        return replace(facts, out_of_reach=f"the images of {name} are reached neither here nor through ssh")
    try:
        return _with_images(request, facts, mark, look, files)
    except HostError as error:
        return replace(facts, out_of_reach=error.message.rstrip("."))


def _with_images(request: MoveRequest, facts: MoveFacts, mark: str, look: Look, files: Files) -> MoveFacts:
    """What the images themselves say, where they lie."""
    directory = facts.directory or ""
    if not look.local and facts.pool is None:
        facts = replace(facts, free=remaining(files.free(directory), promised_where(facts, look)))
    if not look.local:
        # Pools know little of images; their headers say how the layers name each other.
        facts = replace(facts, copies=_read_there(facts, files))
    disks = moved_disks(request, facts, mark)
    # What a layer of the source would be called there, and the format that it has then.
    formats = {disk.place(layer.path): layer.format for disk in disks for layer in disk.chain.layers}
    made = [path for disk in disks for path in (*images_of(disk), *formats)]
    images = [path for disk in disks for path in disk.chain.local_paths]
    return replace(
        facts,
        readable=files.readable(images),
        missing=files.missing(images),
        there={
            path: files.layer(Layer(FileSource(path), formats.get(path)))
            for path in files.existing(dict.fromkeys(made))
        },
        written=written_in(look.state),
        writable=files.writable(directory),
    )


def _read_there(facts: MoveFacts, files: Files) -> dict[str, CopyFacts]:
    return {
        target: replace(copy, layers=tuple(files.layer(layer) for layer in copy.disk.chain.layers))
        for target, copy in facts.copies.items()
        if copy.disk is not None
    }


def _thorough(request: MoveRequest, look: Look) -> bool:
    """Whether the chains of domains that are off are worth being read: always when it matters, else when few."""
    unlisted = sum(not disk.chain.complete for domain in look.state.domains for disk in domain.disks)
    return request.delete_source or request.shared is not Shared.COPY or unlisted <= _FEW


_FEW = 40
"""Chains; reading one takes some ten milliseconds for each layer, and a form asks at every change."""


def _with_users(copy: CopyFacts, facts: MoveFacts, disk: MovedDisk) -> CopyFacts:
    """With those who stand on the same layers, however far the chains were followed."""
    layers = {same_name(path): facts.users_of(path) for path in disk.chain.local_paths}
    return replace(copy, uses={**copy.uses, **layers})


def pool_or_directory(wanted: str, connection: Connection) -> tuple[str | None, str, LogicalPool | None]:
    """Where images are to go, or why that is nowhere, and the pool where they become volumes."""
    if not wanted.startswith("pool:"):
        problem = _problem_of(wanted)
        return None if problem else wanted.rstrip("/") or "/", problem, None
    name = wanted.removeprefix("pool:")
    pool = next((one for one in unless_refused(connection.pools) or () if one.name == name), None)
    if pool is None:
        return None, f"There is no active pool {printable(name)} on this host.", None
    path = pool.path.rstrip("/")
    if pool.type == LOGICAL and path.startswith("/"):
        return path, "", _logical_pool(pool, path)
    if pool.type not in POOLS_OF_FILES or not path:
        words = f"The pool {printable(name)} is of the type {printable(pool.type)}, which holds no files."
        return None, words, None
    return path, "", None


def _problem_of(directory: str) -> str:
    """Why images cannot go to a directory, whatever it is like; nothing where they can."""
    root, *names = PurePath(directory).parts or ("",)
    if not root.startswith("/"):
        return f"{printable(directory)} is no absolute path."
    if names[:1] == ["dev"] and names[1:2] != ["shm"]:
        return f"{printable(directory)} is for devices: a file there would lie in memory."
    return ""


def _logical_pool(pool: Pool, path: str) -> LogicalPool:
    said = (pool.capacity, pool.allocation, pool.available)
    return LogicalPool(pool.name, path, pool.available, tuple(amount for amount in said if amount))


def _taken(disks: tuple[MovedDisk, ...], look: Look) -> frozenset[str]:
    """Which of the volumes that are to be made are there."""
    wanted = [disk.volume for disk in disks if disk.volume]
    found = {
        volume.name: unless_refused(lambda v=volume: look.connection.volume_in(v.pool, v.name))  # type: ignore[misc]
        for volume in wanted
    }
    # A device that the pool does not list was made by others since its last refresh.
    devices = {volume.name for volume in wanted if look.local and lexists(volume.path)}
    return frozenset(name for name, volume in found.items() if volume is not None) | devices


def promised_where(facts: MoveFacts, look: Look) -> dict[str, int]:
    """Bytes that other plans will still take where the move goes, by the names of their domains."""
    if facts.pool is not None:
        return promised_of(facts.pool.name, look)
    return promised_in(facts.directory, look) if facts.directory else {}


def _free_in(directory: str, facts: MoveFacts, look: Look) -> int | None:
    if facts.pool is not None:
        return remaining(facts.pool.available, promised_where(facts, look))
    image = Layer(FileSource(f"{directory}/image"), "raw")
    return remaining(look.place(image).free, promised_where(facts, look))
