"""The file that takes the snapshots of a domain elsewhere: what is written into it, and what is read from it."""

from __future__ import annotations

from pathlib import Path

from tui.engine.control import Control
from tui.engine.errors import HostError
from tui.engine.own_files import FileTrouble, here, read_text
from tui.model.command import virsh
from tui.model.hierarchy_file import MAX_SIZE, Saved, digest_of, parse_saved, saved_xml
from tui.model.text import counted, listed, printable
from tui.model.xml import InvalidXML

READ_ONLY = "libvirt tells secrets, which definitions can have, on no read-only connection"
"""Why nothing is exported there."""


def export_of(control: Control, uuid: str) -> tuple[Saved, str]:
    """The snapshots of a domain, and the text of the file that holds them.

    Raises:
        HostError: when the host cannot be asked, or there is nothing that can be written.
    """
    saved = control.save_snapshots(uuid)
    if not saved.snapshots:
        message = f"{printable(saved.domain)} has no snapshots to export{' that libvirt knows' if saved.noted else ''}."
        raise HostError(message, remedy=left_out(saved))
    try:
        return saved, saved_xml(saved)
    except InvalidXML as error:
        raise HostError(f"The snapshots cannot be written: {error}.") from error


def holds(path: Path, saved: Saved) -> str:
    """What the file is, one sentence."""
    count = counted(len(saved.snapshots), "snapshot")
    plain = f"{printable(str(path))} holds {count} of {printable(saved.domain)}; the images are not in it."
    return f"{plain} {left_out(saved)}".rstrip()


_FEW = 4


def left_out(saved: Saved) -> str:
    """What cannot be in the file, one sentence or nothing."""
    if not saved.noted:
        return ""
    names, definition = listed(saved.noted, _FEW), virsh("dumpxml", "--inactive", saved.domain)
    return (
        f"An export leaves out what clones, volumes or your own command hold of {names}, because only the definition "
        f"of {printable(saved.domain)} tells of that: save that as well, with {printable(definition)}"
    )


def files_here() -> tuple[str, ...]:
    """The files that have names as exports have them, where the program was started."""
    found = (str(path) for path in here().glob("*-snapshots*.xml"))
    return tuple(sorted(path for path in found if path.isprintable()))


def read_saved(path: Path) -> tuple[str, Saved]:
    """What tells the file from another one, and what it holds.

    Raises:
        FileTrouble: when it cannot be read, or is no such file.
    """
    text = read_text(path, MAX_SIZE)
    try:
        return digest_of(text), parse_saved(text)
    except InvalidXML as error:
        message = f"{printable(str(path))} is no file of snapshots to import: {error}."
        raise FileTrouble(message) from error
