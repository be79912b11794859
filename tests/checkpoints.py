"""What the tests of checkpoints share: checkpoints as libvirt prints them."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from tui.model.checkpoint import KnownCheckpoint, parse_checkpoint


def text_of(name: str, parent: str | None = None, *, created: int = 1, description: str = "") -> str:
    """One as libvirt prints it, of one disk, while another one is left out."""
    above = f"<parent><name>{escape(parent)}</name></parent>" if parent else ""
    about = f"<description>{escape(description)}</description>" if description else ""
    return (
        f"<domaincheckpoint><name>{escape(name)}</name>{about}{above}<creationTime>{created}</creationTime>"
        f"<disks><disk name='vda' checkpoint='bitmap' bitmap={quoteattr(name)}/>"
        "<disk name='hdc' checkpoint='no'/></disks></domaincheckpoint>"
    )


def checkpoint(name: str, parent: str | None = None, **more: object) -> KnownCheckpoint:
    """One as it is read; more is as for ``text_of``."""
    return parse_checkpoint(text_of(name, parent, **more))  # type: ignore[arg-type]
