"""A program of its own that carries out a plan and kills itself at a given step: before it, in it, or after it.

In a migration it can also be as soon as its memory is seen to be sent.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from tui.engine import blocks, carrying, steps
from tui.engine.connection import Connection
from tui.engine.files import FilesHere
from tui.engine.host import Host
from tui.model.diskspec import parse_diskspec
from tui.model.finding import Acceptance, Finding
from tui.model.hierarchy_request import SnapshotDeleteRequest
from tui.model.methods import Method, Wish
from tui.model.migrate_request import MigrateRequest, Transport
from tui.model.mirrored_snapshot import Snapshot
from tui.model.request import (
    CopyRequest,
    Ending,
    LiveSnapshotRequest,
    MoveRequest,
    RemoteCopyRequest,
    Request,
    SnapshotEndRequest,
    SnapshotRequest,
    Then,
)
from tui.model.steps import Step
from tui.model.storage import Chain, FileSource, Layer

_TURNING = (
    "end_job",
    "take_snapshot",
    "block_copy",
    "block_commit",
    "block_pull",
    "forget_snapshot",
    "redefine_snapshot",
    "create_volume",
    "migration_stats",
)
"""Calls after which nothing is as it was, or that are made while something goes on."""


def die(*_: object) -> None:
    """As when somebody pulls the plug."""
    os.kill(os.getpid(), signal.SIGKILL)


def _then_die(call: Callable[..., Any]) -> Callable[..., Any]:
    def called(*given: Any, **more: Any) -> None:
        call(*given, **more)
        die()

    return called


def _whose_call_dies(preparation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: _then_die(preparation(*given))


def _then_die_of_memory(stats: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    def told(*given: Any, **more: Any) -> dict[str, Any]:
        found = stats(*given, **more)
        if found.get("memory_processed"):
            die()
        return found

    return told


def request(uuid: str, **given: Any) -> Request:
    """The wish in plain words: a snapshot by its diskspecs, its end, its deletion, else a move."""
    if "specs" in given:
        disks = tuple(parse_diskspec(spec) for spec in given["specs"])
        return SnapshotRequest(uuid, Snapshot(given["name"], disks=disks))
    if "methods" in given:
        wishes = tuple(Wish(target, Method(method)) for target, method in given["methods"].items())
        return LiveSnapshotRequest(uuid, given["name"], disks=wishes, pause=True, memory=given.get("memory"))
    if "on" in given:
        chain = Chain((Layer(FileSource(given["path"])),), complete=False)
        return RemoteCopyRequest(CopyRequest(uuid, "vda", chain, then=Then.KEEP), given["on"])
    if "destination" in given:
        way = {key: given[key] for key in ("bandwidth", "p2p") if key in given}
        transport = Transport(migrate_uri="tcp://127.0.0.1", **way)
        maps = tuple((old, new) for old, new in given.get("maps", ()))
        return MigrateRequest(
            uuid,
            given["destination"],
            maps=maps,
            transport=transport,
            accepted=frozenset({Acceptance.LOSE_SNAPSHOTS} if given.get("lose") else ()),
        )
    if "ending" in given:
        return SnapshotEndRequest(uuid, given["name"], Ending(given["ending"]))
    return SnapshotDeleteRequest(uuid, given["deleted"]) if "deleted" in given else MoveRequest(uuid, **given)


def main(uri: str, wish: str, number: str, when: str) -> None:
    """Carry it out, and die at the step of that number, counted from 0."""
    at = int(number)
    run, reached = steps.run, 0
    copy_range, clone, put_away, ask = blocks.copy_range, blocks.clone, FilesHere.put_away, FilesHere.ask
    pass_on = carrying.pass_on

    def counted(step: Step, host: Host, left: threading.Event) -> tuple[Finding, ...]:
        nonlocal reached
        here, reached = reached == at, reached + 1
        if here and when == "before":
            die()
        if here and when == "memory":
            Connection.migration_stats = _then_die_of_memory(Connection.migration_stats)  # type: ignore[method-assign]
        if here and when == "inside":
            # In the middle of a copy; between two disks of a snapshot; after the first of the old images; when a
            # server was started; or when
            # libvirt was asked and nobody has waited for what comes of it.
            blocks.copy_range = _then_die(copy_range)
            blocks.clone = _then_die(clone)
            carrying.pass_on = _then_die(pass_on)
            FilesHere.put_away = _then_die(put_away)  # type: ignore[method-assign]
            FilesHere.ask = _then_die(ask)  # type: ignore[method-assign]
            Connection.cloning = _whose_call_dies(Connection.cloning)  # type: ignore[method-assign]
            for call in _TURNING:
                setattr(Connection, call, _then_die(getattr(Connection, call)))
        found = run(step, host, left)
        if here and when == "after":
            die()
        return found

    steps.run = counted  # type: ignore[assignment]
    host = Host(uri)
    host.wait_for(lambda s: True if s.listed and s.unread == 0 else None, timeout=60)
    outcome = host.run(host.plan(request(**json.loads(wish)))).wait()
    sys.stderr.write(f"it came to its end: {outcome}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
