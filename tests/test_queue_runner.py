"""What drives the queue, over hosts that play what they are told to: what is planned and run, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.fake_host import FakeControl, FakeRun, default_plan, make_disk, make_domain, make_state
from tui.engine.control import End, Outcome
from tui.engine.errors import HostError, NoConnection, ReadOnlyError
from tui.engine.queue import QueueRunner
from tui.model.finding import fine, refused, warning
from tui.model.host import Link
from tui.model.migrate_request import MigrateRequest, MigrationTuneRequest, Tune
from tui.model.migrate_steps import Migrate
from tui.model.migration import Migration
from tui.model.plan import Plan
from tui.model.queue import Item, Limits, Queue, State
from tui.model.request import CopyRequest, RecoverRequest, Request
from tui.model.storage import Chain, FileSource, Layer

PATIENCE = 60.0
NAMES = tuple("abcdef")
DONE = Outcome(End.DONE, "Done.")


class Bench:
    """A queue on fake hosts, and a way to wait for what becomes of it."""

    def __init__(self, runner: QueueRunner) -> None:
        self.runner = runner
        self._changed = threading.Condition()
        runner.subscribe(self._wake)

    def _wake(self, _queue: Queue) -> None:
        with self._changed:
            self._changed.notify_all()

    def until(self, true: Callable[[Queue], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: true(self.runner.queue), PATIENCE), self.states

    @property
    def states(self) -> dict[int, State]:
        return {item.id: item.state for item in self.runner.queue.items}

    def item(self, number: int) -> Item:
        found = self.runner.queue.item(number)
        assert found
        return found

    def until_ended(self, *numbers: int) -> None:
        self.until(lambda _: all(self.item(one).state.ended for one in numbers))

    def until_planned(self, *numbers: int) -> None:
        self.until(lambda _: all(self.item(one).plan for one in numbers))


@contextmanager
def bench() -> Any:
    runner = QueueRunner(clock=lambda: 1.0)
    try:
        yield Bench(runner)
    finally:
        runner.close()


def host(uri: str = "test:///a", **options: Any) -> FakeControl:
    domains = [make_domain(name, disks=[make_disk("vda")]) for name in NAMES]
    control = FakeControl(uri, make_state(*domains), **options)
    control.outcome = None
    control.planner = lambda request: planned(control, request)
    return control


def planned(control: FakeControl, request: Request) -> Plan:
    """A plan whose id is that of the domain."""
    plan = replace(default_plan(request, control.state, control.findings), request=request)
    undoing = isinstance(request, RecoverRequest)
    return plan if undoing else replace(plan, id=f"p-{plan.domain}")


def wish(control: FakeControl, name: str, directory: str = "/fast") -> tuple[FakeControl, Plan]:
    layer = Layer(FileSource(f"{directory}/{name}.qcow2"), "qcow2")
    request = CopyRequest(make_domain(name).uuid, "vda", Chain((layer,)))
    return control, replace(default_plan(request, control.state), request=request)


def ran(control: FakeControl) -> list[str]:
    return [call[1].domain for call in control.calls if call[0] == "run"]


def run_of(control: FakeControl, name: str) -> FakeRun:
    return next(run for run in control.runs if run.plan.domain == name)


def undo_plan(control: FakeControl, request: Request, *checks: str) -> Plan:
    """What taking a plan back comes to, unless ``checks`` refuse it."""
    findings = tuple(refused(check, f"Because of {check}.") for check in checks)
    domain = next(d for d in control.state.domains if d.uuid == request.uuid)
    return Plan("undo", f"Undo {domain.name}", request.uuid, domain.name, findings, (), request=request)


def undoing(control: FakeControl, *answers: tuple[str, ...]) -> None:
    """Have the host answer to undo requests so, the last answer again and again."""
    left = list(answers)

    def plan(request: Request) -> Plan:
        if isinstance(request, RecoverRequest):
            checks = left.pop(0) if len(left) > 1 else left[0]
            return undo_plan(control, request, *checks)
        return planned(control, request)

    def run(started: FakeRun) -> None:
        if started.plan.id == "undo":
            for other in control.runs:
                if other.plan.uuid == started.plan.uuid and other is not started:
                    other.leave()
            started.finish(Outcome(End.DONE, "Done."))

    control.planner, control.on_run = plan, run


def test_one_after_the_other_to_one_destination() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, name) for name in "abc"])
        b.until_planned(1)
        assert b.states == {1: State.RUNNING, 2: State.WAITING, 3: State.WAITING}
        for number, name in enumerate("abc", start=1):
            b.until_planned(number)
            assert ran(control) == list("abc"[:number])
            run_of(control, name).finish(DONE)
            b.until_ended(number)
        assert [b.item(n).message for n in (1, 2, 3)] == ["Done."] * 3


def test_the_plan_is_made_when_the_turn_has_come() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, "a"), wish(control, "b")])
        b.until_planned(1)
        assert [request.uuid for request in control.requests] == [make_domain("a").uuid]
        run_of(control, "a").finish(DONE)
        b.until_planned(2)
        assert len(control.requests) == 2


def test_several_hosts_and_destinations_at_once() -> None:
    one, two = host("test:///a"), host("test:///b")
    with bench() as b:
        b.runner.add([wish(one, "a"), wish(one, "b", "/slow"), wish(one, "c", "/other"), wish(two, "d")])
        b.until_planned(1, 2, 4)
        assert b.states[3] is State.WAITING
        assert ran(two) == ["d"]
        b.runner.limit(Limits(3, 1))
        b.until_planned(3)


def test_a_refused_one_says_why_and_the_next_begins() -> None:
    control = host()
    usual = control.planner
    assert usual

    def plan(request: Request) -> Plan:
        made = usual(request)
        return (
            replace(made, findings=(refused("x", "It is in the way.", "Move it."),))
            if made.domain == "a"
            else made
        )

    control.planner = plan
    with bench() as b:
        b.runner.add([wish(control, "a"), wish(control, "b")])
        b.until_ended(1)
        b.until_planned(2)
        assert (b.item(1).state, b.item(1).message) == (State.REFUSED, "It is in the way. Move it.")
        assert ran(control) == ["b"]


@pytest.mark.parametrize("way", ["outcome", "host error", "bug"])
def test_one_that_fails_does_not_stop_the_others(way: str) -> None:
    control = host()

    def run(started: FakeRun) -> None:
        if started.plan.domain != "a":
            return
        if way == "outcome":
            started.finish(Outcome(End.FAILED, "No."))
        elif way == "host error":
            raise HostError("No.")
        else:
            raise ZeroDivisionError("No.")

    control.on_run = run
    with bench() as b:
        b.runner.add([wish(control, "a"), wish(control, "b")])
        b.until_ended(1)
        b.until_planned(2)
        assert b.item(1).state is State.FAILED
        assert "No." in b.item(1).message


def test_one_whose_mirror_is_cancelled_has_not_failed() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, "a")])
        b.until_planned(1)
        run_of(control, "a").finish(Outcome(End.FAILED, "The guest stays.", cancelled=True))
        b.until_ended(1)
        assert (b.item(1).state, b.item(1).message) == (State.CANCELLED, "The guest stays.")


def test_a_pause_begins_nothing_and_lets_go_on_what_runs() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, "a"), wish(control, "b")])
        b.until_planned(1)
        b.runner.pause()
        run_of(control, "a").finish(DONE)
        b.until_ended(1)
        assert b.states[2] is State.WAITING
        b.runner.resume()
        b.until_planned(2)


def test_the_order_can_be_changed() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, name) for name in "abc"])
        b.until_planned(1)
        b.runner.move(3, -1)
        run_of(control, "a").finish(DONE)
        b.until_planned(3)
        assert ran(control) == ["a", "c"]


def test_a_waiting_one_leaves_and_nothing_is_asked_of_its_host() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, "a"), wish(control, "b")])
        b.until_planned(1)
        asked = len(control.requests)
        b.runner.cancel(2)
        assert b.item(2).state is State.CANCELLED
        run_of(control, "a").finish(DONE)
        b.until_ended(1)
        assert len(control.requests) == asked
        b.runner.clear()
        assert not b.runner.queue


def test_a_running_one_is_taken_back() -> None:
    control = host()
    undoing(control, ())
    with bench() as b:
        b.runner.add([wish(control, "a"), wish(control, "b")])
        b.until_planned(1)
        b.runner.cancel(1)
        b.until_ended(1)
        assert (b.item(1).state, b.item(1).message) == (State.CANCELLED, "Taken back.")
        assert RecoverRequest(make_domain("a").uuid, undo=True, plan="p-a") in control.requests
        b.until_planned(2)


def test_it_is_taken_back_by_the_plan_that_was_shown() -> None:
    control = host()
    undoing(control, ())
    with bench() as b:
        b.runner.add([wish(control, "a")])
        b.until_planned(1)
        shown = undo_plan(control, RecoverRequest(make_domain("a").uuid, undo=True))
        b.runner.cancel(1, shown)
        b.until_ended(1)
        assert control.runs[-1].plan is shown
        assert len(control.requests) == 1


def test_one_past_the_pivot_goes_on_and_says_so() -> None:
    control = host()
    undoing(control, ("past-the-pivot",))
    with bench() as b:
        b.runner.add([wish(control, "a")])
        b.until_planned(1)
        b.runner.cancel(1)
        b.until(lambda _: b.item(1).message)
        assert b.states[1] is State.RUNNING
        assert b.item(1).message == "Not cancelled: Because of past-the-pivot."
        assert ("leave", run_of(control, "a").plan) not in control.calls
        run_of(control, "a").finish(DONE)
        b.until_ended(1)
        assert b.item(1).message == "Done."


@pytest.mark.parametrize("written", [True, False])
def test_one_that_has_written_nothing_yet_is_stopped_first(written: bool) -> None:  # noqa: FBT001
    control = host()
    undoing(control, ("no-plan",), () if written else ("no-plan",))
    with bench() as b:
        b.runner.add([wish(control, "a")])
        b.until_planned(1)
        b.runner.cancel(1)
        b.until_ended(1)
        assert b.states[1] is State.CANCELLED
        assert (b.item(1).message == "Taken back.") is written
        assert [run.plan.id for run in control.runs] == (["p-a", "undo"] if written else ["p-a"])


def test_one_that_ends_by_itself_while_it_is_cancelled_is_done() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, "a")])
        b.until_planned(1)

        def late(request: Request) -> Plan:
            run_of(control, "a").finish(DONE)
            return undo_plan(control, request, "no-plan")

        control.planner = late
        b.runner.cancel(1)
        b.until_ended(1)
        assert (b.item(1).state, b.item(1).message) == (State.DONE, "Done.")


@pytest.mark.parametrize("when", ["planning", "beginning"])
def test_one_that_is_cancelled_while_it_begins(when: str) -> None:
    control = host()
    undoing(control, ())
    usual, on_run = control.planner, control.on_run
    assert usual
    assert on_run
    with bench() as b:

        def plan(request: Request) -> Plan:
            if when == "planning" and not isinstance(request, RecoverRequest):
                b.runner.cancel(1)
            return usual(request)

        def run(started: FakeRun) -> None:
            if when == "beginning" and started.plan.id != "undo":
                b.runner.cancel(1)
            on_run(started)

        control.planner, control.on_run = plan, run
        b.runner.add([wish(control, "a"), wish(control, "b")])
        b.until_ended(1)
        b.until_planned(2)
        assert b.states[1] is State.CANCELLED
        assert ran(control)[0] == ("a" if when == "beginning" else "b")


def test_an_undo_that_fails_is_the_end() -> None:
    control = host()
    undoing(control, ())
    with bench() as b:
        b.runner.add([wish(control, "a")])
        b.until_planned(1)

        def run(_started: FakeRun) -> None:
            run_of(control, "a").leave()
            raise HostError("It cannot be stopped.")

        control.on_run = run
        b.runner.cancel(1)
        b.until_ended(1)
        assert b.states[1] is State.FAILED
        assert b.item(1).message.startswith("It cannot be stopped. ")


def test_one_that_somebody_takes_back_by_hand_frees_its_place() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, "a"), wish(control, "b")])
        b.until_planned(1)
        run_of(control, "a").leave()
        b.until_ended(1)
        b.until_planned(2)
        assert b.states[1] is State.CANCELLED


def test_a_host_that_is_lost_keeps_its_items_until_it_is_back() -> None:
    control = host()
    with bench() as b:
        live = control.state
        control.error = NoConnection("There is no connection.")
        b.runner.add([wish(control, "a")])
        b.until(lambda _: b.runner.away)
        assert b.states[1] is State.WAITING
        control.publish(replace(live, link=Link.LOST))
        assert b.states[1] is State.WAITING
        control.error = None
        control.publish(live)
        b.until_planned(1)


def test_a_host_that_is_gone_does_not_hold_up_another() -> None:
    gone, there = host("test:///a"), host("test:///b")
    with bench() as b:
        b.runner.pause()
        b.runner.add([wish(gone, "a"), wish(there, "b")])
        gone.publish(replace(gone.state, link=Link.LOST))
        b.runner.resume()
        b.until_planned(2)
        assert b.states[1] is State.WAITING
        assert gone.requests == []


# To another host


PEER = "test:///b"


def leaving(control: FakeControl, name: str) -> tuple[FakeControl, Plan]:
    """A wish to go to the other host."""
    domain = make_domain(name)
    step = Migrate(domain.uuid, name, PEER, "host-b", "u", name)
    request = MigrateRequest(domain.uuid, PEER)
    return control, Plan(f"p-{name}", f"Migrate {name}", domain.uuid, name, (), (step,), request=request)


def on_its_way(control: FakeControl, name: str) -> None:
    """The host shows that a domain goes."""
    migration = Migration(make_domain(name).uuid, name, "host-b")
    control.publish(replace(control.state, migrations={migration.uuid: migration}))


def test_what_goes_to_another_host_waits_while_that_is_away() -> None:
    control, peer = host(), host(PEER)
    live = peer.state
    peer.publish(replace(live, link=Link.LOST))
    with bench() as b:
        b.runner.add([leaving(control, "a"), wish(control, "b")], [peer])
        b.until_planned(2)
        assert b.states[1] is State.WAITING
        assert b.runner.away == {PEER}
        peer.publish(live)
        b.until_planned(1)
        assert b.item(1).to == "host-b"


def test_one_on_its_way_is_called_back_and_its_own_plan_tells_the_end() -> None:
    control = host()
    with bench() as b:
        b.runner.add([leaving(control, "a"), leaving(control, "b")])
        b.until_planned(1)
        on_its_way(control, "a")
        control.planner = lambda request: replace(
            default_plan(request, control.state), id="tune", request=request
        )
        control.on_run = lambda run: run.finish(DONE) if run.plan.id == "tune" else None
        b.runner.cancel(1)
        b.until(lambda _: MigrationTuneRequest(make_domain("a").uuid, Tune.CALL_BACK) in control.requests)
        b.until(lambda _: len(control.runs) == 2)
        assert b.states[1] is State.RUNNING
        run_of(control, "a").finish(Outcome(End.FAILED, "Migrate a: called back.", cancelled=True))
        b.until_ended(1)
        assert (b.item(1).state, b.item(1).message) == (State.CANCELLED, "called back.")


def test_one_that_cannot_be_called_back_goes_on_and_says_so() -> None:
    control = host()
    with bench() as b:
        b.runner.add([leaving(control, "a")])
        b.until_planned(1)
        on_its_way(control, "a")
        control.on_run = lambda run: run.finish(Outcome(End.FAILED, "It was too late."))
        b.runner.cancel(1)
        b.until(lambda _: b.item(1).message)
        assert (b.states[1], b.item(1).message) == (State.RUNNING, "Not cancelled: It was too late.")


def test_what_has_arrived_tells_how_and_what_is_to_be_looked_at() -> None:
    control = host()
    findings = (
        fine("arrived", "a is at host-b."),
        fine("migrated", "a went to host-b in 2.0 s."),
        warning("source-defined", "host-a still has a definition of a."),
    )
    with bench() as b:
        b.runner.add([leaving(control, "a")])
        b.until_planned(1)
        run_of(control, "a").finish(Outcome(End.DONE, "Migrate a: done.", findings))
        b.until_ended(1)
        assert b.item(1).message == "a went to host-b in 2.0 s. host-a still has a definition of a."


def test_a_read_only_host_takes_nothing() -> None:
    writing, reading = host("test:///a"), host("test:///b", read_only=True)
    with bench() as b:
        with pytest.raises(ReadOnlyError):
            b.runner.add([wish(writing, "a"), wish(reading, "b")])
        assert not b.runner.queue
        assert writing.requests == reading.requests == []


def test_one_that_is_stopped_in_the_middle_says_what_can_be_done_without_keys_of_a_screen() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, "a")])
        b.until_planned(1)
        run_of(control, "a").finish(Outcome(End.LEFT))
        b.until_ended(1)
        assert b.item(1).state is State.CANCELLED
        assert (
            b.item(1).message
            == "It was stopped in the middle. Unless it has been taken back, resume or undo it."
        )


def test_nothing_begins_after_the_end() -> None:
    control = host()
    with bench() as b:
        b.runner.add([wish(control, "a"), wish(control, "b")])
        b.until_planned(1)
        b.runner.close()
        assert control.subscribers == 0
        run_of(control, "a").finish(Outcome(End.LEFT))
        b.runner.resume()
        assert ran(control) == ["a"]


def test_no_thread_is_held_by_what_waits() -> None:
    control = host()
    with bench() as b:
        before = set(threading.enumerate())
        b.runner.add([wish(control, name) for name in NAMES])
        b.until_planned(1)
        fresh = set(threading.enumerate()) - before
        assert len([thread for thread in fresh if thread.name == "queue"]) == 1
        run_of(control, "a").finish(DONE)
