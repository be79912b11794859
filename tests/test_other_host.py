"""What plans do at another host beside other plans, and the domains there; stand-ins answer for both hosts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.engine import PATIENCE, watched
from tests.fake_host import GIB, NOW, make_disk, make_domain, make_mirror, make_state
from tests.hierarchy_facts import known
from tui.engine import steps
from tui.engine.control import End, Outcome
from tui.engine.errors import HostError, JobCancelled, StepFailed
from tui.engine.host import Host
from tui.engine.look import Look, uses_of
from tui.engine.runner import PlanRun
from tui.engine.standing import listed_on
from tui.model.begin_steps import StartCopy
from tui.model.chain_steps import ImageCopy, MakeImage
from tui.model.disk import Disk
from tui.model.hierarchy import KnownSnapshot
from tui.model.host import HostState
from tui.model.image import ImageInfo
from tui.model.journal import Entry, latest
from tui.model.methods import Method
from tui.model.migrate_steps import CompareThere, CopyLayersThere, MakeThere
from tui.model.plan import Plan
from tui.model.snapshot_note import Held, NotedSnapshot, note_xml
from tui.model.steps import Step

DB, WEB = make_domain("db01"), make_domain("web01")
TO = ("qemu+ssh://b/system", "host-b")
BASE = "/n/base"
COPY = ImageCopy("/i/base", BASE, "qcow2")


def makes(uuid: str = DB.uuid, name: str = DB.name, path: str = BASE) -> MakeThere:
    return MakeThere(*TO, MakeImage(uuid, name, "", path, "raw", GIB))


BRINGS = (
    makes(),
    CopyLayersThere(DB.uuid, DB.name, *TO, ("vda",), (COPY,), (GIB,)),
)
"""The lower layer of db01."""
COMPARES = CompareThere(WEB.uuid, WEB.name, *TO, ("vda",), (COPY,), (0,))
"""Web01 stands on it too."""


def entry(uuid: str, *made: Step, reached: int = 0, plan: str = "p1") -> Entry:
    return Entry(plan, uuid, "title", made, reached, "me", NOW, NOW)


@dataclass
class FilesThere:
    """The files of the other host, which are all this plan's own."""

    backing: dict[str, str] = field(default_factory=dict)
    """Which image each of those stands on that are there."""
    removed: list[str] = field(default_factory=list)

    def ask(self, _script: str, *paths: str) -> str:
        return "\n".join("65536 128 1" if path in self.backing else "-" for path in paths)

    def infos(self, formats: dict[str, str]) -> dict[str, ImageInfo]:
        below = {path: self.backing[path] or None for path in formats}
        return {
            path: ImageInfo(
                GIB, "qcow2", backing_file=name, backing_format=name and "qcow2", full_backing_file=name
            )
            for path, name in below.items()
        }

    def existing(self, paths: list[str]) -> frozenset[str]:
        return frozenset(paths)

    def remove(self, path: str, _since: float) -> str:
        self.removed.append(path)
        return ""


@dataclass
class OtherHost:
    """Where the layer goes."""

    state: HostState = field(default_factory=lambda: make_state(make_domain("other")))
    files: FilesThere = field(default_factory=FilesThere)
    snapshots: tuple[KnownSnapshot, ...] | None = ()
    """Those of its domain; nothing where libvirt does not tell."""

    def connection(self) -> Any:
        """That which tells of them."""
        holders = {self.state.domains[0].uuid: "other"} if self.snapshots != () else {}
        return SimpleNamespace(domains_with_snapshots=lambda: holders, known_snapshots=self.known_snapshots)

    def known_snapshots(self, _uuid: str) -> tuple[KnownSnapshot, ...]:
        """As ``Connection.known_snapshots``."""
        if self.snapshots is None:
            raise HostError("No.")
        return self.snapshots

    def wait_for(self, found: Any, **_how: Any) -> Any:
        """As ``Host.wait_for``, without waiting."""
        return found(self.state)


@dataclass
class ThisHost:
    """The host that has both domains: what its picture tells, and what this program carries out."""

    there: OtherHost = field(default_factory=OtherHost)
    entries: tuple[Entry, ...] = ()
    under_way: tuple[Entry, ...] = ()
    answers: list[Any] = field(default_factory=list)
    files: object = None
    """Those here, of which nothing is asked."""

    @property
    def state(self) -> HostState:
        return replace(make_state(DB, WEB), entries=self.entries)

    @property
    def plans(self) -> tuple[Entry, ...]:
        return latest(self.entries, self.under_way)

    def peer(self, _uri: str) -> OtherHost:
        return self.there

    def clock(self) -> float:
        return NOW

    def apply(self, _change: Any) -> None:
        pass

    def log(self, *_words: Any, **_about: Any) -> None:
        pass

    def wait_for(self, found: Any, *, stop: threading.Event) -> None:
        """As ``Host.wait_for``, until somebody stops it at once."""
        self.answers.append(found(self.state))
        stop.set()


def awaits(host: ThisHost) -> bool:
    """Whether web01 waits before it compares."""
    with pytest.raises(JobCancelled):
        steps.run(COMPARES, cast("Host", host), threading.Event())
    (answer,) = host.answers
    return answer is None


def taken_back(host: ThisHost) -> list[str]:
    """What is said when the layer of db01 is removed at the other host."""
    return steps.undo(BRINGS[0], cast("Host", host), NOW, failed=False)


def test_what_a_plan_of_this_program_brings_is_waited_for_before_any_journal_tells_of_it() -> None:
    brings = entry(DB.uuid, *BRINGS)
    assert awaits(ThisHost(entries=(brings,)))
    assert awaits(ThisHost(under_way=(brings,)))
    assert not awaits(ThisHost())
    assert not awaits(ThisHost(entries=(brings,), under_way=(replace(brings, reached=2),))), "it is there"
    assert not awaits(ThisHost(under_way=(replace(brings, heartbeat=0.0),))), "nobody carries it on"


