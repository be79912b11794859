"""What must be known before snapshots are defined, deleted or gone back to, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from tui.engine.connection import Connection
from tui.engine.errors import HostError
from tui.engine.files import Files
from tui.engine.look import Look, look_at, unfollowed, unless_refused, uses_of
from tui.engine.merge_facts import merge_facts
from tui.model import xml
from tui.model.domain import Domain
from tui.model.hierarchy import Hierarchy, KnownSnapshot, SnapshotView, arranged
from tui.model.hierarchy_case import HierarchyFacts, inside
from tui.model.hierarchy_delete import merges_of
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
from tui.model.methods import Method
from tui.model.mirrored_snapshot import Kind
from tui.model.snapshot_mirrors import mirrors_of


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
    domain = look.domain_followed()
    notes = notes_of(domain)
    hierarchy = with_noted(hierarchy_of(connection, uuid), notes)
    paths = domain.chain_paths.union(*(one.files for one in hierarchy.snapshots))
    holders = (*(one.holders for one in hierarchy.snapshots), *(note.files for note in notes))
    needed = domain.chain_paths.union(*holders)
    volumes = [held.path for note in notes for held in note.disks if held.method is Method.LVM and held.path]
    sizes: dict[str, int] = {}
    filled: dict[str, float] = {}
    missing: frozenset[str] = frozenset()
    images: dict[str, ImageInfo] = {}
    # A host whose shell does not answer still has its snapshots.
    with suppress(HostError):
        if files is not None:
            sizes = files.allocated(sorted(paths))
            filled = files.filled(volumes)
            missing = files.missing(sorted(needed))
            images = _images(domain, hierarchy, missing, files)
    checkpoints = unless_refused(lambda: connection.known_checkpoints(uuid))
    mirrors = mirrors_of(domain, look.entries)
    return SnapshotView(domain, hierarchy, sizes, checkpoints, filled, images, mirrors, missing)


def _images(
    domain: Domain, hierarchy: Hierarchy, missing: frozenset[str], files: Files
) -> dict[str, ImageInfo]:
    """The headers that tell what became of states: reading those of hundreds of snapshots takes seconds."""
    layers = (layer for disk in domain.disks for layer in disk.chain.layers if layer.local_path)
    wanted = {layer.path: layer.format for layer in layers}
    for snapshot in hierarchy.snapshots:
        disks = (disk for disk in snapshot.disks if disk.local and disk.base)
        wanted |= {
            disk.base or "": disk.base_format for disk in disks if missing or disk.kind is Kind.INTERNAL
        }
    return _read(
        {path: form for path, form in wanted.items() if form == "qcow2" and path not in missing}, files
    )


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
    noted = tuple(note.name for note in notes_of(look.domain))
    return Saved(look.domain.name, uuid, snapshots, records, noted)


def _look(uuid: str, connection: Connection, state: HostState, now: float) -> Look:
    look = look_at(uuid, connection, state, now)
    if look is None:
        raise HostError("This domain does not exist any more.")
    return look


def hierarchy_facts(request: HierarchyRequest, look: Look, files: Files | None) -> HierarchyFacts:
    """Look, as far as the request needs it."""
    hierarchy = hierarchy_of(look.connection, look.domain.uuid)
    facts = HierarchyFacts(
        look.domain_followed(),
        hierarchy,
        look.entries,
        libvirt=look.state.libvirt,
        now=look.now,
    )
    if not isinstance(request, SnapshotDeleteRequest) or not request.metadata_only:
        facts = replace(facts, reverts_external=_reverts_external(look.connection))
    match request:
        case SnapshotImportRequest():
            return _with_images(facts, _imported(request, hierarchy), files)
        case SnapshotDeleteRequest():
            if request.metadata_only:
                return facts
            whole = look.followed()
            names = (request.name, *(hierarchy.below(request.name) if request.children else ()))
            known = [one for name in names if (one := hierarchy.get(name))]
            facts = replace(facts, running=look.jobs, uses=uses_of(whole), unfollowed=unfollowed(whole))
            facts = _with_images(facts, known, files)
            merges = merges_of(request, facts)
            return replace(facts, merges=tuple((one, merge_facts(one.target, look)) for one in merges))
        case SnapshotRevertRequest():
            # libvirt removes images of the current one as well.
            known = [one for one in (hierarchy.get(request.name), hierarchy.current) if one]
            return _with_images(replace(facts, running=look.jobs), known, files)


def _imported(request: SnapshotImportRequest, hierarchy: Hierarchy) -> list[KnownSnapshot]:
    try:
        _places, snapshots = placed(request)
    except xml.InvalidXML:
        # The plan says so.
        return []
    return [one for one in snapshots if hierarchy.get(one.name) is None]


def _with_images(
    facts: HierarchyFacts, snapshots: list[KnownSnapshot], files: Files | None
) -> HierarchyFacts:
    """With what the images say; what cannot be reached stays unknown."""
    if files is None:
        return facts
    chains: dict[str, str | None] = dict.fromkeys(facts.domain.chain_paths)
    wanted = chains | _active_beside_states(facts.domain, snapshots) | images_of(snapshots)
    try:
        existing = frozenset(wanted) - files.missing(wanted)
        images = _read({path: form for path, form in wanted.items() if path in existing}, files)
    except HostError:
        return facts
    return replace(facts, existing=existing, images=images)


def _active_beside_states(domain: Domain, snapshots: list[KnownSnapshot]) -> dict[str, str | None]:
    """What guests write to on disks with states inside: libvirt looks for these there, whatever it is called."""
    targets = {disk.target for one in snapshots for disk in inside(one)}
    layers = filter(None, map(domain.active_layer, sorted(targets)))
    return {layer.path: layer.format for layer in layers if layer.local_path}


def _read(wanted: Mapping[str, str | None], files: Files) -> dict[str, ImageInfo]:
    """What images say of themselves; never in a format that nobody has recorded, and nothing where none is reached."""
    try:
        infos = files.infos({path: form for path, form in wanted.items() if form is not None})
    except HostError:
        return {}
    return {path: info for path, info in infos.items() if isinstance(info, ImageInfo)}


def _reverts_external(connection: Connection) -> bool:
    """Whether libvirt says so: it names this among what a hypervisor has since it can."""
    text = unless_refused(connection.capabilities)
    try:
        root = xml.parse(text) if text else None
    except xml.InvalidXML:
        return False
    return root is not None and any(True for _ in root.iter("externalSnapshot"))
