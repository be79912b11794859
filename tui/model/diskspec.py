"""What is wanted of one disk of a snapshot, in a word of a command line: virsh's diskspec, with more keys."""

from __future__ import annotations

from tui.model.methods import Method, Wish
from tui.model.mirrored_snapshot import Kind, SnapshotDisk, file_disk
from tui.model.quantity import parse_size
from tui.model.text import printable
from tui.model.xml import InvalidXML


class InvalidDiskspec(ValueError):
    """The word makes no sense; the message is a sentence."""


def parse_diskspec(text: str) -> SnapshotDisk:
    """Read ``TARGET[,snapshot=KIND][,driver=FORMAT][,file=PATH][,mirror=PATH]``; ``,,`` is a comma that is meant.

    Raises:
        InvalidDiskspec: when it is something else, or contradicts itself.
    """
    name, said = _read(text, _OF_MIRRORED)
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


def parse_wish(text: str) -> Wish:
    """Read ``TARGET[,method=METHOD][,snapshot=KIND][,file=PATH][,driver=FORMAT][,name=VOLUME][,size=SIZE]``.

    Raises:
        InvalidDiskspec: when it is something else, or contradicts itself.
    """
    name, said = _read(text, _OF_LIVE, ("mirror",))
    method = _method(name, said)
    path, size = said.get("file"), said.get("size")
    if path is not None and not path.startswith("/"):
        raise InvalidDiskspec(f"the file of {printable(name, 80)} is not absolute: {printable(path, 80)}")
    for keys, methods in _ONLY_WITH:
        given = [key for key in keys if key in said]
        if given and method is not None and method not in methods:
            raise InvalidDiskspec(f"{given[0]}= of {printable(name, 80)} does not go with method={method}")
    try:
        room = parse_size(size) if size is not None else None
    except ValueError as error:
        raise InvalidDiskspec(f"size= of {printable(name, 80)}: {error}") from error
    return Wish(name, method, path, said.get("name"), room, said.get("driver"))


_OF_MIRRORED = ("snapshot", "driver", "file", "mirror")
_OF_LIVE = ("method", "snapshot", "driver", "file", "name", "size")
_OF_MEMORY = ("file", "snapshot")
_ONLY_WITH = (
    (("file",), (Method.QEMU, Method.BTRFS)),
    (("driver",), (Method.QEMU,)),
    (("name", "size"), (Method.LVM,)),
)
"""Keys, and the methods that they are for."""
_METHODS = {
    "no": Method.NO,
    "external": Method.QEMU,
    "internal": Method.INTERNAL,
    "manual": Method.MANUAL,
}
"""libvirt's words for some of the methods."""


def _method(name: str, said: dict[str, str]) -> Method | None:
    kind, method = said.get("snapshot"), said.get("method")
    if kind is not None and method is not None:
        raise InvalidDiskspec(
            f"snapshot= and method= of {printable(name, 80)} say the same; name one of them"
        )
    if method is not None:
        if method not in tuple(Method):
            raise InvalidDiskspec(f"method={printable(method, 40)} is none of {', '.join(Method)}")
        return Method(method)
    if kind is not None and kind not in _METHODS:
        raise InvalidDiskspec(f"snapshot={printable(kind, 40)} is none of {', '.join(_METHODS)}")
    return _METHODS[kind] if kind is not None else None


def _read(text: str, keys: tuple[str, ...], others: tuple[str, ...] = ()) -> tuple[str, dict[str, str]]:
    """The disk, and what is said of it; ``others`` are keys that go elsewhere, but can be named as well."""
    name, *fields = _fields(text)
    if not name:
        raise InvalidDiskspec("the first word of a diskspec is the disk, as vda")
    said: dict[str, str] = {}
    for field in fields:
        key, equals, value = field.partition("=")
        if key not in keys or not equals:
            known = ", ".join(f"{key}=" for key in (*keys, *others))
            raise InvalidDiskspec(
                f"{printable(field, 80)} is none of {known} (a comma in a name is written ,,)"
            )
        if key in said or not value:
            raise InvalidDiskspec(
                f"{key}= of {printable(name, 80)} {'is there twice' if value else 'is empty'}"
            )
        said[key] = value
    return name, said


def diskspec(disk: SnapshotDisk) -> str:
    """Write it for virsh, which knows no mirrors."""
    said = {"snapshot": disk.kind, "driver": disk.format, "file": disk.path}
    words = [disk.name, *(f"{key}={value}" for key, value in said.items() if value is not None)]
    return ",".join(word.replace(",", ",,") for word in words)


def memspec(path: str) -> str:
    """Write for virsh where the memory goes."""
    return f"file={path.replace(',', ',,')},snapshot={Kind.EXTERNAL}"


def parse_memspec(text: str) -> str:
    """Read ``[file=]PATH[,snapshot=external]``, as virsh takes it: where the memory goes.

    Raises:
        InvalidDiskspec: when it is something else.
    """
    keyed = text.startswith(tuple(f"{key}=" for key in _OF_MEMORY))
    _name, said = _read(f"memory,{text if keyed else f'file={text}'}", _OF_MEMORY)
    path = said.get("file")
    if said.get("snapshot", Kind.EXTERNAL) != Kind.EXTERNAL:
        raise InvalidDiskspec(
            "the memory is held in a file here, snapshot=external; inside of images: --method internal"
        )
    if path is None or not path.startswith("/"):
        raise InvalidDiskspec(f"the file of the memory is not absolute: {printable(path or text, 80)}")
    return path


def _fields(text: str) -> list[str]:
    # No word of a command line has this character.
    return [field.replace("\0", ",") for field in text.replace(",,", "\0").split(",")]
