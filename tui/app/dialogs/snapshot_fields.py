"""The left half of the snapshot form: the name, the method of each disk, and how the guest stands still meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from tui.app.dialogs.choices import Mistakes, Part
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.judged_form import FormFields
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import shown
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.methods import Method, Quiesce, Wish
from tui.model.plan import Offer
from tui.model.request import LiveSnapshotRequest

_WORDS = {Method.NO: "skip"}
_NOTES = {
    Method.QEMU: "What is new goes to an overlay; the image stands still.",
    Method.INTERNAL: "In the image itself, with the memory of the guest.",
    Method.LVM: "A snapshot volume in the same pool.",
    Method.BTRFS: "A clone of the image that shares its blocks.",
    Method.MANUAL: "By your own command, while the guest stands still.",
    Method.NO: "Left out: the disk goes on as it is.",
}
_QUIESCE = tuple((one.value, one.value) for one in (Quiesce.AUTO, Quiesce.REQUIRED, Quiesce.NO))
_QUIESCE_NOTES = {
    Quiesce.AUTO: "File systems are frozen if the guest's agent answers.",
    Quiesce.REQUIRED: "Without an agent that freezes them, nothing is taken.",
    Quiesce.NO: "As after a power cut; the guest recovers from its journal.",
}
_LIMIT = "30"
_LONGEST = 3600
_UNKNOWN = ""
"""What is chosen while the host has not said what can be."""


class SnapshotFields(FormFields):
    """Only disks that the guest can write to are asked for."""

    def __init__(self, domain: Domain, name: str, *, glyphs: Glyphs = UNICODE) -> None:
        """Propose a name; the methods are offered once the host has said what there is."""
        super().__init__()
        self._proposed = name
        self._glyphs = glyphs
        self._targets = tuple(d.target for d in domain.disks if not (d.empty or d.readonly))
        self._offers: dict[str, Offer] = {}

    def compose(self) -> ComposeResult:
        """One field a line."""
        glyphs = self._glyphs
        yield Field("Name", Input(self._proposed, id="name"), id="name-field")
        yield Field("Description", Input(placeholder="none", id="description"))
        for number, target in enumerate(self._targets):
            words = ((_UNKNOWN, "as its storage does it best"),)
            choice = Choice(words, glyphs=glyphs, id=f"method-{number}")
            yield Field(shown(target, width=12).plain, choice, id=f"method-{number}-field")
        yield Field("Command", Input(placeholder="run here, by sh", id="command"), id="command-field")
        yield Field("Quiesce", Choice(_QUIESCE, glyphs=glyphs, id="quiesce"), id="quiesce-field")
        yield Field("", Check("the guest may be paused for it", id="pause"), id="pause-field")
        yield Field("At most", Input(_LIMIT, id="limit"), unit="seconds at a standstill", id="limit-field")

    def on_mount(self) -> None:
        """Say what the fields mean."""
        self.query_one("#command-field", Field).note(
            "VIRT_MIRROR_DOMAIN, _DISKS and _SNAPSHOT tell it what it is for."
        )
        self._explain()

    def offer(self, offers: Iterable[Offer]) -> None:
        """Each disk can have these; what somebody has chosen stays chosen."""
        known = {offer.target: offer for offer in offers}
        if not known or known == self._offers:
            return
        self._offers = known
        for number, target in enumerate(self._targets):
            offer = known.get(target)
            if offer is None:
                continue
            choice = self.query_one(f"#method-{number}", Choice)
            fit = [(method.value, _WORDS.get(method, method.value)) for method in offer.fit]
            stays = choice.value in {name for name, _ in fit}
            choice.offer(fit, choice.value if stays else offer.proposed.value)
        self._explain()

    def _methods(self) -> dict[str, Method]:
        """What is chosen, for the disks of which it is known what can be."""
        values = {
            target: self.query_one(f"#method-{number}", Choice).value
            for number, target in enumerate(self._targets)
        }
        return {target: Method(value) for target, value in values.items() if value}

    def wish(self, uuid: str, accepted: frozenset[Acceptance]) -> LiveSnapshotRequest | Mistakes:
        """What is filled in; a disk of which the proposal is taken is not spoken of."""
        mistakes: dict[Part, str] = {}
        name = self.query_one("#name", Input).value.strip()
        if not name:
            mistakes[Part.NAME] = "A snapshot needs a name."
        limit = _seconds(self.query_one("#limit", Input).value)
        if limit is None:
            mistakes[Part.LIMIT] = f"A number of seconds from 1 to {_LONGEST}."
        if mistakes or limit is None:
            return Mistakes(mistakes)
        methods = self._methods()
        return LiveSnapshotRequest(
            uuid,
            name,
            description=self.query_one("#description", Input).value.strip(),
            disks=tuple(
                Wish(target, method)
                for target, method in methods.items()
                if method is not self._offers[target].proposed
            ),
            quiesce=Quiesce(self.query_one("#quiesce", Choice).value),
            pause=self.query_one("#pause", Check).value,
            limit=limit,
            command=self.query_one("#command", Input).value if Method.MANUAL in methods.values() else "",
            accepted=accepted,
        )

    def enter_first(self) -> None:
        """Go to the name."""
        self.query_one("#name", Input).focus()

    def enter_part(self, part: Part) -> None:
        """Go to a part that is wrong."""
        self.query_one(f"#{part}", Input).focus()

    def show_problems(self, problems: Mapping[Part, str]) -> None:
        """Say under each field what is wrong with it, and under no other."""
        for part in (Part.NAME, Part.LIMIT):
            self.query_one(f"#{part}-field", Field).problem(problems.get(part, ""))

    @on(Choice.Changed)
    def explain(self) -> None:
        """Say what is chosen."""
        self._explain()

    def _explain(self) -> None:
        methods = self._methods()
        for number, target in enumerate(self._targets):
            field = self.query_one(f"#method-{number}-field", Field)
            field.note(_note(methods.get(target), self._offers.get(target)))
        self.query_one("#command-field", Field).display = Method.MANUAL in methods.values()
        quiesce = Quiesce(self.query_one("#quiesce", Choice).value)
        self.query_one("#quiesce-field", Field).note(_QUIESCE_NOTES[quiesce])


def _note(method: Method | None, offer: Offer | None) -> str:
    """Why that one is proposed, or what it does, and why not the others."""
    if method is None or offer is None:
        return ""
    words = f"Proposed: {offer.why}." if method is offer.proposed else _NOTES[method]
    reasons: dict[str, list[str]] = {}
    for other, why in offer.unfit:
        reasons.setdefault(why, []).append(other.value)
    unfit = "; ".join(f"{' and '.join(others)}: {why}" for why, others in reasons.items())
    return f"{words} Not {unfit}." if unfit else words


def _seconds(text: str) -> float | None:
    """A time at a standstill; ``None`` for what is none."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 < found <= _LONGEST else None
