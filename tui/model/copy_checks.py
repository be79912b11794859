"""What speaks for and against copying a disk: the domain, the disk, its jobs, the server, the numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tui.model import disk_checks
from tui.model.copy_case import CopyCase
from tui.model.disk import Device
from tui.model.disk_checks import LONGEST
from tui.model.facts import CopyFacts, who
from tui.model.finding import Acceptance, Finding, fine, refused, warning
from tui.model.quantity import size
from tui.model.request import CopyRequest, Then
from tui.model.text import printable

BLOCK_COPY_SINCE = (1, 2, 9)
SYNCHRONOUS_WRITES_SINCE = (8, 0, 0)
SMALLEST_GRANULARITY = 512
LARGEST_GRANULARITY = 64 * 1024 * 1024
LARGE_BUFFER = 256 * 1024 * 1024
"""Bytes of QEMU's memory that are worth a word."""

_KEEPS_BITMAPS = frozenset({"qcow2"})


def check_subject(request: CopyRequest, facts: CopyFacts) -> Iterator[Finding]:
    """Whether there is a running guest with such a disk and a medium in it, and a place to copy to."""
    yield from disk_checks.check_medium(
        facts,
        request.target,
        verb="mirrored",
        instead="copy the image with qemu-img convert while it is off",
    )
    if not request.destination.layers:
        yield refused(
            "no-destination", "No destination is given.", "Name a path, a device or a <disk> to write to."
        )


def check_disk(case: CopyCase) -> Iterator[Finding]:
    """What kinds of disk QEMU or libvirt cannot mirror, or should not."""
    disk = case.disk
    yield from disk_checks.check_kind(case.facts, disk)
    yield from _check_shareable(case)
    if disk.device in (Device.CDROM, Device.FLOPPY):
        yield warning(
            "disk-removable",
            f"{case.name} is a {disk.device}; its medium cannot be changed while the copy runs.",
            "To change where the medium lies, inserting the new one is simpler.",
        )
    elif disk.readonly:
        yield warning(
            "disk-read-only",
            f"{case.name} is read-only, so its image does not change while it is copied.",
            "qemu-img convert copies such an image just as well.",
        )
    if disk.device is Device.LUN and not case.blockdev:
        yield warning(
            "disk-lun",
            f"{case.name} passes SCSI commands through, which needs a block device; {case.path} is none.",
            "Choose a block device as the destination.",
        )
    if case.source.encryption and not case.destination.encryption:
        yield warning(
            "encryption-dropped",
            f"{printable(case.source.path)} is encrypted, and the copy at {case.path} will not be.",
            "Give the destination as XML with an <encryption> of its own.",
        )


def _check_shareable(case: CopyCase) -> Iterator[Finding]:
    if not case.disk.shareable:
        return
    uses = case.facts.users_of(case.source.path)
    others = who(use for use in uses if use.uuid != case.facts.domain.uuid)
    if not case.raw:
        yield refused(
            "disk-shareable",
            f"{case.name} is shareable, and a {case.format} image cannot be.",
            "Choose raw as the format of the destination.",
        )
    elif others:
        yield refused(
            "disk-shared",
            f"{case.name} is shared with {', '.join(others)}, whose writes would be missing in the copy.",
            "Stop the other guests, or take the disk away from them, first.",
        )
    else:
        yield warning(
            "disk-shareable",
            f"{case.name} is shareable; what other guests write meanwhile would be missing in the copy.",
            "Make sure that nobody else writes to it.",
        )


def check_jobs(case: CopyCase) -> Iterator[Finding]:
    """One block job a disk, and one plan."""
    yield from disk_checks.check_jobs(case.facts, case.disk)


def check_persistence(case: CopyCase) -> Iterator[Finding]:
    """What a copy means for a domain that libvirt keeps."""
    if case.facts.domain.persistent:
        yield warning(
            "persistent-domain",
            f"The mirror ends when {case.domain} is powered off or crashes; libvirt cannot "
            "restart it, and the destination is then useless.",
            "Let the guest run until the mirror has ended; a reboot from inside does no harm.",
        )
    yield from disk_checks.check_meanwhile(case.facts, case.disk, "copy")


