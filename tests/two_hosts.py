"""Two hosts, guests that go from one to the other, and a tree of snapshots that goes along."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

from tests.engine import PATIENCE, command
from tests.hypervisor import MIB
from tests.outside import is_writing, virtual_size, wait_for
from tui.model.hierarchy import parse_known
from tui.model.hierarchy_file import changes, with_places
from tui.model.host import HostState
from tui.model.migrate_request import MigrateRequest, Transport
from tui.model.migration import Migration, MigrationPhase

if TYPE_CHECKING:
    from tests.guests import Guest
    from tests.hypervisor import Hypervisor
    from tui.engine.control import Outcome
    from tui.engine.host import Host

LOOPBACK = "tcp://127.0.0.1"
SLOW = 4 * MIB
"""Bytes a second at which a migration of some MiB is seen under way."""


def migration(guest: Guest, to: Hypervisor, **more: Any) -> MigrateRequest:
    """To that host, by the loopback address: libvirt itself would take the host's name, which nobody can resolve."""
    transport = Transport(
        migrate_uri=LOOPBACK, bandwidth=more.pop("bandwidth", 0), p2p=more.pop("p2p", False)
    )
    return MigrateRequest(guest.uuid, to.uri, transport=transport, **more)


@contextmanager
def removed_from(hypervisor: Hypervisor, guest: Guest) -> Iterator[None]:
    """Whatever has arrived of a guest goes again."""
    try:
        yield
    finally:
        if state_at(hypervisor, guest) is not None:
            hypervisor.virsh("destroy", guest.uuid, check=False)
            metadata = ("--snapshots-metadata", "--checkpoints-metadata")
            hypervisor.virsh("undefine", guest.uuid, *metadata, check=False)


def state_at(hypervisor: Hypervisor, guest: Guest) -> str | None:
    """The state of a guest at a host; ``None`` where there is none."""
    # One question: between two it could vanish, as one does whose migration is called off.
    state = hypervisor.virsh("domstate", guest.uuid, check=False).strip()
    if "failed to connect" in state:
        raise AssertionError(state)
    return None if state.startswith("error") else state


def source_at(
    hypervisor: Hypervisor, guest: Guest, target: str = "vda", *, inactive: bool = False
) -> str | None:
    """The image that a disk is on at a host."""
    words = ("--inactive",) if inactive else ()
    domain = etree.fromstring(hypervisor.virsh("dumpxml", *words, guest.uuid))
    for disk in domain.iterfind("devices/disk"):
        named, source = disk.find("target"), disk.find("source")
        if named is not None and source is not None and named.get("dev") == target:
            return source.get("file")
    return None


def directory_at(hypervisor: Hypervisor, guest: Guest) -> tuple[Path, tuple[tuple[str, str], ...]]:
    """A directory for a guest's images at a host, and the map that leads there."""
    place = hypervisor.root / f"of-{guest.name}"
    place.mkdir()
    return place, ((str(guest.directory), str(place)),)


def definitions(hypervisor: Hypervisor, guest: Guest) -> dict[str, str]:
    """The snapshots that a host knows, as it prints them."""
    names = hypervisor.virsh("snapshot-list", guest.uuid, "--name").split()
    return {name: hypervisor.virsh("snapshot-dumpxml", guest.uuid, name) for name in names}


def current_at(hypervisor: Hypervisor, guest: Guest) -> str | None:
    """The current snapshot."""
    said = hypervisor.virsh("snapshot-current", guest.uuid, "--name", check=False).strip()
    return None if not said or said.startswith("error") else said


