"""The backing chain of one disk, and all that is known of the layer under the cursor."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.app.chains import Kind, Line, Role, mirror_words, tree
from tui.app.glyphs import DIM, PHASE_STYLES, UNICODE, Glyphs
from tui.app.rows import Row
from tui.app.text import join, pad, shown, shown_middle, styled
from tui.app.verbs import ways_on
from tui.app.widgets.domains import job_words
from tui.app.widgets.items import Items
from tui.model.disk import Device
from tui.model.job import Job, Phase
from tui.model.quantity import size
from tui.model.storage import Layer, VolumeSource

_FORMAT = 6
_GAP = 2
_MIN_PLACE = 8


class ChainView(Items[Line]):
    """The tree."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin without a disk."""
        super().__init__(id=id)
        self.glyphs = glyphs
        self.job: Job | None = None

    def key_of(self, item: Line) -> Hashable:
        """The place of the layer: layers keep their line while the chain around them changes."""
        return (
            item.kind,
            item.layer.source if item.layer else item.name,
            item.branch if not item.layer else "",
        )

    def draw(self, item: Line, line: int, width: int) -> Content:  # noqa: ARG002
        """One layer."""
        if item.kind is not Kind.LAYER or item.layer is None:
            sign = f"{self.glyphs.unknown} " if item.kind is Kind.UNKNOWN else ""
            return styled(f" {sign}{item.name}", DIM if item.kind is not Kind.UNKNOWN else "$text-warning")
        mark = self._mark(item)
        marks = max((self._mark(other).cell_length for other in self.items), default=0)
        room = width - 2 - _FORMAT - 2 * _GAP - marks - _GAP
        longest = max((len(other.branch) + len(other.name) + 2 for other in self.items), default=0)
        name_cells = max(10, min(longest, room - _MIN_PLACE - _GAP if room > 30 else room))  # noqa: PLR2004
        place_cells = max(0, room - name_cells - _GAP)
        style = {Role.ACTIVE: "bold $foreground", Role.MIRROR: "$text-primary", Role.NONE: ""}[item.role]
        sign = f"{self.glyphs.copying} " if item.role is Role.MIRROR else ""
        branch = join(styled(item.branch, DIM), styled(sign, "$text-primary"))
        name = join(branch, shown_middle(item.name, style, width=max(4, name_cells - branch.cell_length)))
        return join(
            " ",
            pad(name, name_cells),
            " " * _GAP,
            pad(shown(item.layer.format or self.glyphs.unknown, width=_FORMAT), _FORMAT),
            " " * _GAP,
            pad(shown_middle(item.place, DIM, width=place_cells), place_cells),
            " " * _GAP if place_cells else "",
            mark,
        )

    def _mark(self, item: Line) -> Content:
        job = self.job if self.job and not self.job.phase.ended else None
        if item.role is Role.ACTIVE:
            active = styled(f"{self.glyphs.active} active", "$text-accent")
            if job is None or job.type.mirrors:
                return active
            words = job_words(job, self.glyphs).replace(self.glyphs.copying, job.type.value)
            return join(active, "  ", styled(words, PHASE_STYLES[job.phase]))
        if item.mirror is None:
            index = item.layer.index if item.layer else None
            return shown(f"{item.target}[{index}]", DIM) if index is not None and item.target else Content("")
        if job:
            words = job_words(job, self.glyphs)
            if job.phase is Phase.COPYING:
                words = words.replace(self.glyphs.copying, "mirror")
            return styled(words, PHASE_STYLES[job.phase])
        return styled(mirror_words(item.mirror), "$text-primary")


