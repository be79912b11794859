"""One wished copy with all defaults filled in: what every check of it looks at."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tui.model.disk import Disk
from tui.model.facts import CopyFacts, LayerFacts
from tui.model.request import CopyRequest
from tui.model.storage import BlockSource, Chain, FileSource, Layer
from tui.model.text import printable


@dataclass(frozen=True, slots=True)
class CopyCase:
    """A request for a disk that exists and has a medium."""

    request: CopyRequest
    facts: CopyFacts
    disk: Disk
    source: Layer
    """The active layer."""
    destination: Layer
    """With its format, where one was given or is known from the source."""
    given_backing: Chain
    """What the user's XML says that the destination stands on."""

    @property
    def name(self) -> str:
        """The disk, for people."""
        return f"{self.target} of {self.domain}"

    @property
    def domain(self) -> str:
        """The domain, for people."""
        return printable(self.facts.domain.name)

    @property
    def target(self) -> str:
        """The disk's target, for people."""
        return printable(self.disk.target)

    @property
    def format(self) -> str:
        """The destination's format, for people."""
        return printable(self.destination.format or "unknown")

    @property
    def path(self) -> str:
        """The destination, for people."""
        return printable(self.destination.path)

    @property
    def raw(self) -> bool:
        """Whether a raw image is written."""
        return self.destination.format == "raw"

    @property
    def shallow(self) -> bool:
        """Whether only the active layer is copied; libvirt drops the flag for a disk of one layer."""
        return self.request.shallow and len(self.disk.chain.layers) > 1

    @property
    def creates(self) -> bool:
        """Whether libvirt makes the destination file."""
        return not self.request.reuse_external and isinstance(self.destination.source, FileSource)

    @property
    def blockdev(self) -> bool:
        """Whether the destination is a block device."""
        return isinstance(self.destination.source, BlockSource)

    @property
    def backing(self) -> Layer | None:
        """The layer under the source's active one."""
        return self.disk.chain.below.active

    @property
    def copied(self) -> tuple[LayerFacts, ...]:
        """The layers whose data are copied."""
        return self.facts.layers[:1] if self.shallow else self.facts.layers

    @property
    def layout(self) -> tuple[str, ...]:
        """How an image of the format of the active layer is laid out as that is; nothing where nobody could see."""
        alike = self.destination.format == self.source.format
        return (self.facts.layers[0].layout or ()) if alike and self.facts.layers else ()

    @property
    def plain(self) -> bool:
        """Whether path, format and flags say all of the destination."""
        layer = self.destination
        special = (
            layer.encryption
            or layer.slices
            or layer.data_store
            or layer.metadata_cache is not None
            or layer.extra
        )
        return (
            not special and not self.given_backing.layers and (self.blockdev or layer.local_path is not None)
        )


def copy_case(request: CopyRequest, facts: CopyFacts) -> CopyCase | None:
    """Fill in what the request leaves open; ``None`` when there is nothing to copy, or nowhere to."""
    disk, wanted = facts.disk, request.destination.active
    source = disk.chain.active if disk else None
    if disk is None or source is None or wanted is None:
        return None
    # A reused image is what it is: to take the source's format for it would be a guess.
    default = None if request.reuse_external else source.format
    destination = replace(wanted, format=wanted.format or default)
    return CopyCase(request, facts, disk, source, destination, request.destination.below)
