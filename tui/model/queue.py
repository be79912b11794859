"""Requests that wait for their turn: an immutable queue, and the pure functions that change it.

What an item is for does not matter here: it has a host, a domain, and a destination that it writes to or goes to.
How many may run at once is limited for each host and for each destination, and a domain has one plan at a time.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tui.model.begin_steps import StartCopy
from tui.model.migrate_steps import MakeThere, Migrate
from tui.model.plan import Plan
from tui.model.request import Request
from tui.model.volume_steps import MakeVolume

_NEVER_BEGUN = "Cancelled before its turn came."


class State(StrEnum):
    """The life of an item."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    """Its plan was refused by its own checks when its turn came."""
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (State.WAITING, State.RUNNING)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many items may run at once.

    Into one destination one at a time: several would share its speed, so that none is done sooner, each of them
    would have its guest on two places for longer, and each would count on room that the other one takes. On one
    host two, so that two destinations can be filled while most guests have their storage to themselves.
    """

    per_host: int = 2
    per_destination: int = 1

    def __post_init__(self) -> None:
        """A limit of nothing would be a queue that never moves, which is what pausing is for."""
        if min(self.per_host, self.per_destination) < 1:
            message = "At least one has to be let through."
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Item:
    """One request, and how it fares."""

    host: str
    """The URI of the host."""
    uuid: str
    domain: str
    request: Request
    title: str = ""
    """What is to be done, for people."""
    destination: str = ""
    """What the limit is counted by; empty where it writes to no new place."""
    to: str = ""
    """The destination as people call it."""
    peer: str = ""
    """The URI of the host that the domain goes to; empty where it stays on its own."""
    id: int = 0
    """Never used twice in one queue."""
    state: State = State.WAITING
    plan: str | None = None
    """The id of the plan that carries it out."""
    cancelling: bool = False
    """Whether it is being taken back."""
    message: str = ""
    """One sentence: how it ended, or why it could not be cancelled."""
    added: float = 0.0
    """Wall clock, seconds since the epoch."""
    started: float | None = None
    ended: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Host and domain: what can have one plan at a time."""
        return (self.host, self.uuid)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The URIs of all hosts that have a part in it."""
        return (self.host, self.peer) if self.peer else (self.host,)


@dataclass(frozen=True, slots=True)
class Queue:
    """Items in the order in which they are to begin."""

    items: tuple[Item, ...] = ()
    paused: bool = False
    limits: Limits = field(default_factory=Limits)
    count: int = 0
    """How many items there have ever been."""

    def __bool__(self) -> bool:
        """Whether it holds anything."""
        return bool(self.items)

    def item(self, item_id: int) -> Item | None:
        """The item of that id."""
        return next((item for item in self.items if item.id == item_id), None)

    def those(self, *states: State) -> tuple[Item, ...]:
        """The items in these states."""
        return tuple(item for item in self.items if item.state in states)

    @property
    def waiting(self) -> tuple[Item, ...]:
        """What has not begun."""
        return self.those(State.WAITING)

    @property
    def running(self) -> tuple[Item, ...]:
        """What has begun and not ended."""
        return self.those(State.RUNNING)


class Wait(StrEnum):
    """What an item waits for."""

    PAUSE = "pause"
    """The queue to go on."""
    DOMAIN = "domain"
    """Another item of its domain, which runs or comes first."""
    LINK = "link"
    """Its host to be reached, or the one that it goes to."""
    HOST = "host"
    """One of those that have a part in what its hosts do."""
    DESTINATION = "destination"
    """One of those that write to where it is to write."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why an item does not begin."""

    wait: Wait
    behind: tuple[Item, ...] = ()
    """The items that it waits for; one of them is enough."""
    elsewhere: bool = False
    """Whether it is not the item's own place or host: one that shares the file system, or the host it goes to."""

    @property
    def words(self) -> str:
        """For people, in a few words."""
        names = ", ".join(item.domain for item in self.behind)
        match self.wait:
            case Wait.PAUSE:
                return "the queue is paused"
            case Wait.DOMAIN:
                return f"after what is to be done to {names} first"
            case Wait.LINK:
                return f"waits for {'the other' if self.elsewhere else 'its'} host to be reached"
            case Wait.HOST:
                return f"waits for {names} on {'the other' if self.elsewhere else 'its'} host"
            case Wait.DESTINATION:
                if not self.elsewhere:
                    return f"waits for {names}, going there"
                take = "takes" if len(self.behind) == 1 else "take"
                return f"waits: {names} {take} room on the same file system"


def goes_to(plan: Plan) -> Migrate | None:
    """The step by which a plan takes its domain to another host."""
    return next((step for step in plan.steps if isinstance(step, Migrate)), None)


def pooled_by(plan: Plan) -> tuple[str, ...]:
    """The images that libvirt makes for it at the other host, in its storage pools."""
    step = goes_to(plan)
    return tuple(path for path, _size in step.pooled) if step else ()


def writes_to(plan: Plan) -> str:
    """The directory that a plan fills, the pool, the device or the network disk; empty where it copies nothing.

    For a domain that goes to another host it lies there.
    """
    pool = next((step.pool for step in plan.steps if isinstance(step, MakeVolume)), None)
    if pool is not None:
        return f"pool:{pool}"
    copied = [step.path for step in plan.steps if isinstance(step, StartCopy)]
    made = [step.image.path for step in plan.steps if isinstance(step, MakeThere)]
    path = next(iter((*copied, *made, *pooled_by(plan))), "")
    if path.startswith("/dev/") or not path.startswith("/"):
        return path
    return posixpath.dirname(path)


