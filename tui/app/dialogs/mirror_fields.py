"""The left half of the mirror form: every choice that a block copy has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, TextArea

from tui.app.dialogs.choices import Choices, Kind, Part
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.limit import limit_text
from tui.app.dialogs.place_input import PlaceInput
from tui.app.dialogs.placed_form import PlacedFields
from tui.app.dialogs.proposal import propose
from tui.app.glyphs import UNICODE, Glyphs
from tui.model.destination import destination_xml
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.request import Then
from tui.model.storage import FileSource, Layer
from tui.model.text import printable

_KINDS = (
    (Kind.FILE.value, "file"),
    (Kind.BLOCK.value, "block device"),
    (Kind.NBD.value, "NBD"),
    (Kind.XML.value, "XML"),
)
_PLACEHOLDERS = {
    Kind.FILE: "/directory/image",
    Kind.BLOCK: "/dev/group/volume",
    Kind.NBD: "nbd://host:10809/export",
    Kind.XML: "",
}
_FORMATS = ("raw", "qcow2", "qed", "vmdk")
_THEN = ((Then.HOLD.value, "hold"), (Then.PIVOT.value, "pivot"), (Then.KEEP.value, "keep the copy"))
_THEN_NOTES = {
    Then.HOLD: "It stays in sync until you decide.",
    Then.PIVOT: "The guest goes over to the new image by itself.",
    Then.KEEP: "The mirror ends; the new image stays as a copy.",
}
_PARTS = (Part.PLACE, Part.XML, Part.BANDWIDTH, Part.GRANULARITY, Part.BUFFER)


class MirrorFields(PlacedFields):
    """Every choice that a block copy has."""

    def __init__(
        self,
        domain: Domain,
        disk: Disk,
        *,
        directories: Sequence[str],
        taken: frozenset[str],
        suggested_bandwidth: int,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Begin with a copy to the first of ``directories`` that is not the disk's own."""
        super().__init__()
        self._domain = domain
        self._disk = disk
        self._directories = tuple(directories)
        self._taken = taken
        self._suggested = suggested_bandwidth
        self._glyphs = glyphs
        active = disk.chain.active
        self._source_format = active.format if active else None
        self._kind = Kind.FILE
        self._proposed = next(iter(self._proposals("")), "")
        self._places = {Kind.FILE: self._proposed}

    def compose(self) -> ComposeResult:
        """One field a line."""
        source = printable(self._source_format or "not known", 12)
        formats = [("", f"source's ({source})"), *((f, f) for f in _FORMATS if f != self._source_format)]
        yield Field("To", Choice(_KINDS, glyphs=self._glyphs, id="kind"))
        yield Field("Destination", PlaceInput(self._proposed), id="place-field")
        yield Field("Destination", TextArea(id="xml", compact=True, show_line_numbers=False), id="xml-field")
        yield Field("Format", Choice(formats, glyphs=self._glyphs, id="format"), id="format-field")
        yield Field(
            "Speed limit",
            Input(limit_text(self._suggested), placeholder="no limit", id="bandwidth"),
            unit="MiB/s",
            id="bandwidth-field",
        )
        yield Field("When in sync", Choice(_THEN, glyphs=self._glyphs, id="then"), id="then-field")
        yield Field("Copy", Check("shallow: only the active layer", id="shallow"), id="shallow-field")
        yield Field("", Check("reuse: write into an image that exists", id="reuse"), id="reuse-field")
        yield Field("", Check("synchronous writes: the guest waits", id="synchronous"))
        always = self._domain.persistent
        label = (
            "transient job (always: persistent domain)" if always else "transient job: ends with the guest"
        )
        yield Field("", Check(label, value=always, disabled=always, id="transient"))
        yield Field(
            "Granularity",
            Input(placeholder="QEMU's choice, or as 64K", id="granularity"),
            id="granularity-field",
        )
        yield Field("Buffer", Input(placeholder="QEMU's choice, or as 16M", id="buffer"), id="buffer-field")

    def on_mount(self) -> None:
        """Say what the fields mean, and offer what is known."""
        if self._suggested:
            self.query_one("#bandwidth-field", Field).note("Limited so that one can watch.")
        self.query_one("#then-field", Field).note(_THEN_NOTES[Then.HOLD])
        self._offer()

    @property
    def choices(self) -> Choices:
        """The form as it stands at this moment."""
        transient = self.query_one("#transient", Check)
        return Choices(
            kind=Kind(self.query_one("#kind", Choice).value),
            place=self.query_one(PlaceInput).value,
            xml=self.query_one("#xml", TextArea).text,
            format="" if self._kind is Kind.XML else self.query_one("#format", Choice).value,
            shallow=self.query_one("#shallow", Check).value,
            reuse_external=self.query_one("#reuse", Check).value,
            bandwidth=self.query_one("#bandwidth", Input).value,
            granularity=self.query_one("#granularity", Input).value,
            buffer=self.query_one("#buffer", Input).value,
            synchronous_writes=self.query_one("#synchronous", Check).value,
            # A persistent domain gets it from the plan, together with a finding that says what it means.
            transient_job=transient.value and not transient.disabled,
            then=Then(self.query_one("#then", Choice).value),
        )

    @property
    def in_place(self) -> bool:
        """Whether the destination is being typed."""
        return self.query_one(PlaceInput).has_input_focus

    def enter_first(self) -> None:
        """Go to the destination."""
        if self._kind is Kind.XML:
            self.query_one("#xml", TextArea).focus()
        else:
            self.query_one(PlaceInput).enter()

    def enter_part(self, part: Part) -> None:
        """Go to a part of the form."""
        if part in (Part.PLACE, Part.XML):
            self.enter_first()
        else:
            self.query_one(f"#{part}", Input).focus()

    def show_problems(self, problems: Mapping[Part, str]) -> None:
        """Say under each field what is wrong with it, and under no other."""
        for part in _PARTS:
            self.query_one(f"#{part}-field", Field).problem(problems.get(part, ""))

    def add_directories(self, directories: Sequence[str], *, improve: bool) -> None:
        """Complete to these too; ``improve`` a proposal that nobody has touched."""
        self._directories = tuple(dict.fromkeys((*self._directories, *directories)))
        if improve:
            self._propose_again()
        self._offer()

    def _propose_again(self) -> None:
        field = self.query_one(PlaceInput)
        untouched = self._kind is Kind.FILE and field.value == self._proposed
        self._proposed = next(iter(self._proposals(self.query_one("#format", Choice).value)), "")
        if untouched:
            field.value = self._proposed

    def _proposals(self, format_: str) -> tuple[str, ...]:
        return propose(
            self._domain,
            self._disk,
            format_ or self._source_format,
            directories=self._directories,
            taken=self._taken,
        )

    def _offer(self) -> None:
        proposals = (
            self._proposals(self.query_one("#format", Choice).value) if self._kind is Kind.FILE else ()
        )
        self.query_one(PlaceInput).offer(proposals, _PLACEHOLDERS[self._kind])
        several = self._kind is Kind.FILE and len(proposals) > 1
        arrow = "down" if self._glyphs.ascii else "↓"
        self.query_one("#place-field", Field).note(f"{arrow} {len(proposals)} proposals" if several else "")

    def _sketch(self) -> str:
        """XML to begin with: what the other fields say."""
        place = self._places.get(Kind.FILE, "").strip()
        path = place if place.startswith("/") and place.isprintable() else _PLACEHOLDERS[Kind.FILE]
        format_ = self.query_one("#format", Choice).value or self._source_format
        return destination_xml(Layer(FileSource(path), format_))

    @on(Choice.Changed, "#kind")
    def change_kind(self, event: Choice.Changed) -> None:
        """Show the field of that kind, with what was in it before."""
        field = self.query_one(PlaceInput)
        self._places[self._kind] = field.value
        xml = self.query_one("#xml", TextArea)
        self._kind = Kind(event.value)
        if self._kind is Kind.XML:
            if not xml.text.strip():
                xml.text = self._sketch()
        else:
            field.value = self._places.get(self._kind, "")
        self.set_class(self._kind is Kind.XML, "-xml")
        self._offer()

    @on(Choice.Changed, "#format")
    def change_format(self) -> None:
        """A proposal nobody has touched gets the new format's ending."""
        self._propose_again()
        self._offer()

    @on(Choice.Changed, "#then")
    def explain_then(self, event: Choice.Changed) -> None:
        """Say what it means."""
        self.query_one("#then-field", Field).note(_THEN_NOTES[Then(event.value)])

    @on(Check.Changed, "#shallow")
    def explain_shallow(self, event: Check.Changed) -> None:
        """Say what the copy will stand on."""
        below = self._disk.chain.below.active
        note = (
            f"Stands on {below.path}" if below else "This disk has no layer below: the same as a full copy."
        )
        self.query_one("#shallow-field", Field).note(note if event.value else "")

    @on(TextArea.Changed)
    def tell_edited_xml(self, event: TextArea.Changed) -> None:
        """The same for what only this form has."""
        self.tell_edited(event)
