"""A definition as the other host is to have it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lxml import etree

from tui.model import xml
from tui.model.snapshot import rename_sources


def there_xml(text: str, places: Mapping[str, str], flattened: Collection[str]) -> str:
    """The ``<domain>`` with its images at other places.

    Args:
        text: as libvirt prints it for a migration.
        places: from the paths here to those there.
        flattened: the disks that have one image there, whatever their chain is here.

    Raises:
        xml.InvalidXML: when it cannot be read, or a path has a character that XML cannot carry.
    """
    root = xml.parse(text)
    for devices in xml.children(root, "devices"):
        for disk in xml.children(devices, "disk"):
            if xml.attribute(xml.child(disk, "target"), "dev") in flattened:
                for below in xml.children(disk, "backingStore"):
                    disk.remove(below)
            rename_sources(disk, places)
    return etree.tostring(root, encoding="unicode")


def asks_for(text: str) -> tuple[str, str, str, str]:
    """Emulator, architecture, machine type and kind of virtualisation of a ``<domain>``.

    Raises:
        xml.InvalidXML: when it is none.
    """
    root = xml.parse(text)
    kind = root.find("os/type")
    emulator = root.findtext("devices/emulator") or ""
    arch, machine = (kind.get(key) or "" if kind is not None else "" for key in ("arch", "machine"))
    return emulator, arch, machine, root.get("type") or ""


def cpu_of(text: str) -> str | None:
    """The ``<cpu>`` that a ``<domain>`` asks for; ``None`` where any will do."""
    found = xml.child(xml.parse(text), "cpu")
    if found is None or found.get("mode") in ("host-passthrough", "maximum"):
        return None
    return xml.serialise(found)


def networks_of(text: str) -> tuple[str, ...]:
    """The networks of libvirt's that the guest is plugged into."""
    root = xml.parse(text)
    found = [interface.find("source") for interface in root.iterfind("devices/interface[@type='network']")]
    names = (source.get("network") for source in found if source is not None)
    return tuple(dict.fromkeys(name for name in names if name))


def devices_of(text: str) -> tuple[str, ...]:
    """The devices of the host that the guest has, in words; libvirt lets some USB devices go."""
    root = xml.parse(text)
    kinds = (device.get("type") or "unknown" for device in root.iterfind("devices/hostdev"))
    return tuple(f"a {kind} device of the host" for kind in kinds if kind != "usb")
