"""A way from host to host on which one can listen."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

HERE: Final = "127.0.0.1"
BEYOND: Final = "127.0.0.2"
"""Where the other host listens, at the same port."""


class Relay:
    """Takes connections at a port that was free, and hands on what comes.

    Attributes:
        port: here and beyond.
        sent: all that went to the other side, connection by connection.
    """

    def __init__(self, beyond: Path | None = None) -> None:
        """Listen; what comes goes to the other host, or to a UNIX socket."""
        self._beyond = beyond
        self._server = socket.create_server((HERE, 0))
        self.port: Final[int] = self._server.getsockname()[1]
        self.sent: Final[list[bytearray]] = []
        self._lines: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        """Nothing more to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cut every line."""
        for line in (self._server, *self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        for thread in self._threads:
            thread.join()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="relay")  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _far(self) -> socket.socket:
        if self._beyond is None:
            return socket.create_connection((BEYOND, self.port))
        far = socket.socket(socket.AF_UNIX)
        far.connect(str(self._beyond))
        return far

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = self._far()
                self._lines += (near, far)
                heard = bytearray()
                self.sent.append(heard)
                self._start(_hand_on, near, far, heard)
                self._start(_hand_on, far, near, None)


def _hand_on(one: socket.socket, other: socket.socket, heard: bytearray | None) -> None:
    with suppress(OSError):
        while data := one.recv(1 << 16):
            if heard is not None:
                heard += data
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)
