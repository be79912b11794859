"""What ends a command early: an exit status and a sentence."""

from __future__ import annotations

DONE = 0
FAILED = 1
WRONG = 2
REFUSED = 3
UNREACHED = 4
INTERRUPTED = 130


class CommandError(Exception):
    """The command cannot go on."""

    def __init__(self, status: int, *sentences: str) -> None:
        """Keep the exit status and what the user is told, one sentence a line."""
        super().__init__(" ".join(sentences))
        self.status = status
        self.sentences = sentences


class Interrupted(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP came; like its parent it passes every ``except Exception``."""
