"""Snapshots of real guests: taken and forgotten as by an administrator, told and exported by the program."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine import command
from tests.guests import Guest
from tests.hypervisor import Hypervisor
from tests.outside import image_info
from tests.test_cli_real import program
from tui.model.finding import Acceptance
from tui.model.hierarchy_file import digest_of, parse_map, parse_saved
from tui.model.hierarchy_request import (
    SnapshotImportRequest,
)

OURS = frozenset({Acceptance.LOSE_PRESENT_STATE})


def take(guest: Guest, *names: str, memory: bool = False) -> None:
    """External snapshots, one after the other, or internal ones with memory."""
    for name in names:
        guest.virsh("snapshot-create-as", name, *([] if memory else ["--disk-only"]))


def snapshots(guest: Guest) -> list[str]:
    """Their names, as virsh lists them, parents first."""
    return guest.virsh("snapshot-list", "--name", "--topological").split()


def dumps(guest: Guest) -> dict[str, str]:
    """All that libvirt knows of them, secrets too."""
    names = snapshots(guest)
    return {name: guest.virsh("snapshot-dumpxml", name, "--security-info") for name in names}


def current(guest: Guest) -> str | None:
    """The name of the one that the guest stands on."""
    said = guest.virsh("snapshot-current", "--name", check=False).strip()
    return None if "no current snapshot" in said else said


def forget_all(guest: Guest) -> None:
    """Have libvirt forget them, images untouched."""
    for name in reversed(snapshots(guest)):
        guest.virsh("snapshot-delete", name, "--metadata")


def inside(image: Path) -> list[str]:
    """The internal snapshots of an image."""
    return [one["name"] for one in image_info(image, "qcow2").get("snapshots", [])]


def state_in(image: Path, name: str, place: Path) -> bytes:
    """What an internal snapshot of an image has for the guest."""
    command("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", "-l", name, str(image), str(place))
    return place.read_bytes()


def tree(hypervisor: Hypervisor, guest: Guest) -> dict[str, object]:
    """What the program says of them."""
    found: dict[str, object] = json.loads(
        program(hypervisor, "snapshot", "tree", guest.name, "--json").stdout
    )
    return found


def exported(hypervisor: Hypervisor, guest: Guest) -> Path:
    """Have the program write them to a file."""
    path = guest.directory / "saved.xml"
    program(hypervisor, "snapshot", "export", guest.name, path, "--force")
    return path


def wish(guest: Guest, path: Path, *maps: str, **more: object) -> SnapshotImportRequest:
    """To bring back what a file holds, its images where the maps say."""
    text = path.read_text()
    places = tuple(map(parse_map, maps))
    return SnapshotImportRequest(guest.uuid, str(path), digest_of(text), parse_saved(text), places, **more)  # type: ignore[arg-type]
