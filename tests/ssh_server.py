"""An SSH server on a loopback port for tests: the user's own ssh and libvirt talk to it as to any other host's.

It knows one key, and runs each command as a child of this process. Nothing is read from or written to the
user's own ~/.ssh: the client is ssh behind a script that gives it a configuration of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import asyncssh

_NETCAT = """\
#!{python}
import os, socket, sys, threading
if "-U" not in sys.argv:  # libvirt asks first whether -q is understood
    sys.exit("-q: no such option")
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[-1])
def send():
    while data := os.read(0, 65536):
        line.sendall(data)
    line.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while data := line.recv(65536):
    os.write(1, data)
"""


class SshServer:
    """Serves until ``stop``.

    Attributes:
        port: on 127.0.0.1.
        connections: how many clients were let in so far.
    """

    def __init__(self, directory: Path) -> None:
        """Make keys and scripts in ``directory``, and listen."""
        self.directory = directory
        self.connections = 0
        for name in ("host", "user", "stranger"):
            key = asyncssh.generate_private_key("ssh-ed25519")
            key.write_private_key(str(directory / name))
            key.write_public_key(str(directory / f"{name}.pub"))
            (directory / name).chmod(0o600)
        self._script("nc", _NETCAT.format(python=sys.executable))
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncssh.SSHServerConnection] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh-server", daemon=True)
        self._thread.start()
        self._acceptor = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._acceptor.get_port()
        host = (directory / "host.pub").read_text()
        (directory / "known_hosts").write_text(f"[127.0.0.1]:{self.port},[localhost]:{self.port} {host}")
        (directory / "no_hosts").write_text("")

    def uri(self, socket: Path, *, key: str = "user", known_hosts: str = "known_hosts") -> str:
        """How libvirt reaches the daemon behind ``socket``; other keys and known hosts make that fail."""
        options = {
            "UserKnownHostsFile": self.directory / known_hosts,
            "GlobalKnownHostsFile": "/dev/null",
            "IdentityFile": self.directory / key,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "LogLevel": "ERROR",
        }
        words = " ".join(f"-o {name}={value}" for name, value in options.items())
        command = self._script(f"ssh-{key}-{known_hosts}", f'#!/bin/sh\nexec ssh -F none {words} "$@"\n')
        query = {"socket": str(socket), "command": str(command), "netcat": str(self.directory / "nc")}
        return f"qemu+ssh://tester@127.0.0.1:{self.port}/system?{urlencode(query, safe='/')}"

    def hang_up(self) -> None:
        """Break all connections, as a network does; new ones are served."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result()

    def stop(self) -> None:
        """Hang up and listen no more."""
        self.hang_up()
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _script(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o700)
        return path

    async def _listen(self) -> asyncssh.SSHAcceptor:
        server = self

        class Server(asyncssh.SSHServer):
            def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
                self._conn = conn
                server._open.add(conn)  # one thing in two classes, as asyncssh wants it

            def auth_completed(self) -> None:
                server.connections += 1

            def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
                server._open.discard(self._conn)

        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Server,
            server_host_keys=[str(self.directory / "host")],
            authorized_client_keys=str(self.directory / "user.pub"),
            password_auth=False,
            kbdint_auth=False,
            process_factory=_run,
            encoding=None,
        )

    async def _hang_up(self) -> None:
        for connection in list(self._open):
            connection.abort()
            await connection.wait_closed()

    async def _close(self) -> None:
        self._acceptor.close()
        await self._acceptor.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others) if others else None


async def _run(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """Run a client's command, wired to the client, and end it when the client is gone."""
    ends = (*process.get_extra_info("peername")[:2], *process.get_extra_info("sockname")[:2])
    environment = {**os.environ, "LC_ALL": "C", "SSH_CONNECTION": " ".join(map(str, ends))}
    child = await asyncio.create_subprocess_shell(
        process.command or "exit 1", stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    there = [_pump(child.stdout, process.stdout), _pump(child.stderr, process.stderr)]
    back = asyncio.create_task(_pump(process.stdin, child.stdin))
    back.add_done_callback(lambda _: child.stdin.close() if child.stdin else None)
    await asyncio.gather(*there)
    process.exit(await child.wait())
    back.cancel()


async def _pump(source: Any, sink: Any) -> None:
    with suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
