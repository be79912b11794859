"""What speaks for and against taking a domain to another host, but for its disks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tui.model.brought import Brought
from tui.model.command import own, virsh
from tui.model.domain import RunState
from tui.model.facts import PathKind
from tui.model.finding import Acceptance, Finding, fine, refused, warning
from tui.model.migrate_case import MigrateCase, Wanted
from tui.model.migrate_request import CopyStorage
from tui.model.mirrored_snapshot import Kind
from tui.model.quantity import size
from tui.model.quiet_checks import check_jobs, check_plans
from tui.model.text import counted, listed, printable

_FEW, _LONGEST = 6, 60


def check_hosts(case: MigrateCase) -> Iterator[Finding]:
    """Whether there is another host, and it can be asked."""
    facts = case.facts
    if facts.unreached is not None:
        yield refused(
            "host-away",
            f"{printable(case.request.destination)} cannot be asked: {printable(facts.unreached)}",
            "Give a URI by which this machine reaches it, as qemu+ssh://root@host-b/system.",
        )
    elif facts.same_host:
        yield refused(
            "same-host",
            f"{printable(case.request.destination)} is the host on which {printable(facts.domain.name)} is already.",
            f"To take its disks elsewhere on this host: {printable(own('move', facts.domain.name, '--to', 'DIR'))}",
        )


def check_domain(case: MigrateCase) -> Iterator[Finding]:
    """Whether it can go now."""
    domain, name, request = case.facts.domain, printable(case.facts.domain.name), case.request
    if request.offline:
        if domain.state.active:
            yield refused(
                "domain-active",
                f"{name} is {domain.state}, and --offline is for a domain that is off.",
                "Leave it out: a running guest goes on while it is migrated.",
            )
        elif not domain.persistent or not case.persistent:
            yield refused(
                "offline-transient",
                f"Of {name} nothing would be left.",
                "Have the definition kept: --persistent",
            )
    elif domain.state is RunState.PAUSED:
        yield warning("domain-paused", f"{name} is paused, and is so at the other host too.")
    elif not domain.state.active:
        yield refused(
            "domain-off",
            f"{name} is {domain.state}, so that there is no guest to take over.",
            "Its definition alone goes with --offline; its images are yours to bring.",
        )
    yield from _check_frozen(case)
    yield from check_jobs(domain, case.facts.running, "migrates no such domain")
    yield from check_plans(domain, case.facts.entries, case.facts.now)
    if case.facts.migrating:
        yield refused("migrating", f"{name} is being migrated already.", "Wait for the end of that.")


def _check_frozen(case: MigrateCase) -> Iterator[Finding]:
    name = printable(case.facts.domain.name)
    remedy = f"Wait for whoever has frozen them, as a backup does; if nobody has: {virsh('domfsthaw', name)}"
    if case.facts.frozen:
        reason = f"The file systems of {name} are frozen, and whoever is to thaw them would not find it here."
        yield refused("frozen", reason, remedy)
    elif case.facts.frozen is None:
        yield warning(
            "maybe-frozen", f"The file systems of {name} may be frozen: its agent refuses to work.", remedy
        )


def check_there(case: MigrateCase) -> Iterator[Finding]:
    """Whether the other host has what the definition asks for."""
    wanted = case.facts.wanted
    if wanted is None:
        return
    there = printable(case.facts.there)
    yield from _check_name(case, wanted, there)
    if wanted.unsupported is not None:
        yield refused(
            "machine",
            f"{there} has no {printable(wanted.machine)}: {printable(wanted.unsupported)}",
            "Install that emulator or machine type there, or choose another host.",
        )
    else:
        yield fine("machine", f"{there} has {printable(wanted.machine)}.")
    if wanted.cpu is not None:
        yield refused(
            "cpu",
            f"The guest's CPU is more than {there} has: {printable(wanted.cpu)}",
            "Give it a CPU that both hosts have (virsh hypervisor-cpu-baseline), and start it anew.",
        )
    if wanted.uncompared is not None:
        yield warning(
            "cpu-uncompared",
            f"The CPU was not compared with that of {there}: {printable(wanted.uncompared)}",
            "See that both hosts have the same: virsh capabilities. A guest that misses some of its CPU may crash.",
        )
    if wanted.memory is not None and wanted.free_memory is not None and wanted.memory > wanted.free_memory:
        names = ", ".join(map(printable, wanted.beside))
        beside = f" beside what {names} will take" if names else ""
        yield warning(
            "memory",
            f"The guest has {size(wanted.memory)} of memory, and {there} has {size(wanted.free_memory)} free{beside}.",
            "Make room there first, or the host may swap or end guests.",
        )
    yield from _check_networks(wanted, there)
    for device in wanted.devices:
        yield refused(
            "host-device",
            f"The guest has {printable(device)}, which cannot come along.",
            "Detach it first: virsh detach-device",
        )
    if wanted.usb_devices:
        count = "a USB device" if wanted.usb_devices == 1 else f"{wanted.usb_devices} USB devices"
        yield warning(
            "usb-device",
            f"The guest has {count} of the host: libvirt looks for the same at {there}, and what they hold stays here.",
            "Plug the same in there; or detach them first: virsh detach-device",
        )


def _check_name(case: MigrateCase, wanted: Wanted, there: str) -> Iterator[Finding]:
    uuid, name = case.facts.domain.uuid, printable(wanted.name)
    same = [other for other, other_uuid in wanted.taken_names.items() if other_uuid == uuid]
    if same:
        yield refused(
            "uuid-taken",
            f"{there} has a domain of the same UUID, {printable(same[0])}.",
            "If that is what an earlier migration has left, and is off: virsh undefine it there.",
        )
    elif wanted.name in wanted.taken_names:
        yield refused(
            "name-taken",
            f"{there} has a domain {name} already.",
            "Choose another name for there: --dname NAME",
        )
    else:
        yield fine("name-free", f"{there} has no domain {name}.")


def _check_networks(wanted: Wanted, there: str) -> Iterator[Finding]:
    if wanted.known_networks is None:
        if wanted.networks:
            yield warning("networks-unchecked", f"Nobody could see which networks {there} has.")
        return
    for network in wanted.networks:
        up, name = wanted.known_networks.get(network), printable(network)
        if up is None:
            yield refused("network", f"{there} has no network {name}.", "Define it there: virsh net-define")
        elif not up:
            yield refused("network", f"The network {name} of {there} is not up.", virsh("net-start", name))


def check_options(case: MigrateCase) -> Iterator[Finding]:
    """Whether what is asked for goes together: libvirt refuses the rest, some of it late."""
    request, transport, convergence = case.request, case.request.transport, case.request.convergence
    copies = case.storage is not CopyStorage.NONE
    wrong: list[tuple[bool, str]] = [
        (request.offline and copies, "With --offline nothing is copied."),
        (
            convergence.synchronous_writes and not copies,
            "--synchronous-writes is about disks that are copied, and none are.",
        ),
        (
            convergence.timeout is not None
            and convergence.timeout_action == "postcopy"
            and not convergence.postcopy,
            "A time-out can switch over to post-copy only with --postcopy.",
        ),
        (
            transport.disks_uri is not None and transport.disks_port is not None,
            "--disks-uri has the port in it, and does not go with --disks-port.",
        ),
        (
            bool(transport.parallel) and transport.compressed,
            "Memory over several connections cannot be compressed: --parallel or --compressed.",
        ),
        (
            convergence.postcopy and transport.compressed,
            "Memory that is compressed cannot be fetched afterwards: --postcopy or --compressed.",
        ),
        (
            transport.tls_destination is not None and not transport.tls,
            "--tls-destination is about a certificate, and without --tls none is looked at.",
        ),
        (
            bool(request.targets) and request.storage is CopyStorage.NONE,
            "--migrate-disks names disks to copy, and --copy-storage none copies none.",
        ),
    ]
    for is_wrong, reason in wrong:
        if is_wrong:
            yield refused("options", reason, "Leave one of them out.")
    if convergence.postcopy:
        yield warning(
            "postcopy",
            "Once the guest has been switched over before all of its memory was there, there is no way back: if a host "
            "or the network between them fails then, the guest is lost and has to be started anew.",
        )
    if case.request.unsafe:
        yield warning(
            "unsafe",
            "--unsafe: libvirt does not insist that both hosts see the same storage. If they do not, or cache it, the "
            "guest's data are ruined.",
        )
    if case.facts.domain.persistent and not case.undefine_source:
        yield warning(
            "stays-defined",
            f"{printable(case.facts.domain.name)} stays defined on {printable(case.facts.host)} too: starting it there "
            "while it runs elsewhere ruins disks that are shared.",
            "To have it forgotten there: --undefine-source",
        )
    if not case.persistent:
        yield warning(
            "transient",
            f"{printable(case.facts.there)} keeps no definition: when the guest stops it is forgotten there.",
            "To have it kept: --persistent",
        )


# Snapshots


def check_snapshots(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[Finding]:
    """Whether the snapshots can be known at the other host, with the files that are brought along."""
    facts, hierarchy = case.facts, case.facts.hierarchy
    for problem in hierarchy.problems:
        yield refused("hierarchy-broken", problem, "Mend it first, or have it forgotten.")
    if not hierarchy.snapshots:
        yield from _check_noted(case)
        return
    count = counted(len(hierarchy.snapshots), "snapshot")
    troubles = [*_check_inside(case), *_check_chains(case)]
    troubles += [] if troubles else _check_files(case, along)
    yield from troubles
    if not troubles:
        yield fine(
            "snapshots", f"Coming along: {count} of {printable(facts.domain.name)}, and which one is current."
        )
    if facts.secrets:
        yield warning(
            "secrets",
            "Definitions in the snapshots have passwords in them, which no journal may hold: if this program is killed"
            " on the way, the snapshots come back without these.",
        )
    yield from _check_noted(case)


def _check_inside(case: MigrateCase) -> Iterator[Finding]:
    # What lies in a lower layer goes along with that, byte by byte.
    copied = {disk.target: None if not disk.keeps_chain else disk.active.path for disk in case.copied}
    for snapshot in case.facts.hierarchy.snapshots:
        disks = [
            disk.target
            for disk in snapshot.disks
            if disk.kind is Kind.INTERNAL
            and disk.target in copied
            and copied[disk.target] in (None, disk.base)
        ]
        if disks:
            yield if_lost(
                case,
                "internal-lost",
                f"The state of {printable(snapshot.name)} lies inside the image of {_names(disks)}, which is copied,"
                " and a copy has none of the states inside.",
                "Put the image where both hosts have it, or delete the snapshot.",
            )


def _check_chains(case: MigrateCase) -> Iterator[Finding]:
    flat = {disk.target for disk in case.copied if not disk.keeps_chain}
    disks: dict[str, list[str]] = {}
    for snapshot in case.facts.hierarchy.snapshots:
        for disk in snapshot.disks:
            if disk.kind is Kind.EXTERNAL and disk.target in flat:
                disks.setdefault(disk.target, []).append(snapshot.name)
    for target, names in disks.items():
        yield if_lost(
            case,
            "chain-lost",
            f"{printable(target)} is copied into one image, and the layers that hold {_names(names)} stay behind.",
            "Have them brought there: --copy-storage inc"
            if case.brings
            else "Reach both hosts by qemu+ssh://: then all layers go along.",
        )


def _check_files(case: MigrateCase, along: tuple[Brought, ...]) -> Iterator[Finding]:
    known = {path: there.place.kind for path, there in case.facts.images.items()}
    made = {disk.path for disk in case.copied} | {one.path for one in along}
    missing: dict[str, list[str]] = {}
    for snapshot in case.facts.hierarchy.snapshots:
        for path in snapshot.files:
            there = case.place(path)
            if there not in made and known.get(there) is PathKind.MISSING:
                missing.setdefault(there, []).append(snapshot.name)
    for path, names in missing.items():
        yield if_lost(
            case,
            "image-missing",
            f"{printable(path)}, which {_names(names)} needs, is not there at {printable(case.facts.there)}.",
            "Bring it there first: it does not change any more. Or say where it is: --map OLD=NEW"
            if case.brings
            else "Reach both hosts by qemu+ssh://, and it is brought; or say where it is: --map OLD=NEW",
        )


def if_lost(case: MigrateCase, check: str, reason: str, remedy: str) -> Finding:
    """A finding that stops the plan, unless snapshots may be lost."""
    found = refused(check, reason, remedy, Acceptance.LOSE_SNAPSHOTS)
    return replace(found.unless(case.request.accepted), remedy=remedy)


def _check_noted(case: MigrateCase) -> Iterator[Finding]:
    if case.facts.domain.definition.noted_snapshots and case.copied:
        yield warning(
            "noted-stay",
            f"Clones and volumes that hold states of {printable(case.facts.domain.name)} stay on "
            f"{printable(case.facts.host)}; the domain goes on to remember them.",
            "Look at them before: virt-mirror snapshot tree",
        )


def _names(names: list[str]) -> str:
    return listed(names, _FEW, _LONGEST)
