"""The import form: the snapshots that a file brings back, if the images agree with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.message import Message

from tui.app.dialogs.asking import Answer, Outdated, answer_of, ask_aside
from tui.app.dialogs.choices import Mistakes, Part
from tui.app.dialogs.form import PlanForm
from tui.app.dialogs.import_fields import ImportFields, ImportWish
from tui.app.glyphs import UNICODE, Glyphs
from tui.app.text import join, shown
from tui.engine.control import Control
from tui.engine.own_files import FileTrouble
from tui.engine.snapshot_file import files_here, read_saved
from tui.model.domain import Domain
from tui.model.finding import Acceptance
from tui.model.hierarchy_file import Saved, file_name
from tui.model.hierarchy_request import SnapshotImportRequest

_Stamp = tuple[Path, int, int, int]


class ImportForm(PlanForm[ImportWish]):
    """Asks for the import of a file; what stands in it is read in the thread that asks the host."""

    ACCEPTANCES: ClassVar[Mapping[Acceptance, str]] = {
        Acceptance.LOSE_SNAPSHOTS: "snapshots that cannot be gone back to with these images",
    }
    START = "Import"
    STARTS = "imports them"

    @dataclass
    class FilesFound(Message):
        """These files look like exports."""

        files: tuple[str, ...]

    def __init__(
        self,
        control: Control,
        domain: Domain,
        file: Path | None = None,
        *,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Begin with ``file``, or with what an export of this domain is called, if that is there."""
        title = join("Import snapshots of ", shown(domain.name))
        self._import = ImportFields(str(file) if file else "", glyphs=glyphs)
        super().__init__(control, title, self._import, glyphs=glyphs)
        self._domain = domain
        self._read: tuple[_Stamp | None, tuple[str, Saved]] | None = None
        """What was read last."""

    def on_mount(self) -> None:
        """Look which files there are."""
        ask_aside(files_here, lambda files: self.post_message(self.FilesFound(files)))

    @on(FilesFound)
    def take_files(self, event: FilesFound) -> None:
        """Complete to them."""
        own = file_name(self._domain.name)
        first = next((file for file in event.files if Path(file).name == own), "")
        self._import.offer(event.files, first=first)

    def wish(self) -> ImportWish | Mistakes:
        """What is filled in."""
        return self._import.wish(self.accepted)

    def answer_to(self, wish: ImportWish, outdated: Outdated) -> Answer | Mistakes:  # noqa: ARG002  one file is one
        """The plan of the host, once the file is read."""
        try:
            digest, saved = self._saved(wish.file)
        except FileTrouble as error:
            return Mistakes({Part.PLACE: str(error)})
        request = SnapshotImportRequest(
            self._domain.uuid,
            str(wish.file),
            digest,
            saved,
            wish.maps,
            current=wish.current,
            accepted=wish.accepted,
        )
        return replace(answer_of(self._control, request), wish=wish)

    def _saved(self, file: Path) -> tuple[str, Saved]:
        """What the file holds; it is read anew only when it is another one or has changed."""
        stamp = _stamp(file)
        known = self._read
        if known is None or stamp is None or known[0] != stamp:
            known = self._read = stamp, read_saved(file)
        return known[1]


def _stamp(file: Path) -> _Stamp | None:
    """What changes when another file or other words lie there."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return file, found.st_ino, found.st_size, found.st_mtime_ns
