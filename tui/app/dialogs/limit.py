"""The limit of a job as people write it: MiB per second."""

from __future__ import annotations

from tui.model.quantity import parse_size

MIB = 1024 * 1024
_LARGEST = 2**63 - 1


def parse_limit(text: str) -> int:
    """Bytes per second from MiB/s, or from a number with a unit of its own; nothing at all is no limit, 0.

    Raises:
        ValueError: with a sentence, when it is none.
    """
    text = text.strip()
    if not text:
        return 0
    try:
        value = parse_size(text.removesuffix("/s"))
    except ValueError as error:
        message = "A limit is a whole number of MiB/s, or one with a unit such as 800K or 2G."
        raise ValueError(message) from error
    if text.isdecimal():
        value *= MIB
    if value > _LARGEST:
        message = "This limit is larger than libvirt can count."
        raise ValueError(message)
    return value


def limit_text(limit: int) -> str:
    """What ``parse_limit`` would read as this limit; empty for none."""
    if not limit:
        return ""
    if limit % MIB == 0:
        return str(limit // MIB)
    return f"{limit // 1024}K" if limit % 1024 == 0 else f"{limit}B"
