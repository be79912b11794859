"""A host as it is looked at for a plan: the domain as it is now, the rest as it was last seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlsplit

from tui.engine import journal, places
from tui.engine.connection import Connection
from tui.engine.errors import HostError, NoConnection
from tui.engine.images import ImageError, read_chain
from tui.engine.uri import is_local
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.facts import LayerFacts, PathFacts, Running, Sizes, Use, UseKind, running_on, same_name
from tui.model.hierarchy import arranged, parse_known
from tui.model.host import HostState
from tui.model.job import JobType, Progress
from tui.model.journal import Entry, latest
from tui.model.snapshot import SnapshotFacts
from tui.model.snapshot_note import parse_noted
from tui.model.storage import Chain, Layer
from tui.model.text import printable
from tui.model.xml import InvalidXML

Answer = TypeVar("Answer")

_OWN_DAEMONS = ("/session", "/embed")
"""Paths of the URIs whose libvirt and QEMU run as the user who connects."""


@dataclass(frozen=True, slots=True)
class Look:
    """The domain as it is now, and the host around it as it was last seen."""

    connection: Connection
    state: HostState
    domain: Domain
    entries: tuple[Entry, ...]
    local: bool
    now: float
    under_way: tuple[Entry, ...] = ()
    """The plans that this program carries out on the host, as far as they are."""
    jobs: tuple[Running, ...] = ()
    """The block jobs of the domain, once they were looked for."""

    def with_jobs(self) -> Look:
        """With the block jobs of all disks: pulls and commits show in no definition."""
        return replace(self, jobs=jobs_on([disk for disk in self.domain.disks if not disk.empty], self))

    def progress(self, disk: Disk) -> Progress | None:
        """That of the job on a disk."""
        return next((job.progress for job in self.jobs if job.target == disk.target), None)

    def sizes(self, disk: Disk) -> Sizes | None:
        """A disk of the running guest in bytes; ``None`` where nobody says, and while any of its disks is pulled.

        QEMU may not be asked for it at the instant at which a pull ends: ``model.pull_checks`` says why.
        """
        if any(job.type is JobType.PULL for job in self.jobs):
            return None
        return unless_refused(lambda: self.connection.block_sizes(self.domain.uuid, disk.target))

    @property
    def plans(self) -> tuple[Entry, ...]:
        """The plans in progress: those that are carried out here may not be in the host's picture yet."""
        others = (e for e in self.state.entries if e.uuid != self.domain.uuid)
        return latest(self.entries, others, self.under_way)

    @property
    def own(self) -> bool:
        """Whether QEMU and libvirt run as the user of this process."""
        return self.local and urlsplit(self.state.uri).path in _OWN_DAEMONS

    def place(self, layer: Layer, *, backing: Layer | None = None, reuse: bool = False) -> PathFacts:
        """What lies at a place of the host, and what is around it; more of an image there that is to be reused."""
        if not self.local:
            return places.look_there(self.connection, layer)
        return places.look_here(layer, backing, reuse=reuse, owner=self.domain.definition.owner, own=self.own)

    def migrates(self) -> bool:
        """Whether libvirt says that the domain is on its way to another host."""
        uuid = self.domain.uuid
        return self.domain.state.active and bool(unless_refused(lambda: self.connection.migrates(uuid)))

    def domain_followed(self) -> Domain:
        """The domain, chains that its definition does not list read from the images."""
        return with_chains(self.domain) if self.local else self.domain

    def followed(self) -> Look:
        """With the chains that no definition lists, those of domains that are off, read from the images.

        Dear on a large host, and only of use when something is to be overwritten, changed or removed.
        """
        if not self.local:
            return self
        state = replace(self.state, domains=tuple(map(with_chains, self.state.domains)))
        return replace(self, state=state, domain=self.domain_followed())


def look_at(
    uuid: str, connection: Connection, state: HostState, now: float, under_way: tuple[Entry, ...] = ()
) -> Look | None:
    """Look at a domain; ``None`` when it is not there any more.

    Raises:
        HostError: when its definition cannot be read.
    """
    reading = connection.read(uuid)
    if reading is None:
        return None
    try:
        domain, entries, _problems = journal.seen(reading, connection)
    except InvalidXML as error:
        message = f"The definition of this domain cannot be read: {error}."
        raise HostError(message, remedy="Look at it with virsh dumpxml.") from error
    return Look(connection, state, domain, entries, is_local(state.uri), now, under_way)


