"""One libvirt connection, narrowed to what this program does with it.

Nouns are UUIDs and disk targets, never virDomain objects; every libvirtError leaves as a ``HostError``.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# The loop module sets libvirt's environment, which is read at its first use.
from tui.engine.loop import start_event_loop

import libvirt  # isort: skip

from tui.engine.disk_calls import RUN_STATES, DiskCalls
from tui.engine.errors import HostError, NoConnection
from tui.engine.memory_calls import MemoryCalls, Standstill
from tui.engine.migrate_calls import MigrateCalls
from tui.engine.snapshot_calls import SnapshotCalls
from tui.engine.turns import Turns
from tui.engine.uri import embedded_root, is_local
from tui.engine.volume_calls import VolumeCalls
from tui.model.definition import parse_domain
from tui.model.domain import Domain, RunState
from tui.model.job import JobEvent
from tui.model.storage_pool import Pool, parse_pool
from tui.model.xml import InvalidXML

KEEPALIVE_INTERVAL = 5
KEEPALIVE_COUNT = 3
TURN = 0.25
"""Seconds for which a call waits for another one; none to another machine, where the way takes longer than the work."""
BANDWIDTH_BYTES_SINCE = (1, 2, 9)

_LOST = frozenset({libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_RPC})
_LOST_FROM_RPC = frozenset({libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_SYSTEM_ERROR})
"""A closed socket is told with codes that mean other things when they come from a driver."""
_JOB_EVENTS = {
    libvirt.VIR_DOMAIN_BLOCK_JOB_READY: JobEvent.READY,
    libvirt.VIR_DOMAIN_BLOCK_JOB_COMPLETED: JobEvent.COMPLETED,
    libvirt.VIR_DOMAIN_BLOCK_JOB_FAILED: JobEvent.FAILED,
    libvirt.VIR_DOMAIN_BLOCK_JOB_CANCELED: JobEvent.CANCELED,
}


@dataclass(frozen=True, slots=True)
class DomainChanged:
    """Something about a domain may be different from what was read last."""

    uuid: str


@dataclass(frozen=True, slots=True)
class BlockJobChanged:
    """A block job said something."""

    uuid: str
    target: str
    event: JobEvent


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The host is gone."""

    connection: Connection
    reason: str


