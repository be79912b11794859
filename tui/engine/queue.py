"""Carrying out what waits in a queue, on all hosts: each plan is made when its turn has come.

Nothing is polled. Whatever changes the queue, and whatever ends, looks at once whether something else may begin.
Items in progress have a thread each, which waits for their end; what waits has none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tui.engine.control import Control, End, Outcome, Run
from tui.engine.errors import HostError, NoConnection, ReadOnlyError
from tui.engine.promised import device_of
from tui.engine.uri import is_local
from tui.model import queue as model
from tui.model.finding import Severity
from tui.model.host import HostState, Link
from tui.model.migrate_request import MigrationTuneRequest, Tune
from tui.model.plan import Plan
from tui.model.queue import Item, Limits, Queue, State, startable
from tui.model.request import RecoverRequest

_LEFT = "It was stopped in the middle. Unless it has been taken back, resume or undo it."


@dataclass(slots=True)
class _Going:
    """An item that has begun."""

    control: Control
    run: Run | None = None
    """Once its plan has been made."""


class QueueRunner:
    """A queue that is being carried out. All methods may be called from any thread, and return at once."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Begin empty."""
        self._clock = clock
        self._queue = Queue()
        self._lock = threading.RLock()
        self._listeners: dict[int, Callable[[Queue], object]] = {}
        self._controls: dict[str, Control] = {}
        self._reached: dict[str, bool] = {}
        """By host whether it was there when it was last heard of."""
        self._going: dict[int, _Going] = {}
        self._turns: dict[str, threading.Lock] = {}
        """By host: a plan counts the room that was promised to the one before, which must have begun."""
        self._unsubscribe: list[Callable[[], None]] = []
        self._closed = False

    @property
    def queue(self) -> Queue:
        """What it holds now."""
        return self._queue

    @property
    def away(self) -> frozenset[str]:
        """The hosts that are out of reach."""
        with self._lock:
            return frozenset(host for host, reached in self._reached.items() if not reached)

    def subscribe(self, on_queue: Callable[[Queue], object]) -> Callable[[], None]:
        """Be told of every change, from any thread: hand over and return at once; returns what ends that."""
        with self._lock:
            number = max(self._listeners, default=0) + 1
            self._listeners[number] = on_queue
        return lambda: self._forget(number)

    def _forget(self, number: int) -> None:
        with self._lock:
            self._listeners.pop(number, None)

    # What the user does

    def add(self, wanted: Iterable[tuple[Control, Plan]], peers: Iterable[Control] = ()) -> None:
        """Let these wishes wait for their turn; the plans tell where to, and are made anew when it comes.

        Args:
            wanted: each with its host.
            peers: hosts to which some of them go; while one is out of reach, nothing begins that goes there.

        Raises:
            ReadOnlyError: when one of the hosts may only be looked at; nothing is added then.
        """
        pairs = list(wanted)
        for control, _plan in pairs:
            if control.read_only:
                message = f"{control.state.name} was opened read-only."
                raise ReadOnlyError(message, remedy="Start without --read-only to change anything.")
        items = [item for control, plan in pairs if (item := item_of(control, plan))]
        for control, _plan in pairs:
            self._watch(control.state.uri, control)
        for control in peers:
            for uri in {control.uri, control.state.uri} & {item.peer for item in items}:
                self._watch(uri, control)
        self._change(lambda queue: model.added(queue, items, self._clock()))

    def move(self, item_id: int, step: int) -> None:
        """Put a waiting item so many places further on, or ahead."""
        self._change(lambda queue: model.moved(queue, item_id, step))

    def pause(self) -> None:
        """Let what runs go on, and begin nothing more."""
        self._change(model.paused)

    def resume(self) -> None:
        """Go on."""
        self._change(model.resumed)

    def limit(self, limits: Limits) -> None:
        """Let so many run at once."""
        self._change(lambda queue: model.limited(queue, limits))

    def clear(self, ids: Iterable[int] | None = None) -> None:
        """Forget what has ended, all or these."""
        chosen = None if ids is None else frozenset(ids)
        self._change(lambda queue: model.cleared(queue, chosen))

    def cancel(self, item_id: int, undo: Plan | None = None) -> None:
        """Let a waiting item go, and take back a running one, with the plan that was shown for it if one was."""
        with self._lock:
            item = self._queue.item(item_id)
            if item is None or item.cancelling:
                return
            going = self._going.get(item_id)
            self._change(
                lambda queue: model.taking_back(model.cancelled(queue, item_id, self._clock()), item_id)
            )
            run = going.run if going else None
        if going and run:
            self._thread(lambda: self._take_back(item, going.control, run, undo))

    def close(self) -> None:
        """Begin nothing more; what runs is the hosts' to let go of."""
        with self._lock:
            self._closed = True
            self._listeners.clear()
            unsubscribe, self._unsubscribe = self._unsubscribe, []
        for end in unsubscribe:
            end()

    # What happens by itself

    def _watch(self, host: str, control: Control) -> None:
        with self._lock:
            known = host in self._controls
            self._controls.setdefault(host, control)
            self._turns.setdefault(host, threading.Lock())
        if not known:
            # Outside the lock: the host tells its picture at once, in its own.
            end = control.subscribe(lambda state: self._hear(host, state), lambda _line: None)
            with self._lock:
                self._unsubscribe.append(end)

    def _hear(self, host: str, state: HostState) -> None:
        """In a host's thread: it may have gone, or come back."""
        reached = state.link is Link.LIVE and state.listed
        if self._reached.get(host) is not reached:
            self._change(lambda queue: queue, reached=(host, reached))

    def _change(self, change: Callable[[Queue], Queue], *, reached: tuple[str, bool] | None = None) -> None:
        """Change the queue, begin what may begin by that, and tell everybody."""
        with self._lock:
            if self._closed:
                return
            if reached is not None:
                self._reached[reached[0]] = reached[1]
            queue = change(self._queue)
            fresh = startable(queue, self.away)
            for item in fresh:
                queue = model.started(queue, item.id, self._clock())
                self._going[item.id] = _Going(self._controls[item.host])
            self._queue = queue
            for on_queue in self._listeners.values():
                on_queue(queue)
        for item in fresh:
            self._begin(item)

    def _begin(self, item: Item) -> None:
        self._thread(lambda: self._carry_out(item))

    @staticmethod
    def _thread(work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="queue", daemon=True).start()

    def _carry_out(self, item: Item) -> None:
        """Make the plan, run it, and wait for its end."""
        control = self._controls[item.host]
        try:
            with self._turns[item.host]:
                run = self._run(item, control)
            if run is not None and (outcome := run.wait()) is not None:
                self._take_outcome(item, outcome)
        except NoConnection:
            # It begins anew when the host is heard of again.
            self._change(lambda queue: model.returned(queue, item.id), reached=(item.host, False))
        except HostError as error:
            self._end(item, State.FAILED, str(error))
        except Exception as error:  # noqa: BLE001  the outermost boundary of this thread
            self._end(item, State.FAILED, f"Something unexpected happened: {type(error).__name__}: {error}.")

    def _run(self, item: Item, control: Control) -> Run | None:
        """The run of an item's plan; ``None`` where its plan is refused or nobody wants it any more."""
        if not self._wanted(item):
            return None
        plan = control.plan(item.request)
        if plan.refused:
            self._end(item, State.REFUSED, _refusal(plan))
            return None
        if not self._wanted(item):
            return None
        # Outside the lock: a host that takes its time must not hold up whoever changes the queue.
        run = control.run(plan)
        with self._lock:
            self._going[item.id].run = run
            self._change(lambda queue: model.planned(queue, item.id, plan.id))
            now = self._queue.item(item.id)
        if now is not None and now.cancelling:
            self._thread(lambda: self._take_back(item, control, run, None))
        return run

    def _wanted(self, item: Item) -> bool:
        """Whether an item has not been cancelled before anything was done; ends it if it has."""
        now = self._queue.item(item.id)
        if now is not None and now.cancelling:
            self._end(item, State.CANCELLED, "Cancelled before anything was begun.")
        return not self._closed and now is not None and not now.cancelling

    def _take_outcome(self, item: Item, outcome: Outcome) -> None:
        now = self._queue.item(item.id)
        if outcome.end is not End.LEFT:
            stopped = State.CANCELLED if outcome.cancelled else State.FAILED
            state = State.DONE if outcome.end is End.DONE else stopped
            self._end(item, state, _told(item, outcome))
        elif now is not None and not now.cancelling:
            self._end(item, State.CANCELLED, _LEFT)

    def _end(self, item: Item, state: State, message: str) -> None:
        self._change(lambda queue: model.ended(queue, item.id, state, message, self._clock()))
        self._going.pop(item.id, None)

    # Cancelling

    def _take_back(self, item: Item, control: Control, run: Run, undo: Plan | None) -> None:
        """Undo what an item's plan has done; it goes on where that is refused."""
        migration = control.state.migrations.get(item.uuid)
        if migration is not None and migration.over:
            # The host may have forgotten the domain by now, and can make no plan for it.
            self._go_on(item, run, migration.over)
            return
        try:
            plan = undo or control.plan(undo_request(item.uuid, run.plan.id, control.state))
            if _checks(plan) == {"no-plan"}:
                # Its first step has not been written down yet. Once it is stopped that is so, or will not be.
                run.leave()
                if (outcome := run.wait()) is None or outcome.end is not End.LEFT:
                    return
                plan = control.plan(undo_request(item.uuid, run.plan.id, control.state))
                if _checks(plan) == {"no-plan"}:
                    self._end(item, State.CANCELLED, "Cancelled before anything was begun.")
                    return
            if plan.refused:
                self._go_on(item, run, _refusal(plan))
                return
            undone = control.run(plan).wait()
        except HostError as error:
            self._go_on(item, run, str(error))
        except Exception as error:  # noqa: BLE001  the outermost boundary of this thread
            self._go_on(item, run, f"Something unexpected happened: {type(error).__name__}: {error}.")
        else:
            if undone is not None and undone.end is not End.LEFT:
                self._take_undone(item, run, plan, undone)

    def _take_undone(self, item: Item, run: Run, plan: Plan, undone: Outcome) -> None:
        back = undone.end is End.DONE
        if not isinstance(plan.request, MigrationTuneRequest):
            state = State.CANCELLED if back else State.FAILED
            self._end(item, state, "Taken back." if back else f"It could not be taken back: {undone.message}")
        elif not back:
            self._go_on(item, run, undone.message)
        # The plan of a domain that has been called back undoes the rest by itself, and tells its end.

    def _go_on(self, item: Item, run: Run, why: str) -> None:
        """It could not be taken back; where it has been stopped already, that is its end."""
        with self._lock:
            self._change(lambda queue: model.going_on(queue, item.id, f"Not cancelled: {why}"))
            outcome = run.wait(0)
        if outcome is not None and outcome.end is End.LEFT:
            self._end(item, State.FAILED, f"{why} {_LEFT}")