def written_in(state: HostState) -> frozenset[str]:
    """The paths that guests of a host write to."""
    return frozenset(
        path
        for domain in state.domains
        if domain.state.active
        for disk in domain.disks
        for layer in (disk.chain.active, disk.mirror.chain.active if disk.mirror else None)
        if layer is not None and (path := layer.local_path) is not None
    )


def unless_refused(call: Callable[[], Answer]) -> Answer | None:
    """An answer, or ``None`` where the host has none; a lost connection is no answer."""
    try:
        return call()
    except NoConnection:
        raise
    except HostError:
        return None


def layers_of(disk: Disk, look: Look) -> tuple[LayerFacts, ...]:
    """What is known of the images of a disk, the active layer first."""
    if look.local:
        return tuple(places.layer_here(layer) for layer in disk.chain.layers)
    return tuple(places.layer_there(look.connection, layer) for layer in disk.chain.layers)


def uses_of(look: Look) -> dict[str, tuple[Use, ...]]:
    """Who needs which path."""
    others = (domain for domain in look.state.domains if domain.uuid != look.domain.uuid)
    return uses_in((look.domain, *others), look.plans)


def uses_in(domains: Iterable[Domain], plans: Iterable[Entry]) -> dict[str, tuple[Use, ...]]:
    """Who of these needs which path."""
    uses: dict[str, list[Use]] = {}
    for path, use in _all_uses(domains, plans):
        uses.setdefault(same_name(path), []).append(use)
    return {path: tuple(dict.fromkeys(users)) for path, users in uses.items()}


def _all_uses(domains: Iterable[Domain], plans: Iterable[Entry]) -> Iterator[tuple[str, Use]]:
    for domain in domains:
        for disk in domain.disks:
            for path in disk.chain.local_paths:
                yield path, Use(domain.uuid, domain.name, disk.target, UseKind.LAYER)
            for path in disk.mirror.chain.local_paths if disk.mirror else ():
                yield path, Use(domain.uuid, domain.name, disk.target, UseKind.MIRROR)
    for entry in plans:
        for copy in entry.copies:
            yield copy.path, Use(copy.uuid, copy.domain, copy.target, UseKind.PLAN, entry.id)


def with_chains(domain: Domain) -> Domain:
    """A domain whose XML names the active layers only, with its chains as the images have them."""
    disks = tuple(replace(disk, chain=_followed(disk.chain)) for disk in domain.disks)
    return replace(domain, definition=replace(domain.definition, disks=disks))


def _followed(chain: Chain) -> Chain:
    if chain.complete or len(chain.layers) != 1:
        return chain
    try:
        return read_chain(chain.layers[0])
    except ImageError:
        # Not readable from here: the chain stays unknown, which is what it is.
        return chain


def unfollowed(look: Look) -> tuple[str, ...]:
    """The disks of this host whose chains nobody can see to their end."""
    return tuple(
        f"{printable(domain.name)} {printable(disk.target)}"
        for domain in look.state.domains
        for disk in domain.disks
        if not disk.chain.complete
    )


def snapshots_of(connection: Connection, domain: Domain) -> tuple[SnapshotFacts, ...] | None:
    """The snapshots that libvirt or the domain's own notes know of, parents first, with the images that each needs.

    ``None`` where nobody can see.
    """
    found = unless_refused(lambda: connection.snapshots(domain.uuid))
    if found is None:
        return None
    try:
        known = tuple(one.needed for one in arranged(map(parse_known, found.values())).snapshots)
        noted = tuple(map(parse_noted, domain.definition.noted_snapshots))
    except InvalidXML:
        return None
    return (*known, *(SnapshotFacts(note.name, note.files, noted=True) for note in noted))


def jobs_on(disks: list[Disk], look: Look) -> tuple[Running, ...]:
    """The jobs of these disks."""
    if not look.domain.state.active:
        return ()
    jobs = [running_on(disk, _job_info(disk, look)) for disk in disks]
    return tuple(job for job in jobs if job is not None)


def _job_info(disk: Disk, look: Look) -> Progress | None:
    return unless_refused(lambda: look.connection.job(look.domain.uuid, disk.target))
