"""Many definitions in few characters, for a journal: a hundred snapshots of one domain differ in little."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable

MAX_SIZE = 64 * 1024 * 1024
"""Bytes when unpacked; thousands of definitions fit in."""


def packed(texts: Iterable[str]) -> str:
    """Write them."""
    return base64.b64encode(zlib.compress(json.dumps(list(texts)).encode(), 9)).decode()


def unpacked(text: str) -> tuple[str, ...]:
    """Read them back.

    Raises:
        ValueError: when this is none of ``packed``'s, or would be too much.
    """
    reader = zlib.decompressobj()
    message = "these definitions are damaged, or too large"
    try:
        found = json.loads(reader.decompress(base64.b64decode(text, validate=True), MAX_SIZE))
    except (zlib.error, ValueError) as error:
        raise ValueError(message) from error
    if not reader.eof:
        raise ValueError(message)
    return tuple(map(str, found))
