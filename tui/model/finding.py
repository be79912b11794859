"""What a check found: a reason, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from tui.model.command import addressed
from tui.model.figures import Figures


class Severity(StrEnum):
    """How much a finding matters."""

    REFUSED = "refused"
    """The plan must not run."""
    WARNING = "warning"
    """It may run, and the user should know this first."""
    FINE = "fine"
    """Checked, and as it should be."""


class Acceptance(StrEnum):
    """What a user may take upon himself; each is an option of its own, named for what is lost."""

    LOSE_INTERNAL_SNAPSHOTS = "lose-internal-snapshots"
    LOSE_CHECKPOINTS = "lose-checkpoints"
    LOSE_SNAPSHOTS = "lose-snapshots"
    LOSE_PRESENT_STATE = "lose-present-state"
    RISK_FULL_DESTINATION = "risk-full-destination"
    OVERWRITE_IMAGES = "overwrite-images"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check."""

    severity: Severity
    check: str
    """A stable name in kebab case, as ``destination-exists``."""
    reason: str
    """One sentence: what is so."""
    remedy: str = ""
    """One sentence: what to do about it."""
    acceptance: Acceptance | None = None
    """The option that would turn this refusal into a warning."""
    figures: Figures | None = None
    """What was measured."""
    short: str = ""
    """What of the reason is to be said where who did what stands beside it."""

    def addressed(self, *uris: str) -> Finding:
        """The same; commands of this program in it name their hosts."""
        return replace(self, reason=addressed(self.reason, *uris), remedy=addressed(self.remedy, *uris))

    def unless(self, accepted: frozenset[Acceptance]) -> Finding:
        """A refusal, or a warning where the user takes it upon himself."""
        if self.acceptance not in accepted:
            return self
        return replace(self, severity=Severity.WARNING, remedy="", acceptance=None)


def refused(check: str, reason: str, remedy: str = "", acceptance: Acceptance | None = None) -> Finding:
    """A finding that stops the plan."""
    return Finding(Severity.REFUSED, check, reason, remedy, acceptance)


def warning(check: str, reason: str, remedy: str = "") -> Finding:
    """A finding that the user should know."""
    return Finding(Severity.WARNING, check, reason, remedy)


def fine(check: str, reason: str, figures: Figures | None = None, *, short: str = "") -> Finding:
    """A finding that all is well."""
    return Finding(Severity.FINE, check, reason, figures=figures, short=short)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What stops the plan first, then the warnings, then what is fine; each once."""
    order = tuple(Severity)
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: order.index(finding.severity)))


def any_refusal(findings: Iterable[Finding]) -> bool:
    """Whether one of them stops the plan."""
    return any(finding.severity is Severity.REFUSED for finding in findings)
