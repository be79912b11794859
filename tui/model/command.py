"""Commands as a person would type them."""

from __future__ import annotations

import shlex


def typed(*words: str) -> str:
    """A command line, quoted for a shell."""
    return shlex.join(words)


def virsh(*words: str) -> str:
    """A virsh command line."""
    return typed("virsh", *words)
