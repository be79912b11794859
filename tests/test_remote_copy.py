"""The plans that copy a disk to another host; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.copy_facts import (
    CAPACITY,
    DATA,
    DEST,
    IMAGE,
    NEW,
    destination,
    device,
    facts,
    refusals,
    use,
    warnings,
    with_snapshot,
)
from tests.fake_host import NOW, make_chain, make_domain
from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import MakeImage
from tui.model.end_plan import plan_end
from tui.model.facts import EndFacts, PathKind, Running, UseKind
from tui.model.finding import Acceptance
from tui.model.job import JobType, Phase
from tui.model.journal import Entry, entry_xml, parse_entry
from tui.model.migrate_steps import MakeThere
from tui.model.plan import Plan
from tui.model.recover_plan import RecoverFacts, plan_recover
from tui.model.remote_copy import PORTS, RemoteFacts, free_port, plan_remote_copy
from tui.model.request import CopyRequest, Ending, EndRequest, RecoverRequest, RemoteCopyRequest, Then
from tui.model.serve_steps import RemoveThere, ServeThere, StopServing
from tui.model.steps import AwaitSync, EndJobs, Step, Undo
from tui.model.storage import Chain, Layer, NetworkSource

TO = "qemu+ssh://root@host-b/system"
PLAN = "0000000a"
PORT = PORTS[10]
KNOWN = RemoteFacts(facts(), "host-a", "host-b", reached=True, serves=True, address="10.0.0.2", tries=True)
UUID = KNOWN.copy.domain.uuid


def plan(known: RemoteFacts = KNOWN, place: Chain | None = None, **wish: Any) -> Plan:
    where = {name: wish.pop(name) for name in ("address", "port") if name in wish}
    copy = CopyRequest(UUID, "vda", place or destination(), **wish)
    return plan_remote_copy(RemoteCopyRequest(copy, TO, **where), known, PLAN)


def entry(made: Plan, reached: int | None = None) -> Entry:
    steps = made.steps
    return Entry(
        PLAN, UUID, made.title, steps, len(steps) if reached is None else reached, "me", NOW - 60, 0.0
    )


def kinds(steps: tuple[Step, ...]) -> list[type]:
    return [type(step) for step in steps]


def test_an_image_that_somebody_there_uses_is_to_be_left_alone() -> None:
    known = replace(KNOWN, copy=replace(KNOWN.copy, destination=IMAGE, uses={DEST: use(UseKind.LAYER)}))
    made = plan(known)
    (said,) = (f for f in made.findings if f.check in refusals(made))
    assert (said.check, said.remedy) == ("destination-in-use", "Choose another destination.")


def test_an_image_is_made_served_and_copied_to() -> None:
    made = plan(then=Then.KEEP)
    assert refusals(made) == set()
    assert warnings(made) == {"persistent-domain", "forbidden-meanwhile", "unencrypted"}
    assert kinds(made.steps) == [MakeThere, ServeThere, StartCopy, AwaitSync, EndJobs, StopServing]
    make, serve, start = made.steps[:3]
    image = MakeImage(UUID, "db01", "vda", DEST, "qcow2", CAPACITY)
    assert make == MakeThere(TO, "host-b", image)
    assert serve == ServeThere(make, "10.0.0.2", PORT, PLAN)
    assert isinstance(start, StartCopy)
    assert start.title == f"Mirror vda of db01 to host-b:{DEST}"
    assert f'<source protocol="nbd" name="{PLAN}">' in start.xml
    assert f'<host name="10.0.0.2" port="{PORT}"/>' in start.xml
    assert (start.format, start.reuse_external, start.creates) == ("raw", True, False)
    assert made.steps[-1] == StopServing(serve, kept=True)
    said = dict(made.facts)
    assert said["to"] == "/fast/copy at host-b (qcow2)"
    assert said["through"] == f"an NBD server there, 10.0.0.2 port {PORT}"
    assert made.title == "Mirror vda of db01 to host-b"


def test_the_commands_are_those_that_are_run() -> None:
    _make, serve, *_ = plan().steps
    assert serve.commands == (
        (
            f"qemu-nbd --fork --shared=1 --discard=unmap --format=qcow2 --bind=10.0.0.2 --port={PORT} "
            f"--export-name={PLAN} -- /fast/copy"
        ),
    )


def test_it_is_held_unless_it_is_to_be_kept() -> None:
    made = plan(synchronous_writes=True, bandwidth=5)
    assert kinds(made.steps) == [MakeThere, ServeThere, StartCopy, AwaitSync]
    start = made.steps[2]
    assert isinstance(start, StartCopy)
    assert (start.synchronous_writes, start.bandwidth) == (True, 5)
    assert dict(made.facts)["then"] == "stays in sync until you keep or cancel"


def test_a_raw_image_is_served_as_such() -> None:
    made = plan(place=destination(format="raw"))
    serve = made.steps[1]
    assert isinstance(serve, ServeThere)
    assert serve.format == "raw"
    assert "thin-becomes-fat" in warnings(made)


@pytest.mark.parametrize(
    ("known", "wish", "check"),
    [
        (replace(KNOWN, unreached="host-b is not reached."), {}, "host-unreached"),
        (replace(KNOWN, same_host=True), {}, "same-host"),
        (replace(KNOWN, reached=False), {}, "no-programs"),
        (replace(KNOWN, serves=False), {}, "no-server"),
        (replace(KNOWN, address=None), {}, "address-needed"),
        (KNOWN, {"address": "host-b,file.x=1"}, "address"),
        (KNOWN, {"address": "-x"}, "address"),
        (KNOWN, {"address": "host-b\n"}, "address"),
        (KNOWN, {"port": 65536}, "port"),
        (replace(KNOWN, taken=frozenset(PORTS)), {}, "port"),
        (replace(KNOWN, taken=frozenset({10809})), {"port": 10809}, "port-taken"),
        (KNOWN, {"then": Then.PIVOT}, "pivot-elsewhere"),
        (KNOWN, {"shallow": True}, "flag-elsewhere"),
        (KNOWN, {"reuse_external": True}, "flag-elsewhere"),
        (KNOWN, {"place": device()}, "flag-elsewhere"),
        (
            KNOWN,
            {"place": Chain((Layer(NetworkSource("nbd", "x"), "raw"),), complete=False)},
            "destination-type",
        ),
        (KNOWN, {"place": destination("copy")}, "destination-relative"),
        (KNOWN, {"place": destination(format="vhdx")}, "format-unsupported"),
        (replace(KNOWN, copy=facts(place=replace(NEW, kind=PathKind.FILE))), {}, "destination-exists"),
        (replace(KNOWN, copy=facts(place=replace(NEW, parent_exists=False))), {}, "directory-missing"),
        (replace(KNOWN, copy=facts(place=replace(NEW, writable=False))), {}, "directory-not-writable"),
        (replace(KNOWN, copy=facts(place=replace(NEW, free=DATA))), {}, "space"),
        (replace(KNOWN, copy=facts(sizes=None)), {}, "size-unknown"),
        (replace(KNOWN, copy=facts(None)), {}, "no-such-disk"),
    ],
)
def test_what_is_refused(known: RemoteFacts, wish: dict[str, Any], check: str) -> None:
    made = plan(known, **wish)
    assert refusals(made) == {check}
    assert made.steps == ()


@pytest.mark.parametrize("address", ["10.0.0.2", "::1", "fe80::1:2", "host-b.example", "::ffff:10.0.0.2"])
def test_addresses(address: str) -> None:
    made = plan(address=address, port=10809)
    assert refusals(made) == set()
    assert f"--bind={address} --port=10809 " in made.commands[1]


def test_a_full_place_can_be_risked() -> None:
    tight = replace(KNOWN, copy=facts(place=replace(NEW, free=DATA)))
    assert refusals(plan(tight, accepted=frozenset({Acceptance.RISK_FULL_DESTINATION}))) == set()


def test_what_the_copy_does_not_have_is_told_and_nothing_more() -> None:
    # The guest stays on images that have it.
    made = plan(replace(KNOWN, copy=with_snapshot(0)))
    assert refusals(made) == set()
    assert "internal-snapshots" in warnings(made)


def test_nobody_may_be_able_to_try_if_the_server_is_reached() -> None:
    assert "reach-unchecked" in warnings(plan(replace(KNOWN, tries=False)))


def test_a_plan_keeps_its_port_as_long_as_that_is_free() -> None:
    assert free_port(PLAN, frozenset()) == free_port(PLAN, frozenset({PORTS[0]})) == PORT
    assert free_port(PLAN, frozenset({PORT})) == PORT + 1
    assert free_port("ffffffff", frozenset()) in PORTS
    last = frozenset(PORTS) - {PORTS[0]}
    assert free_port(PLAN, last) == PORTS[0]
    assert free_port("p1", frozenset()) == PORTS[0]


# Later, from the journal


def test_the_journal_has_all_that_ends_the_server() -> None:
    made = entry(plan(then=Then.KEEP), reached=2)
    serve = made.steps[1]
    assert isinstance(serve, ServeThere)
    whole = replace(made, steps=(*made.steps, RemoveThere(serve.made, 5.0)))
    assert parse_entry(entry_xml(whole), UUID) == whole
    assert whole.serving == serve
    assert whole.targets == {"vda"}


def ended(ending: Ending, *, runs: bool = True) -> Plan:
    held = entry(plan())
    start = held.steps[2]
    assert isinstance(start, StartCopy)
    mirror = make_chain(start.path)
    jobs = (Running("vda", JobType.COPY, Phase.IN_SYNC, None, mirror),) if runs else ()
    known = EndFacts(KNOWN.copy.domain, jobs, (held,), now=NOW)
    return plan_end(EndRequest(UUID, ("vda",), ending), known, "p9")


def test_keeping_it_ends_the_server() -> None:
    made = ended(Ending.KEEP)
    assert refusals(made) == set()
    assert kinds(made.steps) == [EndJobs, StopServing]
    assert made.steps[1] == StopServing(plan().steps[1], kept=True)  # type: ignore[arg-type]
    assert made.closes == (PLAN,)


@pytest.mark.parametrize("runs", [True, False])
def test_cancelling_it_removes_the_image_too(runs: bool) -> None:  # noqa: FBT001
    made = ended(Ending.CANCEL, runs=runs)
    assert refusals(made) == set()
    assert kinds(made.steps) == [*([EndJobs] if runs else []), StopServing, RemoveThere]
    serve = plan().steps[1]
    assert isinstance(serve, ServeThere)
    assert made.steps[-2:] == (StopServing(serve, kept=False), RemoveThere(serve.made, NOW - 60))
    reasons = [f.reason for f in made.findings if f.check == "destination-removed"]
    assert reasons == ["/fast/copy at host-b was made for this copy and is removed."]


def test_the_guest_does_not_go_over_to_it() -> None:
    assert "pivot-elsewhere" in refusals(ended(Ending.PIVOT))


def test_an_interrupted_one_is_taken_back_in_turn() -> None:
    begun = entry(plan(), reached=2)
    known = RecoverFacts(make_domain(), (begun,), now=NOW)
    made = plan_recover(RecoverRequest(UUID, undo=True), known, "p9")
    assert refusals(made) == set()
    undone = [step.step for step in made.steps if isinstance(step, Undo)]
    assert undone == [begun.steps[2], begun.steps[1], begun.steps[0]]
    assert begun.moves
