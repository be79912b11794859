"""The images of a host behind ssh, handled there by its own tools.

Every command is a constant script that takes what differs as arguments, each quoted for the one shell that ssh
puts in between: no name becomes a part of a script.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit

from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.filling import Crawl, Tell
from tui.engine.room import SECTOR, few
from tui.model.chain_steps import ImageCopy, MakeImage
from tui.model.facts import LayerFacts
from tui.model.image import ImageInfo, InvalidAnswer, parse_image_info
from tui.model.storage import Layer
from tui.model.text import printable

TIMEOUT = 60.0
"""Seconds for what looks only, a slow handshake included."""
LOOK = 2.0
"""Seconds between two looks at how far a copy is, and at whether anybody still waits."""
AT_ONCE = 3
"""Copies under way; servers are seldom set up for more than ten sessions of one user."""
PATIENCE = 3
"""Failures of ssh in a row after which it is given up."""
UNREACHED = 255
"""The status with which ssh says that there was no command at all."""

_MAX_REASON = 300
_AT_A_TIME = 200
"""Paths that one command line takes."""

_EXISTING = 'for p; do if [ -e "$p" ] || [ -L "$p" ]; then echo 1; else echo 0; fi; done'
_READABLE = 'for p; do if [ -r "$p" ]; then echo 1; else echo 0; fi; done'
_WRITABLE = """if [ -d "$1" ] && [ -w "$1" ] && [ -x "$1" ]; then echo 1
elif [ -e "$1" ] || [ -L "$1" ]; then echo 0
fi"""
_ROOM = 'stat -f -c "%S %a %b" -- "$1"'
_TAKEN = 'stat -c %b -- "$1"'
_ALLOCATED = 'for p; do if [ -f "$p" ]; then stat -L -c %b -- "$p" || echo -; else echo -; fi; done'
_INFO = 'LC_ALL=C exec qemu-img info --output=json -U -f "$1" -- "$2"'
_MAKE = """set -e
if [ -e "$1" ] || [ -L "$1" ]; then echo "it exists already" >&2; exit 1; fi
if [ -n "$4" ]
then LC_ALL=C qemu-img create -q -f "$2" -u -b "$4" -F "$5" -- "$1" "$3"
else LC_ALL=C qemu-img create -q -f "$2" -- "$1" "$3"
fi
if [ -n "$6" ]
then chmod --reference="$6" -- "$1"; [ "$(id -u)" != 0 ] || chown --reference="$6" -- "$1"
fi"""
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


def ssh_words(uri: str) -> tuple[str, ...] | None:
    """The ssh command by which libvirt reaches a host, up to the host's name; ``None`` for any other way.

    As libvirt's own transport builds it (virNetSocketNewConnectSSH), but that nothing is ever asked.
    """
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme != "qemu+ssh" or not parts.hostname:
        return None
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    words = [query.get("command", "ssh")]
    words += ["-p", str(port)] if port else []
    words += ["-l", unquote(parts.username)] if parts.username else []
    words += ["-i", query["keyfile"]] if "keyfile" in query else []
    words += ["-T", "-o", "BatchMode=yes", "-e", "none"]
    words += ["-o", "StrictHostKeyChecking=no"] if query.get("no_verify", "0") != "0" else []
    return (*words, "--", parts.hostname)


class FilesThere:
    """The images of a host behind ssh."""

    def __init__(self, ssh: Sequence[str]) -> None:
        """Take the words of ssh, as ``ssh_words`` gives them; nothing is asked yet."""
        self._ssh = tuple(ssh)
        self._broken = 0
        """How often in a row ssh did not get there."""

    # What is looked at

    def existing(self, paths: Iterable[str]) -> frozenset[str]:
        """Dangling links count: nothing is to be written through them."""
        return self._those(_EXISTING, paths)

    def readable(self, paths: Iterable[str]) -> frozenset[str]:
        """Asked for the user that ssh lets in."""
        return self._those(_READABLE, paths)

    def writable(self, directory: str) -> bool | None:
        """Asked for the user that ssh lets in."""
        return {"1": True, "0": False}.get(self._run(_WRITABLE, directory).strip())

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
                return LayerFacts(layer.path, allocated, ())
            info = self.info(path, layer.format)
        except StepFailed:
            return LayerFacts(layer.path)
        return LayerFacts(layer.path, allocated, info.snapshots, info.backing_file)

    def info(self, path: str, format: str) -> ImageInfo:  # noqa: A002  qemu-img's word
        """By the host's qemu-img."""
        try:
            return parse_image_info(self._run(_INFO, format, path))
        except InvalidAnswer as error:
            message = f"{printable(path, _MAX_REASON)} cannot be read: {error}."
            raise StepFailed(message) from error

    def allocated(self, paths: Iterable[str]) -> dict[str, int]:
        """Devices are left out: how much of one is used is not seen from outside."""
        return {p: int(taken) * SECTOR for p, taken in self._each(_ALLOCATED, paths) if taken != "-"}

    # What is done

    def make(self, step: MakeImage) -> None:
        """Libvirt labels both alike when a guest uses them."""
        below = (step.backing or "", step.backing_format or "raw")
        self._run(_MAKE, step.path, step.format, str(step.size), *below, step.like or "")

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
        self._run(_COPY_SLOWLY if limit else _COPY, copy.source, copy.path, *limit, left=left, meanwhile=look)
        return total

    def rename_backing(self, copy: ImageCopy) -> None:
        """The header alone changes."""
        if copy.backing is not None:
            self._run(_REBASE, copy.format, copy.backing, copy.backing_format or "raw", copy.path)

    def compare(self, one: str, other: str, format: str, left: threading.Event) -> None:  # noqa: A002  qemu-img's word
        """By the host's qemu-img."""
        self._run(_COMPARE, format, one, other, left=left)

    def shares_blocks(self, path: str) -> bool | None:
        """By the name of the file system: nothing is tried there."""
        try:
            kind = self._run(_FILE_SYSTEM, path).strip()
        except StepFailed:
            return None
        # XFS can if it was made so, and others that are not known here may.
        return {"btrfs": True, "ext2/ext3": False, "tmpfs": False}.get(kind)

    def clone(self, source: str, path: str) -> None:
        """With the owner of the image, and its mode without the right to write."""
        self._run(_CLONE, source, path)

    def remove(self, path: str, since: float) -> str:
        """The age counts, since the clocks of two machines differ."""
        try:
            said = self._run(_REMOVE, path, str(int(time.time() - since) + 2))
        except StepFailed as error:
            return f"{path} could not be removed: {error.message}"
        return f"{path} is older than the plan and stays." if said.strip() == "older" else ""

    def put_away(self, path: str, place: str) -> str:
        """Nobody but the owner gets into the directory."""
        try:
            self._run(_PUT_AWAY, path, os.path.dirname(place), place)  # noqa: PTH120
        except StepFailed as error:
            return f"could not be moved ({error.message.rstrip('.')})"
        return ""

    # ssh

    def _those(self, script: str, paths: Iterable[str]) -> frozenset[str]:
        return frozenset(path for path, answer in self._each(script, paths) if answer == "1")

    def _each(self, script: str, paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """What a script answers to each path."""
        asked = tuple(dict.fromkeys(paths))
        for start in range(0, len(asked), _AT_A_TIME):
            some = asked[start : start + _AT_A_TIME]
            yield from zip(some, self._run(script, *some).split(), strict=True)

    def _room(self, directory: str) -> tuple[int, int] | None:
        try:
            block, free, total = map(int, self._run(_ROOM, directory).split())
        except (StepFailed, ValueError):
            return None
        return block * free, block * total

    def _taken(self, path: str) -> int:
        try:
            return int(self._run(_TAKEN, path)) * SECTOR
        except ValueError as error:
            message = f"{printable(path, _MAX_REASON)} could not be looked at."
            raise StepFailed(message) from error

    def _run(
        self,
        script: str,
        *arguments: str,
        left: threading.Event | None = None,
        meanwhile: Callable[[IO[bytes]], None] = lambda _words: None,
    ) -> str:
        """Run a script there and return what it says; early, with nothing, when ``left`` is set.

        Raises:
            StepFailed: it failed; the message is what it complained of.
            NoConnection: ssh did not get there.
            HostError: nor did it the last times.
        """
        words = ["sh", "-c", script, "sh", *arguments]
        try:
            process = subprocess.Popen(
                [*self._ssh, " ".join(map(shlex.quote, words))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            message = f"ssh cannot be started ({printable(str(error), _MAX_REASON)})."
            raise HostError(message) from error
        answer, complaint = _answer_of(process, left, meanwhile)
        lines = (complaint.strip() or answer).decode(errors="replace").strip().splitlines()
        reason = (
            printable(lines[-1].removeprefix("qemu-img: "), _MAX_REASON) if lines else "it does not say why"
        )
        if process.returncode == UNREACHED:
            self._broken += 1
            message = f"ssh to {self._ssh[-1]} failed: {reason.rstrip('.')}."
            # A line that was cut is laid again; a host that lets nobody in is not to be asked for ever.
            raise HostError(message) if self._broken > PATIENCE else NoConnection(message)
        self._broken = 0
        if process.returncode:
            message = f"{reason.rstrip('.')}."
            raise StepFailed(message)
        return answer.decode(errors="surrogateescape")


def _answer_of(
    process: subprocess.Popen[bytes],
    left: threading.Event | None,
    meanwhile: Callable[[IO[bytes]], None],
) -> tuple[bytes, bytes]:
    """What a command says, and what it complains of; nothing of either when nobody waits any more."""
    try:
        if left is None:
            return process.communicate(timeout=TIMEOUT)
        with process:
            while True:
                # Its standard input stays open all the time: its end is the sign to stop.
                with suppress(subprocess.TimeoutExpired):
                    process.wait(LOOK)
                    break
                if left.is_set():
                    process.kill()
                    process.wait()
                    process.returncode = 0
                    return b"", b""
                if process.stdin is not None:
                    meanwhile(process.stdin)
            answer, complaint = (pipe.read() if pipe else b"" for pipe in (process.stdout, process.stderr))
            return answer, complaint
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        message = f"The host did not answer through ssh within {TIMEOUT:g} seconds."
        raise HostError(message) from error
