"""The lines that people read: domains and chains, jobs, plans and findings. Text from hosts is made printable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tui.engine.control import Control
from tui.model.abandoned import advice, heartbeat_age
from tui.model.command import addressed
from tui.model.disk import Disk
from tui.model.domain import Domain
from tui.model.finding import Finding, Severity
from tui.model.forecast import forecast
from tui.model.headway import Below, below
from tui.model.host import HostState
from tui.model.job import Job, Phase
from tui.model.journal import Entry
from tui.model.migration import Migration
from tui.model.plan import Plan
from tui.model.quantity import duration, progress_size, rate
from tui.model.storage import Chain, Layer
from tui.model.text import counted, printable


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that are drawn; every one stands beside the word that says the same."""

    running: str = "●"
    stopped: str = "○"
    mirror: str = "⇉"
    fine: str = "✓"
    warning: str = "!"
    refused: str = "✗"
    full: str = "█"
    rest: str = "░"
    dash: str = "–"

    def of(self, severity: Severity) -> str:
        """The glyph of a finding."""
        return {
            Severity.FINE: self.fine,
            Severity.WARNING: self.warning,
            Severity.REFUSED: self.refused,
        }[severity]


UNICODE = Glyphs()
ASCII = Glyphs(
    running="*", stopped="-", mirror="=>", fine="ok", warning="!", refused="x", full="#", rest=".", dash="-"
)


def glyphs(*, ascii_only: bool) -> Glyphs:
    """The set to draw with."""
    return ASCII if ascii_only else UNICODE


def host_lines(state: HostState, domains: list[Domain], draw: Glyphs) -> Iterator[str]:
    """A host and some of its domains with their disks."""
    count = counted(len(domains), "domain")
    yield f"{printable(state.name)}  {printable(state.uri)}  {count}"
    for domain in domains:
        yield ""
        glyph = draw.running if domain.state.active else draw.stopped
        transient = "" if domain.persistent else "  transient"
        yield f"{glyph} {printable(domain.name)}  {printable(domain.standing)}{transient}"
        for disk in domain.disks:
            yield from _disk_lines(state, domain, disk, draw)


def _disk_lines(state: HostState, domain: Domain, disk: Disk, draw: Glyphs) -> Iterator[str]:
    marks = [printable(disk.bus or ""), "" if disk.device == "disk" else disk.device.value]
    marks += ["read-only" if disk.readonly else "", "empty" if disk.empty else ""]
    yield "  ".join(["   ", printable(disk.target), *filter(None, marks)]).rstrip()
    yield from _chain_lines(disk.chain, "      ")
    job = state.job(domain.uuid, disk.target)
    if disk.mirror and disk.mirror.destination:
        named = printable(job.named) if job else ""
        yield f"      {draw.mirror} mirror: {named or _layer(disk.mirror.destination)}"
    if job and not job.phase.ended:
        yield f"      {draw.mirror} {job.type}: {job_words(state, job, draw)}"


def _chain_lines(chain: Chain, indent: str) -> Iterator[str]:
    for number, layer in enumerate(chain.layers):
        role = "  active" if number == 0 and len(chain.layers) > 1 else ""
        yield f"{indent}{_layer(layer)}{role}"
    if chain.layers and not chain.complete:
        yield f"{indent}(what it stands on is not known)"


def _layer(layer: Layer) -> str:
    return f"{printable(layer.path)}  {printable(layer.format or 'format not known')}"


def job_name(state: HostState, job: Job, *, several_hosts: bool) -> str:
    """What a job is called in a list."""
    host = f"{printable(state.name)}  " if several_hosts else ""
    return f"{host}{printable(job.domain)}  {printable(job.target)}"


def job_words(state: HostState, job: Job, draw: Glyphs) -> str:
    """Where a job is, in a line without its name."""
    future = forecast(job)
    words = [job.phase.value]
    progress = job.progress
    still = below_of(state, job)
    if job.phase is Phase.COPYING:
        words.append(f"{draw.dash if job.percent is None else job.percent} %")
        if progress and progress.known:
            words.append(progress_size(progress.cur, progress.end))
        if future.rate is not None:
            words.append(rate(future.rate))
        words.append(future.sentence)
    elif still is not None:
        speed = [rate(still.rate), still.outlook] if still.rate is not None else []
        words = [still.words, *filter(None, speed), f"{still.mirror} {future.sentence}"]
    elif not job.phase.ended:
        words = [future.sentence]
    if progress and progress.bandwidth and not job.phase.ended:
        words.append(f"limit {rate(progress.bandwidth)}")
    if job.remark:
        words.append(printable(job.remark))
    return _in_signs("  ".join(words), draw)


