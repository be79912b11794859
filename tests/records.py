"""Records of plans that have ended, made up for tests."""

from __future__ import annotations

from typing import Any

from tests.fake_host import NOW, uuid_of
from tui.model.figures import Figures
from tui.model.history import Record, Result

STEPS = (
    "Mirror vda of db01 to /fast/vda.qcow2",
    "Wait until vda is in sync",
    "Pivot vda to its destination",
    "Prove that vda is on /fast/vda.qcow2",
)


def make_record(number: int = 0, domain: str = "db01", **more: Any) -> Record:
    """A copy that went well, a minute after the one of the number before."""
    title = f"Mirror vda of {domain}"
    given: dict[str, Any] = {
        "plan": f"p{number}",
        "kind": "copy",
        "title": title,
        "uri": "test:///fake",
        "hostname": "fake-host",
        "domain": domain,
        "uuid": uuid_of(domain),
        "owner": "root@host-a:4711",
        "begun": NOW + 60 * number,
        "ended": NOW + 60 * number + 12,
        "steps": STEPS,
        "reached": len(STEPS),
        "result": Result.DONE,
        "message": f"{title}: done.",
        "figures": Figures(disks=1024**3),
    }
    return Record(**given | more)


MIGRATED = make_record(
    9,
    "web01",
    kind="migrate",
    title="Migrate web01 to host-b",
    message="Migrate web01 to host-b: done.",
    figures=Figures(
        still_seconds=0.112, downtime_ms=99, total_ms=198_123, setup_ms=12, memory=3 * 1024**3, rounds=4
    ),
)
