"""A wish to copy a disk to another host, and what is known of both, make a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tui.model import copy_space, destination_checks
from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import MakeImage
from tui.model.copy_case import CopyCase, copy_case
from tui.model.copy_plan import plan_copy
from tui.model.facts import CopyFacts
from tui.model.finding import Finding, any_refusal, in_order, refused, warning
from tui.model.migrate_steps import MakeThere
from tui.model.plan import Plan
from tui.model.request import CopyRequest, RemoteCopyRequest, Then
from tui.model.serve_steps import ServeThere, StopServing
from tui.model.steps import Step
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkHost, NetworkSource
from tui.model.text import printable

PORTS = range(61000, 65536)
"""Those that Linux gives nobody by itself."""
_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
"""A name, or a number of either kind."""
_OF_THE_PLACE = (
    destination_checks.check_format,
    destination_checks.check_path,
    destination_checks.check_directory,
    copy_space.check_space,
)
_CHECKS: tuple[destination_checks.Check, ...] = (
    destination_checks.check_kind,
    lambda case: destination_checks.check_place(case, _OF_THE_PLACE),
    copy_space.check_thin,
)
"""What is looked at of the file there, as of any other."""
_OF_THE_FILE = frozenset({"destination-unchecked", "thin-becomes-fat"})
"""Findings on a place that nobody can see, which here is seen."""


@dataclass(frozen=True, slots=True)
class RemoteFacts:
    """All that the checks look at."""

    copy: CopyFacts
    """The disk, and the file at the other host as its destination, with who uses what there."""
    host: str
    """What people call the host that has the domain."""
    there: str
    """The same for the other one."""
    unreached: str = ""
    """Why the other host cannot be asked, a sentence."""
    same_host: bool = False
    reached: bool = False
    """Whether programs can be started there."""
    serves: bool = False
    """Whether qemu-nbd is there."""
    address: str | None = None
    """By which the other host is reached, as far as that is known."""
    taken: frozenset[int] = frozenset()
    """Its ports that are in use."""
    tries: bool = False
    """Whether it can be tried from the host that has the domain if the server is reached."""
    promised: Mapping[str, int] = field(default_factory=dict)
    """Bytes that other plans will still write to where the file is made, by their domains; not counted as free."""


def free_port(plan_id: str, taken: frozenset[int]) -> int | None:
    """A port that is free, the same for a plan as long as it is."""
    try:
        first = int(plan_id, 16)
    except ValueError:
        first = 0
    order = (PORTS[(first + number) % len(PORTS)] for number in range(len(PORTS)))
    return next((port for port in order if port not in taken), None)


def plan_remote_copy(request: RemoteCopyRequest, facts: RemoteFacts, plan_id: str) -> Plan:
    """Make the plan, with all that speaks for and against it."""
    domain, target = facts.copy.domain, printable(request.copy.target)
    there = printable(facts.there or request.destination)
    request = replace(
        request,
        address=request.address or facts.address,
        port=request.port or free_port(plan_id, facts.taken),
    )
    case = copy_case(request.copy, facts.copy)
    findings = [*_check_hosts(facts, there), *_check_wish(request)]
    if not findings:
        findings += _check_server(request, facts, there)
        findings += [finding for check in _CHECKS for finding in check(case)] if case else []
    served = _served(request, case, facts, plan_id)
    # The disk is looked at all the same where there is no place for it to go to.
    here = replace(facts.copy, uses={})
    inner = plan_copy(_through(request.copy, served, plan_id), here, plan_id)
    findings += [finding for finding in inner.findings if finding.check not in _OF_THE_FILE]
    if case is not None and facts.copy.sizes is None and not inner.refused:
        reason = f"How large {target} is cannot be found out, and the image must be of its very size."
        findings.append(refused("size-unknown", reason, "Look at it with virsh domblkinfo."))
    refusal = any_refusal(findings)
    return replace(
        inner,
        title=f"Mirror {target} of {printable(domain.name)} to {there}",
        findings=in_order(findings),
        steps=_steps(request, served, inner) if served and not refusal else (),
        facts=_facts(request, inner, served) if served else inner.facts[:2],
    )


def _check_hosts(facts: RemoteFacts, there: str) -> Iterator[Finding]:
    if facts.unreached:
        yield refused("host-unreached", facts.unreached, "Look if libvirt answers there.")
    elif facts.same_host:
        yield refused(
            "same-host", f"{there} is the host that has the guest.", "Leave --on out to copy to a path of it."
        )
    elif not facts.reached:
        yield refused(
            "no-programs",
            f"Nothing can be started at {there} through this URI, and so no server for the image.",
            "Name the host by a qemu+ssh:// URI, or serve an image yourself and copy to its nbd:// address.",
        )
    elif not facts.serves:
        yield refused("no-server", f"There is no qemu-nbd at {there}.", "Install it (on Debian: qemu-utils).")


def _check_wish(request: RemoteCopyRequest) -> Iterator[Finding]:
    wish = request.copy
    if wish.then is Then.PIVOT:
        yield refused(
            "pivot-elsewhere",
            "After a pivot the guest would stay here and write over the network, through a server that is there for "
            "the copy alone.",
            "Take --keep for a copy; virt-mirror migrate takes the guest itself.",
        )
    active = wish.destination.active
    if active is not None and not isinstance(active.source, FileSource | BlockSource):
        yield refused("destination-type", "At the other host a file is made.", "Name its absolute path.")
    flags = {
        "--blockdev": active is not None and isinstance(active.source, BlockSource),
        "--reuse-external": wish.reuse_external,
        "--shallow": wish.shallow,
    }
    for flag in (flag for flag, given in flags.items() if given):
        yield refused(
            "flag-elsewhere",
            f"At the other host a new image is made that stands on nothing, which {flag} does not go with.",
            f"Leave {flag} out.",
        )


def _check_server(request: RemoteCopyRequest, facts: RemoteFacts, there: str) -> Iterator[Finding]:
    address, port = request.address, request.port
    if address is None:
        yield refused(
            "address-needed",
            f"By which address {printable(facts.host)} reaches {there} is not known.",
            "Name it with --nbd-address.",
        )
    elif not _ADDRESS.fullmatch(address):
        yield refused("address", f"{printable(address)} is no address of a host.", "Name one, or a number.")
    if port is None or not 0 < port < PORTS.stop:
        yield refused(
            "port", f"{port} is no port." if port else "No port is free there.", "Name another one."
        )
    elif port in facts.taken:
        yield refused(
            "port-taken",
            f"Somebody at {there} uses the port {port} already.",
            "Leave it out, or name another.",
        )
    yield warning(
        "unencrypted",
        f"What is copied goes to {there} as it is: NBD is not encrypted, and whoever reaches the port of the server "
        "first can read and write the image.",
        "Use a network that you trust.",
    )
    if not facts.tries:
        yield warning(
            "reach-unchecked",
            f"Nobody can try beforehand if {printable(facts.host)} reaches {printable(address or there)}; where a "
            "firewall swallows the packets, the guest can stand still until QEMU gives up.",
            "Make sure of it on that host.",
        )


def _served(
    request: RemoteCopyRequest, case: CopyCase | None, facts: RemoteFacts, plan_id: str
) -> ServeThere | None:
    """The server, where all is known that it takes."""
    sizes, domain = facts.copy.sizes, facts.copy.domain
    if case is None or sizes is None or case.destination.format is None:
        return None
    if request.address is None or request.port is None:
        return None
    image = MakeImage(
        domain.uuid,
        domain.name,
        request.copy.target,
        case.destination.path,
        case.destination.format,
        sizes.capacity,
        layout=case.layout,
    )
    return ServeThere(
        MakeThere(request.destination, facts.there, image), request.address, request.port, plan_id
    )


def _through(wish: CopyRequest, served: ServeThere | None, plan_id: str) -> CopyRequest:
    """The copy to the server: it shows what is in the image, whatever the format of that."""
    hosts = (NetworkHost(served.address, str(served.port)),) if served else ()
    chain = Chain((Layer(NetworkSource("nbd", plan_id, hosts), "raw"),), complete=False)
    return replace(wish, destination=chain, reuse_external=True, shallow=False, then=Then.KEEP)


def _steps(request: RemoteCopyRequest, served: ServeThere, inner: Plan) -> tuple[Step, ...]:
    start, wait, end = inner.steps
    if isinstance(start, StartCopy):
        start = replace(start, named=f"{served.host}:{served.place}")
    if request.copy.then is Then.HOLD:
        return (served.made, served, start, wait)
    return (served.made, served, start, wait, end, StopServing(served, kept=True))


def _facts(request: RemoteCopyRequest, inner: Plan, served: ServeThere) -> tuple[tuple[str, str], ...]:
    place, there = printable(served.place), printable(served.host)
    facts = dict(inner.facts)
    facts["through"] = f"an NBD server there, {printable(served.address)} port {served.port}"
    facts["to"] = f"{place} at {there} ({printable(served.format)})"
    if request.copy.then is Then.HOLD:
        facts["then"] = "stays in sync until you keep or cancel"
    facts["undo"] = f"cancel at any time: the guest stays where it is; {place} is removed"
    order = ("domain", "disk", "from", "to", "through")
    rest = (label for label in facts if label not in order)
    return tuple((label, facts[label]) for label in (*order, *rest))
