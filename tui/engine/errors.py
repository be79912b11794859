"""What can go wrong between this program and a host, each as one sentence for people.

HostError              the host, or the way to it, said no
├── NoConnection       there is no connection now
│   └── AccessDenied   the host is there, and does not let us in
├── ReadOnlyError      a write was asked for on a read-only connection
└── StepFailed         a step of a plan did not do what it should
    ├── AlreadyThere   since what it should make is there, made by somebody else
    └── JobCancelled   since somebody cancelled the job that it waits for
"""

from __future__ import annotations

from tui.model.finding import Finding


class HostError(Exception):
    """A sentence for the user, and libvirt's code where libvirt said it."""

    def __init__(self, message: str, *, code: int | None = None, remedy: str = "") -> None:
        """Keep what is said: ``message`` is a whole sentence, ``remedy`` another or empty."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.remedy = remedy
        self.found: tuple[Finding, ...] = ()
        """What was found until then, all the same."""

    def __str__(self) -> str:
        """The sentences in one line, with the code that can be searched for."""
        sentence = self.message
        if self.code is not None:
            sentence = f"{sentence.rstrip('.')} (libvirt error {self.code})."
        return f"{sentence} {self.remedy}".rstrip()


class NoConnection(HostError):
    """The host cannot be reached."""


class AccessDenied(NoConnection):
    """The host does not let us in: to ask again and again would lock the user out."""


class ReadOnlyError(HostError):
    """Writes are not allowed here."""


class StepFailed(HostError):
    """The host did not do it, or did something else."""


class AlreadyThere(StepFailed):
    """What a step should make is there, and is not its own to take back."""


class JobCancelled(StepFailed):
    """Somebody cancelled what a step waits for: nothing went wrong."""
