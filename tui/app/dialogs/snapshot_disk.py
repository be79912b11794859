"""The fields of one disk in the snapshot form: by what it is held, and where that goes."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical

from tui.app.dialogs.choices import NOT_WHOLE, sentence
from tui.app.dialogs.fields import Choice, Field
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import shown
from tui.app.widgets.entry import Entry
from tui.model.methods import Method, Wish
from tui.model.mirrored_snapshot import Kind, SnapshotDisk, file_disk
from tui.model.plan import Offer
from tui.model.quantity import parse_size, size

_WORDS = {Method.NO: "skip"}
_NOTES = {
    Method.QEMU: "What is new goes to an overlay; the image stands still.",
    Method.INTERNAL: "In the image itself, with the memory, for which the guest stands still.",
    Method.LVM: "A snapshot volume in the same pool.",
    Method.BTRFS: "A clone of the image that shares its blocks.",
    Method.MANUAL: "By your own command or by yourself, while the guest stands still.",
    Method.NO: "Left out: the disk goes on as it is.",
}
_ROOM = 2
"""Lines that the longest of them takes, and the longest reason for a proposal."""
_WITH_FILE = (Method.QEMU, Method.BTRFS)
_UNKNOWN = ""
"""What is chosen while the host has not said what can be."""


class DiskFields(Vertical):
    """What is left empty is as the plan proposes it, which stands there in grey."""

    def __init__(self, number: int, target: str, *, glyphs: Glyphs = UNICODE) -> None:
        """The disk that is asked for as the one of that number."""
        super().__init__()
        self._number = number
        self._target = target
        self._glyphs = glyphs
        self._offer: Offer | None = None
        self._put = _UNKNOWN
        """What was last chosen for the user."""
        self._preferred = _UNKNOWN
        """What the user has chosen instead of a proposal."""
        self._logical = False
        """Whether it lies in a pool whose snapshots have a size."""

    def compose(self) -> ComposeResult:
        """One field a line."""
        number = self._number
        words = ((_UNKNOWN, "as its storage does it best"),)
        choice = Choice(words, glyphs=self._glyphs, id=f"method-{number}")
        yield Field(shown(self._target, width=12).plain, choice, room=_ROOM)
        for name in ("file", "volume", "size"):
            yield Field(f"  {name}", Entry(id=f"{name}-{number}"))

    def on_mount(self) -> None:
        """Where it goes is asked for once it is known by what it is held."""
        self.explain()

    @property
    def method(self) -> Method | None:
        """What is chosen; ``None`` while it is not known what can be."""
        value = self.query_one(f"#method-{self._number}", Choice).value
        return Method(value) if value else None

    def offer(self, offer: Offer) -> None:
        """It can have these; what somebody has chosen stays chosen, and who has not goes with the proposal."""
        choice = self.query_one(f"#method-{self._number}", Choice)
        if self._offer is not None and choice.value != self._put:
            self._preferred = choice.value if choice.value != self._offer.proposed else _UNKNOWN
        fit = [(method.value, _WORDS.get(method, method.value)) for method in offer.fit]
        self._put = self._preferred if self._preferred in dict(fit) else offer.proposed.value
        choice.offer(fit, self._put)
        self._offer = offer
        self._logical |= Method.LVM in offer.fit
        self._input("file").propose(offer.place)
        self._input("volume").propose(offer.volume)
        self._input("size").propose(size(offer.room))
        self.explain()

    def explain(self) -> None:
        """Say what is chosen, and ask for what belongs to it.

        Another method may come of what is typed elsewhere: it has as many lines.
        """
        self.query_one(f"#method-{self._number}-field", Field).note(_note(self.method, self._offer))
        by_volume = self.method is Method.LVM
        self._field("file").display = not by_volume
        self._field("file").disabled = self.method not in _WITH_FILE
        self._field("volume").display = by_volume
        self._field("size").display = self._logical
        self._field("size").disabled = not by_volume

    @property
    def target(self) -> str:
        """The disk."""
        return self._target

    @property
    def gets_overlay(self) -> bool:
        """Whether it does, as far as that is known."""
        return self.method in (Method.QEMU, None)

    @property
    def file(self) -> str:
        """Where its overlay or its clone goes; empty for the proposal."""
        return self._text("file") if self.method in _WITH_FILE else ""

    @property
    def wish(self) -> Wish | None:
        """What is filled in; ``None`` where the proposal is taken, or what is filled in makes no sense."""
        method = self.method
        if method is None or self._offer is None or self.mistakes:
            return None
        volume, room = (self._text("volume"), self._text("size")) if method is Method.LVM else ("", "")
        if method is self._offer.proposed and not (self.file or volume or room):
            return None
        wanted = parse_size(room) if room else None
        return Wish(self._target, method, path=self.file or None, volume=volume or None, size=wanted)

    def beside_mirrors(self, mirror: str | None) -> SnapshotDisk:
        """What is filled in, in a snapshot with mirrors: an overlay, with a mirror or without, if it isn't left out."""
        if self.method is Method.NO:
            return file_disk(self._target, kind=Kind.NO)
        path = self.file if self.gets_overlay else ""
        return file_disk(self._target, path=path or None, mirror=mirror, kind=Kind.EXTERNAL)

    @property
    def mistakes(self) -> dict[str, str]:
        """What is wrong with it, a sentence for each field."""
        found = {}
        if self.file and not self.file.startswith("/"):
            found["file"] = NOT_WHOLE
        text = self._text("size")
        if self.method is Method.LVM and text:
            try:
                parse_size(text)
            except ValueError as error:
                found["size"] = sentence(str(error))
        return found

    def show_mistakes(self) -> None:
        """Say beneath the fields what is wrong, or nothing."""
        mistakes = self.mistakes
        for name in ("file", "size"):
            self._field(name).problem(mistakes.get(name, ""))

    def enter_mistake(self) -> None:
        """Go to what is wrong."""
        self._input(next(iter(self.mistakes))).focus()

    def _field(self, name: str) -> Field:
        return self.query_one(f"#{name}-{self._number}-field", Field)

    def _input(self, name: str) -> Entry:
        return self.query_one(f"#{name}-{self._number}", Entry)

    def _text(self, name: str) -> str:
        return self._input(name).value.strip()


def _note(method: Method | None, offer: Offer | None) -> str:
    """Why that one is proposed, or what it does."""
    if method is None or offer is None:
        return ""
    return f"Proposed: {offer.why}." if method is offer.proposed else _NOTES[method]
