"""Files that go from one host to another through this program; either may be this machine.

tar packs each at the one, holes left out, and unpacks it at the other.
"""

from __future__ import annotations

import os
import posixpath
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TypeVar

from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.files import Files
from tui.engine.filling import Crawl
from tui.engine.room import CRAWL, LOOK_THERE
from tui.engine.ssh import UNREACHED
from tui.model.chain_steps import ImageCopy
from tui.model.text import printable

CHUNK = 1024 * 1024
"""Bytes that are passed on between two looks at whether anybody still waits."""
LOOK = 0.2
"""Seconds between two such looks while nothing comes."""
BREAKS = 6
"""How often a line may break before more has come than ever before."""
_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
"""Seconds before it is tried again, each time twice as long."""
_DYING = 2.0
_DIFFERS = 1
"""The status with which tar says that a file changed while it was read."""
_MAX_REASON = 300

Answer = TypeVar("Answer")
Came = Callable[[str, int], None]
"""Takes the path of an image, and the bytes of it that are there."""

_SEND = """LC_ALL=C exec tar --create --no-unquote --sparse --dereference --format=gnu --file=- --directory="$1" \
-- "./$2" """
_RECEIVE = """set -e
umask 077
if [ ! -f "$1" ] || [ -L "$1" ]; then echo "what was made there is gone" >&2; exit 1; fi
chmod 0600 -- "$1"
LC_ALL=C tar --extract --overwrite --touch --no-same-owner --no-same-permissions --transform="$3" --file=- \
--directory="$2"
chmod u+rw -- "$1"
exec sync -- "$1" """
"""Nobody else may read it before it has the mode of the other one, and its header is written to before that."""
_RIGHTS = "LC_ALL=C exec stat -L -c '%a %U:%G' -- \"$1\""
_SETTLE = """set -e
chmod -- "$2" "$1"
[ "$(id -u)" != 0 ] || chown -- "$3" "$1" 2>/dev/null || :"""
"""Owners go by their names, as far as these are known there; libvirt gives an image its own when a guest uses it."""


def patiently(
    call: Callable[[], Answer],
    broke: Callable[[str], None],
    left: threading.Event,
    came: Callable[[], int] = lambda: 0,
) -> Answer:
    """Call again while a line breaks: what takes hours is not given up for a moment.

    Args:
        call: what is done, and does no harm when it is done again.
        broke: told why, each time but the last.
        left: set when nobody waits any more.
        came: how far it was at the most.

    Raises:
        StepFailed: when it breaks again and again, and comes no further.
    """
    breaks, furthest = 0, came()
    while True:
        try:
            return call()
        except NoConnection as error:
            if came() > furthest:
                breaks, furthest = 0, came()
            if breaks == BREAKS:
                raise StepFailed(error.message) from error
            broke(error.message)
            left.wait(min(_PAUSE * 2**breaks, _LONGEST_PAUSE))
            breaks += 1


@contextmanager
def _crawling(crawls: Crawl, path: str) -> Iterator[Callable[[], bool]]:
    """What was last answered; it is asked aside, so that an answer which is late, or none, holds up nothing."""
    ended, slow = threading.Event(), threading.Event()

    def look() -> None:
        while not ended.is_set():
            with suppress(HostError):
                (slow.set if crawls(path) else slow.clear)()
            ended.wait(LOOK_THERE)

    threading.Thread(target=look, name="room", daemon=True).start()
    try:
        yield slow.is_set
    finally:
        ended.set()


