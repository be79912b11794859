"""How full the snapshot volumes of LVM are: one that is full has lost the state that it held."""

from __future__ import annotations

from collections.abc import Iterable

QUESTION = ("lvs", "--noheadings", "-o", "lv_path,lv_attr,data_percent")
"""What is asked of LVM, the devices behind it."""
NEARLY = 0.8
"""From here on it is told as a warning."""
FULL = "full: it holds the state no more"

_TYPE, _STATE = 0, 4
"""Places in LVM's attributes of a volume."""
_SNAPSHOTS = ("s", "S")
_INVALID = ("I", "S")


def parse_filled(answer: str, volumes: Iterable[str]) -> dict[str, float]:
    """The part of each of these volumes that is in use, as LVM tells it; whatever it does not tell is left out."""
    asked, found = frozenset(volumes), dict[str, float]()
    for line in answer.splitlines():
        path, attributes, percent, *_ = [*line.split(), "", "", ""]
        if path not in asked or attributes[_TYPE : _TYPE + 1] not in _SNAPSHOTS:
            continue
        if attributes[_STATE : _STATE + 1] in _INVALID:
            found[path] = 1.0
            continue
        try:
            part = round(float(percent) / 100, 4)
        except ValueError:
            continue
        if 0 <= part <= 1:
            found[path] = part
    return found


def fill_words(part: float) -> str:
    """Whole percents, rounded down, and what is to be said of them."""
    if part >= 1:
        return FULL
    percent = f"{round(part * 10_000) // 100} %"
    return f"{percent}, nearly full" if part >= NEARLY else percent