Event = DomainChanged | BlockJobChanged | ConnectionClosed


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a domain."""

    uuid: str
    xml: str
    state: RunState
    persistent: bool
    on_the_way: bool = False
    """It stands still for a migration. One that arrives answers nothing about its disks until it is there, and who
    asks keeps its host from calling it off."""
    fetching: bool = False
    """It runs here, and its memory still follows from the host that it comes from."""

    @property
    def domain(self) -> Domain:
        """The domain as it shows itself.

        Raises:
            InvalidXML: when its definition cannot be read.
        """
        return Domain(parse_domain(self.xml), self.state, self.persistent)


@contextmanager
def translated() -> Iterator[None]:
    """Turn a libvirtError into a HostError that a user can read."""
    try:
        yield
    except libvirt.libvirtError as error:
        message = (error.get_error_message() or str(error)).strip().rstrip(".") + "."
        code = error.get_error_code()
        from_rpc = error.get_error_domain() in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE)
        lost = code in _LOST or (from_rpc and code in _LOST_FROM_RPC)
        kind = NoConnection if lost else HostError
        raise kind(message, code=code) from error


def _insist_on_hypervisor(uri: str) -> None:
    """Open none where an embedded one has been removed: libvirt would make an empty one there, without a word."""
    root = embedded_root(uri)
    if root is not None and not root.is_dir():
        message = f"There is no hypervisor in {root} any more."
        raise NoConnection(message)


class Connection(DiskCalls, MemoryCalls, MigrateCalls, SnapshotCalls, VolumeCalls):
    """An open connection. Methods block; every one may be called from any thread.

    Raises:
        HostError: from every method, when the host refuses.
        NoConnection: from every method, when the host is gone.
    """

    def __init__(self, uri: str | None, *, read_only: bool, on_event: Callable[[Event], None]) -> None:
        """Connect and subscribe. ``on_event`` is called in libvirt's event thread and must return at once."""
        _insist_on_hypervisor(uri or "")
        start_event_loop()
        self.calls: Counter[str] = Counter()
        """How often each libvirt call was made."""
        self._on_event = on_event
        self._users = threading.Condition()
        self._calling = 0
        self._closed = False
        self._domains: dict[str, Any] = {}
        self._listening: list[Standstill] = []
        with translated():
            self._conn = libvirt.openReadOnly(uri) if read_only else libvirt.open(uri)
            self._turns = Turns(TURN if is_local(self._conn.getURI()) else 0.0)
        self.counts_bytes = self.libvirt_version() >= BANDWIDTH_BYTES_SINCE
        """Whether the server knows limits in bytes per second; older ones count MiB per second."""
        self._callbacks: list[int] = []
        self._subscribe()

    def _subscribe(self) -> None:
        changed = self._forward_domain
        wanted = (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._forward_life),
            (libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, self._forward_block_job),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, changed),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, changed),
            (libvirt.VIR_DOMAIN_EVENT_ID_DISK_CHANGE, changed),
            (libvirt.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE, changed),
            (libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, changed),
        )
        for event, callback in wanted:
            try:
                number = self._conn.domainEventRegisterAny(None, event, callback, None)
            except libvirt.libvirtError:
                # Other drivers (test, ESX…) lack some events; a refresh by hand still works there.
                continue
            self._callbacks.append(number)
        try:
            self._conn.registerCloseCallback(self._forward_close, None)
            self._conn.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
        except libvirt.libvirtError:
            # Connections inside this process have nothing to lose and nothing to keep alive.
            self._keepalive = False
        else:
            self._keepalive = True

    # libvirt-python swallows what a callback raises, so these only hand over.

    def _forward_domain(self, _conn: Any, domain: Any, *_details: Any) -> None:
        self._on_event(DomainChanged(domain.UUIDString()))

    def _forward_life(self, _conn: Any, domain: Any, event: int, *_details: Any) -> None:
        uuid = domain.UUIDString()
        for standstill in tuple(self._listening):
            standstill.hear(uuid, event)
        self._on_event(DomainChanged(uuid))

    def _forward_block_job(
        self, _conn: Any, domain: Any, target: str, _type: int, status: int, _opaque: Any
    ) -> None:
        if event := _JOB_EVENTS.get(status):
            self._on_event(BlockJobChanged(domain.UUIDString(), target, event))

    def _forward_close(self, _conn: Any, reason: int, _opaque: Any) -> None:
        reasons = ("the connection broke", "the host closed the connection", "the host stopped answering")
        if reason != libvirt.VIR_CONNECT_CLOSE_REASON_CLIENT:
            said = reasons[reason] if reason < len(reasons) else "it closed"
            self._on_event(ConnectionClosed(self, said))

    def _call(self, name: str, function: Callable[..., Any], *args: Any) -> Any:
        with self._in_use(), self._turns.taken(), translated():
            self.calls[name] += 1
            return function(*args)

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep the connection open for the length of a call.

        virConnectClose frees what a call in another thread is still working with, which ends the process.
        """
        with self._users:
            if self._closed:
                message = "The connection was closed."
                raise NoConnection(message)
            self._calling += 1
        try:
            yield
        finally:
            with self._users:
                self._calling -= 1
                self._users.notify_all()

    def _domain(self, uuid: str) -> Any:
        if uuid not in self._domains:
            self._domains[uuid] = self._call("lookupByUUIDString", self._conn.lookupByUUIDString, uuid)
        return self._domains[uuid]

    def close(self) -> None:
        """Give the connection up, once the calls in flight have returned; no new ones are made.

        A host that is gone already is not an error.
        """
        with self._users:
            self._closed = True
            self._users.wait_for(lambda: not self._calling)
        try:
            for number in self._callbacks:
                self._conn.domainEventDeregisterAny(number)
            if self._keepalive:
                self._conn.unregisterCloseCallback()
            self._domains.clear()
            self._conn.close()
        except libvirt.libvirtError:
            # Nothing is left to release on a connection that broke.
            return

    # The host

    def hostname(self) -> str:
        """Its name for itself."""
        return str(self._call("getHostname", self._conn.getHostname))

    def uri(self) -> str:
        """The URI that libvirt settled on."""
        return str(self._call("getURI", self._conn.getURI))

    def libvirt_version(self) -> tuple[int, int, int]:
        """Version of the server's libvirt."""
        return _version(self._call("getLibVersion", self._conn.getLibVersion))

    def hypervisor(self) -> str:
        """As ``QEMU 7.2.22``."""
        kind = self._call("getType", self._conn.getType)
        return f"{kind} " + ".".join(map(str, _version(self._call("getVersion", self._conn.getVersion))))

    def capabilities(self) -> str:
        """XML that says what the host and its hypervisors can do."""
        return str(self._call("getCapabilities", self._conn.getCapabilities))

    def pools(self) -> tuple[Pool, ...]:
        """The active storage pools."""
        flags = libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE
        found = self._call("listAllStoragePools", self._conn.listAllStoragePools, flags)
        try:
            return tuple(parse_pool(self._call("poolGetXMLDesc", pool.XMLDesc, 0)) for pool in found)
        except InvalidXML as error:
            raise HostError(f"What libvirt says of a storage pool cannot be read: {error}.") from error

    def volume_xml(self, path: str) -> str | None:
        """XML of the pool volume at a path, or ``None`` when no pool knows it."""
        try:
            volume = self._call("volLookupByPath", self._conn.storageVolLookupByPath, path)
        except HostError as error:
            if error.code in (libvirt.VIR_ERR_NO_STORAGE_VOL, libvirt.VIR_ERR_NO_SUPPORT):
                return None
            raise
        return str(self._call("volGetXMLDesc", volume.XMLDesc, 0))

    def volumes(self, pool: str) -> tuple[tuple[str, int | None], ...]:
        """Paths of the volumes of a pool, and the bytes that each takes."""
        found = self._call("poolLookupByName", self._conn.storagePoolLookupByName, pool)
        return tuple(
            (str(self._call("volGetPath", volume.path)), self._call("volInfo", volume.info)[2])
            for volume in self._call("poolListAllVolumes", found.listAllVolumes, 0)
        )

    def delete_volume(self, path: str) -> None:
        """Delete the pool volume at a path."""
        volume = self._call("volLookupByPath", self._conn.storageVolLookupByPath, path)
        self._call("volDelete", volume.delete, 0)

    # Domains

    def list_domains(self) -> dict[str, str]:
        """UUID and name of every domain."""
        domains = self._call("listAllDomains", self._conn.listAllDomains, 0)
        self._domains = {domain.UUIDString(): domain for domain in domains}
        return {uuid: domain.name() for uuid, domain in self._domains.items()}

    def read(self, uuid: str) -> Reading | None:
        """Look at a domain; ``None`` when it does not exist any more."""
        try:
            domain = self._domain(uuid)
            xml = self._call("domainGetXMLDesc", domain.XMLDesc, 0)
            state, reason = self._call("domainGetState", domain.state, 0)
            persistent = bool(self._call("domainIsPersistent", domain.isPersistent))
        except HostError as error:
            if error.code == libvirt.VIR_ERR_NO_DOMAIN:
                self._domains.pop(uuid, None)
                return None
            raise
        return Reading(
            uuid,
            xml,
            RUN_STATES.get(state, RunState.UNKNOWN),
            persistent,
            on_the_way=(state, reason) == (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION),
            fetching=(state, reason) == (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY),
        )

    def inactive_xml(self, uuid: str) -> str:
        """The persistent definition, with what is needed to define it again."""
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
        return str(self._call("domainGetXMLDesc", self._domain(uuid).XMLDesc, flags))

    def define(self, xml: str) -> None:
        """Replace a persistent definition."""
        self._call("domainDefineXML", self._conn.defineXML, xml)

    def suspend(self, uuid: str) -> None:
        """Pause a guest."""
        self._call("domainSuspend", self._domain(uuid).suspend)

    def resume(self, uuid: str) -> None:
        """Let a paused guest run."""
        self._call("domainResume", self._domain(uuid).resume)

    def set_metadata(self, uuid: str, namespace: str, xml: str | None, *, config: bool, live: bool) -> None:
        """Write one metadata element, or remove it with ``None``."""
        flags = (libvirt.VIR_DOMAIN_AFFECT_CONFIG if config else 0) | (
            libvirt.VIR_DOMAIN_AFFECT_LIVE if live else 0
        )
        element = libvirt.VIR_DOMAIN_METADATA_ELEMENT
        try:
            self._call(
                "domainSetMetadata",
                self._domain(uuid).setMetadata,
                element,
                xml,
                "virt-mirror" if xml else None,
                namespace,
                flags,
            )
        except HostError as error:
            if xml is not None or error.code != libvirt.VIR_ERR_NO_DOMAIN_METADATA:
                raise

    def checkpoints(self, uuid: str) -> tuple[str, ...]:
        """Names of the domain's checkpoints."""
        return tuple(item.getName() for item in self._listed(uuid, "listAllCheckpoints"))

    def _listed(self, uuid: str, call: str, flags: int = 0) -> list[Any]:
        try:
            return list(self._call(call, getattr(self._domain(uuid), call), flags))
        except HostError as error:
            if error.code == libvirt.VIR_ERR_NO_SUPPORT:
                return []
            raise


def _version(number: int) -> tuple[int, int, int]:
    return (number // 1_000_000, number // 1_000 % 1_000, number % 1_000)
