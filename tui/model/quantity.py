"""Sizes, rates and times as people read and write them."""

from __future__ import annotations

import math
import re
import time

UNKNOWN = "\N{EN DASH}"
"""What stands for a number that is not known: never zero, never 100 %."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

_SIZE = re.compile(r"\s*([0-9]+)\s*([a-z]*)\s*", re.IGNORECASE)
_BYTES = ("", "b", "byte", "bytes")
_POWERS = "kmgtpe"
_LARGEST = 2**63 - 1


def size(n: int | None) -> str:
    """Bytes with a binary unit and three significant digits, as ``25.1 GiB``."""
    if n is None:
        return UNKNOWN
    power = _power(abs(n))
    text = _digits(abs(n), power)
    if text == "1024" and power + 1 < len(_UNITS):
        power, text = power + 1, "1"
    return f"{'-' if n < 0 else ''}{text} {_UNITS[power]}"


def progress_size(done: int | None, total: int | None) -> str:
    """How much of how much in one unit, as ``25.1/40 GiB``. What is left never rounds to nothing."""
    if done is None or total is None or total <= 1:
        return UNKNOWN
    whole = size(total)
    power = _UNITS.index(whole.rpartition(" ")[2])
    part = _digits(max(done, 0), power, floor=done < total)
    return f"{part}/{whole}"


def rate(bytes_per_second: float | None) -> str:
    """Bytes per second, as ``212 MiB/s``."""
    if bytes_per_second is None or not math.isfinite(bytes_per_second):
        return UNKNOWN
    return f"{size(round(bytes_per_second))}/s"


def duration(seconds: float | None) -> str:
    """A span of time in its two largest units, as ``2m10s``."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return UNKNOWN
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02d}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02d}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR:02d}h"


def fine_duration(seconds: float | None) -> str:
    """A span of time that may be short, as ``41 ms`` or ``2.3 s``; a longer one as any other."""
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds < _MINUTE:
        return duration(seconds)
    milliseconds = int(seconds * 1000)
    return f"{milliseconds} ms" if seconds < 1 else f"{milliseconds // 100 / 10:.1f} s"


def moment(seconds: float) -> str:
    """A point in time where we are, from seconds since the epoch, as ``2026-05-01 14:02:11``."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        # No clock has ever shown this.
        return f"{seconds:g}"


def moment_name(seconds: float) -> str:
    """The same as a name for what was made then, as ``2026-05-01-140211``."""
    return time.strftime("%Y-%m-%d-%H%M%S", time.localtime(seconds))


def floor_percent(done: int | None, total: int | None) -> int | None:
    """The percentage rounded down, so that 100 means all of it; ``None`` where there is no real total.

    A total of 0 or 1 is what libvirt says of a job that it knows nothing of yet.
    """
    if done is None or total is None or total <= 1:
        return None
    return max(0, min(100, 100 * done // total))


def percent_so_far(done: int | None, total: int | None) -> int | None:
    """The same of what is on its way: never 100, since the last byte is not yet the end of it."""
    percent = floor_percent(done, total)
    return None if percent is None else min(99, percent)


def parse_size(text: str) -> int:
    """Bytes from what virsh takes as a scaled integer: ``40G`` and ``1GiB`` count in 1024, ``64kB`` in 1000.

    Raises:
        ValueError: with a sentence, when it is none.
    """
    found = _SIZE.fullmatch(text)
    factor = _factor(found[2].lower()) if found and text.isascii() else None
    if not found or factor is None:
        raise ValueError("a size is a whole number of bytes, or one with a unit such as 64K, 40G or 1GiB")
    digits = found[1].lstrip("0") or "0"
    value = int(digits) * factor if len(digits) <= len(str(_LARGEST)) else _LARGEST + 1
    if value > _LARGEST:
        raise ValueError("this size is larger than libvirt can count")
    return value


def _factor(unit: str) -> int | None:
    if unit in _BYTES:
        return 1
    power = _POWERS.find(unit[0]) + 1
    if not power:
        return None
    return {"": 1024**power, "ib": 1024**power, "b": 1000**power}.get(unit[1:])


def _power(n: int) -> int:
    return min(max(n.bit_length() - 1, 0) // 10, len(_UNITS) - 1)


def _digits(n: int, power: int, *, floor: bool = False) -> str:
    """``n`` in units of 1024 to that power, three significant digits. Integers only: floats lose bytes."""
    unit = 1024**power
    decimals = 0 if not power or n >= 100 * unit else 1 if n >= 10 * unit else 2
    scaled = n * 10**decimals // unit if floor else (2 * n * 10**decimals + unit) // (2 * unit)
    if not decimals:
        return str(scaled)
    whole, part = divmod(scaled, 10**decimals)
    return f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".")
