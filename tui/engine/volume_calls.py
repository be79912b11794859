"""libvirt's calls about the volumes of a pool that a plan makes and removes, each by its name there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# The loop module sets libvirt's environment, which is read at its first use.
from tui.engine import loop  # noqa: F401

import libvirt  # isort: skip

from tui.engine.errors import HostError


@dataclass(frozen=True, slots=True)
class VolumeFound:
    """A volume as the host shows it."""

    path: str
    capacity: int
    """Bytes."""


class VolumeCalls:
    """The part of a connection that is about volumes by their names."""

    _conn: Any
    _call: Callable[..., Any]

    def volume_in(self, pool: str, name: str) -> VolumeFound | None:
        """The volume of that name in a pool, ``None`` where there is none."""
        try:
            volume = self._volume(pool, name)
        except HostError as error:
            if error.code == libvirt.VIR_ERR_NO_STORAGE_VOL:
                return None
            raise
        path = str(self._call("volGetPath", volume.path))
        return VolumeFound(path, int(self._call("volInfo", volume.info)[1]))

    def create_volume(self, pool: str, xml: str) -> None:
        """Make a volume; libvirt refuses one whose name is taken."""
        self._call("volCreateXML", self._pool(pool).createXML, xml, 0)

    def delete_volume_in(self, pool: str, name: str) -> None:
        """Delete the volume of that name in a pool."""
        self._call("volDelete", self._volume(pool, name).delete, 0)

    def _pool(self, name: str) -> Any:
        return self._call("poolLookupByName", self._conn.storagePoolLookupByName, name)

    def _volume(self, pool: str, name: str) -> Any:
        return self._call("volLookupByName", self._pool(pool).storageVolLookupByName, name)
