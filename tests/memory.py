"""Guests with something in their memory, which lies there or changes all the time: what is zero goes in no time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lxml import etree

from tests.guests import DiskSpec
from tests.outside import wait_for
from tui.lab import images

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.guests import Guest, Guests

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
CHANGED = 512 * 1024
"""Bytes of its memory that a restless guest changes 18 times a second."""
_PAGE = 4096
_COUNT = 64
"""The sector of the disk at which the first of its changed pages is written."""


def with_memory(guest: Guests, size: int, **more: Any) -> Guest:
    """A running guest of whose 64 MiB so many bytes are noise."""
    made = guest(running=False, **more)
    content = made.directory / "content"
    content.write_bytes(os.urandom(size))
    domain = etree.fromstring(made.xml(inactive=True))
    line = etree.SubElement(domain, f"{{{QEMU}}}commandline")
    for word in ("-device", f"loader,file={content},addr=0x1000000,force-raw=on"):
        etree.SubElement(line, f"{{{QEMU}}}arg", value=word)
    document = made.directory / "more.xml"
    document.write_bytes(etree.tostring(domain))
    made.hypervisor.virsh("define", document)
    made.virsh("start")
    return made


def restless(guest: Guests) -> Guest:
    """A guest that changes a part of its memory over and over, and writes a page of that to its raw disk.

    A link with 1 MiB/s takes half a second for that part, in which it has changed nine times.
    """
    made = guest(disks=[DiskSpec(format="raw", data=0)], running=False)
    images.install_boot_sector(made.images()[0], "raw", _changing())
    made.virsh("start")
    wait_for(lambda: count(made.images()[0]), what="it changes its memory")
    return made


def count(image: Path) -> int:
    """How often a restless guest had changed its memory when it last wrote to its disk."""
    with image.open("rb") as file:
        file.seek(_COUNT * 512)
        return int.from_bytes(file.read(4), "little")


def _changing() -> bytes:
    """A boot sector: add one to each page of that part, write the first page, sleep until the clock's next tick."""
    origin, packet, first = 0x7C00, 0x7D00, 0x1000
    setup = (
        b"\x31\xc0",  # xor ax, ax
        b"\x8e\xd8",  # mov ds, ax               the packet is addressed through ds
        b"\x8e\xd0",  # mov ss, ax
        b"\xbc" + _word(origin),  # mov sp, 7C00h
        b"\xfb",  # sti                          the clock needs interrupts
    )
    add = (
        b"\x8e\xc3",  # mov es, bx
        b"\x26\x66\xff\x06" + _word(0),  # inc dword [es:0]
        b"\x81\xc3" + _word(_PAGE // 16),  # add bx, page       segments count 16 bytes
        b"\x81\xfb" + _word(first + CHANGED // 16),  # cmp bx, end
        b"\x72",  # jb to the first of these
    )
    again = (
        b"\xbb" + _word(first),  # mov bx, first
        _looped(add),
        b"\xbe" + _word(packet),  # mov si, packet
        b"\xb2\x80",  # mov dl, the first disk
        b"\xb8" + _word(0x4300),  # mov ax, 4300h    extended write
        b"\xcd\x13",  # int 13h
        b"\xf4",  # hlt
        b"\xeb",  # jmp to the first of these
    )
    code = b"".join(setup) + _looped(again)
    address = bytes([16, 0]) + _word(_PAGE // 512) + _word(0) + _word(first) + _COUNT.to_bytes(8, "little")
    return (code.ljust(packet - origin, b"\0") + address).ljust(510, b"\0") + b"\x55\xaa"


def _looped(parts: Iterable[bytes]) -> bytes:
    """Code whose last part is a jump, with the way back to the first one."""
    code = b"".join(parts)
    return code + (-len(code) - 1).to_bytes(1, "little", signed=True)


def _word(value: int) -> bytes:
    return value.to_bytes(2, "little")