# What may begin


def holds(queue: Queue, away: Collection[str] = ()) -> dict[int, Hold | None]:
    """For each waiting item why it does not begin, ``None`` where it may; ``away`` are hosts out of reach.

    What is kept is passed by those behind it, except by those of its own domain.
    """
    found: dict[int, Hold | None] = {}
    taken = list(queue.running)
    ahead = {item.key: item for item in reversed(queue.running)}
    for item in queue.waiting:
        hold = _hold(queue, item, taken, away, ahead.setdefault(item.key, item))
        found[item.id] = hold
        if hold is None:
            taken.append(item)
    return found


def startable(queue: Queue, away: Collection[str] = ()) -> tuple[Item, ...]:
    """The items that may begin now, in their order; all of them at once keep within the limits."""
    found = holds(queue, away)
    return tuple(item for item in queue.waiting if found[item.id] is None)


def _hold(queue: Queue, item: Item, taken: Sequence[Item], away: Collection[str], first: Item) -> Hold | None:
    """Why it does not begin; ``first`` is the first of its domain that has not ended, which it may be itself."""
    if queue.paused:
        return Hold(Wait.PAUSE)
    if first is not item:
        return Hold(Wait.DOMAIN, (first,))
    if gone := next((host for host in item.hosts if host in away), None):
        return Hold(Wait.LINK, elsewhere=gone != item.host)
    there = tuple(other for other in taken if item.destination and other.destination == item.destination)
    if len(there) >= queue.limits.per_destination:
        return Hold(Wait.DESTINATION, there, elsewhere=any(other.to != item.to for other in there))
    for host in item.hosts:
        beside = tuple(other for other in taken if host in other.hosts)
        if len(beside) >= queue.limits.per_host:
            return Hold(Wait.HOST, beside, elsewhere=host != item.host)
    return None


# What the user does


def added(queue: Queue, items: Iterable[Item], now: float) -> Queue:
    """With more items at the end."""
    new = tuple(replace(item, id=queue.count + n, added=now) for n, item in enumerate(items, start=1))
    return replace(queue, items=queue.items + new, count=queue.count + len(new))


def moved(queue: Queue, item_id: int, step: int) -> Queue:
    """With a waiting item so many places further on, or with a negative ``step`` ahead, among those that wait."""
    order = [item.id for item in queue.waiting]
    if item_id not in order:
        return queue
    place = order.index(item_id)
    order.insert(max(0, min(len(order) - 1, place + step)), order.pop(place))
    by_id = {item.id: item for item in queue.waiting}
    waiting = iter([by_id[one] for one in order])
    items = tuple(next(waiting) if item.state is State.WAITING else item for item in queue.items)
    return replace(queue, items=items)


def paused(queue: Queue) -> Queue:
    """What runs goes on, and nothing more begins."""
    return replace(queue, paused=True)


def resumed(queue: Queue) -> Queue:
    """It goes on."""
    return replace(queue, paused=False)


def limited(queue: Queue, limits: Limits) -> Queue:
    """With other limits; what runs already goes on."""
    return replace(queue, limits=limits)


def cancelled(queue: Queue, item_id: int, now: float) -> Queue:
    """Without the turn of a waiting item, to which nothing has been done."""
    return _changed(
        queue,
        item_id,
        State.WAITING,
        lambda item: replace(item, state=State.CANCELLED, message=_NEVER_BEGUN, ended=now),
    )


def cleared(queue: Queue, ids: Collection[int] | None = None) -> Queue:
    """Without the items that have ended, all or these."""
    items = tuple(
        item for item in queue.items if not item.state.ended or (ids is not None and item.id not in ids)
    )
    return replace(queue, items=items)


# What becomes of an item


def started(queue: Queue, item_id: int, now: float) -> Queue:
    """Its turn has come."""
    return _changed(
        queue,
        item_id,
        State.WAITING,
        lambda item: replace(item, state=State.RUNNING, started=now, message=""),
    )


def planned(queue: Queue, item_id: int, plan_id: str) -> Queue:
    """Its plan is being carried out."""
    return _changed(queue, item_id, State.RUNNING, lambda item: replace(item, plan=plan_id))


def returned(queue: Queue, item_id: int) -> Queue:
    """Nothing could be done for it yet: it waits again, where it stood."""
    return _changed(
        queue,
        item_id,
        State.RUNNING,
        lambda item: replace(item, state=State.WAITING, started=None, plan=None),
    )


def taking_back(queue: Queue, item_id: int) -> Queue:
    """It is being cancelled."""
    return _changed(queue, item_id, State.RUNNING, lambda item: replace(item, cancelling=True, message=""))


def going_on(queue: Queue, item_id: int, message: str) -> Queue:
    """It could not be cancelled, and goes on."""
    return _changed(
        queue, item_id, State.RUNNING, lambda item: replace(item, cancelling=False, message=message)
    )


def ended(queue: Queue, item_id: int, state: State, message: str, now: float) -> Queue:
    """It has come to this end."""
    return _changed(
        queue,
        item_id,
        State.RUNNING,
        lambda item: replace(item, state=state, cancelling=False, message=message, ended=now),
    )


def _changed(queue: Queue, item_id: int, state: State, change: Callable[[Item], Item]) -> Queue:
    """With another item in the place of one that is in this state; whoever comes late changes nothing."""
    items = tuple(
        change(item) if item.id == item_id and item.state is state else item for item in queue.items
    )
    return replace(queue, items=items)
