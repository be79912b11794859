"""Plans for a libvirt that goes back to external snapshots, and removes images when it does; no host is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.copy_facts import refusals, warnings
from tests.fake_host import make_chain, make_disk
from tests.hierarchy_facts import UUID, known
from tests.test_hierarchy_plan import (
    BASE,
    LINE,
    ONE,
    TWO,
    delete,
    domain_on,
    facts,
    image,
    plan,
    remedies,
    revert,
)
from tui.model.domain import RunState
from tui.model.facts import Use, UseKind
from tui.model.hierarchy import parse_known
from tui.model.hierarchy_file import Saved
from tui.model.hierarchy_request import SnapshotImportRequest
from tui.model.hierarchy_steps import DeleteSnapshots, HierarchyStep, RevertSnapshot
from tui.model.plan import Plan

BACK = "/i/back"
ABLE: dict[str, Any] = {"libvirt": (11, 3, 0), "reverts_external": True}
S1, S2 = LINE
# After going back to s1: the guest writes to another overlay, and that of s2 is removed.
WENT = (
    known("s1", overlay=ONE, base=BASE, reverted=BACK, current=True),
    known("s2", "s1", overlay=TWO, base=ONE, created=2),
)
THERE: dict[str, Any] = {
    **ABLE,
    "domain": domain_on(make_disk("vda", BACK, BASE)),
    "existing": frozenset({BASE, ONE, BACK}),
    "images": {BASE: image(), ONE: image(BASE), BACK: image(BASE)},
}


def step_of(found: Plan) -> HierarchyStep:
    (step,) = found.steps
    assert isinstance(step, HierarchyStep)
    return step


# Going back


def test_each_disk_gets_a_new_overlay_on_its_state() -> None:
    found = revert("s1", *LINE, **ABLE)
    assert refusals(found) == set()
    step = step_of(found)
    assert isinstance(step, RevertSnapshot)
    assert (step.overlaid, step.bases, step.disks) == (("vda",), (BASE,), ())
    (told,) = (finding for finding in found.findings if finding.check == "overlays-removed")
    assert TWO in told.reason
    (told,) = (f for f in revert("s2", *WENT, **THERE).findings if f.check == "overlays-removed")
    assert BACK in told.reason


def test_an_overlay_that_the_guest_is_not_on_is_not_removed_with_the_state_of_another() -> None:
    # libvirt has lost the note of the overlay that it made.
    lost = (known("s1", overlay=ONE, base=BASE, current=True), WENT[1])
    found = revert("s2", *lost, **THERE)
    assert refusals(found) == {"overlay-needed"}
    assert "virt-mirror snapshot create db01 --method qemu" in remedies(found)
    assert refusals(revert("s2", lost[0], **THERE)) == {"no-such-snapshot"}
    assert refusals(revert("s1", lost[0], **THERE)) == {"overlay-needed"}
    gone = {**THERE, "existing": frozenset({BASE, BACK})}
    assert refusals(revert("s1", lost[0], **gone)) == set()
    twin = known("twin", "s1", overlay="/i/t", base=TWO)
    assert refusals(revert("s1", *LINE, twin, **ABLE)) == {"overlay-needed"}


def test_libvirt_needs_a_current_snapshot() -> None:
    none = (S1, known("s2", "s1", overlay=TWO, base=ONE, created=2))
    assert refusals(revert("s1", *none, **ABLE)) == {"no-current"}


def test_what_is_missing_is_told_before_the_guest_goes_down() -> None:
    off = domain_on(state=RunState.SHUT_OFF)
    gone: dict[str, Any] = {**ABLE, "existing": frozenset({TWO, BASE})}
    assert refusals(revert("s2", *LINE, **gone, domain=off)) == {"image-missing"}
    # It would be shut off by whatever is said of the snapshot.
    running = revert("s2", *LINE, **gone)
    assert refusals(running) == {"image-gone"}
    assert "virt-mirror move db01 vda --to DIR --flatten" in remedies(running)
    memory = known("m", overlay=TWO, base=ONE, memory="/i/mem", current=True)
    assert refusals(revert("m", memory, **ABLE)) == {"image-missing"}
    assert refusals(revert("m", memory, **ABLE, existing=frozenset({BASE, ONE, TWO, "/i/mem"}))) == set()
    assert refusals(revert("s2", *LINE, **ABLE, existing=None)) == set()


def test_libvirt_makes_overlays_beside_files_alone() -> None:
    disk = f"type='file'><driver type='raw'/><source file=\"{ONE}\"/>"
    assert disk in S2.xml
    text = S2.xml.replace(disk, "type='block'><driver type='raw'/><source dev='/dev/x'/>")
    found = revert("s2", S1, parse_known(text, current=True), **ABLE)
    assert refusals(found) == {"base-no-file"}
    assert "qemu-img create -f qcow2 -b /dev/x" in remedies(found)


@pytest.mark.parametrize(("libvirt", "refused"), [((9, 0, 0), set()), ((11, 3, 0), {"name-unsupported"})])
def test_names_that_qemu_does_not_take(libvirt: tuple[int, int, int], refused: set[str]) -> None:
    images = {TWO: image(ONE, snapshots=("in side",))}
    held = known("in side", kind="internal", base=TWO)
    assert refusals(revert("in side", held, libvirt=libvirt, images=images)) == refused
    assert refusals(delete("in side", held, libvirt=libvirt, images=images)) == refused
    off = domain_on(state=RunState.SHUT_OFF)
    assert refusals(delete("in side", held, libvirt=libvirt, images=images, domain=off)) == set()
    disks = parse_known(held.xml.replace("<memory snapshot='internal'/>", "<memory snapshot='no'/>"))
    assert refusals(revert("in side", disks, libvirt=libvirt, images=images)) == set()


# Deleting


def test_a_branch_that_was_left_goes_with_the_image_of_its_state() -> None:
    found = delete("s2", *WENT, **THERE)
    assert refusals(found) == set()
    step = step_of(found)
    assert isinstance(step, DeleteSnapshots)
    assert (step.removed, step.targets) == ((ONE,), ())
    assert ONE in step.title
    assert refusals(delete("s1", *WENT, **THERE)) == {"branches"}
    older = {**THERE, "reverts_external": False}
    assert refusals(delete("s2", *WENT, **older)) == {"not-in-chain"}


def test_it_is_not_removed_below_anybody() -> None:
    none = (S1, known("s2", "s1", overlay=TWO, base=ONE, created=2))
    own = {ONE: (Use(UUID, "db01", "vda", UseKind.LAYER),)}
    assert refusals(delete("s2", *none, **ABLE, uses=own)) == {"base-needed"}
    other = {ONE: (Use("other", "web01", "vda", UseKind.LAYER),)}
    found = delete("s2", *WENT, **THERE, uses=other)
    assert refusals(found) == {"base-needed"}
    assert "--metadata-only" in remedies(found)
    twin = known("twin", "s1", overlay="/i/t", base=ONE, created=3)
    assert refusals(delete("s2", *WENT, twin, **THERE)) == {"base-needed"}
    assert "chains-unseen" in warnings(delete("s2", *WENT, **THERE, unfollowed=("web01 vda",)))
    drive = replace(make_disk("vda"), chain=make_chain(BACK, complete=False))
    unseen = {**THERE, "domain": domain_on(drive)}
    assert refusals(delete("s2", *WENT, **unseen)) == {"chain-unseen"}


def test_the_overlay_that_libvirt_made_is_merged() -> None:
    after = known("s3", "s1", overlay="/i/3", base=BACK, created=3, current=True)
    first = known("s1", overlay=ONE, base=BASE)
    domain = domain_on(make_disk("vda", "/i/3", BACK, BASE))
    found = delete("s1", first, after, **{**THERE, "domain": domain})
    assert refusals(found) == set()
    step = step_of(found)
    assert isinstance(step, DeleteSnapshots)
    assert step.overlays == (BACK,)
    branch = (WENT[1], known("s4", "s2", overlay="/i/4", base=TWO, created=4))
    far = delete("s2", WENT[0], *branch, **THERE)
    assert refusals(far) == {"not-in-chain"}
    assert "virt-mirror snapshot delete db01 s4" in remedies(far)


# Importing


def test_overlays_that_libvirt_has_removed_are_not_missed() -> None:
    request = SnapshotImportRequest(UUID, "/saved.xml", "digest", Saved("db01", UUID, WENT))
    assert refusals(plan(request, facts(**THERE))) == set()
    older = {**THERE, "reverts_external": False}
    assert refusals(plan(request, facts(**older))) == {"image-missing"}
    lost = {**THERE, "existing": frozenset({BASE, ONE})}
    assert refusals(plan(request, facts(**lost))) == {"image-missing"}
