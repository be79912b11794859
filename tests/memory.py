"""Guests with something in their memory: what is zero goes in no time at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from lxml import etree

if TYPE_CHECKING:
    from tests.guests import Guest, Guests

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


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