class ChainPanel(Vertical):
    """The tree, and below it the layer under the cursor in full."""

    DEFAULT_CSS = """
    ChainPanel > #layer-details { height: auto; max-height: 9; padding: 0 1; color: $text-muted; }
    """

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        """Begin without a disk."""
        super().__init__(id=id)
        self.view = ChainView(glyphs=glyphs, id="chain-view")
        self.details = Static(id="layer-details", markup=False)
        self.glyphs = glyphs
        self._row: Row | None = None
        self._details = Content("")
        self._title = Content("")
        self.border_title = "Chain"

    def compose(self) -> ComposeResult:
        """The tree over the details."""
        yield self.view
        yield self.details

    def show(self, row: Row | None) -> None:
        """Show the disk of a row, or nothing where no disk is meant."""
        other = row is None or self._row is None or row.key != self._row.key
        self._row = row
        self.view.job = row.job if row else None
        lines = tree(row.disk, self.glyphs, row.job.named if row.job else "") if row and row.disk else []
        if other:
            self.view.show(())
        self.view.show(lines)
        if lines and (other or self.view.current is None):
            # After a pivot the layer under the cursor is no longer there.
            self.view.move_to(next((n for n, line in enumerate(lines) if line.role is Role.ACTIVE), 0))
        title = self._titled(row)
        if not title.is_same(self._title):
            self._title = title
            self.border_title = title
            words = self._words(row)
            self.border_subtitle = Content(words) if words else None
        self._describe()

    @property
    def current(self) -> Layer | None:
        """The layer under the cursor."""
        line = self.view.current
        return line.layer if line else None

    @property
    def place(self) -> int:
        """Where in the disk's chain the layer under the cursor is; 0, the active one, where none of them is."""
        disk = self._row.disk if self._row else None
        layers = disk.chain.layers if disk else ()
        return layers.index(self.current) if self.current in layers else 0

    @on(Items.Highlighted)
    def describe_layer(self, event: Items.Highlighted) -> None:
        """The cursor is on another layer."""
        event.stop()
        self._describe()

    def _describe(self) -> None:
        details = self._detail_lines()
        if not details.is_same(self._details):
            self._details = details
            self.details.update(details)

    def _titled(self, row: Row | None) -> Content:
        if row is None:
            return Content("Chain")
        dot = styled(f" {self.glyphs.dot} ", DIM)
        title = shown(row.name, width=30)
        if row.disk is None:
            return title
        title = join(title, dot, shown(row.disk.target))
        if row.disk.bus:
            title = join(title, dot, shown(row.disk.bus))
        if row.capacity is not None:
            title = join(title, dot, size(row.capacity))
        return title

    def _words(self, row: Row | None) -> str:
        if row is None or row.disk is None:
            return ""
        disk = row.disk
        words = [disk.device.value] if disk.device is not Device.DISK else []
        words += [
            word
            for word, so in (
                ("read-only", disk.readonly),
                ("shareable", disk.shareable),
                ("transient", disk.transient),
                ("outside QEMU", disk.outside_qemu),
            )
            if so
        ]
        return f" {self.glyphs.dot} ".join(words)

    def _detail_lines(self) -> Content:
        row, layer = self._row, self.current
        if row is None:
            return Content("Move to a disk to see what it is made of.")
        if row.disk is None:
            return Content("This domain has no disks.")
        if layer is None:
            return Content("")
        line = self.view.current
        path = row.job.place if row.job and line and line.mirror else None
        entries: list[tuple[str, Content]] = [("path", shown(path or layer.path, "$foreground"))]
        if line and line.mirror:
            job = line.mirror.job.value or "copy"
            entries.append(("mirror", styled(f"{job}: the guest writes here as well", "$foreground")))
        elif line and line.role is Role.ACTIVE:
            when = "here" if row.state.active else "here when it runs"
            entries.append(("role", styled(f"active layer: the guest writes {when}", "$foreground")))
        if entry := row.interrupted:
            where = f"  {entry.progress}; {ways_on(row.barred)}"
            entries.append(("interrupted", join(shown(entry.title, "$text-warning"), shown(where, DIM))))
        if row.leftover:
            note = join(
                shown(row.leftover, "$foreground"), styled("  of an interrupted copy; x removes it", DIM)
            )
            entries.append(("left over", note))
        entries += _peculiarities(layer)
        lines: list[Content | str] = []
        for label, value in entries:
            lines += [styled(f"{label:<12}", DIM), value, "\n"]
        return join(*lines[:-1])


def _peculiarities(layer: Layer) -> Iterator[tuple[str, Content]]:
    """What most layers do not have."""
    if layer.format is None:
        yield "format", styled("not said in the definition", "$foreground")
    if isinstance(layer.source, VolumeSource):
        yield "pool", shown(layer.source.pool, "$foreground")
    if layer.encryption:
        yield "encryption", shown(layer.encryption.format, "$foreground")
    for part in layer.slices:
        yield "slice", styled(f"{part.size} bytes at {part.offset}", "$foreground")
