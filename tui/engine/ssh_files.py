"""The images of a host behind ssh, handled there by its own tools."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO

from tui.engine.batches import batches
from tui.engine.errors import AlreadyThere, HostError, StepFailed
from tui.engine.filling import Crawl, Tell
from tui.engine.logical import TIMEOUT as TIMEOUT_OF_LVM
from tui.engine.logical import devices
from tui.engine.room import SECTOR, few
from tui.engine.ssh import LONGEST, Ssh, reason_of
from tui.model.chain_steps import ImageCopy, MakeImage
from tui.model.facts import LayerFacts
from tui.model.image import ImageInfo, InvalidAnswer, parse_image_info
from tui.model.snapshot_fill import QUESTION, parse_filled
from tui.model.storage import Layer
from tui.model.text import printable

AT_ONCE = 3
"""Copies under way; servers are seldom set up for more than ten sessions of one user."""

_EXISTING = 'for p; do if [ -e "$p" ] || [ -L "$p" ]; then echo 1; else echo 0; fi; done'
_MISSING = """for p; do
d=$p
while [ ! -e "$d" ] && [ "$d" != "${d%/*}" ]; do d=${d%/*}; d=${d:-/}; done
if [ "$d" = "$p" ] || { [ -d "$d" ] && [ ! -x "$d" ]; }; then echo 0; else echo 1; fi
done"""
"""Whoever may not search the last directory that is there sees nothing in it."""
_READABLE = 'for p; do if [ -r "$p" ]; then echo 1; else echo 0; fi; done'
_WRITABLE = """if [ -d "$1" ] && [ -w "$1" ] && [ -x "$1" ]; then echo 1
elif [ -e "$1" ] || [ -L "$1" ]; then echo 0
fi"""
_ROOM = 'stat -f -c "%S %a %b" -- "$1"'
_TAKEN = 'stat -c %b -- "$1"'
_ALLOCATED = 'for p; do if [ -f "$p" ]; then stat -L -c %b -- "$p" || echo -; else echo -; fi; done'
_FILLED = 'PATH=$PATH:/usr/sbin:/sbin; LC_ALL=C timeout "$@" || :'
"""It fails when one of the volumes is not there, and tells of the others all the same."""
_INFO = 'LC_ALL=C exec qemu-img info --output=json -U -f "$1" -- "$2"'
_INFOS = """LC_ALL=C; export LC_ALL; f=$1; shift
for p; do
if found=$(qemu-img info --output=json -U -f "$f" -- "$p" 2>/dev/null)
then printf '1\\0%s\\0' "$found"
else printf '0\\0%s\\0' "$(qemu-img info --output=json -U -f "$f" -- "$p" 2>&1)"
fi
done"""
"""For each path whether it could be read, and what is in it, or why not."""
_MAKE = """set -e; umask 077
if [ -e "$1" ] || [ -L "$1" ] || ! (set -C; : >"$1")
then if [ -e "$1" ] || [ -L "$1" ]; then echo there; exit 0; fi; exit 1
fi
trap '[ $? = 0 ] || rm -f -- "$1"' EXIT
LC_ALL=C qemu-img create -q -f "$2" ${8:+-o "$8"} ${4:+-u -b "$4" -F "$5"} -- "$1" "$3"
if [ -n "$6" ]
then chmod --reference="$6" -- "$1"; [ "$(id -u)" != 0 ] || chown --reference="$6" -- "$1"
fi
touch -d "@$7" -- "$1" """
"""qemu-img would empty an image that somebody has made since it was looked for."""
_MADE = '[ ! -f "$1" ] || [ -L "$1" ] || exec stat -c %Y -- "$1"'
_WATCHED = """exec 3<&0
%s
%s </dev/null &
work=$!
{ while read -r word <&3; do kill -s "$word" $work; done; kill -s CONT $work; kill $work; } >/dev/null 2>&1 &
watch=$!
wait $work
status=$?
kill $watch 2>/dev/null
[ $status = 0 ] || exit $status
%s"""
"""Before, work, after. The work ends when the line is cut: nobody would know what goes on there. The words that come
until then are signals for it."""
_COPY = _WATCHED % (":", 'cp --sparse=always --reflink=auto -- "$1" "$2"', 'exec sync -- "$2"')
_COPY_SLOWLY = _WATCHED % (
    ': >"$2" && truncate -r "$1" -- "$2" || exit',
    'LC_ALL=C qemu-img convert -q -U -n --target-is-zero -S 4k -r "$3" -f raw -O raw -- "$1" "$2"',
    # qemu-img counts in sectors.
    'truncate -r "$1" -- "$2" && exec sync -- "$2"',
)
_REBASE = 'LC_ALL=C exec qemu-img rebase -q -u -f "$1" -b "$2" -F "$3" -- "$4"'
_COMPARE = _WATCHED % (":", 'LC_ALL=C qemu-img compare -U -f "$1" -F "$1" -- "$2" "$3"', ":")
_DIGEST = _WATCHED % (
    ":",
    # The sum is that of what follows the place that dd leaves the file at.
    """sh -c 'exec <"$1" || exit; dd bs=1 skip="$2" count=0 status=none; LC_ALL=C exec b2sum' sh "$1" "$2" """,
    ":",
)
_FILE_SYSTEM = 'stat -f -c %T -- "$1"'
_CLONE = """set -eC
: >"$2"
LC_ALL=C cp --reflink=always -- "$1" "$2" || { rm -f -- "$2"; exit 1; }
chmod --reference="$1" -- "$2"; [ "$(id -u)" != 0 ] || chown --reference="$1" -- "$2"
chmod a-w -- "$2"
exec sync -- "$2" """
_REMOVE = """[ -e "$1" ] || [ -L "$1" ] || exit 0
age=$(($(date +%s) - $(stat -c %Z -- "$1")))
if [ "$age" -gt "$2" ]; then echo older; exit 0; fi
exec rm -- "$1" """
_PUT_AWAY = """set -e
mkdir -p -m 0700 -- "$2"
if [ -e "$3" ] || [ -L "$3" ]; then echo "another image of its name is there" >&2; exit 1; fi
exec mv -n -- "$1" "$3" """


class FilesThere:
    """The images of a host behind ssh."""

    def __init__(self, ssh: Sequence[str]) -> None:
        """Take the words of ssh, as ``ssh_words`` gives them; nothing is asked yet."""
        self._ssh = Ssh(ssh)

    # What is looked at

    def existing(self, paths: Iterable[str]) -> frozenset[str]:
        """Dangling links count: nothing is to be written through them."""
        return self._those(_EXISTING, paths)

    def missing(self, paths: Iterable[str]) -> frozenset[str]:
        """Links that lead nowhere count."""
        return self._those(_MISSING, paths)

    def readable(self, paths: Iterable[str]) -> frozenset[str]:
        """Asked for the user that ssh lets in."""
        return self._those(_READABLE, paths)

    def writable(self, directory: str) -> bool | None:
        """Asked for the user that ssh lets in."""
        return {"1": True, "0": False}.get(self._ssh.run(_WRITABLE, directory).strip())

    def free(self, directory: str) -> int | None:
        """What a user who is not root may use; ``None`` where there is no such directory."""
        room = self._room(directory)
        return room[0] if room else None

    def left_for(self, path: str) -> int | None:
        """Bytes that are left where a file lies, when they are few."""
        room = self._room(os.path.dirname(path))  # noqa: PTH120  the name stays as it is
        return few(*room) if room else None

    def layer(self, layer: Layer) -> LayerFacts:
        """One that cannot be read is known by its name alone."""
        path = layer.local_path
        if path is None:
            return LayerFacts(layer.path)
        try:
            allocated = self._taken(path)
            if layer.format is None or layer.format == "raw":
                return LayerFacts(layer.path, allocated, (), layout=())
            info = self.info(path, layer.format)
        except StepFailed:
            return LayerFacts(layer.path)
        return LayerFacts(layer.path, allocated, info.snapshots, info.backing_file, info.layout)

    def info(self, path: str, format: str) -> ImageInfo:  # noqa: A002  qemu-img's word
        """By the host's qemu-img."""
        found = _info(path, self._ssh.run(_INFO, format, path))
        if isinstance(found, HostError):
            raise found
        return found

    def infos(self, formats: Mapping[str, str]) -> dict[str, ImageInfo | HostError]:
        """By the host's qemu-img, many at a time."""
        found: dict[str, ImageInfo | HostError] = {}
        for form in dict.fromkeys(formats.values()):
            for some in batches(path for path in formats if formats[path] == form):
                said = self._ssh.run(_INFOS, form, *some).split("\0")
                for path, sound, text in zip(some, said[::2], said[1::2], strict=False):
                    found[path] = _info(path, text) if sound == "1" else StepFailed(reason_of(text))
        return found

    def allocated(self, paths: Iterable[str]) -> dict[str, int]:
        """Devices are left out: how much of one is used is not seen from outside."""
        return {p: int(taken) * SECTOR for p, taken in self._each(_ALLOCATED, paths) if taken != "-"}

    def filled(self, volumes: Iterable[str]) -> dict[str, float]:
        """By the host's LVM, which tells it only to root."""
        asked = devices(volumes)
        if not asked:
            return {}
        return parse_filled(self._ssh.run(_FILLED, f"{TIMEOUT_OF_LVM:g}", *QUESTION, *asked), asked)

    # What is done

    def make(self, step: MakeImage) -> None:
        """Libvirt labels both alike when a guest uses them."""
        below = (step.backing or "", step.backing_format or "raw")
        made = (step.path, step.format, str(step.size), *below, step.like or "", str(step.mark))
        said = self._ssh.run(_MAKE, *made, ",".join(step.layout))
        if said.strip():
            raise AlreadyThere(f"{step.path} exists already and is not overwritten.")

    def made(self, step: MakeImage) -> bool:
        """By its time."""
        return self._ssh.run(_MADE, step.path).strip() == str(step.mark)

    def fill(
        self, copies: Sequence[ImageCopy], bandwidth: int, tell: Tell, crawls: Crawl, left: threading.Event
    ) -> int:
        """Several at once, or one after the other where there is a limit; what is to crawl stands still."""
        with ThreadPoolExecutor(1 if bandwidth else AT_ONCE, "copy") as pool:
            filled = [pool.submit(self._fill, copy, bandwidth, tell, crawls, left) for copy in copies]
            return sum(one.result() for one in filled)

    def _fill(self, copy: ImageCopy, bandwidth: int, tell: Tell, crawls: Crawl, left: threading.Event) -> int:
        if left.is_set():
            return 0
        total = self._taken(copy.source)

        stands = False

        def look(words: IO[bytes]) -> None:
            nonlocal stands
            with suppress(HostError):
                tell(copy.path, min(self._taken(copy.path), total), total)
                if crawls(copy.path) is stands:
                    return
                stands = not stands
                # One that has just ended hears nothing more.
                with suppress(BrokenPipeError):
                    os.write(words.fileno(), b"STOP\n" if stands else b"CONT\n")

        limit = (str(bandwidth),) if bandwidth else ()
        self._ssh.run(
            _COPY_SLOWLY if limit else _COPY, copy.source, copy.path, *limit, left=left, meanwhile=look
        )
        return total

    def rename_backing(self, copy: ImageCopy) -> None:
        """The header alone changes."""
        if copy.backing is not None:
            self._ssh.run(_REBASE, copy.format, copy.backing, copy.backing_format or "raw", copy.path)

    def compare(self, one: str, other: str, format: str, left: threading.Event) -> None:  # noqa: A002  qemu-img's word
        """By the host's qemu-img."""
        self._ssh.run(_COMPARE, format, one, other, left=left)

    def digest(self, path: str, skip: int, left: threading.Event) -> str:
        """By the host's b2sum."""
        return self._ssh.run(_DIGEST, path, str(skip), left=left).partition(" ")[0].strip()

    def shares_blocks(self, path: str) -> bool | None:
        """By the name of the file system: nothing is tried there."""
        try:
            kind = self._ssh.run(_FILE_SYSTEM, path).strip()
        except StepFailed:
            return None
        # XFS can if it was made so, and others that are not known here may.
        return {"btrfs": True, "ext2/ext3": False, "tmpfs": False}.get(kind)

    def clone(self, source: str, path: str) -> None:
        """With the owner of the image, and its mode without the right to write."""
        self._ssh.run(_CLONE, source, path)

    def remove(self, path: str, since: float) -> str:
        """The age counts, since the clocks of two machines differ."""
        try:
            said = self._ssh.run(_REMOVE, path, str(int(time.time() - since) + 2))
        except StepFailed as error:
            return f"{path} could not be removed: {error.message}"
        return f"{path} is older than the plan and stays." if said.strip() == "older" else ""

    def put_away(self, path: str, place: str) -> str:
        """Nobody but the owner gets into the directory."""
        try:
            self._ssh.run(_PUT_AWAY, path, os.path.dirname(place), place)  # noqa: PTH120
        except StepFailed as error:
            return f"could not be moved ({error.message.rstrip('.')})"
        return ""

    def ask(self, script: str, *arguments: str) -> str:
        """By the host's shell."""
        return self._ssh.run(script, *arguments)

    def words(self, script: str, *arguments: str) -> tuple[str, ...]:
        """By the host's shell."""
        return self._ssh.words(script, *arguments)

    # What several of them ask

    def _those(self, script: str, paths: Iterable[str]) -> frozenset[str]:
        return frozenset(path for path, answer in self._each(script, paths) if answer == "1")

    def _each(self, script: str, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """What a script answers to each path."""
        for some in batches(paths):
            yield from zip(some, self._ssh.run(script, *some).split(), strict=True)

    def _room(self, directory: str) -> tuple[int, int] | None:
        try:
            block, free, total = map(int, self._ssh.run(_ROOM, directory).split())
        except (StepFailed, ValueError):
            return None
        return block * free, block * total

    def _taken(self, path: str) -> int:
        try:
            return int(self._ssh.run(_TAKEN, path)) * SECTOR
        except ValueError as error:
            message = f"{printable(path, LONGEST)} could not be looked at."
            raise StepFailed(message) from error


def _info(path: str, text: str) -> ImageInfo | StepFailed:
    """What qemu-img says of an image, or that it is no answer."""
    try:
        return parse_image_info(text)
    except InvalidAnswer as error:
        return StepFailed(f"{printable(path, LONGEST)} cannot be read: {error}.")
