"""What a connection's URI says about where the host is."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_local(uri: str) -> bool:
    """Whether the host's files are this machine's files, as far as its URI tells."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme in ("qemu", "qemu+unix") and not parts.netloc
