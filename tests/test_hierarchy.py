"""Snapshots as a tree, as rows and as a file; no host is needed for that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tests.fake_host import make_chain, make_disk, make_domain
from tests.hierarchy_facts import known, text_of
from tui.model.disk import Disk
from tui.model.domain import RunState
from tui.model.hierarchy import Hierarchy, KnownSnapshot, SnapshotKind, SnapshotView, arranged, parse_known
from tui.model.hierarchy_file import (
    ImageRecord,
    InvalidMap,
    Saved,
    changes,
    parse_map,
    parse_saved,
    place_of,
    saved_xml,
    with_places,
)
from tui.model.hierarchy_losses import losses
from tui.model.hierarchy_roles import layer_roles, problems_of
from tui.model.hierarchy_rows import (
    ASCII_BRANCHES,
    MOST_INDENT,
    MOST_STEPS,
    TreeRow,
    layer_lines,
    role_words,
    tree_rows,
)
from tui.model.image import ImageInfo
from tui.model.mirrored_snapshot import Kind
from tui.model.xml import InvalidXML

# Reading


def test_what_libvirt_says_of_an_external_snapshot() -> None:
    found = parse_known(text_of("s1", "s0", overlay="/i/s1", base="/i/base", description="x"), current=True)
    assert (found.name, found.parent, found.created, found.description) == ("s1", "s0", 1, "x")
    assert (found.kind, found.state, found.memory, found.current) == (
        SnapshotKind.EXTERNAL,
        "disk-snapshot",
        None,
        True,
    )
    (disk,) = found.disks
    assert (disk.target, disk.kind, disk.path, disk.format) == ("vda", Kind.EXTERNAL, "/i/s1", "qcow2")
    assert (disk.base, disk.base_format) == ("/i/base", "raw")
    assert found.files == ("/i/s1", "/i/base")


def test_a_deletion_that_did_not_come_to_its_end_is_told() -> None:
    mark = "<snapshotDeleteInProgress/><driver"
    above = parse_known(text_of("s1", overlay="/i/s1").replace("<driver", mark, 1))
    after = known("s2", "s1", overlay="/i/s2", base="/i/s1", created=2)
    (problem,) = problems_of(SnapshotView(make_domain(), arranged([above, after])))
    assert problem.startswith("The deletion of s2 has not come to its end")
    elsewhere = known("s2", "s1", overlay="/i/s2", created=2, target="vdb")
    assert problems_of(SnapshotView(make_domain(), arranged([above, elsewhere]))) == ()


INTERNAL = "<disk name='vda' snapshot='internal'/><disk name='vdc' snapshot='no'/>"


@pytest.mark.parametrize(
    ("inner", "kind", "memory"),
    [
        ("<state>running</state><memory snapshot='internal'/>", SnapshotKind.INTERNAL, Kind.INTERNAL),
        ("<state>running</state>", SnapshotKind.INTERNAL, Kind.INTERNAL),
        (
            "<state>shutoff</state><disks><disk name='vda' snapshot='internal'/></disks>",
            SnapshotKind.INTERNAL,
            None,
        ),
        (
            "<state>running</state><memory snapshot='external' file='/m'/>",
            SnapshotKind.EXTERNAL,
            Kind.EXTERNAL,
        ),
        (
            f"<memory snapshot='no'/><disks>{INTERNAL}<disk name='vdb' snapshot='external'/></disks>",
            SnapshotKind.MIXED,
            None,
        ),
        (
            "<memory snapshot='no'/><disks><disk name='vda' snapshot='manual'/></disks>",
            SnapshotKind.MANUAL,
            None,
        ),
        (
            "<memory snapshot='no'/><disks><disk name='vda' snapshot='odd'/></disks>",
            SnapshotKind.INTERNAL,
            None,
        ),
        ("<state>disk-snapshot</state>", SnapshotKind.EXTERNAL, None),
    ],
)
def test_where_the_state_lies(inner: str, kind: SnapshotKind, memory: Kind | None) -> None:
    found = parse_known(f"<domainsnapshot><name>s</name>{inner}</domainsnapshot>")
    assert (found.kind, found.memory) == (kind, memory)


def test_a_disk_on_the_network_has_no_files() -> None:
    source = "<source protocol='nbd' name='x'><host name='h'/></source>"
    found = parse_known(
        "<domainsnapshot><name>s</name><disks><disk name='vda' snapshot='external' type='network'>"
        f"{source}</disk></disks></domainsnapshot>"
    )
    assert found.disks[0].path == "nbd://h/x"
    assert found.files == ()


@pytest.mark.parametrize(
    "text", ["<domain/>", "<domainsnapshot/>", "<domainsnapshot><name/></domainsnapshot>"]
)
def test_what_is_no_snapshot(text: str) -> None:
    with pytest.raises(InvalidXML):
        parse_known(text)


def test_the_same_snapshot_is_told_from_another_one() -> None:
    one = known("s1", "s0")
    assert one.identity == parse_known(one.xml.replace("<vcpu>1", "<vcpu>2"), current=True).identity
    assert one.identity != known("s1", "s2").identity
    assert one.identity != parse_known(one.xml.replace("/base", "/other")).identity


# The tree

NAMES = st.sampled_from([f"s{number}" for number in range(30)])
PARENTS = st.dictionaries(NAMES, st.none() | NAMES | st.just("gone"), min_size=1)


@given(PARENTS, st.none() | NAMES)
def test_each_snapshot_once_and_after_its_parent(parents: dict[str, str | None], current: str | None) -> None:
    snapshots = [
        known(name, parent, created=number % 3, current=name == current)
        for number, (name, parent) in enumerate(parents.items())
    ]
    tree = arranged(snapshots)
    order = [one.name for one in tree.snapshots]
    assert sorted(order) == sorted(parents)
    placed = {name: above for above, names in tree.children.items() for name in names}
    assert sorted([*placed, *tree.roots]) == sorted(parents)
    for name, above in placed.items():
        assert parents[name] == above
        assert order.index(above) < order.index(name)
    broken = [name for name in tree.roots if parents[name] is not None]
    assert len(tree.problems) == len(broken)
    for siblings in (tree.roots, *tree.children.values()):
        ages = [(tree.by_name[name].created, name) for name in siblings]
        assert ages == sorted(ages)
    rows = tree_rows(SnapshotView(make_domain(), tree), str)
    assert [row.snapshot.name for row in rows if row.snapshot] == order
    assert sum(row.snapshot is None for row in rows) == 1
    for name in parents:
        assert set(tree.below(name)) == {one for one in parents if name in tree.above(one)} - {name}


def line(count: int) -> Hierarchy:
    return arranged(
        known(f"s{n}", f"s{n - 1}" if n else None, created=n, current=n == count - 1) for n in range(count)
    )


def drawn(tree: Hierarchy, *, ascii_only: bool = False) -> list[str]:
    rows = tree_rows(SnapshotView(make_domain(), tree), str, *([ASCII_BRANCHES] if ascii_only else []))
    return [row.prefix + row.name for row in rows]


def test_a_line_goes_straight_down_and_ends_in_what_is_written_now() -> None:
    assert drawn(line(3)) == ["s0", "└ s1", "  └ s2", "    └ ◀ now"]
    assert drawn(line(2), ascii_only=True) == ["s0", "` s1", "  ` < now"]


def test_many_in_a_row_go_straight_on_with_a_sign_of_their_own() -> None:
    rows = drawn(line(10))
    lead = "  " * (MOST_STEPS - 1)
    assert rows[MOST_STEPS - 1 :] == [
        f"{lead[2:]}└ s5",
        f"{lead}└ s6",
        f"{lead}↓ s7",
        f"{lead}↓ s8",
        f"{lead}↓ s9",
        f"{lead}  └ ◀ now",
    ]


def test_forks_are_moved_to_the_right() -> None:
    parents = {"a": None, "b": "a", "c": "b", "d": "b", "e": "c", "f": "e", "g": "e", "h": "d", "z": None}
    tree = arranged(
        known(name, above, created=number, current=name == "d")
        for number, (name, above) in enumerate(parents.items())
    )
    assert drawn(tree) == [
        "a",
        "└ b",
        "  ├ c",
        "  │ └ e",
        "  │   ├ f",
        "  │   └ g",
        "  └ d",
        "    ├ h",
        "    └ ◀ now",
        "z",
    ]


def test_without_a_current_snapshot_nobody_knows_where_the_live_end_belongs() -> None:
    assert drawn(arranged([known("a"), known("b", "a")])) == ["a", "└ b", "◀ now"]
    assert drawn(arranged([])) == ["◀ now"]


@pytest.mark.parametrize("count", [200, 1000])
def test_many_in_a_row_side_by_side_and_forking_all_the_way(count: int) -> None:
    deep = drawn(line(count))
    assert len(deep) == count + 1
    assert max(map(len, deep)) < 2 * MOST_STEPS + 10
    wide = drawn(arranged([known("s"), *(known(f"s{n}", "s", created=n) for n in range(count))]))
    assert len(wide) == count + 2
    assert wide[-2].startswith("└ s")
    comb = arranged(known(f"s{n}", f"s{(n - 1) // 2 * 2}" if n else None, created=n) for n in range(count))
    rows = drawn(comb)
    assert len(rows) == count + 1
    assert max(map(len, rows)) <= MOST_INDENT + 5
    assert sum(row.startswith("…") for row in rows) > count // 2


def test_circles_missing_parents_and_twins_are_told() -> None:
    tree = arranged(
        [known("a", "b", created=2), known("b", "a", created=1), known("c", "none"), known("c", "a")]
    )
    assert tree.roots == ("b", "c")
    assert tree.children == {"b": ("a",)}
    assert [problem.split()[0:3] for problem in tree.problems] == [
        ["There", "are", "two"],
        ["none,", "the", "parent"],
        ["The", "parents", "of"],
    ]
    assert (tree.above("a"), tree.above("b")) == (("b",), ())


def test_names_from_a_host_move_no_cursor() -> None:
    hostile = replace(known("a"), name="a\x1b[2J\u202e" + "x" * 500, description="\x07\n", state="\x1b")
    view = SnapshotView(make_domain(), arranged([hostile]))
    row, _live = tree_rows(view, str)
    assert row.name.startswith(r"a\x1b[2J\u202e")
    assert all(cell.isprintable() for cell in row.cells)
    assert max(map(len, row.cells)) < 100


def test_a_row_says_what_is_known() -> None:
    one = parse_known(
        text_of("s1", None, overlay="/i/s1", base="/i/base", memory="/i/memory", state="running"),
        current=True,
    )
    view = SnapshotView(make_domain(), arranged([one]), {"/i/s1": 1024 * 1024, "/i/memory": 2 * 1024 * 1024})
    row, live = tree_rows(view, lambda at: f"at {at}")
    assert row.cells == ("s1", "external", "running", "at 1", "vda +1 MiB, memory 2 MiB", "current", "")
    assert live == TreeRow(
        "└ ", None, "◀ now", state="running", disks="vda", mark="what the guest writes now"
    )
    off = replace(view, domain=make_domain(state=RunState.SHUT_OFF))
    assert tree_rows(off, str)[-1].mark == "what the guest starts from"


# Images


def test_what_each_image_of_a_chain_belongs_to() -> None:
    snapshots = [
        known("i1", kind="internal", base="/i/base"),
        known("s1", "i1", overlay="/i//1", base="/i/base"),
        known("s2", "s1", overlay="/i/2", base="/i/1"),
        known("other", "s1", overlay="/i/o", base="/i/1"),
    ]
    domain = make_domain(disks=[make_disk("vda", "/i/2", "/i/1", "/i/base"), make_disk("vdb", "/i/base")])
    roles = layer_roles(SnapshotView(domain, arranged(snapshots)))
    assert [(r.target, r.layer.path, r.active, r.since, r.holds, r.inside) for r in roles] == [
        ("vda", "/i/2", True, ("s2",), (), ()),
        ("vda", "/i/1", False, ("s1",), ("other", "s2"), ()),
        ("vda", "/i/base", False, (), ("s1",), ("i1",)),
        ("vdb", "/i/base", True, (), (), ()),
    ]
    moved = make_domain(disks=[make_disk("vda", "/i/back", "/i/1", "/i/base")])
    assert layer_roles(SnapshotView(moved, arranged(snapshots[:3])))[0].since == ("s2",)
    noted = known("s2", "s1", overlay="/i/2", base="/i/1", reverted="/i/back")
    assert layer_roles(SnapshotView(moved, arranged([snapshots[3], noted])))[0].since == ("s2",)
    lines = list(layer_lines(SnapshotView(domain, arranged(snapshots), {"/i/2": 1024 * 1024})))
    assert lines[0] == "vda, active layer first:"
    assert lines[1] == "  /i/2  qcow2  1 MiB  active; new since s2"
    assert lines[2] == "  /i/1  qcow2  new since s1; state of other, s2"
    assert lines[3] == "  /i/base  qcow2  state of s1; inside: i1"


def test_a_state_that_the_guest_writes_over_is_lost() -> None:
    domain = make_domain(disks=[make_disk("vda", "/i/base")])
    tree = arranged([known("i1", kind="internal"), known("s1", "i1", current=True)])
    held = ImageInfo(1, "qcow2", snapshots=("i1", "gone"))
    view = SnapshotView(domain, tree, images={"/i/base": held})
    (role,) = layer_roles(view)
    assert (role.holds, role.lost, role.inside, role.unknown) == ((), ("s1",), ("i1",), ("gone",))
    assert role_words(role) == [
        "active",
        "state of s1 is lost",
        "inside: i1",
        "inside, unknown to libvirt: gone",
    ]
    assert [str(loss) for loss in losses(tree.by_name["s1"], view)] == [
        "of vda: the guest writes to the image that held it"
    ]
    assert [(row.mark, row.lost) for row in tree_rows(view, str)[:2]] == [
        ("", False),
        ("current, lost", True),
    ]
    kept = replace(view, domain=make_domain(disks=[make_disk("vda", "/i/1", "/i/base")]))
    assert [row.mark for row in tree_rows(kept, str)[:2]] == ["", "current"]


@pytest.mark.parametrize("snapshot", [known("s1", current=True), known("i1", kind="internal", current=True)])
def test_who_is_not_on_the_images_of_the_current_snapshot_is_told(snapshot: KnownSnapshot) -> None:
    def said(*disks: Disk) -> tuple[str, ...]:
        return problems_of(SnapshotView(make_domain(disks=disks), arranged([snapshot])))

    (problem,) = said(make_disk("vda", "/i/other"))
    assert problem.startswith(
        f"{snapshot.name} is the current snapshot, but nothing of it is in the chain of vda"
    )
    assert said(make_disk("vda", "/i/new", "/i//base")) == ()
    unseen = replace(make_disk("vda"), chain=make_chain("/i/other", complete=False))
    assert said(unseen) == said(make_disk("vdb", "/i/other")) == ()
    again = known("s1", reverted="/i/other", current=True)
    assert (
        problems_of(SnapshotView(make_domain(disks=[make_disk("vda", "/i/other")]), arranged([again]))) == ()
    )


# The file

SAVED = Saved(
    "db01",
    "u",
    arranged(
        [
            known("a", kind="internal"),
            known("b <x>", "a", description="\u202e&'\"", current=True),
            known("c", "b <x>"),
        ]
    ).snapshots,
    (ImageRecord("/i/base", "raw", 4096),),
)


def test_what_is_written_is_read_back() -> None:
    again = parse_saved(saved_xml(SAVED))
    assert (again.domain, again.uuid, again.images) == (SAVED.domain, SAVED.uuid, SAVED.images)
    assert [one.identity for one in again.snapshots] == [one.identity for one in SAVED.snapshots]
    assert [one.current for one in again.snapshots] == [False, True, False]
    assert [etree.canonicalize(one.xml) for one in again.snapshots] == [
        etree.canonicalize(one.xml) for one in SAVED.snapshots
    ]
    assert parse_saved(saved_xml(again)) == again


def test_parents_come_first_whatever_their_order_in_the_file() -> None:
    text = saved_xml(replace(SAVED, snapshots=tuple(reversed(SAVED.snapshots))))
    assert [one.name for one in parse_saved(text).snapshots] == ["a", "b <x>", "c"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("virt-mirror-snapshots", "snapshots", "no snapshots that virt-mirror has exported"),
        ('version="1"', 'version="2"', "it has the version 2"),
        ('uuid="u"', "", "of which domain"),
        ("<snapshots>", "<other/><snapshots><snapshot/>", "is empty"),
        ("<snapshots>", f"<snapshots><snapshot>{known('a').xml}</snapshot>", "two snapshots a"),
        ("<snapshot>", '<snapshot current="yes">', "more than one"),
        ('size="4096"', 'size="x"', "no path or no size"),
        ("<name>a</name>", "<name/>", "with a name"),
        ("<virt-mirror-snapshots", "<!DOCTYPE x><virt-mirror-snapshots", "document type"),
    ],
)
def test_files_that_are_not_read(old: str, new: str, said: str) -> None:
    text = saved_xml(SAVED).replace(old, new)
    with pytest.raises(InvalidXML, match=said):
        parse_saved(text)


# Other places


def test_the_longest_place_counts() -> None:
    maps = (("/a", "/x"), ("/a/b", "/y"), ("/a/b/c.img", "/z/d.img"), ("/", "/root"))
    assert place_of("/a/one", maps) == "/x/one"
    assert place_of("/a//b/../b/two", maps) == "/y/two"
    assert place_of("/a/b/c.img", maps) == "/z/d.img"
    assert place_of("/ab", maps) == "/root/ab"
    assert place_of("/ab", maps[:3]) == "/ab"
    assert place_of("/a", maps) == "/x"


def test_pairs_of_places() -> None:
    assert parse_map("/a=/b") == ("/a", "/b")
    assert parse_map("/a/x=y//=/b/") == ("/a/x=y", "/b")
    for text in ("/a", "a=/b", "/a=b", "/a=/b=/c", "=/b"):
        with pytest.raises(InvalidMap):
            parse_map(text)


def test_all_that_a_snapshot_names_is_relocated() -> None:
    one = parse_known(text_of("s1", None, overlay="/i/s1", base="/i/base", memory="/i/memory"), current=True)
    moved = with_places(one, changes((one,), (("/i", "/j"),)))
    assert moved.files == ("/j/s1", "/j/base", "/j/memory")
    assert "/i/" not in moved.xml
    assert moved.current
    assert with_places(one, changes((one,), (("/k", "/j"),))).xml == one.xml


@pytest.mark.parametrize("path", ["/i/s1", "/i/base", "/i/memory"])
def test_a_path_that_xml_cannot_carry_is_given_to_no_snapshot(path: str) -> None:
    one = parse_known(text_of("s1", None, overlay="/i/s1", base="/i/base", memory="/i/memory"))
    with pytest.raises(InvalidXML, match="cannot carry"):
        with_places(one, {path: "/j/\x01"})
