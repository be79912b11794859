"""What is lost of the states that snapshots hold; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.fake_host import make_disk, make_domain
from tests.hierarchy_facts import known
from tui.model.hierarchy import KnownSnapshot, SnapshotView, StateDisk, arranged
from tui.model.hierarchy_losses import losses
from tui.model.hierarchy_roles import layer_roles
from tui.model.hierarchy_rows import tree_rows
from tui.model.image import ImageInfo
from tui.model.mirrored_snapshot import Kind

BASE, ONE, TWO = "/i/base", "/i/1", "/i/2"
VDA = make_disk("vda", TWO, ONE, BASE)
INSIDE = known("i", kind="internal", base=TWO, base_format="qcow2")


def image(*inside: str, backing: str | None = None) -> ImageInfo:
    return ImageInfo(1, "qcow2", full_backing_file=backing, snapshots=inside)


def view(snapshot: KnownSnapshot, **more: Any) -> SnapshotView:
    return SnapshotView(more.pop("domain", make_domain(disks=[VDA])), arranged([snapshot]), **more)


def told(snapshot: KnownSnapshot, **more: Any) -> list[str]:
    return [str(loss) for loss in losses(snapshot, view(snapshot, **more))]


def test_a_state_inside_is_lost_when_its_image_says_so() -> None:
    assert told(INSIDE, images={TWO: image("i")}) == []
    # Nobody could look.
    assert told(INSIDE) == []
    assert told(INSIDE, images={TWO: image("other")}) == ["of vda: /i/2 has none of that name inside"]


def test_a_state_inside_is_lost_with_its_image() -> None:
    # Somebody has deleted the overlay, and the guest is on what was below it.
    gone: dict[str, Any] = {
        "domain": make_domain(disks=[make_disk("vda", ONE, BASE)]),
        "missing": frozenset({TWO}),
    }
    assert told(INSIDE, images={ONE: image()}, **gone) == ["of vda: /i/2 is not there"]
    (loss,) = losses(INSIDE, view(INSIDE, images={ONE: image()}, **gone))
    assert loss.missing
    # The image was renamed: libvirt finds the state where the guest writes.
    assert told(INSIDE, images={ONE: image("i")}, **gone) == []
    assert told(INSIDE, **gone) == []


def test_a_raw_image_has_no_state_inside() -> None:
    layers = tuple(replace(layer, format="raw") for layer in VDA.chain.layers[1:])
    raw = make_domain(disks=[replace(VDA, chain=replace(VDA.chain, layers=layers))])
    assert told(INSIDE, domain=raw, missing=frozenset({TWO})) == ["of vda: /i/2 is not there"]


def test_an_external_state_is_lost_with_its_image_or_what_that_stands_on() -> None:
    other = known("s", overlay="/i/9", base="/j/2")
    assert told(other) == []
    assert told(other, missing=frozenset({"/j/2"})) == ["of vda: /j/2 is not there"]
    stands = {"/j/2": image(backing="/j/1"), "/j/1": image(backing="/j/0")}
    assert told(other, images=stands, missing=frozenset({"/j/0"})) == ["of vda: /j/0 is not there"]
    # A header that leads back to itself.
    assert told(other, images={"/j/2": image(backing="/j/2")}, missing=frozenset({"/j/0"})) == []


def test_the_memory_of_the_guest_can_be_lost_alone() -> None:
    held = known("s", overlay=TWO, base=ONE, memory="/i/mem")
    assert told(held, missing=frozenset({"/i/mem"})) == ["of the memory: /i/mem is not there"]


def test_what_other_methods_hold_can_be_lost() -> None:
    clone = replace(INSIDE, disks=(StateDisk("vda", Kind.MANUAL, base="/i/clone"),))
    assert told(clone, missing=frozenset({"/i/clone"})) == ["of vda: /i/clone is not there"]
    assert told(clone, filled={"/i/clone": 1.0}) == ["of vda: /i/clone is full: it holds the state no more"]
    assert told(clone, filled={"/i/clone": 0.99}) == []
    nowhere = replace(INSIDE, disks=(StateDisk("vda", Kind.MANUAL),))
    assert told(nowhere) == []


def test_the_tree_and_the_chain_say_so() -> None:
    seen = view(INSIDE, images={TWO: image("other")})
    row, _live = tree_rows(seen, str)
    assert (row.mark, row.lost) == ("lost", True)
    role = layer_roles(seen)[0]
    assert (role.inside, role.lost, role.unknown) == ((), ("i",), ("other",))
