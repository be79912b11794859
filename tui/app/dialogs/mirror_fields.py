"""The left half of the mirror form: every choice that a block copy has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widgets import TextArea

from tui.app.dialogs.choices import Choices, Kind, Part
from tui.app.dialogs.common_fields import limit_field, synchronous_field
from tui.app.dialogs.fields import Check, Choice, Field
from tui.app.dialogs.peer_fields import Peer, PeerFields
from tui.app.dialogs.place_input import PlaceInput
from tui.app.dialogs.placed_form import PlacedFields
from tui.app.dialogs.proposal import propose
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.widgets.entry import Entry
from tui.model.destination import destination_xml
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.request import Then
from tui.model.storage import FileSource, Layer
from tui.model.text import printable

_KINDS = (
    (Kind.FILE.value, "file"),
    (Kind.BLOCK.value, "device"),
    (Kind.NBD.value, "NBD"),
    (Kind.XML.value, "XML"),
    (Kind.HOST.value, "other host"),
)
_PLACEHOLDERS = {
    Kind.FILE: "/directory/image",
    Kind.BLOCK: "/dev/group/volume",
    Kind.NBD: "nbd://host:10809/export",
    Kind.XML: "",
    Kind.HOST: "/directory/image, at that host",
}
_FORMATS = ("raw", "qcow2", "qed", "vmdk")
_THEN = ((Then.HOLD.value, "hold"), (Then.PIVOT.value, "pivot"), (Then.KEEP.value, "keep the copy"))
_THEN_NOTES = {
    Then.HOLD: "It stays in sync until you decide.",
    Then.PIVOT: "The guest goes over to the new image by itself.",
    Then.KEEP: "The mirror ends; the new image stays as a copy.",
}
_ELSEWHERE = "It is made there, and served to this one copy by qemu-nbd."


class MirrorFields(PlacedFields):
    """Every choice that a block copy has."""

    PARTS: ClassVar[tuple[Part, ...]] = (
        Part.PLACE,
        Part.XML,
        Part.BANDWIDTH,
        Part.GRANULARITY,
        Part.BUFFER,
        Part.URI,
        Part.NBD_PORT,
    )

    def __init__(
        self,
        domain: Domain,
        disk: Disk,
        *,
        directories: Sequence[str],
        taken: frozenset[str],
        peers: Sequence[Peer],
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
        self._peer = PeerFields("Host", peers, glyphs=glyphs)

    def compose(self) -> ComposeResult:
        """One field a line."""
        source = printable(self._source_format or "not known", 12)
        formats = [("", f"source's ({source})"), *((f, f) for f in _FORMATS if f != self._source_format)]
        yield Field("To", Choice(_KINDS, glyphs=self._glyphs, id="kind"))
        yield self._peer
        yield Field("Destination", PlaceInput(self._proposed), id="place-field")
        yield Field("Destination", TextArea(id="xml", compact=True, show_line_numbers=False))
        yield Field("Format", Choice(formats, glyphs=self._glyphs, id="format"))
        yield limit_field(self._suggested)
        yield Field("When in sync", Choice(_THEN, glyphs=self._glyphs, id="then"))
        yield Field("Copy", Check("shallow: only the active layer", id="shallow"))
        yield Field("", Check("reuse: write into an image that exists", id="reuse"))
        address = Entry(placeholder="by which that host is reached", id="nbd-address")
        yield Field("Through", address)
        yield Field("Port", Entry(placeholder="one that is free", id="nbd-port"))
        yield synchronous_field()
        always = self._domain.persistent
        label = (
            "transient job (always: persistent domain)" if always else "transient job: ends with the guest"
        )
        yield Field("", Check(label, value=always, disabled=always, id="transient"))
        yield Field("Granularity", Entry(placeholder="QEMU's choice, or as 64K", id="granularity"))
        yield Field("Buffer", Entry(placeholder="QEMU's choice, or as 16M", id="buffer"))

    def on_mount(self) -> None:
        """Say what the fields mean, and offer what is known."""
        if self._suggested:
            self.field("bandwidth").note("Limited so that one can watch.")
        self.field("then").note(_THEN_NOTES[Then.HOLD])
        self.field("nbd-address").note("The address of its server, which this host connects to.")
        self._show_kind()
        self._offer()

    @property
    def choices(self) -> Choices:
        """The form as it stands at this moment."""
        transient = self.query_one("#transient", Check)
        mistakes: dict[Part, str] = {}
        elsewhere = self._kind is Kind.HOST
        host = self._peer.destination(mistakes) if elsewhere else ""
        return Choices(
            kind=Kind(self.chosen("kind")),
            place=self.query_one(PlaceInput).value,
            xml=self.query_one("#xml", TextArea).text,
            format="" if self._kind is Kind.XML else self.chosen("format"),
            shallow=not elsewhere and self.checked("shallow"),
            reuse_external=not elsewhere and self.checked("reuse"),
            bandwidth=self.text("bandwidth"),
            granularity=self.text("granularity"),
            buffer=self.text("buffer"),
            synchronous_writes=self.checked("synchronous"),
            # A persistent domain gets it from the plan, together with a finding that says what it means.
            transient_job=transient.value and not transient.disabled,
            then=Then(self.chosen("then")),
            host=host,
            nbd_address=self.text("nbd-address") if elsewhere else "",
            nbd_port=self.text("nbd-port") if elsewhere else "",
            mistakes=mistakes,
        )

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
            super().enter_part(part)

    def add_directories(self, directories: Sequence[str], *, improve: bool) -> None:
        """Complete to these too; ``improve`` a proposal that nobody has touched."""
        self._directories = tuple(dict.fromkeys((*self._directories, *directories)))
        if improve:
            self._propose_again()
        self._offer()

    def _propose_again(self) -> None:
        field = self.query_one(PlaceInput)
        untouched = self._kind is Kind.FILE and field.value == self._proposed
        self._proposed = next(iter(self._proposals(self.chosen("format"))), "")
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
        proposals = self._proposals(self.chosen("format")) if self._kind is Kind.FILE else ()
        self.query_one(PlaceInput).offer(proposals, _PLACEHOLDERS[self._kind])
        note = _ELSEWHERE if self._kind is Kind.HOST else ""
        if len(proposals) > 1:
            note = self._glyphs.words(f"↓ {len(proposals)} proposals")
        self.field("place").note(note)

    def _sketch(self) -> str:
        """XML to begin with: what the other fields say."""
        place = self._places.get(Kind.FILE, "").strip()
        path = place if place.startswith("/") and place.isprintable() else _PLACEHOLDERS[Kind.FILE]
        format_ = self.chosen("format") or self._source_format
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
            # At another host it is often called the same.
            usual = self._places.get(Kind.FILE, "") if self._kind is Kind.HOST else ""
            field.value = self._places.get(self._kind, usual)
        self._show_kind()
        self._offer()

    def _show_kind(self) -> None:
        """What another host has no use for is not asked for: a new image is made there, and no guest goes over."""
        self.set_class(self._kind is Kind.XML, "-xml")
        elsewhere = self._kind is Kind.HOST
        for name in ("nbd-address", "nbd-port"):
            self.field(name).display = elsewhere
        self._peer.display = elsewhere
        for name in ("shallow", "reuse"):
            self.field(name).display = not elsewhere
        then = self.query_one("#then", Choice)
        offered = [(value, word) for value, word in _THEN if not (elsewhere and value == Then.PIVOT)]
        then.offer(offered, then.value if then.value in dict(offered) else Then.HOLD.value)
        self.field("then").note(_THEN_NOTES[Then(then.value)])

    @on(Choice.Changed, "#format")
    def change_format(self) -> None:
        """A proposal nobody has touched gets the new format's ending."""
        self._propose_again()
        self._offer()

    @on(Choice.Changed, "#then")
    def explain_then(self, event: Choice.Changed) -> None:
        """Say what it means."""
        self.field("then").note(_THEN_NOTES[Then(event.value)])

    @on(Check.Changed, "#shallow")
    def explain_shallow(self, event: Check.Changed) -> None:
        """Say what the copy will stand on."""
        below = self._disk.chain.below.active
        note = (
            f"Stands on {below.path}" if below else "This disk has no layer below: the same as a full copy."
        )
        self.field("shallow").note(note if event.value else "")

    @on(TextArea.Changed)
    def tell_edited_xml(self, event: TextArea.Changed) -> None:
        """The same for what only this form has."""
        self.tell_edited(event)
