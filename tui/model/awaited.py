"""Guests that stand still until the user has done his part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a guest stands still for."""

    domain: str
    targets: tuple[str, ...]
    """The disks whose state the user holds by himself."""
    how: str
    """What keeps it from writing, for people; nothing where it stood still before."""
    limit: float
    """Seconds that he has for it."""
    until: float
    """Wall clock, when they are over."""
    given_up: bool = False
    """Whether he has said that he will not do it."""
