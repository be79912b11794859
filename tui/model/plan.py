"""The one value that preview, runner, journal, resume, undo and history read."""

from __future__ import annotations

from dataclasses import dataclass

from tui.model.finding import Finding, Severity
from tui.model.journal import Entry
from tui.model.methods import Method
from tui.model.request import Request
from tui.model.steps import Step
from tui.model.storage import Chain


@dataclass(frozen=True, slots=True)
class Redrawn:
    """A disk's chain as it is, and as the plan leaves it."""

    target: str
    now: Chain
    then: Chain
    gone: str = "merged"
    """What becomes of the images that leave the chain, in a word; nothing where they stay as they are."""


@dataclass(frozen=True, slots=True)
class HeldDisk:
    """A disk whose state a snapshot holds: what the guest uses from then on, and what a backup is made from."""

    target: str
    method: str
    disk: str
    """As ``<disk>``."""
    backup: str | None
    """As ``<disk>`` that nobody writes to any more; ``None`` where only the user knows."""


@dataclass(frozen=True, slots=True)
class Offer:
    """By what a disk can be snapshot."""

    target: str
    proposed: Method
    why: str
    """Why that one, as a part of a sentence."""
    unfit: tuple[tuple[Method, str], ...] = ()
    """The methods that it cannot have, and why, without a full stop."""
    place: str = ""
    """Where its overlay or clone goes unless another file is named."""
    volume: str = ""
    """What its snapshot volume is called unless it is named."""
    room: int = 0
    """Bytes of that, unless others are."""

    @property
    def fit(self) -> tuple[Method, ...]:
        """Those that it can have, being left out among them."""
        gone = {method for method, _ in self.unfit}
        return tuple(method for method in Method if method not in gone)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done to a domain, and what speaks for and against it."""

    id: str
    """Short, unique on a host: names the plan's element in the domain's metadata."""
    title: str
    uuid: str
    domain: str
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    journalled: bool = True
    """Whether it is written into the domain first: whatever leaves something behind when it is cut short."""
    closes: tuple[str, ...] = ()
    """Ids of earlier plans in the domain's journal that end when this one is done."""
    facts: tuple[tuple[str, str], ...] = ()
    """What the user decides by, label and value, as ``("from", "/slow/a.qcow2")``."""
    chains: tuple[Redrawn, ...] = ()
    """The chains that come out with other layers."""
    held: tuple[HeldDisk, ...] = ()
    """What a snapshot makes of each disk."""
    offers: tuple[Offer, ...] = ()
    """What else could be chosen for each disk of a snapshot."""
    request: Request | None = None
    """The wish that it was made for."""
    resumed: Entry | None = None
    """The interrupted plan that this goes on with: its own steps, from the one that it had reached."""
    done: bool = False
    """Whether that one had been done before it was cut off, so that the next one is the first that is left."""
    leaves: tuple[str, ...] = ()
    """Images that the guest has left when it is done, and that stay where they are."""
    needs: int | None = None
    """Bytes that it is likely to take where it copies to; ``None`` where that is not known."""
    free: int | None = None
    """Bytes that are free there."""
    memory: int | None = None
    """Bytes of memory that the guest takes at the host that it goes to; ``None`` where it stays."""
    free_memory: int | None = None
    """Bytes of memory that are free at that host."""
    made: float = 0.0
    """Wall clock at which the host was looked at for it, seconds since the epoch."""

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """What forbids it."""
        return tuple(f for f in self.findings if f.severity is Severity.REFUSED)

    @property
    def refused(self) -> bool:
        """Whether a finding forbids it."""
        return bool(self.refusals)

    @property
    def worst(self) -> Severity:
        """That of the finding that matters most."""
        found = {finding.severity for finding in self.findings}
        return next((one for one in (Severity.REFUSED, Severity.WARNING) if one in found), Severity.FINE)

    @property
    def commands(self) -> tuple[str, ...]:
        """The whole plan as a person would type it; nothing of what is refused, which must not be typed either."""
        if self.refused:
            return ()
        return tuple(command for step in self.ahead for command in step.commands)

    @property
    def remedies(self) -> str:
        """What to do about all that forbids it."""
        return " ".join(f.remedy for f in self.refusals if f.remedy)

    @property
    def ahead(self) -> tuple[Step, ...]:
        """The steps that are still to be done."""
        return self.steps[self.resumed.reached + self.done :] if self.resumed else self.steps
