"""A guest in 512 bytes that writes to its disks for ever, and the domain XML that runs it.

There is no operating system to install or to download: the machine's firmware loads the first sector of the
disk, and that sector is the whole program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

SECTOR: Final = 512
CHUNK_SECTORS: Final = 64
"""Sectors per write: 32 KiB."""
FIRST_DRIVE: Final = 0x80
"""The firmware's number of the first disk; the second is one more."""

_ORIGIN: Final = 0x7C00
"""Where the firmware loads a boot sector and jumps to."""
_BUFFER_SEGMENT: Final = 0x1000
"""The 64 KiB segment holding the data to write; far above this program, its stack and the firmware's data."""
_SECTORS_PER_MIB: Final = 1024 * 1024 // SECTOR
_MAX_DELAY: Final = 0xFFFF
_MAX_BURST: Final = 128
_MAX_WALK: Final = 2**20
"""MiB; beyond that the sector number no longer fits the 32 bits that the program counts in."""
_SIGNATURE: Final = b"\x55\xaa"


def boot_sector(*, mib: int = 32, delay: int = 1, burst: int = 8, drives: int = 1) -> bytes:
    """Assemble a boot sector that writes 32 KiB at a time, round and round, until the power goes.

    Args:
        mib: how much of each disk is written over and over, from 32 KiB (the boot sector survives) to `mib`
            MiB; a power of two, not more than the smallest disk holds.
        delay: ticks of the machine's clock (18.2 a second) to sleep after each burst; 0 writes as fast as it
            can, about 130 MiB/s under emulation with one processor of the host busy.
        burst: writes between two sleeps, a power of two up to 128; every one is 0.57 MiB/s at a delay of 1.
        drives: how many of the guest's disks are written: 1 or 2.

    Returns:
        512 bytes. What it writes is a 32-bit little-endian count of the writes so far, then `VM` repeated.

    Raises:
        ValueError: an argument is out of its range.
    """
    _check("mib", mib, range(1, _MAX_WALK + 1), power_of_two=True)
    _check("delay", delay, range(_MAX_DELAY + 1))
    _check("burst", burst, range(1, _MAX_BURST + 1), power_of_two=True)
    _check("drives", drives, range(1, 3))
    # The program's length doesn't depend on where the packet lies, so a first pass tells that address.
    packet = _ORIGIN + len(_program(0, mib, delay, burst, drives))
    code = _program(packet, mib, delay, burst, drives) + _address_packet()
    return code.ljust(SECTOR - len(_SIGNATURE), b"\0") + _SIGNATURE


def _check(name: str, value: int, allowed: range, *, power_of_two: bool = False) -> None:
    if value not in allowed or (power_of_two and value & (value - 1)):
        what = "a power of two" if power_of_two else "a number"
        msg = f"{name} must be {what} from {allowed.start} to {allowed.stop - 1}, not {value}"
        raise ValueError(msg)


def _address_packet() -> bytes:
    """The operand of the firmware's extended write: how much, from where in memory, to which sector."""
    return (
        bytes([16, 0])  # its own length; reserved
        + _word(CHUNK_SECTORS)
        + _word(0)  # offset of the data
        + _word(_BUFFER_SEGMENT)
        + CHUNK_SECTORS.to_bytes(
            8, "little"
        )  # first sector: the second chunk, so that sector 0 stays bootable
    )


