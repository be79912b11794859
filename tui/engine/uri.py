"""What a connection's URI says about where the host is."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


def meant(uri: str | None) -> str:
    """The URI that is meant; empty where libvirt is to choose."""
    return uri or os.environ.get("LIBVIRT_DEFAULT_URI", "")


def is_local(uri: str) -> bool:
    """Whether the host's files are this machine's files, as far as its URI tells."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme in ("qemu", "qemu+unix") and not parts.netloc


def embedded_root(uri: str) -> Path | None:
    """The directory of a hypervisor inside of this process, where nobody else can open it; ``None`` for others."""
    try:
        parts = urlsplit(uri)
        root = parse_qs(parts.query).get("root", [""])[0]
    except ValueError:
        return None
    return Path(root) if parts.path == "/embed" else None


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
