"""Where this user's programs keep what they remember."""

from __future__ import annotations

import os
from pathlib import Path


def state_directory() -> Path:
    """The directory, which need not be there yet; nobody else may write to it."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "virt-mirror"