def undo_request(uuid: str, plan: str, state: HostState) -> RecoverRequest | MigrationTuneRequest:
    """The wish that a plan that is being carried out be taken back."""
    if uuid in state.migrations:
        return MigrationTuneRequest(uuid, Tune.CALL_BACK)
    return RecoverRequest(uuid, undo=True, plan=plan)


def item_of(control: Control, plan: Plan) -> Item | None:
    """What a plan is queued as; ``None`` for one that was made for no wish."""
    if plan.request is None:
        return None
    step = model.goes_to(plan)
    to = step.host if step else model.writes_to(plan)
    return Item(
        control.state.uri,
        plan.uuid,
        plan.domain,
        plan.request,
        title=plan.title,
        destination=step.destination if step else _destination(control, to),
        to=to,
        peer=step.destination if step else "",
    )


def _destination(control: Control, to: str) -> str:
    """What the limit is counted by: directories of one file system share its room and its speed."""
    device = device_of(to) if to and is_local(control.state.uri) else None
    return f"{control.state.uri} {to if device is None else device}" if to else ""


def _told(item: Item, outcome: Outcome) -> str:
    """How it ended; the title stands beside it."""
    arrived = [f.reason for f in outcome.findings if f.check == "migrated"]
    warned = [f.reason for f in outcome.findings if f.severity is Severity.WARNING]
    return " ".join([*(arrived or [outcome.message.removeprefix(f"{item.title}: ")]), *warned])


def _checks(plan: Plan) -> set[str]:
    return {f.check for f in plan.refusals}


def _refusal(plan: Plan) -> str:
    """Why a plan is refused, and what to do about it."""
    finding = plan.refusals[0]
    return f"{finding.reason} {finding.remedy}".rstrip()
