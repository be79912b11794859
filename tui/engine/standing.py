"""Who stands on an image of a host: by its definitions, and where these do not list that, by what the headers say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tui.engine.connection import Connection
from tui.engine.files import Files
from tui.engine.look import unless_refused, uses_in
from tui.engine.still_files import HEADERLESS, still_files
from tui.model.facts import same_name
from tui.model.hierarchy import KnownSnapshot
from tui.model.hierarchy_import import images_of
from tui.model.host import HostState
from tui.model.snapshot_note import parse_noted
from tui.model.still_file import StillFile
from tui.model.text import printable
from tui.model.xml import InvalidXML


@dataclass(frozen=True, slots=True)
class _Stander:
    """Somebody who stands on images that no chain of a definition lists."""

    who: str
    named: frozenset[str] = frozenset()
    """Those that he names, as ``same_name`` spells them."""
    tops: tuple[tuple[str | None, str | None], ...] = ()
    """Paths and formats of those whose headers tell the rest; no path where nobody can look."""


def users_at(state: HostState) -> dict[str, dict[str, str]]:
    """By path, as ``same_name`` spells it: whose disks and mirrors are on it by their definitions, as ``listed_on``."""
    uses = uses_in(state.domains, ())
    return {path: {use.uuid: use.who for use in users} for path, users in uses.items()}


def listed_on(state: HostState, path: str) -> dict[str, str]:
    """Whose disks and mirrors are on an image by their definitions, in words, by the UUIDs of the domains."""
    return users_at(state).get(same_name(path), {})


def unlisted_on(state: HostState, path: str, files: Files, connection: Connection) -> tuple[str, ...]:
    """Why an image may be needed all the same, in words: by a domain that is off, or by a snapshot of any domain."""
    standers = [*_cut_short(state), *_snapshots(state, connection)]
    formats: dict[str, str | None] = {}
    for top, form in (pair for one in standers for pair in one.tops):
        if top is not None:
            formats[top] = formats.get(top) or form
    known = still_files(formats, frozenset(), files) if formats else {}
    return tuple(why for one in standers if (why := _why(one, path, known)))


def _cut_short(state: HostState) -> Iterator[_Stander]:
    """The disks of domains that are off, whose definitions list the active layers alone."""
    for domain in state.domains:
        for disk in domain.disks:
            base = disk.chain.base
            if not disk.chain.complete and base is not None and base.format != HEADERLESS:
                who = f"{printable(domain.name)} {printable(disk.target)}"
                yield _Stander(who, tops=((base.local_path, base.format),))


def _snapshots(state: HostState, connection: Connection) -> Iterator[_Stander]:
    """Those that a domain notes itself, with all that they need; and those that libvirt knows of."""
    for domain in state.domains:
        yield from (_noted(domain.name, text) for text in domain.definition.noted_snapshots)
    for uuid, name in connection.domains_with_snapshots().items():
        found = unless_refused(partial(connection.known_snapshots, uuid))
        if found is None:
            yield _unseen(name)
            continue
        for one in found:
            named = frozenset(map(same_name, (*one.named, *one.files)))
            yield _Stander(_snapshot(one.name, name), named, tuple(_tops(one)))


def _noted(domain: str, text: str) -> _Stander:
    try:
        note = parse_noted(text)
    except InvalidXML:
        return _unseen(domain)
    return _Stander(_snapshot(note.name, domain), frozenset(map(same_name, note.files)))


def _unseen(domain: str) -> _Stander:
    return _Stander(f"a snapshot of {printable(domain)}", tops=((None, None),))


def _snapshot(name: str, domain: str) -> str:
    return f"the snapshot {printable(name)} of {printable(domain)}"


def _tops(snapshot: KnownSnapshot) -> Iterator[tuple[str, str | None]]:
    for path, form in images_of([snapshot]).items():
        if path != snapshot.memory_file and form != HEADERLESS:
            yield path, form


def _why(stander: _Stander, path: str, known: Mapping[str, StillFile]) -> str:
    if same_name(path) in stander.named:
        return f"{stander.who} is on it"
    reasons = (_below(stander.who, top, path, known) for top, _form in stander.tops)
    return next(filter(None, reasons), "")


def _below(who: str, top: str | None, path: str, known: Mapping[str, StillFile]) -> str:
    waiting, seen = top, set[str]()
    while waiting not in seen:
        found = known.get(waiting or "")
        if found is not None and same_name(found.path) == same_name(path):
            return f"{who} is on it"
        if found is None or found.trouble:
            break
        if found.backing is None:
            return ""
        seen.add(found.path)
        waiting = found.below
    return f"nobody can see whether {who} is on it"
