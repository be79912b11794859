"""Domain XML into values: the definition, its disks and their mirrors."""

from __future__ import annotations

import re

from lxml import etree

from tui.model import xml
from tui.model.disk import Device, Disk, Driver, Mirror, MirrorJob, MirrorReady
from tui.model.domain import PLAN_NAMESPACE, QUARANTINE_NAMESPACE, SNAPSHOT_NAMESPACE, Definition
from tui.model.read_storage import read_chain, read_layer
from tui.model.storage import Chain

_OWNER = re.compile(r"\+?([0-9]{1,10}):\+?([0-9]{1,10})")


def parse_domain(text: str) -> Definition:
    """Read a ``<domain>``, live or inactive.

    A disk that cannot be understood takes nothing else with it; it is named in ``problems``.

    Raises:
        xml.InvalidXML: when it is no domain, or has no name or UUID.
    """
    root = xml.parse(text)
    if root.tag != "domain":
        raise xml.InvalidXML("this XML is not a domain")
    name, uuid = root.findtext("name") or "", xml.content(root, "uuid")
    if not name or not uuid:
        raise xml.InvalidXML(f"this domain has no {'UUID' if name else 'name'}")
    disks: dict[str, Disk] = {}
    problems = []
    for position, element in enumerate(_disk_elements(root), start=1):
        try:
            disk = _read_disk(element)
        except xml.InvalidXML as error:
            problems.append(f"Disk number {position} of the definition cannot be understood: {error}.")
            continue
        if disk.target in disks:
            problems.append(f"Disk number {position} of the definition has the target of another one.")
        else:
            disks[disk.target] = disk
    return Definition(
        name,
        uuid,
        tuple(disks.values()),
        title=xml.content(root, "title"),
        hypervisor=xml.attribute(root, "type"),
        owner=_read_owner(root),
        memory=_read_memory(root),
        agent=_has_agent(root),
        plans=_read_notes(root, PLAN_NAMESPACE),
        quarantines=_read_notes(root, QUARANTINE_NAMESPACE),
        noted_snapshots=_read_notes(root, SNAPSHOT_NAMESPACE),
        problems=tuple(problems),
    )


def _read_memory(root: xml.Element) -> int | None:
    # Whatever unit was given, libvirt itself tells it in KiB.
    told = xml.attribute(xml.child(root, "memory"), "unit") in (None, "KiB")
    size = xml.number(xml.content(root, "memory")) if told else None
    return size * 1024 if size is not None else None


def parse_disk(text: str) -> Disk:
    """Read one ``<disk>``.

    Raises:
        xml.InvalidXML: when it is no disk, or has no target.
    """
    root = xml.parse(text)
    if root.tag != "disk":
        raise xml.InvalidXML("this XML is not a disk")
    return _read_disk(root)


def _disk_elements(root: xml.Element) -> list[xml.Element]:
    return [disk for devices in xml.children(root, "devices") for disk in xml.children(devices, "disk")]


def _read_disk(element: xml.Element) -> Disk:
    target = xml.child(element, "target")
    name = xml.attribute(target, "dev")
    if name is None:
        raise xml.InvalidXML("this disk has no target")
    device = xml.attribute(element, "device") or "disk"
    if device not in tuple(Device):
        raise xml.InvalidXML("this disk is a device of an unknown kind")
    first = read_layer(element)
    return Disk(
        target=name,
        bus=xml.attribute(target, "bus"),
        device=Device(device),
        chain=read_chain(element, first),
        driver=_read_driver(xml.child(element, "driver")),
        # A CD-ROM cannot be written, whether or not the definition says so.
        readonly=device == Device.CDROM or xml.child(element, "readonly") is not None,
        shareable=xml.child(element, "shareable") is not None,
        transient=xml.child(element, "transient") is not None,
        mirror=_read_mirror(xml.child(element, "mirror")),
        serial=xml.content(element, "serial"),
        snapshot=xml.attribute(element, "snapshot"),
    )


def _read_driver(element: xml.Element | None) -> Driver:
    return Driver(
        name=xml.attribute(element, "name"),
        cache=xml.attribute(element, "cache"),
        io=xml.attribute(element, "io"),
        discard=xml.attribute(element, "discard"),
        detect_zeroes=xml.attribute(element, "detect_zeroes"),
        error_policy=xml.attribute(element, "error_policy"),
        rerror_policy=xml.attribute(element, "rerror_policy"),
        copy_on_read=xml.attribute(element, "copy_on_read") == "on",
        iothread=xml.attribute(element, "iothread"),
        queues=xml.attribute(element, "queues"),
    )


def _read_mirror(element: xml.Element | None) -> Mirror | None:
    if element is None:
        return None
    first = read_layer(element)
    if first is None and element.get("file"):
        # libvirt's first form: the attributes of a source stand in the mirror itself.
        first = read_layer(element, element)
    chain = read_chain(element, first) if first else Chain((), complete=False)
    job = element.get("job", MirrorJob.COPY)
    ready = element.get("ready", MirrorReady.NO)
    return Mirror(
        MirrorJob(job) if job in tuple(MirrorJob) else MirrorJob.UNKNOWN,
        # A word we do not know must not pass for in sync.
        MirrorReady(ready) if ready in tuple(MirrorReady) else MirrorReady.NO,
        chain,
    )


def _read_owner(root: xml.Element) -> tuple[int, int] | None:
    for label in xml.children(root, "seclabel"):
        if label.get("model") == "dac":
            found = _OWNER.fullmatch(xml.content(label, "label") or "")
            if found:
                return int(found[1]), int(found[2])
    return None


def _has_agent(root: xml.Element) -> bool:
    targets = (
        xml.child(channel, "target")
        for devices in xml.children(root, "devices")
        for channel in xml.children(devices, "channel")
    )
    return any(
        target is not None
        and target.get("name") == "org.qemu.guest_agent.0"
        and target.get("state") == "connected"
        for target in targets
    )


def _read_notes(root: xml.Element, space: str) -> tuple[str, ...]:
    return tuple(
        etree.tostring(entry, encoding="unicode", with_tail=False)
        for metadata in xml.children(root, "metadata")
        for entry in xml.elements(metadata)
        if (etree.QName(entry).namespace or "").startswith(space)
    )
