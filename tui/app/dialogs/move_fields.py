"""The left half of the move form: which disks, where to, and what becomes of their chains."""

from __future__ import annotations

import posixpath
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from tui.app.dialogs.choices import Mistakes, Part, parsed
from tui.app.dialogs.common_fields import limit_field, synchronous_field
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.limit import parse_limit
from tui.app.dialogs.place_input import PlaceInput
from tui.app.dialogs.placed_form import PlacedFields
from tui.app.glyphs import UNICODE, Glyphs
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.move_case import chosen
from tui.model.quantity import size
from tui.model.request import How, MoveRequest, Shared, Then
from tui.model.text import counted

_HOW = ((How.KEEP_CHAIN.value, "keep"), (How.FLATTEN.value, "flatten"), (How.SHALLOW.value, "shallow"))
_HOW_NOTES = {
    How.KEEP_CHAIN: "All layers go along, each under its own name.",
    How.FLATTEN: "One image holds what all layers held.",
    How.SHALLOW: "The active layer goes; it stands on the others where they are.",
}
_THEN = ((Then.PIVOT.value, "pivot"), (Then.HOLD.value, "hold"))
_THEN_NOTES = {
    Then.PIVOT: "The guest goes over, all disks at one instant.",
    Then.HOLD: "Both places hold all data until you pivot or undo.",
}
_SHARED = tuple((what.value, what.value) for what in Shared)
_SHARED_NOTES = {
    Shared.COPY: "What other disks stand on too is copied.",
    Shared.LEAVE: "What other disks stand on too stays where it is.",
    Shared.REUSE: "An equal image that lies there takes its place.",
}
_NO_PLACE = "/directory, or pool:name"


class WayFields(PlacedFields):
    """Where to and how; what is moved is asked for above, by whoever has it."""

    PARTS: ClassVar[tuple[Part, ...]] = (Part.PLACE, Part.BANDWIDTH)
    NOTHING = "Tick a disk that is to be moved."
    """What is wrong where nothing is ticked."""

    def __init__(self, disks: Sequence[Disk], *, suggested_bandwidth: int, glyphs: Glyphs = UNICODE) -> None:
        """A place beside that of these disks is proposed once the host has named its own."""
        super().__init__()
        self._disks = disks
        self._own = places_of(disks)
        self._suggested = suggested_bandwidth
        self._glyphs = glyphs
        self._directories: tuple[str, ...] = ()
        self._proposed = ""

    @abstractmethod
    def what(self) -> ComposeResult:
        """The fields that ask what is moved."""

    @property
    @abstractmethod
    def nothing(self) -> bool:
        """Whether nothing is ticked."""

    def compose(self) -> ComposeResult:
        """One field a line."""
        yield from self.what()
        yield Field("To", PlaceInput(self._proposed), id="place-field")
        yield Field("Chains", Choice(_HOW, glyphs=self._glyphs, id="how"))
        yield Field("", Check("fold the overlay back afterwards", value=True, id="merge"))
        yield Field("Shared base", Choice(_SHARED, glyphs=self._glyphs, id="shared"))
        yield limit_field(self._suggested)
        yield synchronous_field()
        yield Field("At the end", Choice(_THEN, glyphs=self._glyphs, id="then"))
        yield Field("", Check("old images to quarantine afterwards", id="delete"))

    def on_mount(self) -> None:
        """Say what the fields mean, and offer what is known."""
        if self._suggested:
            self.field("bandwidth").note("Limited so that one can watch.")
        self._explain()
        self._offer()

    def way(self, accepted: frozenset[Acceptance]) -> MoveRequest | Mistakes:
        """What is filled in, for no domain yet."""
        mistakes: dict[Part, str] = {}
        place = self.query_one(PlaceInput).value.strip()
        if not place:
            mistakes[Part.PLACE] = "Name a directory on the host, or a pool as pool:name."
        elif not place.startswith(("/", "pool:")):
            mistakes[Part.PLACE] = "A directory begins with /, a pool with pool:."
        if self.nothing:
            mistakes.setdefault(Part.PLACE, self.NOTHING)
        bandwidth = parsed(parse_limit, self.text("bandwidth"), Part.BANDWIDTH, mistakes)
        if mistakes:
            return Mistakes(mistakes)
        how = How(self.chosen("how"))
        then = Then(self.chosen("then"))
        return MoveRequest(
            "",
            place,
            how=how,
            bandwidth=bandwidth or 0,
            synchronous_writes=self.checked("synchronous"),
            then=then,
            merge_overlay=how is How.KEEP_CHAIN and self.checked("merge"),
            shared=Shared(self.chosen("shared")) if how is How.KEEP_CHAIN else Shared.COPY,
            delete_source=then is Then.PIVOT and self.checked("delete"),
            accepted=accepted,
        )

    @property
    def where(self) -> str:
        """The place."""
        return self.query_one(PlaceInput).value

    def enter_first(self) -> None:
        """Go to the place."""
        self.query_one(PlaceInput).enter()

    def add_directories(self, directories: Sequence[str], *, improve: bool) -> None:
        """Complete to these too; ``improve`` a proposal that nobody has touched."""
        self._directories = tuple(dict.fromkeys((*self._directories, *directories)))
        field = self.query_one(PlaceInput)
        untouched = field.value == self._proposed
        self._proposed = next(iter(self._proposals()), "")
        if improve and untouched:
            field.value = self._proposed
        self._offer()

    def _proposals(self) -> tuple[str, ...]:
        places = dict.fromkeys(
            d for d in self._directories if d.startswith(("/", "pool:")) and d.isprintable()
        )
        return tuple(place for place in places if place not in self._own)

    def _offer(self) -> None:
        proposals = self._proposals()
        self.query_one(PlaceInput).offer(proposals, _NO_PLACE)
        note = self._glyphs.words(f"↓ {len(proposals)} proposals") if len(proposals) > 1 else ""
        self.field("place").note(note)

    @on(Choice.Changed)
    def explain(self) -> None:
        """Say what is chosen."""
        self._explain()

    def _explain(self) -> None:
        how = How(self.chosen("how"))
        self.field("how").note(_HOW_NOTES[how])
        layered = any(len(disk.chain.layers) > 1 for disk in self._disks)
        self.field("merge").display = how is How.KEEP_CHAIN
        self.field("shared").display = how is How.KEEP_CHAIN and layered
        shared = Shared(self.chosen("shared"))
        self.field("shared").note(_SHARED_NOTES[shared])
        then = Then(self.chosen("then"))
        self.field("then").note(_THEN_NOTES[then])
        self.field("delete").display = then is Then.PIVOT


