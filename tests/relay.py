"""A way from host to host on which one can listen, and that can be cut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from tui.model.migrate_request import Transport

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
        self._accepting = self._start(self._accept)

    def __enter__(self) -> Self:
        """Nothing more to do."""
        return self

    def __exit__(self, *_: object) -> None:
        """Cut every line."""
        self.cut()

    def cut(self) -> None:
        """End every line and take no more: each side sees the other one gone."""
        _end(self._server)
        # Whoever was let in at the last moment is among the lines then.
        self._accepting.join()
        for line in self._lines:
            _end(line)
        for thread in self._threads:
            thread.join()

    def _start(self, work: object, *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, name="relay")  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
        return thread

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


def by_way_of(memory: Relay, disks: Relay, **more: object) -> Transport:
    """A migration's way that leads through these."""
    return Transport(
        migrate_uri=f"tcp://{HERE}:{memory.port}",
        disks_port=disks.port,
        listen_address=BEYOND,
        **more,  # type: ignore[arg-type]
    )


def _end(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()


def _hand_on(one: socket.socket, other: socket.socket, heard: bytearray | None) -> None:
    with suppress(OSError):
        while data := one.recv(1 << 16):
            if heard is not None:
                heard += data
            other.sendall(data)
    with suppress(OSError):
        other.shutdown(socket.SHUT_WR)
