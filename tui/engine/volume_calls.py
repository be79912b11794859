"""libvirt's calls about the volumes of a pool that a plan makes and removes, each by its name there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

# The loop module sets libvirt's environment, which is read at its first use.
from tui.engine import loop  # noqa: F401

import libvirt  # isort: skip

from tui.engine.errors import HostError

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class VolumeFound:
    """A volume as the host shows it."""

    path: str
    capacity: int
    """Bytes."""


def _unless_missing(call: Callable[[], Answer]) -> Answer | None:
    """An answer about a volume, ``None`` where there is none: a pool lists what it saw when it looked last."""
    try:
        return call()
    except HostError as error:
        if error.code == libvirt.VIR_ERR_NO_STORAGE_VOL:
            return None
        raise


class VolumeCalls:
    """The part of a connection that is about volumes by their names."""

    _conn: Any
    _call: Callable[..., Any]

    def volume_in(self, pool: str, name: str) -> VolumeFound | None:
        """The volume of that name in a pool, ``None`` where there is none."""
        return _unless_missing(lambda: self._found(self._volume(pool, name)))

    def lists_volume(self, pool: str, name: str) -> bool:
        """Whether there was such a volume when the pool looked last; its file may be gone."""
        return _unless_missing(lambda: self._volume(pool, name)) is not None

    def create_volume(self, pool: str, xml: str) -> None:
        """Make a volume; libvirt refuses one whose name is taken."""
        self._call("volCreateXML", self._pool(pool).createXML, xml, 0)

    def cloning(self, pool: str, origin: str) -> Callable[[str], object]:
        """What makes of a definition a volume that shares the blocks of one in the same pool, in a single call.

        It fails, and leaves nothing, where the file system cannot let files share blocks.
        """
        place, volume = self._pool(pool), self._volume(pool, origin)
        flags = libvirt.VIR_STORAGE_VOL_CREATE_REFLINK
        return lambda xml: self._call("volCreateXMLFrom", place.createXMLFrom, xml, volume, flags)

    def refresh_pool(self, pool: str) -> None:
        """Have a pool look at what there really is."""
        self._call("poolRefresh", self._pool(pool).refresh, 0)

    def delete_volume_in(self, pool: str, name: str) -> None:
        """Delete the volume of that name in a pool."""
        self._call("volDelete", self._volume(pool, name).delete, 0)

    def _found(self, volume: Any) -> VolumeFound:
        path = str(self._call("volGetPath", volume.path))
        return VolumeFound(path, int(self._call("volInfo", volume.info)[1]))

    def _pool(self, name: str) -> Any:
        return self._call("poolLookupByName", self._conn.storagePoolLookupByName, name)

    def _volume(self, pool: str, name: str) -> Any:
        return self._call("volLookupByName", self._pool(pool).storageVolLookupByName, name)
