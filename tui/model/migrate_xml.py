"""A definition as the other host is to have it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lxml import etree

from tui.model import xml
from tui.model.snapshot import rename_sources

_OWN_CPU = ("host-passthrough", "maximum")
_KINDS = {"pci": "PCI", "mdev": "mediated", "scsi": "SCSI", "scsi_host": "SCSI host"}
"""What libvirt calls devices of the host, for people."""


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
    """The ``<cpu>`` that a ``<domain>`` asks for; ``None`` where any will do, or it is the host's own."""
    found = xml.child(xml.parse(text), "cpu")
    return None if found is None or found.get("mode") in _OWN_CPU else xml.serialise(found)


def own_cpu_mode(text: str) -> str | None:
    """How a guest has the CPU of its host itself; ``None`` where it has not."""
    mode = xml.attribute(xml.child(xml.parse(text), "cpu"), "mode")
    return mode if mode in _OWN_CPU else None


def networks_of(text: str) -> tuple[str, ...]:
    """The networks of libvirt's that the guest is plugged into."""
    root = xml.parse(text)
    found = [interface.find("source") for interface in root.iterfind("devices/interface[@type='network']")]
    names = (source.get("network") for source in found if source is not None)
    return tuple(dict.fromkeys(name for name in names if name))


def devices_of(text: str) -> tuple[str, ...]:
    """The devices of the host with which libvirt lets no guest go, in words.

    QEMU unplugs one that stands in for another network card before the guest goes, and plugs it in again there.
    """
    devices = [device for device in _host_devices(text) if not _stands_in(device)]
    kinds = [device.get("type") or "nameless" for device in devices if device.tag == "hostdev"]
    cards = [device for device in devices if device.tag == "interface"]
    names = (_KINDS.get(kind, kind) for kind in kinds if kind != "usb")
    return (
        *(f"a {name} device of the host" for name in names),
        *("a network card of the host" for _ in cards),
    )


def usb_devices_of(text: str) -> int:
    """How many USB devices of the host the guest has, with which libvirt lets it go."""
    return sum(
        device.get("type") == "usb" and device.get("mode") != "capabilities" for device in _host_devices(text)
    )


def _host_devices(text: str) -> list[etree._Element]:
    root = xml.parse(text)
    return [*root.iterfind("devices/hostdev"), *root.iterfind("devices/interface[@type='hostdev']")]


def _stands_in(device: etree._Element) -> bool:
    teaming = device.find("teaming")
    pci = device.tag == "interface" or device.get("type") == "pci"
    return pci and teaming is not None and teaming.get("type") == "transient"
