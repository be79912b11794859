"""The one way by which text from a host comes before a person's eyes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# Others (control, format, surrogate, private use, unassigned) and line and paragraph separators: they move
# the cursor, reverse the reading order, hide, or show nothing.
_UNSHOWABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

# Letters and marks by their category, yet they are drawn as nothing or as blanks.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    *(chr(code) for code in range(0xFE00, 0xFE10)),
    *(chr(code) for code in range(0xE0100, 0xE01F0)),
}

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

_ELLIPSIS = "…"


def printable(text: str, limit: int | None = None) -> str:
    r"""One line that can be shown as it stands: nothing moves the cursor, reverses the order or stays unseen.

    What cannot be shown becomes an escape such as ``\x1b`` or ``\u202e``. All else is kept: square brackets
    are the business of the screen's markup.

    Args:
        text: what the host says.
        limit: the most characters that come back; what is too long loses its middle.
    """
    if limit is not None and limit >= 0 and len(text) > 2 * limit + 2:
        # Escapes only ever lengthen, so what lies deep inside cannot be seen: spare the work on megabytes.
        text = text[: limit + 1] + text[len(text) - limit - 1 :]
    if not text.isascii() or not text.isprintable():
        text = "".join(_shown(character) for character in text)
    if limit is None or len(text) <= limit:
        return text
    if limit < 1:
        return ""
    tail = (limit - 1) // 2
    head = limit - 1 - tail
    return text[:head] + _ELLIPSIS + (text[-tail:] if tail else "")


def counted(number: int, one: str, many: str = "") -> str:
    """So many of something, as ``1 layer`` and ``3 layers``; ``many`` where that is more than an s at the end."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def listed(names: Iterable[str], most: int, limit: int | None = None) -> str:
    """Names that can be shown, with commas between them; of more than ``most`` the first, and how many are left.

    Args:
        names: what the host calls things.
        most: how many are named.
        limit: the most characters of each, as for ``printable``.
    """
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(printable(name, limit) for name in known[:most]) + more


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _UNSHOWABLE and character not in _INVISIBLE:
        return character
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 1 << 8:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"
