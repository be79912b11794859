"""What a connection's URI says about where the host is."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit


def is_local(uri: str) -> bool:
    """Whether the host's files are this machine's files, as far as its URI tells."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme in ("qemu", "qemu+unix") and not parts.netloc


def is_embedded(uri: str) -> bool:
    """Whether the hypervisor is inside of this process, where nobody else can open it."""
    try:
        return urlsplit(uri).path == "/embed"
    except ValueError:
        return False


def unattended(uri: str) -> str:
    """The URI with which ssh asks for no password and no host key: the terminal belongs to somebody else."""
    try:
        parts = urlsplit(uri)
        known = "no_tty" in parse_qs(parts.query)
    except ValueError:
        return uri
    if not parts.scheme.endswith("+ssh") or known:
        return uri
    return f"{uri}{'&' if parts.query else '?'}no_tty=1"
