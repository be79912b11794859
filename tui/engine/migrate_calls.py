"""libvirt's calls by which a domain goes to another host, and by which two hosts are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

# The loop module sets libvirt's environment, which is read at its first use.
from tui.engine import loop  # noqa: F401

import libvirt  # isort: skip

from tui.engine.errors import HostError
from tui.engine.memory_calls import KIB
from tui.model import xml
from tui.model.host import Memory
from tui.model.migrate_request import CopyStorage
from tui.model.migrate_steps import Migrate
from tui.model.migration import MigrationPhase

MIB = 1024 * 1024
_LATE = {
    libvirt.VIR_DOMAIN_PAUSED_MIGRATION: MigrationPhase.SWITCHING,
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY: MigrationPhase.POSTCOPY,
}
"""Why a guest stands still here."""


class MigrateCalls:
    """The part of a connection that is about other hosts."""

    _conn: Any
    _call: Callable[..., Any]
    _domain: Callable[[str], Any]
    _in_use: Callable[[], AbstractContextManager[None]]
    capabilities: Callable[[], str]
    _own_uuid: str = ""

    def host_uuid(self) -> str:
        """By which the host knows itself; libvirt lets no domain go to one that has the same."""
        self._own_uuid = self._own_uuid or xml.parse(self.capabilities()).findtext("host/uuid") or ""
        return self._own_uuid

    def memory(self) -> Memory:
        """That of the host; what only keeps contents of files makes way for guests, and is free."""
        told = self._call(
            "nodeGetMemoryStats", self._conn.getMemoryStats, libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS
        )
        free = sum(told.get(kind, 0) for kind in ("free", "buffers", "cached"))
        return Memory(free * KIB, told["total"] * KIB)

    def networks(self) -> dict[str, bool]:
        """Names, and whether they are up."""
        found = self._call("connectListAllNetworks", self._conn.listAllNetworks, 0)
        return {one.name(): bool(self._call("networkIsActive", one.isActive)) for one in found}

    def domain_names(self) -> dict[str, str]:
        """All domains: UUIDs, by name."""
        found = self._call("connectListAllDomains", self._conn.listAllDomains, 0)
        return {domain.name(): domain.UUIDString() for domain in found}

    def machine_trouble(self, emulator: str, arch: str, machine: str, kind: str) -> str | None:
        """Why there is no such machine; ``None`` where there is."""
        try:
            self._call(
                "connectGetDomainCapabilities",
                self._conn.getDomainCapabilities,
                emulator or None,
                arch or None,
                machine or None,
                kind or None,
                0,
            )
        except HostError as error:
            return error.message
        return None

    def cpu_trouble(self, cpu: str, emulator: str, arch: str, machine: str, kind: str) -> str | None:
        """What the host's CPU lacks of one that a guest has; ``None`` where it lacks nothing.

        Raises:
            HostError: when the host cannot compare them.
        """
        flags = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
        try:
            self._call(
                "connectCompareHypervisorCPU",
                self._conn.compareHypervisorCPU,
                emulator or None,
                arch or None,
                machine or None,
                kind or None,
                cpu,
                flags,
            )
        except HostError as error:
            if error.code == libvirt.VIR_ERR_CPU_INCOMPATIBLE:
                return error.message
            raise
        return None

    def autostart(self, uuid: str) -> bool:
        """Whether the host starts it by itself."""
        return bool(self._call("domainGetAutostart", self._domain(uuid).autostart))

    def set_autostart(self, uuid: str) -> None:
        """Have the host start it by itself."""
        self._call("domainSetAutostart", self._domain(uuid).setAutostart, 1)

    def migratable_xml(self, uuid: str) -> str:
        """The definition as another host can have it, secrets included."""
        flags = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE
        return str(self._call("domainGetXMLDesc", self._domain(uuid).XMLDesc, flags))

    def migrate(self, step: Migrate, to: MigrateCalls, definition: str, lasting: str | None) -> None:
        """Take a domain to another host; returns when it has gone over.

        Args:
            step: how.
            to: the connection to the other host, which counts for nothing where the hosts talk to each other.
            definition: of the guest, as the other host is to have it.
            lasting: the definition that the other host keeps, likewise.
        """
        params = _params(step, definition, lasting)
        domain, flags = self._domain(step.uuid), _flags(step)
        if step.transport.p2p:
            self._call("domainMigrateToURI3", domain.migrateToURI3, step.destination, params, flags)
        else:
            with to.lent() as other:
                self._call("domainMigrate3", domain.migrate3, other, params, flags)

    @contextmanager
    def lent(self) -> Iterator[Any]:
        """libvirt's own connection, for a call of another one that takes two; it is not closed meanwhile."""
        with self._in_use():
            yield self._conn

    def migration_stats(self, uuid: str, *, completed: bool = False) -> dict[str, Any]:
        """What libvirt tells of the job that takes it away; those of one that has ended are kept."""
        flags = 0
        if completed:
            flags = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED
        return dict(self._call("domainGetJobStats", self._domain(uuid).jobStats, flags))

    def migrates(self, uuid: str) -> bool:
        """Whether a job takes it away, or brings it."""
        stats = self.migration_stats(uuid)
        operations = (
            libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT,
            libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN,
        )
        return stats.get("type", 0) != 0 and stats.get(libvirt.VIR_DOMAIN_JOB_OPERATION) in operations

    def standstill(self, uuid: str) -> tuple[bool, MigrationPhase | None]:
        """Whether a guest stands still, and where its migration seems to be for that.

        libvirt gives a guest that somebody pauses on its way the same reason as one that is being switched over.
        """
        state, reason = self._call("domainGetState", self._domain(uuid).state, 0)
        paused = state == libvirt.VIR_DOMAIN_PAUSED
        return paused, _LATE.get(reason) if paused else None

    def set_migration_speed(self, uuid: str, bandwidth: int, *, postcopy: bool = False) -> None:
        """Limit the memory that is sent, in bytes per second, or what is fetched of it afterwards."""
        speed = -(-bandwidth // MIB)
        flags = libvirt.VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY if postcopy else 0
        self._call("domainMigrateSetMaxSpeed", self._domain(uuid).migrateSetMaxSpeed, speed, flags)

    def set_max_downtime(self, uuid: str, milliseconds: int) -> None:
        """Let the guest stand still for so long at the end."""
        call = self._domain(uuid).migrateSetMaxDowntime
        self._call("domainMigrateSetMaxDowntime", call, milliseconds, 0)

    def start_postcopy(self, uuid: str) -> None:
        """Switch over now, and fetch the rest of the memory afterwards. There is no way back."""
        self._call("domainMigrateStartPostCopy", self._domain(uuid).migrateStartPostCopy, 0)

    # Checkpoints

    def redefine_checkpoint(self, uuid: str, text: str) -> None:
        """Have libvirt know a checkpoint whose bitmaps are there."""
        flags = libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE
        self._call("domainCheckpointCreateXML", self._domain(uuid).checkpointCreateXML, text, flags)


def _params(step: Migrate, definition: str, lasting: str | None) -> dict[str, Any]:
    wanted = {
        libvirt.VIR_MIGRATE_PARAM_DEST_XML: definition,
        libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: lasting if step.persistent else None,
        libvirt.VIR_MIGRATE_PARAM_DEST_NAME: step.name if step.name != step.domain else None,
        libvirt.VIR_MIGRATE_PARAM_URI: step.transport.migrate_uri,
        libvirt.VIR_MIGRATE_PARAM_DISKS_URI: step.transport.disks_uri,
        libvirt.VIR_MIGRATE_PARAM_DISKS_PORT: step.transport.disks_port,
        libvirt.VIR_MIGRATE_PARAM_LISTEN_ADDRESS: step.transport.listen_address,
        libvirt.VIR_MIGRATE_PARAM_TLS_DESTINATION: step.transport.tls_destination,
        libvirt.VIR_MIGRATE_PARAM_BANDWIDTH: -(-step.transport.bandwidth // MIB),
        # Left out, the memory that is fetched afterwards would know no limit.
        libvirt.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY: -(-step.transport.bandwidth // MIB)
        if step.convergence.postcopy
        else 0,
        libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS: list(step.targets),
        libvirt.VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS: step.transport.parallel,
    }
    return {key: value for key, value in wanted.items() if value}


def _flags(step: Migrate) -> int:
    flags = {
        libvirt.VIR_MIGRATE_LIVE: not step.offline,
        libvirt.VIR_MIGRATE_OFFLINE: step.offline,
        libvirt.VIR_MIGRATE_PERSIST_DEST: step.persistent,
        libvirt.VIR_MIGRATE_UNDEFINE_SOURCE: step.undefine_source,
        libvirt.VIR_MIGRATE_PEER2PEER: step.transport.p2p,
        libvirt.VIR_MIGRATE_NON_SHARED_DISK: step.storage is CopyStorage.ALL and bool(step.targets),
        libvirt.VIR_MIGRATE_NON_SHARED_INC: step.storage is CopyStorage.INC,
        libvirt.VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES: step.convergence.synchronous_writes,
        libvirt.VIR_MIGRATE_TLS: step.transport.tls,
        libvirt.VIR_MIGRATE_COMPRESSED: step.transport.compressed,
        libvirt.VIR_MIGRATE_AUTO_CONVERGE: step.convergence.auto_converge,
        libvirt.VIR_MIGRATE_POSTCOPY: step.convergence.postcopy,
        libvirt.VIR_MIGRATE_PARALLEL: bool(step.transport.parallel),
        libvirt.VIR_MIGRATE_UNSAFE: step.unsafe,
        libvirt.VIR_MIGRATE_CHANGE_PROTECTION: step.change_protection and not step.transport.p2p,
        libvirt.VIR_MIGRATE_ABORT_ON_ERROR: step.abort_on_error,
    }
    return sum(flag for flag, given in flags.items() if given)
