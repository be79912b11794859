"""What libvirt's snapshots say of the images that they need."""

from __future__ import annotations

from tui.model import xml


def files_of(text: str) -> frozenset[str]:
    """Every local image that a ``<domainsnapshot>`` names: its overlays, and what its state stands on.

    Raises:
        xml.InvalidXML: when it cannot be read.
    """
    root = xml.parse(text)
    sources = (source for disk in root.iter("disk") for source in disk.iter("source"))
    return frozenset(path for source in sources for name in ("file", "dev") if (path := source.get(name)))
