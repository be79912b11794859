"""What the tests of snapshots that are there share: snapshots as libvirt prints them."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from tests.fake_host import uuid_of
from tui.model.hierarchy import KnownSnapshot, parse_known

UUID = uuid_of("db01")


def text_of(
    name: str,
    parent: str | None = None,
    *,
    kind: str = "external",
    overlay: str | None = None,
    base: str = "/i/base",
    base_format: str = "raw",
    created: int = 1,
    description: str = "",
    memory: str | None = None,
    state: str | None = None,
    uuid: str = UUID,
    target: str = "vda",
    reverted: str | None = None,
) -> str:
    """One as libvirt prints it, of one disk."""
    external = kind == "external"
    state = state or ("disk-snapshot" if external else "running")
    above = f"<parent><name>{escape(parent)}</name></parent>" if parent else ""
    held = (
        f"snapshot='external' file={quoteattr(memory)}"
        if memory
        else f"snapshot='{'no' if external else kind}'"
    )
    path = overlay or f"/i/{created}"
    source = f"<driver type='qcow2'/><source file={quoteattr(path)}/>" if external else ""
    again = (
        f"<revertDisks><disk name='{target}' snapshot='external' type='file'>"
        f"<source file={quoteattr(reverted)}/></disk></revertDisks>"
        if reverted
        else ""
    )
    return (
        f"<domainsnapshot><name>{escape(name)}</name><state>{state}</state>{above}"
        f"<creationTime>{created}</creationTime><description>{escape(description)}</description><memory {held}/>"
        f"<disks><disk name='{target}' snapshot='{kind}' type='file'>{source}</disk>"
        f"<disk name='hdc' snapshot='no'/></disks>{again}"
        f"<domain type='qemu'><name>db01</name><uuid>{uuid}</uuid><vcpu>1</vcpu><devices>"
        f"<disk type='file'><driver type='{base_format}'/><source file={quoteattr(base)}/><target dev='{target}'/>"
        "</disk></devices></domain></domainsnapshot>"
    )


def known(
    name: str,
    parent: str | None = None,
    *,
    current: bool = False,
    **more: object,
) -> KnownSnapshot:
    """One as it is read; more is as for ``text_of``."""
    text = text_of(name, parent, **more)  # type: ignore[arg-type]
    return parse_known(text, current=current)
