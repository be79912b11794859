"""The left half of the forms for several domains: which, and one way for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from textual.app import ComposeResult

from tui.app.dialogs.choices import Mistakes
from tui.app.dialogs.fields import Check, Field
from tui.app.dialogs.form_fields import FormFields
from tui.app.dialogs.move_fields import WayFields
from tui.app.dialogs.several import Candidate
from tui.app.glyphs import UNICODE, Glyphs
from tui.model.disk import Disk
from tui.model.finding import Acceptance
from tui.model.move_case import chosen
from tui.model.quantity import size
from tui.model.request import MoveRequest
from tui.model.text import printable

_NAME = 30


@dataclass(frozen=True, slots=True)
class Mover(Candidate):
    """A domain of which disks are to go somewhere else."""

    targets: tuple[str, ...]

    @property
    def disks(self) -> tuple[Disk, ...]:
        """Those disks."""
        return chosen(MoveRequest(self.domain.uuid, "", self.targets), self.domain)

    @property
    def capacity(self) -> int | None:
        """Bytes that the guest sees of all of them."""
        sizes = [self.control.state.capacity(self.domain.uuid, target) for target in self.targets]
        known = [one for one in sizes if one is not None]
        return sum(known) if len(known) == len(sizes) else None


def domain_field(number: int, candidate: Candidate, words: str, *, value: bool = True) -> Field:
    """Where a domain is ticked."""
    label = f"{printable(candidate.domain.name, _NAME)}  {words}"
    check = Check(label, value=value, id=f"domain-{number}")
    return Field("Domains" if number == 0 else "", check)


def ticked(fields: FormFields, count: int) -> tuple[bool, ...]:
    """For each of so many domains whether it is ticked."""
    return tuple(fields.query_one(f"#domain-{n}", Check).value for n in range(count))


class SeveralFields(WayFields):
    """All domains are ticked."""

    NOTHING = "Tick a domain that is to be moved."

    def __init__(
        self, movers: Sequence[Mover], *, suggested_bandwidth: int, glyphs: Glyphs = UNICODE
    ) -> None:
        """Begin with all of them ticked."""
        disks = tuple(disk for mover in movers for disk in mover.disks)
        super().__init__(disks, suggested_bandwidth=suggested_bandwidth, glyphs=glyphs)
        self._movers = tuple(movers)

    def what(self) -> ComposeResult:
        """The domains, with the disks that go."""
        several_hosts = len({id(mover.control) for mover in self._movers}) > 1
        for number, mover in enumerate(self._movers):
            host = f"  {mover.control.state.name}" if several_hosts else ""
            words = f"{' '.join(mover.targets)}  {size(mover.capacity)}{host}"
            yield domain_field(number, mover, words)

    @property
    def ticked(self) -> tuple[bool, ...]:
        """For each domain whether it is to go."""
        return ticked(self, len(self._movers))

    @property
    def nothing(self) -> bool:
        """Whether no domain is ticked."""
        return not any(self.ticked)

    def wish(self, accepted: frozenset[Acceptance]) -> tuple[MoveRequest, ...] | Mistakes:
        """One for each domain, whether it is ticked or not: unticking one asks no host anything."""
        way = self.way(accepted)
        if isinstance(way, Mistakes):
            return way
        return tuple(replace(way, uuid=mover.domain.uuid, targets=mover.targets) for mover in self._movers)
