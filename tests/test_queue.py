"""The queue as a value: limits are never exceeded, the order is kept, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_host import default_plan, make_domain, make_state
from tui.model import queue
from tui.model.migrate_request import MigrateRequest
from tui.model.queue import Item, Limits, Queue, State, Wait, holds, startable
from tui.model.request import CopyRequest, Ending, EndRequest, MoveRequest
from tui.model.storage import BlockSource, Chain, FileSource, Layer, Source


def item(domain: str, to: str = "/fast", host: str = "a") -> Item:
    return Item(host, f"uuid-{domain}", domain, MoveRequest(f"uuid-{domain}", to), to, to)


def of(*items: Item, **changes: object) -> Queue:
    return replace(queue.added(Queue(), items, 1.0), **changes)  # type: ignore[arg-type]


def begun(now: Queue, *ids: int) -> Queue:
    for one in ids:
        now = queue.started(now, one, 2.0)
    return now


def names(items: tuple[Item, ...]) -> list[str]:
    return [one.domain for one in items]


# What may begin


def test_one_at_a_time_goes_to_one_destination() -> None:
    now = of(item("a"), item("b"), item("c"))
    assert names(startable(now)) == ["a"]
    assert names(startable(begun(now, 1))) == []
    done = queue.ended(begun(now, 1), 1, State.DONE, "", 3.0)
    assert names(startable(done)) == ["b"]


def test_another_destination_does_not_wait_for_the_first() -> None:
    now = of(item("a"), item("b"), item("c", "/slow"), item("d", "/other"))
    assert names(startable(now)) == ["a", "c"]
    assert names(startable(queue.limited(now, Limits(per_host=4)))) == ["a", "c", "d"]


def test_another_host_does_not_wait_for_the_first() -> None:
    hosts = [item("a", "1"), item("b", "2"), item("c", "3"), item("d", "4", host="b")]
    assert names(startable(of(*hosts))) == ["a", "b", "d"]


def to_host(domain: str, peer: str, host: str = "a") -> Item:
    return replace(item(domain, peer, host=host), peer=peer, request=MigrateRequest(f"uuid-{domain}", peer))


def test_both_hosts_of_a_migration_count() -> None:
    now = of(to_host("a", "b"), to_host("b", "c"), item("c", "/fast"), item("d", "/fast", host="b"))
    assert names(startable(now)) == ["a", "b", "d"]
    held = holds(now)[3]
    assert held is not None
    assert held.words == "waits for a, b on its host"
    full = of(item("x", "/1", host="b"), item("y", "/2", host="b"), to_host("z", "b"))
    other = holds(full)[3]
    assert other is not None
    assert other.words == "waits for x, y on the other host"


def test_a_migration_waits_for_either_host() -> None:
    now = of(to_host("a", "b"), to_host("b", "c"))
    assert names(startable(now, away={"b"})) == ["b"]
    assert names(startable(now, away={"a"})) == []
    held = [holds(now, away={one})[1] for one in ("a", "b")]
    assert [hold.words for hold in held if hold] == [
        "waits for its host to be reached",
        "waits for the other host to be reached",
    ]


def test_what_writes_to_no_new_place_has_the_limit_of_its_host_only() -> None:
    now = of(item("a", ""), item("b", ""), item("c", ""))
    assert names(startable(now)) == ["a", "b"]


def test_a_domain_has_one_plan_at_a_time_and_its_items_keep_their_order() -> None:
    now = of(item("a"), item("b"), item("b", "/slow"), item("c", "/other"))
    assert names(startable(now)) == ["a", "c"]
    assert [one.id for one in startable(begun(now, 1, 4))] == []
    held = holds(now)
    assert held[3] is not None
    assert held[3].wait is Wait.DOMAIN
    later = queue.ended(begun(now, 2), 2, State.FAILED, "", 3.0)
    assert [one.id for one in startable(later)] == [1, 3]


def test_a_host_out_of_reach_keeps_its_own_only() -> None:
    now = of(item("a"), item("b", host="b"))
    assert names(startable(now, away={"a"})) == ["b"]
    held = holds(now, away={"a"})[1]
    assert held is not None
    assert held.wait is Wait.LINK


def test_a_pause_lets_what_runs_go_on() -> None:
    now = queue.paused(begun(of(item("a"), item("b", "/slow")), 1))
    assert startable(now) == ()
    assert names(now.running) == ["a"]
    assert names(startable(queue.resumed(now))) == ["b"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda now: now, "waits for a, going there"),
        (queue.paused, "the queue is paused"),
        (lambda now: queue.limited(now, Limits(1, 2)), "waits for a on its host"),
    ],
)
def test_what_is_waited_for_is_told(change: Callable[[Queue], Queue], words: str) -> None:
    held = holds(change(begun(of(item("a"), item("b")), 1)))[2]
    assert held is not None
    assert held.words == words


def test_whoever_only_shares_the_file_system_does_not_go_there() -> None:
    one, other, third = (replace(item(name, "dev 1"), to=f"/mnt/{name}") for name in "abc")
    held = holds(begun(of(one, other), 1))[2]
    assert held is not None
    assert held.words == "waits: a takes room on the same file system"
    both = holds(queue.limited(begun(of(one, other, third), 1, 2), Limits(3, 2)))[3]
    assert both is not None
    assert both.words == "waits: a, b take room on the same file system"


@pytest.mark.parametrize("limits", [(0, 1), (1, 0), (1, -1)])
def test_a_limit_of_nothing_is_none(limits: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="At least one"):
        Limits(*limits)


# What the user does


@pytest.mark.parametrize(
    ("which", "step", "order"),
    [
        (2, -1, "bacd"),
        (2, 1, "acbd"),
        (4, -9, "dabc"),
        (1, 9, "bcda"),
        (1, -1, "abcd"),
        (9, 1, "abcd"),
    ],
)
def test_what_waits_is_put_in_another_order(which: int, step: int, order: str) -> None:
    now = of(*(item(name) for name in "abcd"))
    assert names(queue.moved(now, which, step).items) == list(order)


def test_what_runs_is_passed_over_and_stays() -> None:
    now = begun(of(*(item(name) for name in "abc")), 2)
    assert names(queue.moved(now, 3, -1).items) == ["c", "b", "a"]
    assert queue.moved(now, 2, -1) == now


def test_a_waiting_one_just_leaves() -> None:
    now = queue.cancelled(of(item("a"), item("b")), 1, 5.0)
    assert [one.state for one in now.items] == [State.CANCELLED, State.WAITING]
    assert names(startable(now)) == ["b"]
    assert names(queue.cleared(now).items) == ["b"]


def test_what_runs_is_not_cancelled_by_being_left_out() -> None:
    now = begun(of(item("a")), 1)
    assert queue.cancelled(now, 1, 5.0) == now


def test_only_what_has_ended_is_cleared() -> None:
    now = begun(of(*(item(name) for name in "abcd")), 1, 2, 3)
    now = queue.ended(now, 1, State.DONE, "", 5.0)
    now = queue.ended(now, 2, State.FAILED, "", 5.0)
    assert names(queue.cleared(now).items) == ["c", "d"]
    assert names(queue.cleared(now, {1, 3}).items) == ["b", "c", "d"]


def test_whoever_comes_late_changes_nothing() -> None:
    done = queue.ended(begun(of(item("a")), 1), 1, State.DONE, "Done.", 5.0)
    assert queue.ended(done, 1, State.FAILED, "", 6.0) == done
    assert queue.taking_back(done, 1) == done
    assert queue.returned(done, 1) == done


def test_what_could_not_be_begun_waits_where_it_stood() -> None:
    now = begun(of(item("a"), item("b")), 1)
    again = queue.returned(now, 1)
    assert names(startable(again)) == ["a"]
    assert again.items[0].started is None


def test_what_cannot_be_cancelled_goes_on_and_says_why() -> None:
    now = queue.taking_back(begun(of(item("a")), 1), 1)
    assert now.items[0].cancelling
    now = queue.going_on(now, 1, "Too late.")
    assert (now.items[0].cancelling, now.items[0].message) == (False, "Too late.")


def test_ids_are_never_used_twice() -> None:
    now = queue.cleared(queue.cancelled(of(item("a")), 1, 2.0))
    assert not now
    assert queue.added(now, [item("b")], 3.0).items[0].id == 2


# Where it writes to


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (FileSource("/fast/a.qcow2"), "/fast"),
        (FileSource("/a.qcow2"), "/"),
        (BlockSource("/dev/vg/a"), "/dev/vg/a"),
    ],
)
def test_the_destination_is_what_a_copy_fills(source: Source, place: str) -> None:
    domain = make_domain()
    request = CopyRequest(domain.uuid, "vda", Chain((Layer(source, "raw"),)))
    assert queue.writes_to(default_plan(request, make_state(domain))) == place


def test_what_copies_nothing_has_no_destination() -> None:
    domain = make_domain()
    request = EndRequest(domain.uuid, ("vda",), Ending.KEEP)
    assert queue.writes_to(default_plan(request, make_state(domain))) == ""


# Whatever happens, in whatever order

ITEMS = st.builds(
    item, st.sampled_from("abcdef"), st.sampled_from(["", "/x", "/y", "/z"]), st.sampled_from("AB")
)
IDS = st.integers(1, 12)
ENDS = st.sampled_from([State.DONE, State.FAILED, State.REFUSED, State.CANCELLED])
DEEDS: st.SearchStrategy[Callable[[Queue], Queue]] = st.one_of(
    st.builds(lambda items: lambda q: queue.added(q, items, 1.0), st.lists(ITEMS, max_size=4)),
    st.builds(lambda one, step: lambda q: queue.moved(q, one, step), IDS, st.integers(-3, 3)),
    st.builds(lambda one: lambda q: queue.cancelled(q, one, 2.0), IDS),
    st.builds(lambda one, end: lambda q: queue.ended(q, one, end, "", 3.0), IDS, ENDS),
    st.builds(lambda one: lambda q: queue.returned(q, one), IDS),
    st.builds(lambda one: lambda q: queue.taking_back(q, one), IDS),
    st.sampled_from([queue.paused, queue.resumed]),
)
AWAY = st.sampled_from([(), ("A",), ("B",)])
LIMITS = st.builds(Limits, st.integers(1, 4), st.integers(1, 3))


def pumped(now: Queue, away: tuple[str, ...] = ()) -> Queue:
    return begun(now, *(one.id for one in startable(now, away)))


@given(st.lists(ITEMS), LIMITS, st.lists(st.tuples(DEEDS, AWAY), max_size=30))
def test_limits_are_kept_and_nothing_is_lost(
    items: list[Item], limits: Limits, deeds: list[tuple[Callable[[Queue], Queue], tuple[str, ...]]]
) -> None:
    now = queue.limited(of(*items), limits)
    for deed, away in deeds:
        before = now
        changed = deed(before)
        assert {one.id for one in before.items} <= {one.id for one in changed.items}
        assert len({one.id for one in changed.items}) == len(changed.items) == changed.count
        now = pumped(changed, away)
        assert max(Counter(one.host for one in now.running).values(), default=0) <= limits.per_host
        there = Counter(one.destination for one in now.running if one.destination)
        assert max(there.values(), default=0) <= limits.per_destination
        assert max(Counter(one.key for one in now.running).values(), default=0) <= 1
        assert changed.paused is False or now.running == changed.running
        assert not {one.host for one in startable(changed, away)} & set(away)


@given(st.lists(ITEMS, max_size=12), LIMITS, st.randoms(use_true_random=False))
def test_everything_has_its_turn_and_in_order(items: list[Item], limits: Limits, chance: object) -> None:
    now = queue.limited(of(*items), limits)
    began: list[Item] = []
    while now.waiting or now.running:
        fresh = startable(now)
        began += fresh
        now = begun(now, *(one.id for one in fresh))
        assert now.running, "nothing runs, and something waits"
        one = chance.choice(now.running)  # type: ignore[attr-defined]
        now = queue.ended(now, one.id, State.DONE, "", 3.0)
    assert sorted(one.id for one in began) == [one.id for one in now.items]
    alike: dict[tuple[object, ...], list[int]] = {}
    for one in began:
        alike.setdefault(one.key, []).append(one.id)
        alike.setdefault((one.host, one.uuid, one.destination), []).append(one.id)
    assert all(ids == sorted(ids) for ids in alike.values())


@given(st.lists(ITEMS, max_size=8), IDS, st.integers(-4, 4), st.lists(IDS, max_size=4))
def test_another_order_changes_nothing_else(items: list[Item], which: int, step: int, run: list[int]) -> None:
    now = begun(of(*items), *run)
    after = queue.moved(now, which, step)
    assert sorted(after.items, key=lambda one: one.id) == sorted(now.items, key=lambda one: one.id)
    rest = [one.id for one in after.waiting if one.id != which]
    assert rest == [one.id for one in now.waiting if one.id != which]
    where = [n for n, one in enumerate(now.items) if one.state is not State.WAITING]
    assert all(now.items[n] is after.items[n] for n in where)
