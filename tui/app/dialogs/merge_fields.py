"""The left half of the merge form: which layers, in which direction, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from tui.app.chains import name_of
from tui.app.dialogs.choices import Mistakes, Part, parsed
from tui.app.dialogs.common_fields import limit_field
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.form_fields import FormFields
from tui.app.dialogs.limit import parse_limit
from tui.app.glyphs import UNICODE, Glyphs
from tui.model.disk import Disk
from tui.model.finding import Acceptance
from tui.model.merge_case import layer_name
from tui.model.request import CommitRequest, MergeRequest, PullRequest, Then

COMMIT, PULL = "commit", "pull"
_WHAT = ((COMMIT, "commit down"), (PULL, "pull up"))
_WHAT_NOTES = {
    COMMIT: "Lower layers take what upper ones hold; the lower ones change.",
    PULL: "The active layer takes what lower ones hold; the lower ones stay as they are.",
}
_THEN = ((Then.HOLD.value, "hold"), (Then.PIVOT.value, "pivot"))
_THEN_NOTES = {
    Then.HOLD: "It stays in sync until you pivot or cancel.",
    Then.PIVOT: "The guest goes over to the lower layer by itself.",
}
_NOTHING = ""


class MergeFields(FormFields):
    """Layers are picked by their place in the chain, 0 for the active one."""

    PARTS: ClassVar[tuple[Part, ...]] = (Part.BANDWIDTH,)

    def __init__(
        self, disk: Disk, what: str, place: int, *, suggested_bandwidth: int, glyphs: Glyphs = UNICODE
    ) -> None:
        """Begin with what pointing at the layer at ``place`` means.

        Args:
            disk: whose layers they are, two at least.
            what: ``COMMIT`` or ``PULL``.
            place: the layer that was pointed at.
            suggested_bandwidth: bytes per second; 0 is no limit.
            glyphs: what is drawn.
        """
        super().__init__()
        self._disk = disk
        self._what = what
        self._suggested = suggested_bandwidth
        self._glyphs = glyphs
        self._last = len(disk.chain.layers) - 1
        # A commit is of the layer that is pointed at, down into the next; of the base it is into that one.
        self._top = max(min(place, self._last - 1), 0)
        # A pull is onto the layer that is pointed at, where something lies in between.
        self._onto = str(place) if place > 1 else _NOTHING

    def compose(self) -> ComposeResult:
        """One field a line; layers stand below one another, the active one first."""
        glyphs, layers = self._glyphs, dict(self._layers())
        yield Field("Do", Choice(_WHAT, self._what, glyphs=glyphs, id="what"))
        yield Field(
            "Merge from",
            Choice(_from(layers, 0, self._last - 1), str(self._top), glyphs=glyphs, upright=True, id="top"),
        )
        yield Field(
            "into",
            Choice(_from(layers, 1, self._last), str(self._top + 1), glyphs=glyphs, upright=True, id="base"),
        )
        onto = [(_NOTHING, "nothing: the active layer alone"), *_from(layers, 2, self._last)]
        yield Field("Leave below", Choice(onto, self._onto, glyphs=glyphs, upright=True, id="onto"))
        yield limit_field(self._suggested)
        yield Field("When in sync", Choice(_THEN, glyphs=glyphs, id="then"))
        yield Field("Images", Check("remove what was merged", id="delete"))
        yield Field("Names", Check("keep backing names relative", id="relative"))

    def on_mount(self) -> None:
        """Say what the fields mean, and show those that mean something."""
        self._show()

    def _layers(self) -> Iterator[tuple[int, str]]:
        for place, layer in enumerate(self._disk.chain.layers):
            role = "active" if place == 0 else layer_name(self._disk, place)
            yield place, name_of(layer) if role == layer.path else f"{name_of(layer)}  {role}"

    def _place(self, name: str) -> int:
        return int(self.chosen(name))

    def wish(self, uuid: str, accepted: frozenset[Acceptance]) -> MergeRequest | Mistakes:
        """What is filled in."""
        mistakes: dict[Part, str] = {}
        limit = parsed(parse_limit, self.text("bandwidth"), Part.BANDWIDTH, mistakes)
        if mistakes:
            return Mistakes(mistakes)
        bandwidth = limit or 0
        target, disk = self._disk.target, self._disk
        relative = self.checked("relative")
        if self.chosen("what") == PULL:
            onto = self.chosen("onto")
            return PullRequest(
                uuid,
                target,
                base=layer_name(disk, int(onto)) if onto else None,
                keep_relative=relative and bool(onto),
                bandwidth=bandwidth,
                accepted=accepted,
            )
        top = self._place("top")
        return CommitRequest(
            uuid,
            target,
            top=layer_name(disk, top) if top else None,
            base=layer_name(disk, self._place("base")),
            delete=self.checked("delete"),
            keep_relative=relative and top > 0,
            bandwidth=bandwidth,
            then=Then.HOLD if top else Then(self.chosen("then")),
            accepted=accepted,
        )

    def enter_first(self) -> None:
        """Go to the layers."""
        pulls = self.chosen("what") == PULL
        self.query_one("#onto" if pulls else "#top", Choice).focus()

    def _show(self) -> None:
        """Only what the present choice has."""
        what = self.chosen("what")
        commits = what == COMMIT
        active = commits and self._place("top") == 0
        self.field("what").note(_WHAT_NOTES[what])
        self.field("then").note(_THEN_NOTES[Then(self.chosen("then"))])
        shown = {
            "top": commits,
            "base": commits,
            "onto": not commits,
            "then": active,
            "delete": commits,
            "relative": not active if commits else bool(self.chosen("onto")),
        }
        for name, is_shown in shown.items():
            self.field(name).display = is_shown

    @on(Choice.Changed, "#top")
    @on(Choice.Changed, "#base")
    def keep_order(self, event: Choice.Changed) -> None:
        """The base lies below the top: the other one makes way."""
        top, base = self.query_one("#top", Choice), self.query_one("#base", Choice)
        if int(base.value) <= int(top.value):
            if event.choice is top:
                base.value = str(int(top.value) + 1)
            else:
                top.value = str(int(base.value) - 1)

    @on(Choice.Changed)
    def show_fields(self) -> None:
        """Other choices have other fields."""
        self._show()


def _from(layers: Mapping[int, str], first: int, last: int) -> list[tuple[str, str]]:
    return [(str(place), layers[place]) for place in range(first, last + 1)]