def tree_of_two_branches(guest: Guest, between: Callable[[], object] = lambda: None) -> dict[str, list[Path]]:
    """Five external snapshots: a, b and c one after another, of which b is current; and d and e beside b.

    libvirt 9.0 takes no guest back to an external one, so the branch is made by hand: the images of d and e stand on
    the one of a, and c is one that the guest has never gone to.

    Args:
        guest: a running one.
        between: called after a, before b.

    Returns:
        By snapshot, its overlays, one for each disk of the guest.
    """
    overlays = {
        name: [guest.directory / f"{guest.name}-{target}-{name}.qcow2" for target in guest.targets]
        for name in "abcde"
    }
    for name in "ab":
        specs = (f"{target},file={path}" for target, path in zip(guest.targets, overlays[name], strict=True))
        words = [word for spec in specs for word in ("--diskspec", spec)]
        guest.virsh("snapshot-create-as", "--name", name, "--disk-only", "--atomic", *words)
        if name == "a":
            between()
    for name, parent in (("c", "b"), ("d", "a"), ("e", "d")):
        root = etree.fromstring(guest.virsh("snapshot-dumpxml", "b"))
        _found(root, "name").text = name
        _found(root, "parent/name").text = parent
        for target, path, below in zip(guest.targets, overlays[name], overlays[parent], strict=True):
            size = str(virtual_size(below, "qcow2"))
            words = ["-f", "qcow2", "-u", "-b", str(below), "-F", "qcow2", str(path), size]
            command("qemu-img", "create", "-q", *words)
            _found(root, f"disks/disk[@name='{target}']/source").set("file", str(path))
            _found(root, f"domain/devices/disk/target[@dev='{target}']/../source").set("file", str(below))
        document = guest.directory / f"{name}.xml"
        document.write_bytes(etree.tostring(root))
        guest.virsh("snapshot-create", document, "--redefine")
    return overlays


def _found(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path)
    assert found is not None
    return found


def known(texts: dict[str, str], maps: tuple[tuple[str, str], ...] = ()) -> dict[str, str]:
    """What tells snapshots from others, their images at their places."""
    read = {name: parse_known(text) for name, text in texts.items()}
    return {name: with_places(one, changes((one,), maps)).identity for name, one in read.items()}


def as_before(
    guest: Guest, host: Hypervisor, other: Hypervisor, tree: dict[str, str], current: str | None
) -> None:
    """The guest goes on where it was, and nothing tells of the attempt."""
    wait_for(lambda: state_at(host, guest) == "running", what="the guest goes on here")
    assert is_writing(Path(guest.chain()[0]))
    assert known(definitions(host, guest)) == known(tree)
    assert current_at(host, guest) == current
    assert "urn:virt-mirror" not in guest.xml() + guest.xml(inactive=True)
    wait_for(lambda: state_at(other, guest) is None, what="nothing of it is there")


def assert_proved(outcome: Outcome) -> None:
    """All that was looked at afterwards was as it should be."""
    assert [f.reason for f in outcome.findings if f.severity.value != "fine"] == []
    assert {"migrated", "arrived", "source-gone", "disk-there", "image-open"} <= {
        f.check for f in outcome.findings
    }


def until(host: Host, guest: Guest, found: Callable[[Migration], object]) -> Migration:
    """The migration, once it is so."""
    seen = host.wait_for(
        lambda s: m if (m := s.migrations.get(guest.uuid)) and found(m) else None, timeout=PATIENCE
    )
    assert seen is not None, host.state.migrations
    return seen


def copies_disks(guest: Guest, state: HostState) -> bool | None:
    """Whether its disks are under way; as ``wait_for`` wants it."""
    found = state.migrations.get(guest.uuid)
    return True if found and found.phase is MigrationPhase.DISKS else None


def sends_memory(guest: Guest, state: HostState) -> bool | None:
    """Whether its memory is under way; as ``wait_for`` wants it."""
    found = state.migrations.get(guest.uuid)
    return True if found and found.memory and found.memory.percent else None


def fetches_memory(guest: Guest, state: HostState) -> bool | None:
    """Whether it is there, and its memory follows; as ``wait_for`` wants it."""
    found = state.migrations.get(guest.uuid)
    return True if found and found.phase is MigrationPhase.POSTCOPY else None
