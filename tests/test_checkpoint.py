"""Checkpoints: what is read of them, what is told of them on the command line, and libvirt's calls for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.checkpoints import checkpoint, text_of
from tests.engine import watched
from tests.fake_host import FakeControl, make_disk, make_domain, make_state
from tests.hierarchy_facts import known
from tests.test_cli import invoke
from tui.engine.connection import Connection
from tui.engine.errors import HostError, NoConnection
from tui.engine.host import Host
from tui.model.checkpoint import CheckpointDisk, KnownCheckpoint, by_age, no_snapshot, parse_checkpoint
from tui.model.hierarchy import SnapshotView, arranged
from tui.model.hierarchy_rows import checkpoint_rows, tree_rows
from tui.model.xml import InvalidXML

import libvirt

DOMAIN = make_domain("db01", disks=[make_disk("vda", "/i/2", "/i/base")])
VIEW = SnapshotView(
    DOMAIN,
    arranged([known("c1", overlay="/i/2", current=True)]),
    checkpoints=(
        checkpoint("c1", created=1, description="first"),
        KnownCheckpoint("c2", "c1", disks=(CheckpointDisk("vda", "other"), CheckpointDisk("vdb"))),
    ),
)


def test_a_checkpoint_is_read() -> None:
    found = parse_checkpoint(text_of("c2", "c<1>", created=7, description="a & b"))
    assert found == KnownCheckpoint("c2", "c<1>", 7, "a & b", (CheckpointDisk("vda", "c2"),))


def test_little_is_enough() -> None:
    bare = "<domaincheckpoint><name>c</name><creationTime>soon</creationTime><disks><disk/></disks></domaincheckpoint>"
    assert parse_checkpoint(bare) == KnownCheckpoint("c", disks=(CheckpointDisk(""),))


@pytest.mark.parametrize(
    "text",
    [
        "<domaincheckpoint/>",
        "<domainsnapshot><name>c</name></domainsnapshot>",
        "<domaincheckpoint><name>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><domaincheckpoint><name>&a;</name></domaincheckpoint>",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(InvalidXML):
        parse_checkpoint(text)


def test_the_oldest_comes_first_and_those_of_one_second_as_they_came() -> None:
    found = [checkpoint("z", created=5), checkpoint("b", created=5), checkpoint("c", created=2)]
    assert [one.name for one in by_age(found)] == ["c", "z", "b"]


def test_rows_of_checkpoints_are_not_the_live_end() -> None:
    *_, live = tree_rows(VIEW, str)
    assert live.live
    first, second = checkpoint_rows(VIEW, lambda at: f"at {at}")
    assert not first.live
    assert first.cells == ("c1", "checkpoint", "", "at 1", "vda bitmap c1", "", "first")
    assert second.cells == ("c2", "checkpoint", "", "–", "vda bitmap other, vdb", "after c1", "")


def test_names_from_a_host_move_no_cursor() -> None:
    hostile = KnownCheckpoint(
        "a\x1b[2J\u202e" + "x" * 500,
        "\x07p",
        description="\x1b\n",
        disks=tuple(CheckpointDisk(f"\x1b{n}", "\u202e" * 99) for n in range(99)),
    )
    (row,) = checkpoint_rows(replace(VIEW, checkpoints=(hostile,)), str)
    assert row.name.startswith(r"a\x1b[2J\u202e")
    assert all(cell.isprintable() for cell in row.cells)
    assert max(map(len, row.cells)) < 500
    assert no_snapshot(hostile, "a b").isprintable()
    assert "virsh checkpoint-delete 'a b' " in no_snapshot(hostile, "a b")


# The command line


def host(view: SnapshotView = VIEW) -> FakeControl:
    control = FakeControl(states=make_state(DOMAIN))
    control.view = view
    return control


def test_they_stand_between_the_tree_and_the_chains(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("snapshot", "tree", "db01", "--ascii", hosts=(host(),)) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert lines[0] == "db01  running  1 snapshot, 2 checkpoints"
    about = next(n for n, line in enumerate(lines) if line.startswith("Checkpoints are bitmaps"))
    assert "hold no data" in lines[about]
    assert "not qcow2 loses them" in lines[about]
    assert lines[about + 1].split()[:2] == ["c1", "checkpoint"]
    assert lines[about + 1].endswith("first")
    assert lines[about + 2].split() == [
        "c2",
        "checkpoint",
        "-",
        "vda",
        "bitmap",
        "other,",
        "vdb",
        "after",
        "c1",
    ]
    assert any("< now" in line for line in lines[:about])
    assert lines.index("vda, active layer first:") > about + 2
    assert said.isascii()


def test_without_snapshots_they_are_told_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    view = replace(VIEW, hierarchy=arranged(()))
    assert invoke("snapshot", "tree", "db01", hosts=(host(view),)) == 0
    said = capsys.readouterr().out
    assert said.startswith("db01  running  no snapshots, 2 checkpoints\n\n◀ now  running")
    assert "\n\nCheckpoints are bitmaps" in said
    assert "vda, active layer first" in said


@pytest.mark.parametrize(("checkpoints", "said"), [((), False), (None, True)])
def test_none_and_unknown_are_not_the_same(
    checkpoints: tuple[()] | None,
    said: bool,  # noqa: FBT001
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = replace(VIEW, checkpoints=checkpoints)
    assert invoke("snapshot", "tree", "db01", hosts=(host(view),)) == 0
    assert ("Nobody could see whether db01 has checkpoints." in capsys.readouterr().out) is said
    assert invoke("snapshot", "tree", "db01", "--json", hosts=(host(view),)) == 0
    assert json.loads(capsys.readouterr().out)["checkpoints"] == (None if said else [])


def test_the_tree_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("snapshot", "tree", "db01", "--json", hosts=(host(),)) == 0
    assert json.loads(capsys.readouterr().out)["checkpoints"] == [
        {
            "name": "c1",
            "parent": None,
            "created": 1,
            "description": "first",
            "disks": [{"target": "vda", "bitmap": "c1"}],
        },
        {
            "name": "c2",
            "parent": "c1",
            "created": None,
            "description": None,
            "disks": [{"target": "vda", "bitmap": "other"}, {"target": "vdb", "bitmap": None}],
        },
    ]


# libvirt's calls


@pytest.fixture
def driver() -> Iterator[tuple[Host, libvirt.virDomain]]:
    """libvirt's test driver, with a running domain."""
    connection = libvirt.open("test:///default")
    domain = connection.defineXML(
        "<domain type='test'><name>d</name><memory>1024</memory><os><type>hvm</type></os><devices><disk type='file'>"
        "<driver type='qcow2'/><source file='/i/vda'/><target dev='vda'/></disk></devices></domain>"
    )
    domain.create()
    try:
        with watched("test:///default") as found:
            yield found, domain
    finally:
        domain.destroy()
        for one in domain.listAllCheckpoints():
            one.delete(libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)
        domain.undefine()
        connection.close()