class Carrier:
    """Takes files from one host to the other."""

    def __init__(
        self, here: Files, there: Files, *, bandwidth: int, tell: Came, crawls: Crawl, left: threading.Event
    ) -> None:
        """Take none yet.

        Args:
            here: where they are.
            there: where they go.
            bandwidth: limit in bytes per second; 0 is none.
            tell: told now and then how far one is.
            crawls: asked now and then.
            left: set when nobody waits any more.
        """
        self._here, self._there = here, there
        self._bandwidth, self._tell, self._crawls, self._left = bandwidth, tell, crawls, left
        self._furthest: dict[str, int] = {}

    def furthest(self, copy: ImageCopy) -> int:
        """Bytes of it that came at the most, however often its line broke."""
        return self._furthest.get(copy.path, 0)

    def settle(self, copy: ImageCopy) -> None:
        """Give it the mode of the other one, and its owner."""
        mode, _, owner = self._here.ask(_RIGHTS, copy.source).strip().partition(" ")
        self._there.ask(_SETTLE, copy.path, mode, owner)

    def carry(self, copy: ImageCopy) -> None:
        """Write a file over the one that was made for it; early, when nobody waits any more.

        Raises:
            StepFailed: when it cannot be read or written.
            NoConnection: when the line breaks.
        """
        directory, name = posixpath.split(copy.source)
        place, new = posixpath.split(copy.path)
        receive = self._there.words(_RECEIVE, copy.path, place, f"s,.*,{_replacement(new)},")
        with (
            _running(self._here.words(_SEND, directory, name), stdout=True) as sender,
            _running(receive, stdin=True) as receiver,
            _crawling(self._crawls, copy.path) as slow,
        ):
            broken = not self._pass_on(copy, sender.pipe, receiver.pipe, slow)
            with suppress(BrokenPipeError):
                receiver.pipe.close()
            if broken:
                sender.pipe.close()
            for process in (receiver, sender):
                while not process.ended(LOOK):
                    if self._left.is_set():
                        return
            if self._left.is_set():
                return
            # Whoever's partner is gone fails too, and knows nothing of why. That the owner of a file has changed, as
            # when another guest starts on it, is a difference to tar; what it holds is compared afterwards.
            sound = {sender: (0, _DIFFERS), receiver: (0,)}
            ended = (receiver,) if broken else (sender, receiver)
            failed = next((one for one in ended if one.status not in sound[one]), None)
            if failed is not None or broken:
                raise (failed or receiver).explained(copy)

    def _pass_on(
        self, copy: ImageCopy, source: IO[bytes], target: IO[bytes], slow: Callable[[], bool]
    ) -> bool:
        """Pass all on that comes; whether it was taken."""
        began, amount = time.monotonic(), 0
        os.set_blocking(target.fileno(), False)
        while not self._left.is_set():
            if not select.select([source], [], [], LOOK)[0]:
                continue
            data = os.read(source.fileno(), CHUNK)
            if not data:
                return True
            try:
                pass_on(target, data, self._left)
            except BrokenPipeError:
                return False
            amount += len(data)
            self._furthest[copy.path] = max(self.furthest(copy), amount)
            self._tell(copy.path, amount)
            ahead = amount / self._bandwidth - (time.monotonic() - began) if self._bandwidth else 0.0
            if slow():
                ahead = max(ahead, len(data) / CRAWL)
            if ahead > 0:
                self._left.wait(ahead)
        return True


def pass_on(target: IO[bytes], data: bytes, left: threading.Event) -> None:
    """Write it all to a pipe that does not block, unless nobody waits any more."""
    rest = memoryview(data)
    while rest and not left.is_set():
        if select.select([], [target], [], LOOK)[1]:
            rest = rest[os.write(target.fileno(), rest) :]


def _replacement(name: str) -> str:
    """A name for tar to give, as sed takes it."""
    for special in ("\\", "&", ","):
        name = name.replace(special, f"\\{special}")
    return name


class _Process:
    """A command at one of the hosts, and the one pipe to it."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes], complaints: IO[bytes]) -> None:
        self._process = process
        self.pipe = pipe
        self._complaints = complaints

    @property
    def status(self) -> int | None:
        """How it has ended."""
        return self._process.returncode

    def ended(self, timeout: float) -> bool:
        """Whether it has, or does within so many seconds."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)
        return self._process.returncode is not None

    def explained(self, copy: ImageCopy) -> StepFailed | NoConnection:
        """Why it has failed."""
        self._complaints.seek(0)
        lines = self._complaints.read(65536).decode(errors="replace").strip().splitlines()
        # tar says first what was wrong, and then that something was.
        reason = printable(lines[0] if lines else "it does not say why", _MAX_REASON).rstrip(".")
        if self.status == UNREACHED:
            return NoConnection(f"The line broke: {reason}.")
        return StepFailed(
            f"{printable(copy.source)} could not be copied to {printable(copy.path)}: {reason}."
        )


@contextmanager
def _running(words: Sequence[str], *, stdin: bool = False, stdout: bool = False) -> Iterator[_Process]:
    """A command with a pipe to or from it, which does not outlive this."""
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE if stdout else subprocess.DEVNULL,
                stderr=complaints,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            message = f"{words[0]} cannot be started ({printable(str(error), _MAX_REASON)})."
            raise StepFailed(message) from error
        pipe = next(pipe for pipe in (process.stdin, process.stdout) if pipe is not None)
        try:
            yield _Process(process, pipe, complaints)
        finally:
            with suppress(BrokenPipeError):
                pipe.close()
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            # One that is stuck in the kernel does not even die: it is left to itself.
            with suppress(subprocess.TimeoutExpired):
                process.wait(_DYING)
