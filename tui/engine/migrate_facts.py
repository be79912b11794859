"""What must be known of two hosts before a domain goes from one to the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tui.engine import places
from tui.engine.errors import HostError, NoConnection
from tui.engine.files import Files, identities, look_there
from tui.engine.hierarchy_facts import hierarchy_of
from tui.engine.look import Look, unless_refused, written_in
from tui.engine.network_facts import network_facts, tls_facts
from tui.engine.promised_there import without_promised
from tui.engine.standing import users_at
from tui.engine.still_files import still_files
from tui.model import migrate_xml
from tui.model.coming import coming_to
from tui.model.domain import Domain, RunState
from tui.model.facts import ImageFacts, PathFacts, PathKind, Sizes, parent_of, same_name
from tui.model.file_identity import same_file
from tui.model.hierarchy import Hierarchy
from tui.model.hierarchy_file import place_of
from tui.model.image import ImageInfo
from tui.model.migrate_case import MigrateFacts, ThereFacts, Wanted
from tui.model.migrate_request import MigrateRequest
from tui.model.migrate_tls import TlsFacts
from tui.model.storage import FileSource, Layer
from tui.model.storage_pool import POOLS_OF_FILES

if TYPE_CHECKING:
    from tui.engine.host import Host


@dataclass(frozen=True, slots=True)
class _Images:
    """The images of a domain by their paths here, each with the layer that it is."""

    layers: dict[str, Layer]
    memories: frozenset[str]


def migrate_facts(request: MigrateRequest, look: Look, host: Host) -> MigrateFacts:
    """Look at both hosts; ``host`` is the one that has the domain."""
    uuid, connection = request.uuid, look.connection
    domain = look.domain_followed()
    facts = MigrateFacts(
        domain,
        host=look.state.name,
        there=request.destination,
        source_uri=host.reached_by,
        entries=look.entries,
        now=look.now,
    )
    try:
        there = host.peer(request.destination)
        there_uuid = there.connection().host_uuid()
    except HostError as error:
        return replace(facts, unreached=str(error))
    hierarchy = hierarchy_of(connection, uuid)
    facts = replace(
        facts,
        there=there.state.name,
        there_uuid=there_uuid,
        same_host=there_uuid == connection.host_uuid(),
        sizes=_sizes(domain, look),
        running=look.jobs,
        hierarchy=hierarchy,
        secrets=_has_secrets(look, hierarchy),
        checkpoints=unless_refused(lambda: connection.known_checkpoints(uuid, whole=True)) or (),
        autostart=bool(domain.persistent and unless_refused(lambda: connection.autostart(uuid))),
        migrating=look.migrates(),
        frozen=_frozen(look),
        network=network_facts(request, host, there),
        tls=tls_facts(host, there) if request.transport.tls else TlsFacts(),
        reached=there.files is not None,
        reached_here=host.files is not None,
        written=written_in(look.state),
        coming=_coming(look, there.state.name, stale=False),
        left_over=_coming(look, there.state.name, stale=True),
    )
    facts = replace(facts, wanted=_wanted(request, look, there))
    return without_promised(_with_images(facts, request, host, there), look, there)


def _frozen(look: Look) -> bool | None:
    """As far as the agent of a guest says; one that has none has nothing frozen."""
    domain = look.domain
    if domain.state is not RunState.RUNNING or not domain.definition.agent or look.state.read_only:
        return False
    return look.connection.frozen(domain.uuid)


def _sizes(domain: Domain, look: Look) -> dict[str, Sizes]:
    known = {disk.target: look.sizes(disk) for disk in domain.disks if not disk.empty}
    return {target: sizes for target, sizes in known.items() if sizes is not None}


def _has_secrets(look: Look, hierarchy: Hierarchy) -> bool:
    """Whether libvirt tells more of the snapshots to whoever may read all."""
    if not hierarchy.snapshots or look.state.read_only:
        return False
    plain = {one.name: one.xml for one in hierarchy.snapshots}
    whole = look.connection.known_snapshots(look.domain.uuid, secure=True)
    return plain != {one.name: one.xml for one in whole}


def _wanted(request: MigrateRequest, look: Look, there: Host) -> Wanted:
    connection, domain = there.connection(), look.domain
    text = look.connection.migratable_xml(domain.uuid)
    emulator, arch, machine, kind = migrate_xml.asks_for(text)
    trouble = connection.machine_trouble(emulator, arch, machine, kind)
    cpu, lacks, uncompared = migrate_xml.cpu_of(text), None, None
    try:
        if cpu is not None and trouble is None:
            lacks = connection.cpu_trouble(cpu, emulator, arch, machine, kind)
    except NoConnection:
        raise
    except HostError as error:
        uncompared = error.message
    if mode := migrate_xml.own_cpu_mode(text):
        uncompared = f"it is that of {look.state.name} itself ({mode}), and has to be the same there."
    return Wanted(
        name=request.name or domain.name,
        taken_names=connection.domain_names(),
        machine=" ".join(part for part in (machine, f"({kind}, {arch})") if part),
        unsupported=trouble,
        cpu=lacks,
        uncompared=uncompared,
        memory=unless_refused(lambda: look.connection.memory_size(domain.uuid)),
        free_memory=unless_refused(lambda: connection.memory().free),
        networks=migrate_xml.networks_of(text),
        known_networks=unless_refused(connection.networks),
        devices=migrate_xml.devices_of(text),
        usb_devices=migrate_xml.usb_devices_of(text),
    )


# Images


def _with_images(facts: MigrateFacts, request: MigrateRequest, host: Host, there: Host) -> MigrateFacts:
    images = _images_of(facts)
    found = _looked(images.layers, request, host, there)
    facts = replace(facts, images=found, pools=_pools_of(there))
    facts = replace(facts, layouts=_layouts(facts, request, host.files))
    active = {disk.chain.layers[0].path for disk in facts.domain.disks if disk.chain.layers}
    below = (place_of(path, request.maps) for path in images.layers if path not in active)
    if host.files is None or there.files is None or all(found[place].same for place in below):
        return facts
    formats = {path: layer.format for path, layer in images.layers.items() if path not in images.memories}
    still = still_files(formats, images.memories, host.files)
    # What is known of no definition: the layers of another branch than the one that the guest is on.
    more = {
        path: Layer(FileSource(path), one.format) for path, one in still.items() if path not in images.layers
    }
    return replace(facts, still=still, images={**found, **_looked(more, request, host, there)})


def _layouts(facts: MigrateFacts, request: MigrateRequest, files: Files | None) -> dict[str, tuple[str, ...]]:
    """How those are laid out that may have to be made anew there."""
    active = [disk.chain.layers[0] for disk in facts.domain.disks if disk.chain.layers and not disk.readonly]
    paths = [path for layer in active if layer.format == "qcow2" and (path := layer.local_path) is not None]
    asked = {path: "qcow2" for path in paths if not facts.images[place_of(path, request.maps)].same}
    infos = files.infos(asked) if files is not None else {}
    return {path: info.layout for path, info in infos.items() if isinstance(info, ImageInfo)}


def _looked(
    layers: dict[str, Layer], request: MigrateRequest, host: Host, there: Host
) -> dict[str, ThereFacts]:
    """What lies there in the places of images, by these."""
    paths = {path: place_of(path, request.maps) for path in layers}
    parents = {place: parent_of(place) for place in paths.values()}
    here_ids = identities(paths, host.files)
    there_ids = identities((*parents, *parents.values()), there.files)
    lying = _lying([replace(layers[path], source=FileSource(place)) for path, place in paths.items()], there)
    users = users_at(there.state)
    found: dict[str, ThereFacts] = {}
    for path, place in paths.items():
        one, other, lies = here_ids.get(path), there_ids.get(place), lying[place]
        gone = there.files is not None and other is None
        around, by = there_ids.get(parents[place]), users.get(same_name(place), {})
        found[place] = ThereFacts(
            replace(lies, kind=PathKind.MISSING) if gone and lies.kind is None else lies,
            user=next((who for uuid, who in by.items() if uuid != request.uuid), None),
            same=False if gone else same_file(one, other) if one and other else None,
            shared=other.shared if other else None,
            device=around.device if around else None,
        )
    return found


def _coming(look: Look, there: str, *, stale: bool) -> dict[str, str]:
    """What plans of other domains are about to bring to that host, by path, and the names of these."""
    others = [entry for entry in look.plans if entry.uuid != look.domain.uuid]
    names = {domain.uuid: domain.name for domain in look.state.domains}
    found = coming_to(there, (entry for entry in others if entry.stale(look.now) is stale))
    return {path: names.get(entry.uuid, entry.uuid) for path, entry in found.items()}


def _images_of(facts: MigrateFacts) -> _Images:
    layers: dict[str, Layer] = {}
    for disk in facts.domain.disks:
        for layer in disk.chain.layers:
            path = layer.local_path
            if path is not None:
                layers.setdefault(path, layer)
    memories = set[str]()
    for snapshot in facts.hierarchy.snapshots:
        if snapshot.memory_file is not None:
            memories.add(snapshot.memory_file)
            layers.setdefault(snapshot.memory_file, Layer(FileSource(snapshot.memory_file)))
        for state in snapshot.disks:
            if not state.local:
                continue
            for path, form in ((state.path, state.format), (state.base, state.base_format)):
                if path is not None:
                    layers.setdefault(path, Layer(FileSource(path), form))
    return _Images(layers, frozenset(memories))


def _lying(layers: list[Layer], there: Host) -> dict[str, PathFacts]:
    """What lies at these places of the other host."""
    if there.local:
        look = partial(places.look_here, given_backing=None, reuse=True, owner=None, own=False)
        return {layer.path: look(layer) for layer in layers}
    found, files = look_there(layers, there.connection(), there.files), there.files
    if files is None:
        return found
    lies = (PathKind.FILE, PathKind.BLOCK)
    formats = {
        layer.path: layer.format
        for layer in layers
        if layer.format is not None and found[layer.path].image is None and found[layer.path].kind in lies
    }
    for path, info in files.infos(formats).items():
        if isinstance(info, ImageInfo):
            below = info.full_backing_file or info.backing_file
            image = ImageFacts(info.virtual_size, below, info.backing_format)
            found[path] = replace(found[path], image=image)
    return found


def _pools_of(there: Host) -> frozenset[str]:
    pools = unless_refused(there.connection().pools) or ()
    return frozenset(pool.path.rstrip("/") for pool in pools if pool.type in POOLS_OF_FILES and pool.path)
