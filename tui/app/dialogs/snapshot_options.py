"""What is seldom asked for in the snapshot form: mirrors, images that are there already, and what libvirt keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.widgets import Input

from tui.app.dialogs.choices import NOT_WHOLE, Part, parsed
from tui.app.dialogs.common_fields import limit_field, synchronous_field
from tui.app.dialogs.fields import Check, Field
from tui.app.dialogs.folded import Options
from tui.app.dialogs.limit import parse_limit
from tui.app.text import shown
from tui.app.widgets.entry import Entry

_MIRROR = "none; a second file for what is new"
_MIRRORED = "All that is new goes there too, until you pivot or cancel. By qemu alone."
_ROOM = 2
"""Lines that this takes."""
_REUSE = {
    False: "The files are there, and stand on the present images.",
    True: "Files and mirrors are there, and say what they stand on.",
}
_NO_METADATA = "The tree does not show it; a commit merges the overlays."
_LIMIT = "For each mirror."


class SnapshotOptions(Options):
    """All of them are about overlays."""

    def __init__(self, targets: Sequence[str]) -> None:
        """Ask for a mirror of each of these disks."""
        super().__init__()
        self._targets = tuple(targets)

    def compose(self) -> ComposeResult:
        """One field a line."""
        for number, target in enumerate(self._targets):
            unit = f"of {shown(target, width=12).plain}"
            mirror = Entry(placeholder=_MIRROR, id=f"mirror-{number}")
            room = 0 if number else _ROOM
            yield Field("Mirror", mirror, unit=unit, room=room)
        yield limit_field()
        yield synchronous_field()
        yield Field("", Check("reuse: write into overlays that exist", id="reuse"))
        record = Check("no metadata: libvirt keeps no record", id="no-metadata")
        yield Field("", record)
        yield Field("", Check("validate: libvirt checks the XML as well", id="validate"))

    def on_mount(self) -> None:
        """Say what the fields mean."""
        if self._targets:
            self.field("mirror-0").note(_MIRRORED)
        self.field("bandwidth").note(_LIMIT)

    def explain(self, overlaid: Sequence[str]) -> None:
        """Say what is chosen, and ask for what belongs to it, where these disks get overlays."""
        mirrored = bool(self.mirrors(overlaid))
        for number, target in enumerate(self._targets):
            self.field(f"mirror-{number}").disabled = target not in overlaid
        for name in ("bandwidth", "synchronous"):
            self.field(name).disabled = not mirrored
        self.field("no-metadata").disabled = mirrored
        self.field("reuse").note(_REUSE[mirrored] if self.reuse else "")
        self.field("no-metadata").note(_NO_METADATA if self.no_metadata else "")

    def mirrors(self, overlaid: Sequence[str]) -> Mapping[str, str]:
        """The second places of what is new on those of these disks that have one."""
        said = {target: self.text(f"mirror-{number}") for number, target in enumerate(self._targets)}
        return {target: path for target, path in said.items() if path and target in overlaid}

    def bandwidth(self, mistakes: dict[Part, str]) -> int:
        """The limit of each mirror; what is wrong goes to the mistakes."""
        return parsed(parse_limit, self.text("bandwidth"), Part.BANDWIDTH, mistakes) or 0

    @property
    def synchronous_writes(self) -> bool:
        """Whether the guest waits for both places."""
        return self.checked("synchronous")

    @property
    def reuse(self) -> bool:
        """Whether the images are there already."""
        return self.checked("reuse")

    @property
    def no_metadata(self) -> bool:
        """Whether libvirt is to keep no record."""
        return self.checked("no-metadata")

    @property
    def validate(self) -> bool:
        """Whether libvirt checks the XML against its schema as well."""
        return self.checked("validate")

    def wrong_mirrors(self, overlaid: Sequence[str]) -> Sequence[Input]:
        """The fields of mirrors that name no whole path."""
        wrong = {target for target, path in self.mirrors(overlaid).items() if not path.startswith("/")}
        return [
            self.query_one(f"#mirror-{number}", Input)
            for number, target in enumerate(self._targets)
            if target in wrong
        ]

    def show_problems(self, overlaid: Sequence[str]) -> None:
        """Say under each mirror what is wrong with it."""
        wrong = {field.id for field in self.wrong_mirrors(overlaid)}
        for number in range(len(self._targets)):
            name = f"mirror-{number}"
            self.field(name).problem(NOT_WHOLE if name in wrong else "")
