"""libvirt's calls about snapshots that it remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# The loop module sets libvirt's environment, which is read at its first use.
from tui.engine import loop  # noqa: F401

import libvirt  # isort: skip

from tui.engine.errors import HostError


@dataclass(frozen=True, slots=True)
class SnapshotDefinition:
    """What libvirt remembers of a snapshot."""

    name: str
    xml: str
    current: bool


class SnapshotCalls:
    """The part of a connection that is about snapshots."""

    _call: Callable[..., Any]
    _domain: Callable[[str], Any]
    _listed: Callable[..., list[Any]]

    def snapshots(self, uuid: str) -> dict[str, str]:
        """The snapshots that libvirt knows of: names and XML."""
        found = self._listed(uuid, "listAllSnapshots")
        return {item.getName(): self._call("snapshotGetXMLDesc", item.getXMLDesc, 0) for item in found}

    def snapshot_definitions(self, uuid: str) -> tuple[SnapshotDefinition, ...]:
        """The snapshots with all that is needed to define them again, parents first."""
        found = self._listed(uuid, "listAllSnapshots", libvirt.VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL)
        secure = libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE
        return tuple(
            SnapshotDefinition(
                item.getName(),
                self._call("snapshotGetXMLDesc", item.getXMLDesc, secure),
                bool(self._call("snapshotIsCurrent", item.isCurrent, 0)),
            )
            for item in found
        )

    def redefine_snapshot(self, uuid: str, xml: str, *, current: bool) -> None:
        """Replace what libvirt remembers of a snapshot; images are not touched."""
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        flags |= libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT if current else 0
        self._call("domainSnapshotCreateXML", self._domain(uuid).snapshotCreateXML, xml, flags)

    def take_snapshot(self, uuid: str, xml: str, *, reuse_external: bool, metadata: bool) -> None:
        """Give disks new active layers, all or none, as a snapshot of which libvirt keeps a record, or none."""
        flags = (
            libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
            | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
            | (libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT if reuse_external else 0)
            | (0 if metadata else libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA)
        )
        self._call("domainSnapshotCreateXML", self._domain(uuid).snapshotCreateXML, xml, flags)

    def take_internal(self, uuid: str, xml: str) -> None:
        """Write the state of disks and memory into the images; the guest stands still meanwhile."""
        self._call("domainSnapshotCreateXML", self._domain(uuid).snapshotCreateXML, xml, 0)

    def delete_snapshot(self, uuid: str, name: str) -> bool:
        """Delete a snapshot with what the images hold of it; whether there was one."""
        found = self._snapshot(uuid, name)
        if found is None:
            return False
        self._call("domainSnapshotDelete", found.delete, 0)
        return True

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
