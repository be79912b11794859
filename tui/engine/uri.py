"""What a connection's URI says about where the host is."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_local(uri: str) -> bool:
    """Whether the host's files are this machine's: no transport but a socket of this machine, no server."""
    parts = urlsplit(uri)
    _driver, _, transport = parts.scheme.partition("+")
    return transport in ("", "unix") and not parts.netloc