def test_hundreds_are_listed_with_one_call_each(driver: tuple[Host, libvirt.virDomain]) -> None:
    found, domain = driver
    names = [f"c{n}" for n in range(300)]
    for name in names:
        domain.checkpointCreateXML(f"<domaincheckpoint><name>{name}</name></domaincheckpoint>")
    calls = found.connection().calls
    before = calls.copy()
    view = found.snapshots(domain.UUIDString())
    made = calls - before
    assert made["checkpointGetXMLDesc"] == 300
    assert made["listAllCheckpoints"] == 1
    assert view.checkpoints is not None
    assert [one.name for one in view.checkpoints] == names
    assert [one.parent for one in view.checkpoints] == [None, *names[:-1]]
    assert view.checkpoints[7].disks == (CheckpointDisk("vda", "c7"),)


def test_a_host_that_refuses_to_tell_breaks_no_view(
    driver: tuple[Host, libvirt.virDomain], monkeypatch: pytest.MonkeyPatch
) -> None:
    found, domain = driver

    def refuse(error: HostError) -> None:
        def known_checkpoints(_connection: Connection, _uuid: str) -> None:
            raise error

        monkeypatch.setattr(Connection, "known_checkpoints", known_checkpoints)

    refuse(HostError("access denied"))
    assert found.snapshots(domain.UUIDString()).checkpoints is None
    refuse(NoConnection("It is gone."))
    with pytest.raises(NoConnection):
        found.snapshots(domain.UUIDString())
