"""Commands as a person would type them."""

from __future__ import annotations

import re
import shlex

_OWN = re.compile(
    r"\bvirt-mirror(?= (?:cancel|commit|copy|doctor|jobs|keep|list|move|pivot|pull|resume|snapshot|speed|tune|undo)\b)"
)


def typed(*words: str) -> str:
    """A command line, quoted for a shell."""
    return shlex.join(words)


def addressed(text: str, *uris: str) -> str:
    """A text whose commands of this program name their hosts, so that they work as they stand there."""
    words = [word for uri in uris for word in ("-c", uri)]
    return _OWN.sub(lambda _: typed("virt-mirror", *words), text)


def own(*words: str) -> str:
    """A command line of this program."""
    return typed("virt-mirror", *words)


def snapshot_deletion(domain: str, name: str, *how: str) -> str:
    """What deletes a snapshot, or has it forgotten."""
    return own("snapshot", "delete", domain, name, *how)


def virsh(*words: str) -> str:
    """A virsh command line."""
    return typed("virsh", *words)
