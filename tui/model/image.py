"""What qemu-img says of an image."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass

_DEFAULTS = {
    "compat": "1.1",
    "cluster_size": 64 * 1024,
    "extended_l2": "off",
    "lazy_refcounts": "off",
    "refcount_bits": 16,
    "compression_type": "zlib",
}
"""How qemu-img lays out a qcow2 image by itself."""


class InvalidAnswer(ValueError):
    """The text is not an answer of qemu-img; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image, as ``qemu-img info --output=json`` shows it."""

    virtual_size: int
    """Bytes that the guest sees."""
    format: str
    actual_size: int | None = None
    """Bytes that it takes on the host; 0 on a block device."""
    cluster_size: int | None = None
    layout: tuple[str, ...] = ()
    """What qemu-img is to be given with -o for an image that is laid out alike, where that is not its default."""
    backing_file: str | None = None
    """The backing file's name as it stands in the image, relative to the image's directory or not."""
    full_backing_file: str | None = None
    backing_format: str | None = None
    """``None`` where it is not recorded. Then nobody may guess: a guest can write what would be guessed."""
    snapshots: tuple[str, ...] = ()
    """Names of the internal snapshots."""
    bitmaps: tuple[str, ...] = ()
    """Names of the persistent bitmaps."""
    encrypted: bool = False
    data_file: str | None = None
    """The external data file's name as it stands in the image."""
    data_file_raw: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """What an image would take in another format, in bytes."""

    required: int
    """For what is allocated now."""
    fully_allocated: int
    """When the guest has written everywhere."""
    bitmaps: int = 0
    """For the persistent bitmaps, on top of ``required``."""


def led_to(path: str, name: str | None) -> str | None:
    """Where the name of a backing file leads from an image at a path; one that is no path stays as it is."""
    if not name or ":" in name.partition("/")[0]:
        return name or None
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name))


def parse_image_info(text: str) -> ImageInfo:
    """Read what ``qemu-img info --output=json`` prints.

    Raises:
        InvalidAnswer: when it is something else.
    """
    answer = _object(text)
    specific = _member(_member(answer, "format-specific"), "data")
    size, format_ = _number(answer, "virtual-size"), _string(answer, "format")
    if size is None or format_ is None:
        raise InvalidAnswer("qemu-img does not say the size and the format of this image")
    return ImageInfo(
        virtual_size=size,
        format=format_,
        actual_size=_number(answer, "actual-size"),
        cluster_size=_number(answer, "cluster-size"),
        layout=_layout(answer, specific) if format_ == "qcow2" else (),
        backing_file=_string(answer, "backing-filename"),
        full_backing_file=_string(answer, "full-backing-filename"),
        backing_format=_string(answer, "backing-filename-format"),
        snapshots=_names(answer.get("snapshots")),
        bitmaps=_names(specific.get("bitmaps")),
        encrypted=answer.get("encrypted") is True,
        data_file=_string(specific, "data-file"),
        data_file_raw=specific.get("data-file-raw") is True,
    )


def _layout(answer: dict[str, object], specific: dict[str, object]) -> tuple[str, ...]:
    """Of a qcow2 image; what is kept in it is not meant, nor with which secret."""
    said = {
        "compat": _string(specific, "compat"),
        "cluster_size": _number(answer, "cluster-size"),
        "extended_l2": _switch(specific, "extended-l2"),
        "lazy_refcounts": _switch(specific, "lazy-refcounts"),
        "refcount_bits": _number(specific, "refcount-bits"),
        "compression_type": _string(specific, "compression-type"),
    }
    return tuple(
        f"{option}={value}" for option, value in said.items() if value not in (None, _DEFAULTS[option])
    )


def parse_measure(text: str) -> Measure:
    """Read what ``qemu-img measure --output=json`` prints.

    Raises:
        InvalidAnswer: when it is something else.
    """
    answer = _object(text)
    required, full = _number(answer, "required"), _number(answer, "fully-allocated")
    if required is None or full is None:
        raise InvalidAnswer("qemu-img does not say how much space this image needs")
    return Measure(required, full, _number(answer, "bitmaps") or 0)


def _object(text: str) -> dict[str, object]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswer("the answer of qemu-img is not JSON") from error
    if not isinstance(answer, dict):
        raise InvalidAnswer("the answer of qemu-img is not an object")
    return answer


def _member(parent: dict[str, object], name: str) -> dict[str, object]:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def _number(parent: dict[str, object], name: str) -> int | None:
    found = parent.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _string(parent: dict[str, object], name: str) -> str | None:
    found = parent.get(name)
    return found if isinstance(found, str) and found else None


def _switch(parent: dict[str, object], name: str) -> str | None:
    found = parent.get(name)
    return ("on" if found else "off") if isinstance(found, bool) else None


def _names(found: object) -> tuple[str, ...]:
    entries = found if isinstance(found, list) else []
    return tuple(str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry)
