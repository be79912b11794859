"""The left half of the snapshot form: the name, each disk, the memory, and how the guest stands still meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from tui.app.dialogs.choices import NOT_WHOLE, Mistakes, Part
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.folded import FoldingFields
from tui.app.dialogs.snapshot_disk import DiskFields
from tui.app.dialogs.snapshot_options import SnapshotOptions
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.widgets.entry import Entry
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.methods import Method, Quiesce
from tui.model.mirrored_snapshot import Snapshot, memory_file
from tui.model.plan import Offer
from tui.model.request import LiveSnapshotRequest, SnapshotRequest

_QUIESCE = tuple((one.value, one.value) for one in (Quiesce.AUTO, Quiesce.REQUIRED, Quiesce.NO))
_QUIESCE_NOTES = {
    Quiesce.AUTO: "File systems are frozen if the agent answers.",
    Quiesce.REQUIRED: "Nothing is taken unless the agent freezes them.",
    Quiesce.NO: "As after a power cut, from which it recovers.",
}
_MEMORY = "With qemu alone; the guest runs on meanwhile."
_COMMAND = "VIRT_MIRROR_DOMAIN, _DISKS and _SNAPSHOT tell it what it is for."
_WAITED = "Empty: the guest stands still until you say that it is done."
_LIMIT = "30"
_LONGEST = 3600


class SnapshotFields(FoldingFields):
    """Only disks that the guest can write to are asked for."""

    PARTS: ClassVar[tuple[Part, ...]] = (
        Part.NAME,
        Part.MEMORY,
        Part.LIMIT,
        Part.BANDWIDTH,
    )

    def __init__(self, domain: Domain, name: str, *, glyphs: Glyphs = UNICODE) -> None:
        """Propose a name; the methods are offered once the host has said what there is."""
        targets = [d.target for d in domain.disks if not (d.empty or d.readonly)]
        options = SnapshotOptions(targets)
        super().__init__(options, glyphs=glyphs)
        self._options = options
        self._proposed = name
        self._glyphs = glyphs
        self._disks = {target: DiskFields(n, target, glyphs=glyphs) for n, target in enumerate(targets)}
        self._offers: dict[str, Offer] = {}

    def compose(self) -> ComposeResult:
        """One field a line."""
        glyphs = self._glyphs
        yield Field("Name", Entry(self._proposed, id="name"))
        yield Field("Description", Entry(placeholder="none", id="description"))
        yield from self._disks.values()
        command = Field("Command", Entry(placeholder="none; or run here, by sh", id="command"))
        command.display = False
        yield command
        memory = Entry(placeholder="not held; or a file for it", id="memory")
        yield Field("Memory", memory, room=1)
        yield Field("Quiesce", Choice(_QUIESCE, glyphs=glyphs, id="quiesce"))
        yield Field("", Check("the guest may be paused for it", id="pause"))
        yield Field("At most", Entry(_LIMIT, id="limit"), unit="seconds at a standstill")
        yield from self.folded()

    def on_mount(self) -> None:
        """Say what the fields mean."""
        self.field("memory").note(_MEMORY)
        self._explain()

    def offer(self, offers: Iterable[Offer]) -> None:
        """Each disk can have these; what somebody has chosen stays chosen."""
        known = {offer.target: offer for offer in offers}
        if not known or known == self._offers:
            return
        self._offers = known
        for target, disk in self._disks.items():
            if target in known:
                disk.offer(known[target])
        self._explain()

    def wish(
        self, uuid: str, accepted: frozenset[Acceptance]
    ) -> SnapshotRequest | LiveSnapshotRequest | Mistakes:
        """What is filled in; a disk of which the proposal is taken is not spoken of, unless another has a mirror."""
        mistakes: dict[Part, str] = {}
        name, memory = self.text("name"), self._memory
        if not name:
            mistakes[Part.NAME] = "A snapshot needs a name."
        wrong = next((why for disk in self._disks.values() for why in disk.mistakes.values()), None)
        if wrong:
            mistakes[Part.DISK] = wrong
        if memory and not memory.startswith("/"):
            mistakes[Part.MEMORY] = NOT_WHOLE
        command = self.text("command") if self._by_hand else ""
        limit = _seconds(self.text("limit") if self._may_stand_still else _LIMIT)
        if limit is None:
            mistakes[Part.LIMIT] = f"A number of seconds from 1 to {_LONGEST}."
        if self._options.wrong_mirrors(self._overlaid):
            mistakes[Part.MIRROR] = NOT_WHOLE
        bandwidth = self._options.bandwidth(mistakes) if self._mirrors else 0
        if mistakes or limit is None:
            return Mistakes(mistakes)
        if self._mirrors:
            return self._mirrored(uuid, name, bandwidth, limit, accepted)
        overlays = bool(self._overlaid)
        return LiveSnapshotRequest(
            uuid,
            name,
            description=self.text("description"),
            disks=tuple(wish for disk in self._disks.values() if (wish := disk.wish)),
            quiesce=Quiesce.AUTO if self._unfrozen else Quiesce(self.chosen("quiesce")),
            pause=self._may_be_paused,
            limit=limit,
            command=command,
            asks=self._by_hand and not command.strip(),
            memory=memory or None,
            metadata=not (overlays and self._options.no_metadata),
            reuse_external=overlays and self._options.reuse,
            validate=overlays and self._options.validate,
            accepted=accepted,
        )

    def _mirrored(
        self, uuid: str, name: str, bandwidth: int, limit: float, accepted: frozenset[Acceptance]
    ) -> SnapshotRequest:
        mirrors, memory = self._mirrors, self._memory
        wanted = Snapshot(
            name,
            self.text("description") or None,
            memory=memory_file(memory) if memory else None,
            disks=tuple(disk.beside_mirrors(mirrors.get(disk.target)) for disk in self._disks.values()),
        )
        return SnapshotRequest(
            uuid,
            wanted,
            reuse_external=self._options.reuse,
            bandwidth=bandwidth,
            synchronous_writes=self._options.synchronous_writes,
            validate=self._options.validate,
            quiesce=Quiesce.AUTO if self._unfrozen else Quiesce(self.chosen("quiesce")),
            limit=limit,
            accepted=accepted,
        )

    @property
    def places(self) -> tuple[str, ...]:
        """Where something is to be written, as far as that is filled in; overlays are called after the snapshot."""
        files = (disk.file for disk in self._disks.values())
        return (self.text("name"), *files, *self._mirrors.values(), self._memory)

    @property
    def _overlaid(self) -> tuple[str, ...]:
        return tuple(disk.target for disk in self._disks.values() if disk.gets_overlay)

    @property
    def _mirrors(self) -> Mapping[str, str]:
        return self._options.mirrors(self._overlaid)

    # With a mirror QEMU takes all of it, whatever was chosen before that was known.

    @property
    def _by_hand(self) -> bool:
        return not self._mirrors and any(disk.method is Method.MANUAL for disk in self._disks.values())

    # What has no effect is not asked for: a state inside of an image has the memory in it, and stops the guest for as
    # long as that takes; and with its memory a guest goes on as if nothing had been, so that nothing is frozen.

    @property
    def _inside(self) -> bool:
        return not self._mirrors and any(disk.method is Method.INTERNAL for disk in self._disks.values())

    @property
    def _memory(self) -> str:
        return "" if self._inside else self.text("memory")

    @property
    def _unfrozen(self) -> str:
        """Why nothing is frozen, whatever is chosen."""
        if self._inside:
            return "Nothing to freeze: the guest stands still."
        return "Nothing is frozen where the memory is held." if self._memory else ""

    @property
    def _may_pause(self) -> bool:
        return not (self._inside or self._mirrors)

    @property
    def _may_be_paused(self) -> bool:
        return self._may_pause and self.checked("pause")

    @property
    def _may_stand_still(self) -> bool:
        return not self._unfrozen or self._may_be_paused or self._by_hand

    def enter_first(self) -> None:
        """Go to the name."""
        self.query_one("#name", Input).focus()

    def enter_part(self, part: Part) -> None:
        """Go to a part that is wrong."""
        if part is Part.DISK:
            next(disk for disk in self._disks.values() if disk.mistakes).enter_mistake()
        elif part is Part.MIRROR:
            self.enter_field(self._options.wrong_mirrors(self._overlaid)[0])
        else:
            super().enter_part(part)

    def show_problems(self, problems: Mapping[Part, str]) -> None:
        """Say under each field what is wrong with it, and under no other."""
        super().show_problems(problems)
        for disk in self._disks.values():
            disk.show_mistakes()
        self._options.show_problems(self._overlaid)

    @on(Choice.Changed)
    @on(Check.Changed)
    @on(Input.Changed)
    def explain(self) -> None:
        """Say what is chosen."""
        self._explain()

    def _explain(self) -> None:
        for disk in self._disks.values():
            disk.explain()
        if self._by_hand:
            self.field("command").display = True
        # Greyed, not taken away: a letter that is typed in one field must not move another.
        for name, asked in (
            ("command", self._by_hand),
            # What is filled in there stands in the way of mirrors, as the plan says.
            ("memory", not self._inside and not (self._mirrors and not self._memory)),
            ("quiesce", not self._unfrozen),
            ("pause", self._may_pause),
            ("limit", self._may_stand_still),
        ):
            self.field(name).disabled = not asked
        self.field("command").note(_COMMAND if self.text("command") else _WAITED)
        quiesce = Quiesce(self.chosen("quiesce"))
        self.field("quiesce").note(self._unfrozen or _QUIESCE_NOTES[quiesce])
        self._options.explain(self._overlaid)
        self.tell_options(some=bool(self._overlaid))


def _seconds(text: str) -> float | None:
    """A time at a standstill; ``None`` for what is none."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 < found <= _LONGEST else None