def _program(packet: int, mib: int, delay: int, burst: int, drives: int) -> bytes:
    """Code for a processor in real mode at 0000:7C00, with the address packet at `packet`."""
    sector = _word(packet + 8)
    setup = [
        b"\x66\x31\xc0",  # xor eax, eax
        b"\x8e\xd8",  # mov ds, ax               the packet is addressed through ds
        b"\x8e\xd0",  # mov ss, ax
        b"\xbc" + _word(_ORIGIN),  # mov sp, 7C00h    the stack grows down, away from the program
        b"\xfb",  # sti                          the firmware's clock needs interrupts
        b"\xfc",  # cld
        b"\xbb" + _word(_BUFFER_SEGMENT),  # mov bx, segment
        b"\x8e\xc3",  # mov es, bx
        b"\x31\xff",  # xor di, di
        b"\x66\xab",  # stosd                    the count begins at 0
        b"\xb8VM",  # mov ax, "VM"              not zeroes, which a copy may turn into holes
        b"\xb9" + _word((CHUNK_SECTORS * SECTOR - 4) // 2),  # mov cx, words left in the chunk
        b"\xf3\xab",  # rep stosw
    ]
    again = [
        part
        for drive in range(drives)
        for part in (
            b"\xbe" + _word(packet),  # mov si, packet
            b"\xb2" + bytes([FIRST_DRIVE + drive]),  # mov dl, drive
            b"\xb8" + _word(0x4300),  # mov ax, 4300h    extended write, without verifying
            b"\xcd\x13",  # int 13h                  an error is no reason to stop: the host may mend it
        )
    ]
    again += [
        b"\x66\x81\x06" + sector + _long(CHUNK_SECTORS),  # add dword [sector], chunk
        b"\x66\x81\x26" + sector + _long(mib * _SECTORS_PER_MIB - 1),  # and dword [sector], mask
        b"\x75\x09",  # jnz over the next           the first chunk holds this program: leave it out
        b"\x66\xc7\x06" + sector + _long(CHUNK_SECTORS),  # mov dword [sector], chunk
        b"\x26\x66\xff\x06" + _word(0),  # inc dword [es:0]
    ]
    if delay:
        sleep = [
            b"\xb9" + _word(delay),  # mov cx, delay
            b"\xf4",  # hlt                          until the clock's next interrupt
            b"\xe2\xfd",  # loop to the hlt
        ]
        again += [
            b"\x26\xf6\x06" + _word(0) + bytes([burst - 1]),  # test byte [es:0], burst - 1
            b"\x75" + bytes([len(b"".join(sleep))]),  # jnz over the sleep
            *sleep,
        ]
    loop = b"".join(again)
    jump = 2  # bytes of the jump back itself
    return (
        b"".join(setup) + loop + b"\xeb" + (-len(loop) - jump).to_bytes(1, "little", signed=True)
    )  # jmp to again


def _word(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _long(value: int) -> bytes:
    return value.to_bytes(4, "little")


@dataclass(frozen=True, slots=True)
class GuestDisk:
    """One disk of a guest: its active layer. The backing chain is read from the image by libvirt."""

    path: Path
    format: str
    """A driver type of libvirt's: `raw`, `qcow2`."""


def domain_xml(
    name: str, disks: Sequence[GuestDisk], *, memory_mib: int = 64, uuid: UUID | None = None
) -> str:
    """Describe a machine in software emulation, with virtio disks vda, vdb and so on, and little else.

    Args:
        name: the domain's name.
        disks: in the order of the targets and of the firmware's drive numbers; up to 26.
        memory_mib: 64 is plenty for a boot sector.
        uuid: None lets libvirt choose.

    Returns:
        Domain XML for `defineXML` or `createXML`, of a machine that any user can run on any host.
    """
    domain = etree.Element("domain", type="qemu")
    _text(domain, "name", name)
    if uuid is not None:
        _text(domain, "uuid", str(uuid))
    _text(domain, "memory", str(memory_mib), unit="MiB")
    _text(domain, "vcpu", "1")
    system = etree.SubElement(domain, "os")
    _text(system, "type", "hvm", arch="x86_64", machine="pc")
    devices = etree.SubElement(domain, "devices")
    for index, disk in enumerate(disks):
        element = etree.SubElement(devices, "disk", type="file", device="disk")
        etree.SubElement(element, "driver", name="qemu", type=disk.format, discard="unmap")
        etree.SubElement(element, "source", file=str(disk.path))
        etree.SubElement(element, "target", dev=f"vd{chr(ord('a') + index)}", bus="virtio")
        # libvirt has the firmware leave alone what has no place in the boot order, so it would lack that drive.
        etree.SubElement(element, "boot", order=str(index + 1))
    # Left out, libvirt adds a USB controller and a balloon that only cost time to start.
    etree.SubElement(devices, "controller", type="usb", model="none")
    etree.SubElement(devices, "memballoon", model="none")
    return etree.tostring(domain, encoding="unicode", pretty_print=True)


def _text(parent: etree._Element, tag: str, text: str, **attributes: str) -> None:
    etree.SubElement(parent, tag, attributes).text = text
