"""The configuration of a hypervisor, as far as it is a word or a number for each name."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"^[ \t]*([a-z0-9_]+)[ \t]*=[ \t]*(?:\"([^\"\n]*)\"|'([^'\n]*)'|([0-9]+))[ \t]*(?:#.*)?$", re.MULTILINE
)


def parse_settings(text: str) -> dict[str, str]:
    """What stands in it, the last one of each name."""
    return {name: quoted or single or number for name, quoted, single, number in _LINE.findall(text)}