def interrupted_words(control: Control, entry: Entry, *, several_hosts: bool) -> str:
    """A plan that nobody carries on, and what can be done about it."""
    state = control.state
    domain = state.domain(entry.uuid)
    host = f"{state.name}  " if several_hosts else ""
    age = heartbeat_age(state, entry)
    gone = "which has ended" if age is None else f"not heard of for {duration(age)}"
    named = [control.uri] if control.uri else []
    return printable(
        f"{host}{domain.name if domain else entry.uuid}  interrupted at {entry.progress}: {entry.title}, "
        f"begun by {entry.who}, {gone}. " + addressed(advice(state, entry), *named)
    )


def below_of(state: HostState, job: Job) -> Below | None:
    """What a move has still to do below the mirror that this job is."""
    return below(state, job.uuid, job.target) if state.job(job.uuid, job.target) is job else None


def bar(state: HostState, job: Job, draw: Glyphs, width: int = 24) -> str:
    """A bar for a terminal; empty while nothing is known, and full only when nothing is left to do."""
    still = below_of(state, job)
    done = width * ((still.percent if still else job.filled) or 0) // 100
    return draw.full * done + draw.rest * (width - done)


def migration_words(state: HostState, migration: Migration, draw: Glyphs, *, several_hosts: bool) -> str:
    """A domain on its way, in one line."""
    host = f"{state.name}  " if several_hosts else ""
    return printable(f"{host}{migration.domain} to {migration.host}  {_in_signs(migration.words, draw)}")


def _in_signs(words: str, draw: Glyphs) -> str:
    return words if draw is not ASCII else words.replace("–", "-").replace("…", "...")


def plan_lines(state: HostState, plan: Plan, draw: Glyphs) -> Iterator[str]:
    """The whole plan: what is decided by, what was found, and each step with what a person would type."""
    yield printable(plan.title)
    yield ""
    facts = [("host", f"{state.name} ({state.uri})"), *((k, v) for k, v in plan.facts if k != "host")]
    width = max(len(label) for label, _ in facts)
    for label, value in facts:
        yield f"  {printable(label):{width}}  {printable(value)}"
    if plan.findings:
        yield ""
        yield "Checked:"
        for finding in plan.findings:
            yield f"  {draw.of(finding.severity)} {finding.severity}: {finding_text(finding)}"
    for chain in plan.chains:
        yield ""
        yield f"Chain of {printable(chain.target)}, active layer first:"
        kept = {layer.path for layer in chain.then.layers}
        for layer in chain.now.layers:
            stays = "" if layer.path in kept or not chain.gone else f"  ({chain.gone})"
            yield f"  now   {_layer(layer)}{stays}"
        yield from (f"  then  {_layer(layer)}" for layer in chain.then.layers)
    if plan.ahead:
        yield ""
        yield "Steps:"
    for number, step in enumerate(plan.ahead, start=len(plan.steps) - len(plan.ahead) + 1):
        yield f"  {number}. {printable(step.title)}"
        # What is refused must not be typed either.
        for command in () if plan.refused else step.commands:
            yield f"       {printable(command)}"


def finding_text(finding: Finding) -> str:
    """A finding in sentences."""
    parts = [finding.reason, finding.remedy]
    if finding.acceptance and finding.severity is Severity.REFUSED:
        parts.append(f"To take it upon yourself: --{finding.acceptance}.")
    return printable(" ".join(part for part in parts if part))


def refusals(findings: Iterable[Finding]) -> list[str]:
    """What speaks against a plan."""
    return [finding_text(f) for f in findings if f.severity is Severity.REFUSED]


def cautions(findings: Iterable[Finding]) -> list[str]:
    """What a user should know of a plan that runs."""
    return [finding_text(f) for f in findings if f.severity is Severity.WARNING]
