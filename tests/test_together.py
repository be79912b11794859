"""What several domains that go to one host mean for one another."""

from __future__ import annotations

from dataclasses import replace

from tests.fake_host import GIB, make_domain
from tui.model.chain_steps import ImageCopy, MakeImage
from tui.model.finding import Finding
from tui.model.migrate_request import MigrateRequest
from tui.model.migrate_steps import CopyLayersThere, MakeThere, Migrate
from tui.model.plan import Plan
from tui.model.together import together


def leaving(name: str, image: str, memory: int, to: str = "b", free: int = 10) -> Plan:
    """A domain with so many GiB of memory, for whose disk an image is made at the other host."""
    uuid = make_domain(name).uuid
    made = MakeThere(to, f"host-{to}", MakeImage(uuid, name, "vda", image, "qcow2", GIB))
    step = Migrate(uuid, name, to, f"host-{to}", "u", name, targets=("vda",))
    return Plan(
        "p",
        f"Migrate {name}",
        uuid,
        name,
        (),
        (made, step),
        request=MigrateRequest(uuid, to),
        needs=4 * GIB,
        free=6 * GIB,
        memory=memory * GIB,
        free_memory=free * GIB,
    )


def on_a_base(plan: Plan, source: str) -> Plan:
    """For which a lower layer is brought too."""
    base = MakeImage(plan.uuid, plan.domain, "", "/x/base", "raw", GIB)
    copy = CopyLayersThere(
        plan.uuid, plan.domain, "b", "host-b", (), (ImageCopy(source, "/x/base", "raw"),), ()
    )
    return replace(plan, steps=(MakeThere("b", "host-b", base), copy, *plan.steps))


def pooled(plan: Plan, path: str) -> Plan:
    """For which libvirt makes the image itself."""
    (_made, step) = plan.steps
    assert isinstance(step, Migrate)
    return replace(plan, steps=(replace(step, pooled=((path, GIB),)),))


def checks(*plans: Plan, source: str = "a") -> list[list[str]]:
    found: tuple[tuple[Finding, ...], ...] = together([(source, plan) for plan in plans])
    return [[finding.check for finding in findings] for findings in found]


def test_room_and_memory_are_those_of_the_host_that_they_go_to() -> None:
    first, second = leaving("a", "/x/a", 6), leaving("b", "/x/b", 6)
    assert checks(first, second) == [[], ["space-in-turn", "memory-in-turn"]]
    assert checks(first, leaving("b", "/y/b", 4)) == [[], []]
    assert checks(first, leaving("b", "/x/b", 6, to="c")) == [[], []]


def test_what_libvirt_makes_in_its_pools_counts_too() -> None:
    first, second = (pooled(leaving(name, f"/x/{name}", 1), f"/x/{name}") for name in ("a", "b"))
    assert checks(first, second) == [[], ["space-in-turn"]]
    assert checks(first, pooled(leaving("b", "/y/b", 1), "/y/b")) == [[], []]
    assert checks(first, pooled(leaving("b", "/x/a", 1), "/x/a")) == [[], ["image-comes"]]


def test_two_that_would_make_the_same_image_there() -> None:
    assert checks(leaving("a", "/x/a", 1), leaving("b", "/x/a", 1)) == [[], ["image-comes"]]
    assert checks(leaving("a", "/x/a", 1), leaving("b", "/x/a", 1, to="c")) == [[], []]
    ((), (clash,)) = together([("a", leaving("a", "/x/a", 1)), ("a", leaving("b", "/x/a", 1))])
    assert clash.reason == "/x/a will have been made for a."
    assert "Map its directory" in clash.remedy


def test_a_base_that_two_stand_on_is_brought_once() -> None:
    first, second = leaving("a", "/x/a", 1), leaving("b", "/x/b", 1)
    same = (on_a_base(first, "/slow/base"), on_a_base(second, "/slow/base"))
    assert "image-comes" not in checks(*same)[1]
    other = (same[0], on_a_base(second, "/other/base"))
    assert "image-comes" in checks(*other)[1]
