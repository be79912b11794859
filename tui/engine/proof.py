"""After a pivot: look at the host and see that the guest is where it should be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tui.engine.errors import HostError, NoConnection
from tui.model.definition import parse_domain
from tui.model.destination import domain_with_disk_source
from tui.model.facts import same_name
from tui.model.finding import Finding, fine, warning
from tui.model.storage import Layer, same_place
from tui.model.text import counted, printable

if TYPE_CHECKING:
    from tui.engine.host import Host


def prove(host: Host, uuid: str, target: str, expected: Layer) -> tuple[Finding, ...]:
    """Three looks at the host: the live definition, the persistent one, and the files QEMU has open.

    A persistent definition that still names the old image is mended: without it the next start of the
    guest would go back in time.

    Raises:
        NoConnection: when the host went away meanwhile.
    """
    connection = host.connection()
    reading = connection.read(uuid)
    if reading is None:
        return (warning("live-xml", "The domain does not exist any more.", "Look at the host."),)
    live = _check_source(reading.xml, target, expected, "live")
    persistent = (_prove_persistent(host, uuid, target, expected),) if reading.persistent else ()
    return (live, *persistent, prove_open(host, uuid, expected))


def prove_chain(host: Host, uuid: str, target: str, expected: tuple[str, ...]) -> tuple[Finding, ...]:
    """Look whether the guest uses exactly these images, the active one first, and has the active one open.

    Raises:
        NoConnection: when the host went away meanwhile.
    """
    reading = host.connection().read(uuid)
    if reading is None:
        return (warning("chain", "The domain does not exist any more.", "Look at the host."),)
    disk = reading.domain.disk(target)
    layers = disk.chain.layers if disk else ()
    found = tuple(layer.path for layer in layers)
    if found != expected:
        images = ", ".join(found) or "no image"
        return (
            warning("chain", f"{target} stands on {images}, not on {', '.join(expected)}.", "Look at it."),
        )
    count = counted(len(found), "layer")
    persistent = (_prove_persistent_chain(host, uuid, target, expected),) if reading.persistent else ()
    opened = prove_open(host, uuid, layers[0])
    return (fine("chain", f"{target} has {count} now, as planned."), *persistent, opened)


def prove_on(active: Layer | None, target: str, path: str, *, check: str, remedy: str) -> Finding:
    """See whether a disk is on the image that it was to go to.

    Args:
        active: its active layer, as far as it has one.
        target: the disk.
        path: that of the image.
        check: the name of the finding that it is.
        remedy: what to do when it is not.
    """
    if active is not None and same_name(active.path) == same_name(path):
        return fine(check, f"{printable(target)} is on {printable(path)}.")
    on = printable(active.path) if active else "nothing"
    reason = f"{printable(target)} is on {on}, and not on {printable(path)}."
    return warning("disk-elsewhere", reason, remedy)


def _prove_persistent_chain(host: Host, uuid: str, target: str, expected: tuple[str, ...]) -> Finding:
    """The next start: the definition names the active layer, and no layer below that is gone."""
    disk = parse_domain(host.connection().inactive_xml(uuid)).disk(target)
    found = tuple(layer.path for layer in disk.chain.layers) if disk else ()
    # A definition need not list what lies below: libvirt then reads it from the images.
    if found == expected or found == expected[:1]:
        return fine("persistent-xml", f"The persistent definition names {expected[0]}.")
    names = ", ".join(found) or "no image"
    return warning(
        "persistent-xml",
        f"The persistent definition names {names} for {target}.",
        "Edit it (virsh edit) before the guest is started again.",
    )


def _check_source(xml: str, target: str, expected: Layer, which: str) -> Finding:
    active = parse_domain(xml).active_layer(target)
    if active is not None and same_place(active, expected):
        return fine(f"{which}-xml", f"The {which} definition names {expected.path}.")
    found = active.path if active else "no image"
    return warning(
        f"{which}-xml",
        f"The {which} definition names {found} for {target}, not {expected.path}.",
        "Do not remove the old image before this is settled.",
    )


def _prove_persistent(host: Host, uuid: str, target: str, expected: Layer) -> Finding:
    connection = host.connection()
    xml = connection.inactive_xml(uuid)
    finding = _check_source(xml, target, expected, "persistent")
    if finding.remedy == "":
        return finding
    try:
        connection.define(domain_with_disk_source(xml, target, expected))
    except NoConnection:
        raise
    except HostError as error:
        return warning("persistent-xml", f"{finding.reason} It could not be mended: {error}", finding.remedy)
    mended = _check_source(connection.inactive_xml(uuid), target, expected, "persistent")
    if mended.remedy:
        return mended
    return fine("persistent-xml", f"The persistent definition was stale and now names {expected.path}.")


def prove_open(host: Host, uuid: str, expected: Layer) -> Finding:
    """Look whether the QEMU of a domain has an image open."""
    path = expected.local_path
    if path is None or not host.local:
        why = "it is not a file" if path is None else "the host is not this machine"
        return warning("image-open", f"Whether QEMU has {expected.path} open was not looked at: {why}.")
    try:
        wanted = Path(path).stat()
    except OSError as error:
        return warning("image-open", f"{path} cannot be looked at from here: {error.strerror}.")
    for process in _processes_of(uuid):
        for descriptor in _descriptors(process):
            try:
                found = descriptor.stat()
            except OSError:
                # Closed between the listing and the look.
                continue
            if (found.st_dev, found.st_ino, found.st_rdev) == (wanted.st_dev, wanted.st_ino, wanted.st_rdev):
                return fine("image-open", f"QEMU (process {process.name}) has {path} open.")
    return warning(
        "image-open",
        f"No QEMU process was seen that has {path} open.",
        "Another user's processes cannot be looked into; run as root, or look with lsof.",
    )


def _processes_of(uuid: str) -> list[Path]:
    """The QEMU processes that libvirt started for a domain, as directories of /proc."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                # It ended, or it is nobody's business.
                continue
            if uuid.encode() in words:
                found.append(process)
    return found


def _descriptors(process: Path) -> list[Path]:
    try:
        return [process / "fd" / name for name in os.listdir(process / "fd")]  # noqa: PTH208
    except OSError:
        return []
