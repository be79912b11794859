"""Constant scripts that are run at a host behind ssh, with what differs as their arguments.

Each argument is quoted for the one shell that ssh puts in between: no name becomes a part of a script.
"""

from __future__ import annotations

import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit

from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.model.text import printable

TIMEOUT = 60.0
"""Seconds for what looks only, a slow handshake included."""
LOOK = 2.0
"""Seconds between two looks at how far a copy is, and at whether anybody still waits."""
PATIENCE = 3
"""Failures of ssh in a row after which it is given up."""
ALIVE = ("-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3")
"""A line that is dead is known to be so within half a minute, also by whoever waits for what takes hours."""
UNREACHED = 255
"""The status with which ssh says that there was no command at all."""

LONGEST = 300
"""Characters of what a host complains of that are shown."""


def ssh_words(uri: str) -> tuple[str, ...] | None:
    """The ssh command by which libvirt reaches a host, up to the host's name; ``None`` for any other way.

    As libvirt's own transport builds it (virNetSocketNewConnectSSH), but that nothing is ever asked, and that a
    dead line does not go unseen.
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
    words += ["-T", "-o", "BatchMode=yes", "-e", "none", *ALIVE]
    words += ["-o", "StrictHostKeyChecking=no"] if query.get("no_verify", "0") != "0" else []
    return (*words, "--", parts.hostname)


def host_of(uri: str) -> str | None:
    """What ssh calls a host; ``None`` where it is not behind ssh."""
    words = ssh_words(uri)
    return words[-1] if words else None


class Ssh:
    """The way to one host."""

    def __init__(self, words: Sequence[str]) -> None:
        """Take the words of the command, as ``ssh_words`` gives them; nothing is run yet."""
        self._words = tuple(words)
        self._broken = 0
        """How often in a row it did not get there."""

    def words(self, script: str, *arguments: str) -> tuple[str, ...]:
        """The command that runs a script there."""
        return (*self._words, " ".join(map(shlex.quote, ("sh", "-c", script, "sh", *arguments))))

    def run(
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
        try:
            process = subprocess.Popen(
                self.words(script, *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            message = f"ssh cannot be started ({printable(str(error), LONGEST)})."
            raise HostError(message) from error
        try:
            answer, complaint = _answer_of(process, left, meanwhile)
        except subprocess.TimeoutExpired as error:
            raise self._unreached(
                f"The host did not answer through ssh within {TIMEOUT:g} seconds."
            ) from error
        reason = reason_of((complaint.strip() or answer).decode(errors="replace"))
        if process.returncode == UNREACHED:
            raise self._unreached(f"ssh to {self._words[-1]} failed: {reason}")
        self._broken = 0
        if process.returncode:
            raise StepFailed(reason)
        return answer.decode(errors="surrogateescape")

    def _unreached(self, message: str) -> HostError:
        """A line that was cut is laid again; a host that lets nobody in is not to be asked for ever."""
        self._broken += 1
        return HostError(message) if self._broken > PATIENCE else NoConnection(message)


def reason_of(complaint: str) -> str:
    """The last of what a command complains of, as a sentence."""
    lines = complaint.strip().splitlines()
    last = printable(lines[-1].removeprefix("qemu-img: "), LONGEST) if lines else "it does not say why"
    return f"{last.rstrip('.')}."


def _answer_of(
    process: subprocess.Popen[bytes],
    left: threading.Event | None,
    meanwhile: Callable[[IO[bytes]], None],
) -> tuple[bytes, bytes]:
    """What a command says, and what it complains of; nothing of either when nobody waits any more.

    Raises:
        TimeoutExpired: when it says nothing for too long.
    """
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
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