class MoveFields(WayFields):
    """The disks that can be written to are ticked, or those that were tagged."""

    def __init__(
        self,
        domain: Domain,
        targets: Sequence[str],
        *,
        capacities: Mapping[str, int | None],
        suggested_bandwidth: int,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Begin with these disks ticked."""
        everything = chosen(MoveRequest(domain.uuid, ""), domain)
        super().__init__(everything, suggested_bandwidth=suggested_bandwidth, glyphs=glyphs)
        self._uuid = domain.uuid
        self._ticked = frozenset(targets) or frozenset(disk.target for disk in everything)
        self._capacities = capacities

    def what(self) -> ComposeResult:
        """The disks."""
        for number, disk in enumerate(self._disks):
            layers = len(disk.chain.layers)
            words = f"{disk.target}  {size(self._capacities.get(disk.target))}  {counted(layers, 'layer')}"
            check = Check(words, value=disk.target in self._ticked, id=f"disk-{number}")
            yield Field("Disks" if number == 0 else "", check)

    @property
    def nothing(self) -> bool:
        """Whether no disk is ticked."""
        return not self._targets

    @property
    def _targets(self) -> tuple[str, ...]:
        return tuple(disk.target for number, disk in enumerate(self._disks) if self.checked(f"disk-{number}"))

    def wish(self, accepted: frozenset[Acceptance]) -> MoveRequest | Mistakes:
        """What is filled in."""
        way = self.way(accepted)
        return way if isinstance(way, Mistakes) else replace(way, uuid=self._uuid, targets=self._targets)


def places_of(disks: Iterable[Disk]) -> frozenset[str]:
    """The directories that disks lie in."""
    paths = (disk.chain.active.local_path for disk in disks if disk.chain.active)
    return frozenset(posixpath.dirname(path) for path in paths if path)