def test_what_a_plan_of_this_program_counts_on_stays_before_any_journal_tells_of_it() -> None:
    counts, brought = entry(WEB.uuid, COMPARES, plan="p2"), entry(DB.uuid, *BRINGS, reached=2)
    stays = [f"{BASE} stays at host-b: web01 is to use it."]
    assert taken_back(ThisHost(entries=(counts, brought))) == stays
    assert taken_back(ThisHost(entries=(brought,), under_way=(counts,))) == stays
    half = replace(brought, reached=1)
    assert taken_back(ThisHost(entries=(half,), under_way=(counts, brought))) == stays, "all of it has come"
    went = [f"{BASE} was removed at host-b."]
    assert taken_back(ThisHost(entries=(counts, half))) == went, "nobody can use a half"


def test_an_image_that_a_plan_of_this_program_copies_to_is_used() -> None:
    copy = StartCopy(DB.uuid, DB.name, "vda", "/i/top", "/i/new", "<disk/>", creates=True)
    connection: Any = SimpleNamespace()
    look = Look(connection, make_state(DB, WEB), WEB, (), local=False, now=NOW)
    assert "/i/new" not in uses_of(look)
    (use,) = uses_of(replace(look, under_way=(entry(DB.uuid, copy),)))["/i/new"]
    assert (use.domain, use.plan) == ("db01", "p1")


def test_who_waits_for_a_plan_is_told_of_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture need not change by it: the journal is gone before the plan ends."""
    monkeypatch.setattr(PlanRun, "_do_all", lambda _run: Outcome(End.DONE, "Done."))
    with watched("test:///default") as host:
        seen: list[tuple[Entry, ...]] = []
        monkeypatch.setattr(host, "nudge", lambda: seen.append(host.plans))
        run = host.run(Plan("p1", "Nothing", DB.uuid, DB.name, (), (), journalled=False))
        assert run.wait(PATIENCE)
        assert seen == [()]


ON_IT = {
    "a disk": make_disk("vda", "/n/top", BASE),
    "by another name": make_disk("vda", "/n/top", "/n/./of/..//base"),
    "a mirror": make_disk("vda", "/x/top", mirror=make_mirror(BASE)),
    "a mirror by another name": make_disk("vda", "/x/top", mirror=make_mirror("//n/base")),
}


@pytest.mark.parametrize("disk", ON_IT.values(), ids=ON_IT.keys())
def test_what_a_domain_there_is_on_is_neither_removed_nor_written_to(disk: Disk) -> None:
    other = make_domain("other", disks=[disk])
    there = OtherHost(make_state(other))
    assert listed_on(there.state, BASE) == {other.uuid: "other vda"}
    assert taken_back(ThisHost(there)) == [f"{BASE} stays at host-b: other vda is on it."]
    assert there.files.removed == []
    with pytest.raises(StepFailed, match="is in use by now, and is not written to"):
        steps.run(BRINGS[1], cast("Host", ThisHost(there, files=FilesThere())), threading.Event())
    assert taken_back(ThisHost()) == [f"{BASE} was removed at host-b."]


BRANCH = known("c", overlay="/n/c", base="/n/b", base_format="qcow2")
SEEN, UNSEEN = "{} is on it", "nobody can see whether {} is on it"


@pytest.mark.parametrize(
    ("snapshots", "why"),
    [
        ((BRANCH,), SEEN.format("the snapshot c of other")),
        ((known("d", overlay="/n/d", base="//n/base"),), SEEN.format("the snapshot d of other")),
        (
            (known("m", kind="internal", base="/n/b", base_format="qcow2"),),
            SEEN.format("the snapshot m of other"),
        ),
        ((known("m", overlay="/n/x", memory=BASE),), SEEN.format("the snapshot m of other")),
        ((known("l", overlay="/n/lost"),), UNSEEN.format("the snapshot l of other")),
        (None, UNSEEN.format("a snapshot of other")),
        ((known("x", overlay="/n/x", base="/x/base"),), None),
        ((), None),
    ],
    ids=["below", "by another name", "internal", "memory", "missing", "refused", "elsewhere", "none"],
)
def test_what_a_snapshot_there_needs_is_not_removed(
    snapshots: tuple[KnownSnapshot, ...] | None, why: str | None
) -> None:
    """Its branch is none that the domain is on: headers alone tell of all that it stands on."""
    files = FilesThere({"/n/c": "/n/b", "/n/b": BASE, BASE: "", "/n/d": "/n/base", "/n/x": ""})
    there = OtherHost(files=files, snapshots=snapshots)
    went = f"{BASE} was removed at host-b."
    assert taken_back(ThisHost(there)) == [f"{BASE} stays at host-b: {why}." if why else went]
    assert files.removed == ([] if why else [BASE])


HELD = Held("vda", Method.BTRFS, "/n/clone", "qcow2", needs=("/n/mid", BASE))
NOTE = note_xml(NotedSnapshot("p7", "s", NOW, "", (HELD,)))


@pytest.mark.parametrize(
    ("note", "why"),
    [(NOTE, SEEN.format("the snapshot s of other")), ("<newer/>", UNSEEN.format("a snapshot of other"))],
)
def test_what_a_domain_there_has_noted_is_not_removed(note: str, why: str) -> None:
    other = make_domain("other")
    noted = replace(other, definition=replace(other.definition, noted_snapshots=(note,)))
    there = OtherHost(make_state(noted))
    assert taken_back(ThisHost(there)) == [f"{BASE} stays at host-b: {why}."]
    assert there.files.removed == []
