"""One wished commit or pull with its layers found: what every check of it looks at."""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.facts import KnowsUses, LayerFacts, Uses
from tui.model.job import Progress
from tui.model.journal import Entry
from tui.model.request import CommitRequest, MergeRequest
from tui.model.snapshot import SnapshotFacts
from tui.model.storage import Chain, Layer
from tui.model.text import printable


@dataclass(frozen=True, slots=True)
class MergeFacts(KnowsUses):
    """All that the checks of a commit or a pull look at; what nobody could find out is ``None``."""

    domain: Domain
    disk: Disk | None = None
    capacity: int | None = None
    """Bytes that the guest sees."""
    layers: tuple[LayerFacts, ...] = ()
    """One for each layer, the active one first."""
    room: tuple[int | None, ...] = ()
    """Bytes that are free beside each layer."""
    uses: Uses = field(default_factory=dict)
    unfollowed: tuple[str, ...] = ()
    """Disks, as ``db01 vda``, of which nobody knows on which images they stand."""
    snapshots: tuple[SnapshotFacts, ...] | None = None
    running: Progress | None = None
    """The job on the disk; pulls and commits show no mirror."""
    entries: tuple[Entry, ...] = ()
    """The journal of the domain."""
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class MergeCase:
    """A request for layers that exist, in an order that makes sense."""

    request: MergeRequest
    facts: MergeFacts
    disk: Disk
    top: int
    """Where the merged layers begin: the place of the uppermost in the chain, 0 for the active one."""
    below: int
    """The place of the first layer beneath the merged ones; for a pull of all the length of the chain."""

    @property
    def name(self) -> str:
        """The disk, for people."""
        return f"{printable(self.disk.target)} of {printable(self.facts.domain.name)}"

    @property
    def commits(self) -> bool:
        """Whether data go down, rather than up."""
        return isinstance(self.request, CommitRequest)

    @property
    def active(self) -> bool:
        """Whether this is a commit of what the guest writes to."""
        return self.commits and self.top == 0

    @property
    def merged(self) -> tuple[Layer, ...]:
        """The layers that leave the chain, the uppermost first."""
        return self.disk.chain.layers[self.top : self.below]

    @property
    def place(self) -> int:
        """The place of the layer that takes the data."""
        return self.below if self.commits else 0

    @property
    def keeper(self) -> Layer:
        """The layer that takes the data."""
        return self.disk.chain.layers[self.place]

    @property
    def after(self) -> Chain:
        """The chain as it will be."""
        layers = self.disk.chain.layers
        return Chain(layers[: self.top] + layers[self.below :], self.disk.chain.complete)

    @property
    def merged_facts(self) -> tuple[LayerFacts, ...]:
        """What is known of the layers that leave the chain."""
        return self.facts.layers[self.top : self.below]


def layer_name(disk: Disk, place: int) -> str:
    """A layer as libvirt knows it: by its index in the running guest, as ``vda[3]``, else by its path."""
    layer = disk.chain.layers[place]
    return layer.path if layer.index is None else f"{disk.target}[{layer.index}]"


def find_layer(disk: Disk, name: str) -> int | None:
    """The place in the chain of a layer that is named as ``vda[3]``, as ``vda`` for the active one, or by path."""
    for place, layer in enumerate(disk.chain.layers):
        if name in (layer_name(disk, place), layer.path):
            return place
    return 0 if name == disk.target and disk.chain.layers else None
