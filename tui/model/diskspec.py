"""What is wanted of one disk of a snapshot, in a word of a command line: virsh's diskspec, with ``mirror=``."""

from __future__ import annotations

from tui.model.mirrored_snapshot import Kind, SnapshotDisk, file_disk
from tui.model.text import printable
from tui.model.xml import InvalidXML

_KEYS = ("snapshot", "driver", "file", "mirror")


class InvalidDiskspec(ValueError):
    """The word makes no sense; the message is a sentence."""


def parse_diskspec(text: str) -> SnapshotDisk:
    """Read ``TARGET[,snapshot=KIND][,driver=FORMAT][,file=PATH][,mirror=PATH]``; ``,,`` is a comma that is meant.

    Raises:
        InvalidDiskspec: when it is something else, or contradicts itself.
    """
    name, *fields = _fields(text)
    if not name:
        raise InvalidDiskspec("the first word of a diskspec is the disk, as vda")
    said: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if key not in _KEYS or not equals:
            known = ", ".join(f"{key}=" for key in _KEYS)
            raise InvalidDiskspec(
                f"{printable(field, 80)} is none of {known} (a comma in a name is written ,,)"
            )
        if key in said or not value:
            raise InvalidDiskspec(
                f"{key}= of {printable(name, 80)} {'is there twice' if value else 'is empty'}"
            )
        said[key] = value
    kind = said.get("snapshot")
    if kind is not None and kind not in (Kind.NO, Kind.EXTERNAL):
        raise InvalidDiskspec(f"snapshot={printable(kind, 40)} is not snapshot=no or snapshot=external")
    try:
        return file_disk(
            name,
            path=said.get("file"),
            format=said.get("driver"),
            mirror=said.get("mirror"),
            kind=Kind(kind) if kind is not None else None,
        )
    except InvalidXML as error:
        raise InvalidDiskspec(str(error)) from error


def diskspec(disk: SnapshotDisk) -> str:
    """Write it for virsh, which knows no mirrors."""
    said = {"snapshot": disk.kind, "driver": disk.format, "file": disk.path}
    words = [disk.name, *(f"{key}={value}" for key, value in said.items() if value is not None)]
    return ",".join(word.replace(",", ",,") for word in words)


def _fields(text: str) -> list[str]:
    # No word of a command line has this character.
    return [field.replace("\0", ",") for field in text.replace(",,", "\0").split(",")]