def check_server(case: CopyCase) -> Iterator[Finding]:
    """What an old libvirt does not have."""
    facts, request = case.facts, case.request
    version = ".".join(map(str, facts.libvirt)) if facts.libvirt else "of an unknown version"
    too_old = facts.libvirt is not None and facts.libvirt < SYNCHRONOUS_WRITES_SINCE
    if request.synchronous_writes and facts.supports_block_copy and too_old:
        yield refused(
            "flag-unsupported",
            f"The host's libvirt {version} has no --synchronous-writes; 8.0.0 is the first that has.",
            "Leave it out, or upgrade libvirt.",
        )
    if facts.supports_block_copy:
        return
    if facts.domain.persistent:
        yield refused(
            "persistent-unsupported",
            f"The host's libvirt {version} can mirror the disks of transient domains only.",
            "Upgrade libvirt, or undefine the domain for the time of the copy.",
        )
    for flag in _inexpressible(case):
        yield refused(
            "flag-unsupported",
            f"The host's libvirt {version} is too old for {flag}.",
            f"Leave {flag} out, or upgrade libvirt.",
        )


def _inexpressible(case: CopyCase) -> Iterator[str]:
    """The options that virDomainBlockRebase has no word for."""
    request, destination = case.request, case.destination
    if not case.plain:
        yield "--xml"
    if destination.format not in ("raw", case.source.format) and not request.reuse_external:
        yield "--format"
    # It takes no format, and would probe the image: harmless only where we have seen that it is what is said.
    confirmed = case.facts.destination.image is not None
    if request.reuse_external and not case.raw and not confirmed:
        yield "--reuse-external"
    if request.granularity:
        yield "--granularity"
    if request.buf_size:
        yield "--buf-size"
    if request.synchronous_writes:
        yield "--synchronous-writes"


def check_numbers(case: CopyCase) -> Iterator[Finding]:
    """Limits of libvirt and QEMU."""
    request = case.request
    yield from disk_checks.check_bandwidth(request.bandwidth)
    granularity = request.granularity
    power = granularity > 0 and not granularity & (granularity - 1)
    if granularity and not (power and SMALLEST_GRANULARITY <= granularity <= LARGEST_GRANULARITY):
        yield refused(
            "granularity",
            f"The granularity of {granularity} bytes is not a power of two from 512 bytes to 64 MiB.",
            "Leave it out to let QEMU choose, or give such a power of two.",
        )
    if not 0 <= request.buf_size <= LONGEST:
        yield refused(
            "buffer-size",
            f"A buffer of {request.buf_size} bytes is none that QEMU can have.",
            "Leave it out to let QEMU choose.",
        )
    elif request.buf_size > LARGE_BUFFER:
        yield warning(
            "buffer-size",
            f"QEMU takes the buffer of {size(request.buf_size)} of the host's memory, or fails.",
            "Leave it out to let QEMU choose.",
        )
    timeout = request.timeout
    if timeout is not None and not (timeout > 0 and math.isfinite(timeout)):
        yield refused(
            "timeout", f"A timeout of {timeout} seconds cannot be waited for.", "Leave it out to wait."
        )


def check_losses(case: CopyCase) -> Iterator[Finding]:
    """What is in the old image and never in the new one."""
    for finding in (*_internal_snapshots(case), *_checkpoints(case)):
        # A copy that is kept aside takes nothing from the guest.
        yield finding if case.request.then is not Then.KEEP else _as_told(finding)


def _as_told(finding: Finding) -> Finding:
    return warning(finding.check, finding.reason) if finding.acceptance else finding


def _internal_snapshots(case: CopyCase) -> Iterator[Finding]:
    names = [name for layer in case.copied for name in layer.snapshots or ()]
    if names:
        yield refused(
            "internal-snapshots",
            f"{case.name} has internal snapshots that a copy does not have: "
            f"{', '.join(printable(name) for name in names)}.",
            "Delete them or copy them out first, or accept the loss with --lose-internal-snapshots.",
            Acceptance.LOSE_INTERNAL_SNAPSHOTS,
        ).unless(case.request.accepted)
    unread = [layer for layer in case.copied if layer.snapshots is None]
    if unread:
        yield warning(
            "internal-snapshots-unchecked",
            f"Nobody could see whether {printable(unread[0].path)} has internal snapshots; a copy has none.",
            "Look on the host: qemu-img snapshot -U -l",
        )


def _checkpoints(case: CopyCase) -> Iterator[Finding]:
    names = case.facts.checkpoints
    if names is None:
        yield warning(
            "checkpoints-unchecked",
            f"Nobody could see whether {case.domain} has checkpoints, which a copy can lose.",
            "Look on the host: virsh checkpoint-list",
        )
    elif names and case.destination.format in _KEEPS_BITMAPS:
        yield fine("checkpoints", "libvirt carries the checkpoints' bitmaps over to a qcow2 destination.")
    elif names:
        yield refused(
            "checkpoints",
            f"A {case.format} image cannot hold the checkpoints of "
            f"{case.domain}: {', '.join(printable(name) for name in names)}.",
            "Choose qcow2 as the format, or accept the loss with --lose-checkpoints.",
            Acceptance.LOSE_CHECKPOINTS,
        ).unless(case.request.accepted)
