"""Where a copy could go: what the mirror form proposes before anything is typed."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from tui.model.disk import Disk
from tui.model.domain import Domain

_LONGEST = 120
"""Characters of a domain's name that go into the name of a file."""


def file_name(domain: Domain, disk: Disk, format: str | None) -> str:  # noqa: A002
    """A name that says whose disk it is, whatever strange signs the domain's name has."""
    plain = "".join(c if c.isprintable() and c not in "/\\" and not c.isspace() else "_" for c in domain.name)
    stem = plain[:_LONGEST].lstrip(".-") or "domain"
    return f"{stem}-{disk.target}.{format or 'img'}"


def propose(
    domain: Domain,
    disk: Disk,
    format: str | None,  # noqa: A002
    *,
    directories: Iterable[str] = (),
    taken: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Paths for a copy, best first: other directories than the disk's own, then a sibling of its image.

    Args:
        domain: whose disk it is.
        disk: what is copied.
        format: of the copy.
        directories: the storage pools of the host.
        taken: paths of images in use, none of which is ever proposed.
    """
    active = disk.chain.active
    path = active.local_path if active else None
    own = posixpath.dirname(path) if path and path.startswith("/") else None
    name = file_name(domain, disk, format)
    places = dict.fromkeys(
        posixpath.normpath(d) for d in directories if d.startswith("/") and d.isprintable()
    )
    others = [place for place in places if place != own]
    # A block device has no directory in which an image would do well.
    siblings = [own] if own and own.isprintable() and not own.startswith("/dev") else []
    return tuple(_free(place, name, taken) for place in (*others, *siblings))


def _free(directory: str, name: str, taken: frozenset[str]) -> str:
    return next(path for path in _paths(directory, name) if path not in taken)


def _paths(directory: str, name: str) -> Iterator[str]:
    stem, dot, suffix = name.rpartition(".")
    yield posixpath.join(directory, name)
    number = 2
    while True:
        yield posixpath.join(directory, f"{stem}-{number}{dot}{suffix}")
        number += 1
