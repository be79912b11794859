"""The fields that several forms have."""

from __future__ import annotations

from tui.app.dialogs.fields import Check, Field
from tui.app.dialogs.limit import limit_text
from tui.app.widgets.entry import Entry


def limit_field(suggested: int = 0) -> Field:
    """How fast something may be copied; begins with so many bytes per second, 0 is no limit."""
    limit = Entry(limit_text(suggested), placeholder="no limit", id="bandwidth")
    return Field("Speed limit", limit, unit="MiB/s")


def synchronous_field() -> Field:
    """Whether a write of the guest is done only once it is at the destination as well."""
    return Field("", Check("synchronous writes: the guest waits", id="synchronous"))


def maps_field() -> Field:
    """Where images lie that lay somewhere else."""
    return Field("Image map", Entry(placeholder="none", id="maps"), classes="-whole")
