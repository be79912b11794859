"""What must be known before snapshots are defined, deleted or gone back to, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tui.engine.connection import Connection
from tui.engine.errors import HostError
from tui.engine.files import Files
from tui.engine.look import Look, jobs_on, look_at, unfollowed, unless_refused, uses_of, with_chains
from tui.model import xml
from tui.model.domain import Domain
from tui.model.hierarchy import Hierarchy, KnownSnapshot, SnapshotView, arranged
from tui.model.hierarchy_case import HierarchyFacts
from tui.model.hierarchy_file import ImageRecord, Saved
from tui.model.hierarchy_import import images_of, placed
from tui.model.hierarchy_noted import notes_of, with_noted
from tui.model.hierarchy_request import (
    HierarchyRequest,
    SnapshotDeleteRequest,
    SnapshotImportRequest,
    SnapshotRevertRequest,
)
from tui.model.host import HostState
from tui.model.image import ImageInfo

_AT_ONCE = 3
"""Images read at a time."""


def hierarchy_of(connection: Connection, uuid: str, *, secure: bool = False) -> Hierarchy:
    """The snapshots that libvirt knows of, as a tree."""
    return arranged(connection.known_snapshots(uuid, secure=secure))


def view_of(
    uuid: str, connection: Connection, state: HostState, now: float, files: Files | None
) -> SnapshotView:
    """A domain with its snapshots, its chains followed, and what their images take.

    Raises:
        HostError: when the host cannot be asked, or has no such domain any more.
    """
    look = _look(uuid, connection, state, now)
    domain = _followed(look)
    hierarchy = with_noted(hierarchy_of(connection, uuid), notes_of(domain))
    paths = {path for one in hierarchy.snapshots for path in one.files}
    paths |= {path for disk in domain.disks for path in disk.chain.local_paths}
    try:
        sizes = files.allocated(sorted(paths)) if files is not None and paths else {}
    except HostError:
        # Sizes are an ornament: a host whose shell does not answer still has its snapshots.
        sizes = {}
    return SnapshotView(domain, hierarchy, sizes)


def saved_of(uuid: str, connection: Connection, state: HostState, now: float, files: Files | None) -> Saved:
    """All snapshots of a domain, to be written to a file.

    Raises:
        HostError: when the host cannot be asked, or has no such domain any more.
    """
    look = _look(uuid, connection, state, now)
    snapshots = hierarchy_of(connection, uuid, secure=True).snapshots
    wanted = images_of(snapshots)
    found = _read(wanted, files) if files is not None else {}
    records = tuple(
        ImageRecord(path, wanted[path] or "", info.virtual_size) for path, info in sorted(found.items())
    )
    return Saved(look.domain.name, uuid, snapshots, records)


def _look(uuid: str, connection: Connection, state: HostState, now: float) -> Look:
    look = look_at(uuid, connection, state, now)
    if look is None:
        raise HostError("This domain does not exist any more.")
    return look


def hierarchy_facts(request: HierarchyRequest, look: Look, files: Files | None) -> HierarchyFacts:
    """Look, as far as the request needs it."""
    hierarchy = hierarchy_of(look.connection, look.domain.uuid)
    facts = HierarchyFacts(
        _followed(look),
        hierarchy,
        look.entries,
        libvirt=look.state.libvirt,
        now=look.now,
    )
    match request:
        case SnapshotImportRequest():
            return _with_images(facts, _imported(request, hierarchy), files)
        case SnapshotDeleteRequest():
            if request.metadata_only:
                return facts
            whole = look.followed()
            names = (request.name, *(hierarchy.below(request.name) if request.children else ()))
            known = [one for name in names if (one := hierarchy.get(name))]
            facts = replace(facts, uses=uses_of(whole), unfollowed=unfollowed(whole))
            return _with_images(_with_jobs(facts, look), known, files)
        case SnapshotRevertRequest():
            one = hierarchy.get(request.name)
            facts = replace(_with_jobs(facts, look), reverts_external=_reverts_external(look.connection))
            return _with_images(facts, [one] if one else [], files)


def _imported(request: SnapshotImportRequest, hierarchy: Hierarchy) -> list[KnownSnapshot]:
    try:
        _places, snapshots = placed(request)
    except xml.InvalidXML:
        # The plan says so.
        return []
    return [one for one in snapshots if hierarchy.get(one.name) is None]


def _followed(look: Look) -> Domain:
    """The domain, chains that its definition does not list read from the images."""
    return with_chains(look.domain) if look.local else look.domain


def _with_jobs(facts: HierarchyFacts, look: Look) -> HierarchyFacts:
    disks = [disk for disk in look.domain.disks if not disk.empty]
    return replace(facts, running=jobs_on(disks, look))


def _with_images(
    facts: HierarchyFacts, snapshots: list[KnownSnapshot], files: Files | None
) -> HierarchyFacts:
    """With what the images say; what cannot be reached stays unknown."""
    if files is None:
        return facts
    wanted = images_of(snapshots)
    try:
        existing = files.existing(wanted)
        images = _read({path: form for path, form in wanted.items() if path in existing}, files)
    except HostError:
        return facts
    return replace(facts, existing=existing, images=images)


def _read(wanted: Mapping[str, str | None], files: Files) -> dict[str, ImageInfo]:
    """What images say of themselves; never in a format that nobody has recorded."""

    def info(pair: tuple[str, str | None]) -> tuple[str, ImageInfo] | None:
        path, form = pair
        if form is None:
            return None
        try:
            return path, files.info(path, form)
        except HostError:
            return None

    with ThreadPoolExecutor(_AT_ONCE, "images") as pool:
        return dict(found for found in pool.map(info, wanted.items()) if found is not None)


def _reverts_external(connection: Connection) -> bool:
    """Whether libvirt says so: it names this among what a hypervisor has since it can."""
    text = unless_refused(connection.capabilities)
    try:
        root = xml.parse(text) if text else None
    except xml.InvalidXML:
        return False
    return root is not None and any(True for _ in root.iter("externalSnapshot"))
