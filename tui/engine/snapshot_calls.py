"""libvirt's calls about snapshots and checkpoints that it remembers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

# The loop module sets libvirt's environment, which is read at its first use.
from tui.engine import loop  # noqa: F401

import libvirt  # isort: skip

from tui.engine.errors import HostError
from tui.model.checkpoint import KnownCheckpoint, by_age, parse_checkpoint
from tui.model.hierarchy import KnownSnapshot, parse_known
from tui.model.snapshot_steps import TakeSnapshot
from tui.model.text import printable
from tui.model.xml import InvalidXML

Known = TypeVar("Known", KnownSnapshot, KnownCheckpoint)

_GONE = frozenset({libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT, libvirt.VIR_ERR_NO_DOMAIN_CHECKPOINT})
_IN_FLIGHT = 16
"""Calls at a time: a host that is far away answers many as fast as one."""


class SnapshotCalls:
    """The part of a connection that is about snapshots."""

    _conn: Any
    _call: Callable[..., Any]
    _domain: Callable[[str], Any]
    _listed: Callable[..., list[Any]]

    def snapshots(self, uuid: str) -> dict[str, str]:
        """The snapshots that libvirt knows of: names and XML."""
        found = self._listed(uuid, "listAllSnapshots")
        return {item.getName(): self._call("snapshotGetXMLDesc", item.getXMLDesc, 0) for item in found}

    def domains_with_snapshots(self) -> dict[str, str]:
        """The UUIDs and names of the domains that have any which libvirt knows of."""
        flag = libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT
        domains = self._call("listAllDomains", self._conn.listAllDomains, flag)
        return {domain.UUIDString(): domain.name() for domain in domains}

    def known_snapshots(self, uuid: str, *, secure: bool = False) -> tuple[KnownSnapshot, ...]:
        """All of them, read with many calls in flight; ``secure`` with what is needed to define them again."""
        found = self._listed(uuid, "listAllSnapshots")
        current = self.current_snapshot(uuid) if found else None
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE if secure else 0

        def known(name: str, text: str) -> KnownSnapshot:
            return parse_known(text, current=name == current)

        return self._each("snapshot", found, flags, known)

    def known_checkpoints(self, uuid: str, *, whole: bool = False) -> tuple[KnownCheckpoint, ...]:
        """All of them, the oldest first; ``whole`` with what is needed to define them again, parents first."""
        found = self._listed(uuid, "listAllCheckpoints", libvirt.VIR_DOMAIN_CHECKPOINT_LIST_TOPOLOGICAL)
        flags = 0 if whole else libvirt.VIR_DOMAIN_CHECKPOINT_XML_NO_DOMAIN
        known = self._each("checkpoint", found, flags, lambda _name, text: parse_checkpoint(text))
        return known if whole else by_age(known)

    def _each(
        self, kind: str, found: list[Any], flags: int, known: Callable[[str, str], Known]
    ) -> tuple[Known, ...]:
        """What the XML of each says, in their order."""

        def read(item: Any) -> Known | None:
            name = item.getName()
            try:
                return known(name, self._call(f"{kind}GetXMLDesc", item.getXMLDesc, flags))
            except HostError as error:
                if error.code in _GONE:
                    # Somebody has deleted it meanwhile.
                    return None
                raise
            except InvalidXML as error:
                raise HostError(f"The {kind} {printable(name)} cannot be read: {error}.") from error

        with ThreadPoolExecutor(_IN_FLIGHT, f"{kind}s") as pool:
            return tuple(one for one in pool.map(read, found) if one is not None)

    def current_snapshot(self, uuid: str) -> str | None:
        """The name of the parent of what the guest writes now; ``None`` where there is none."""
        try:
            found = self._call("domainSnapshotCurrent", self._domain(uuid).snapshotCurrent, 0)
        except HostError as error:
            if error.code == libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT:
                return None
            raise
        return str(found.getName())

    def delete_snapshot(self, uuid: str, name: str) -> None:
        """Delete a snapshot and its data; what is merged for that is merged before this returns.

        One at a time: with the flags for all that descend from it, libvirtd 9.0 dies of larger trees.
        """
        self._call("domainSnapshotDelete", self._there(uuid, name).delete, 0)

    def revert_snapshot(self, uuid: str, name: str, *, running: bool = False, paused: bool = False) -> None:
        """Take the domain back to a snapshot, by default into the state that it had then."""
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING if running else 0
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED if paused else 0
        found = self._there(uuid, name)
        self._call("domainRevertToSnapshot", self._domain(uuid).revertToSnapshot, found, flags)

    def _there(self, uuid: str, name: str) -> Any:
        found = self._snapshot(uuid, name)
        if found is None:
            raise HostError(f"There is no snapshot {printable(name)} any more.")
        return found

    def redefine_snapshot(self, uuid: str, xml: str, *, current: bool) -> None:
        """Replace what libvirt remembers of a snapshot; images are not touched."""
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT if current else 0
        self._call("domainSnapshotCreateXML", self._domain(uuid).snapshotCreateXML, xml, flags)

    def take_snapshot(self, step: TakeSnapshot) -> None:
        """Give disks new active layers, all or none, and hold the memory with them if the step says so."""
        live = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_LIVE if step.live else 0
        flags = (
            libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
            | (libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY if step.memory is None else live)
            | (libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT if step.reuse_external else 0)
            | (0 if step.metadata else libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA)
            | (libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_VALIDATE if step.validate else 0)
        )
        uuid, xml = step.uuid, step.xml
        self._call("domainSnapshotCreateXML", self._domain(uuid).snapshotCreateXML, xml, flags)

    def take_internal(self, uuid: str, xml: str) -> None:
        """Write the state of disks and memory into the images; the guest stands still meanwhile."""
        self._call("domainSnapshotCreateXML", self._domain(uuid).snapshotCreateXML, xml, 0)

    def snapshot_xml(self, uuid: str, name: str) -> str | None:
        """What libvirt remembers of a snapshot; ``None`` when there is none of that name."""
        found = self._snapshot(uuid, name)
        return None if found is None else str(self._call("snapshotGetXMLDesc", found.getXMLDesc, 0))

    def forget_snapshot(self, uuid: str, name: str) -> bool:
        """Delete the record alone, whatever the images are; whether there was one."""
        found = self._snapshot(uuid, name)
        if found is None:
            return False
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY
        self._call("domainSnapshotDelete", found.delete, flags)
        return True

    def _snapshot(self, uuid: str, name: str) -> Any:
        try:
            return self._call("snapshotLookupByName", self._domain(uuid).snapshotLookupByName, name, 0)
        except HostError as error:
            if error.code == libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT:
                return None
            raise
