"""Snapshots with mirrors: their XML, the schema of it, and the words of a command line that say the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.model.diskspec import InvalidDiskspec, diskspec, parse_diskspec
from tui.model.mirrored_snapshot import Kept, Kind, Snapshot, SnapshotDisk, parse_snapshot, snapshot_xml
from tui.model.snapshot_schema import check_schema
from tui.model.xml import InvalidXML

ASKED = """
<domainsnapshot>
  <name>my snap name</name>
  <description>!@#$%^</description>
  <disks>
    <disk name='hda' snapshot='external'>
      <source file='/path/to/new'/>
      <mirror file='/path/to/other'/>
    </disk>
    <disk name='hdb'>
      <mirror file='/path/to/other2'/>
    </disk>
  </disks>
</domainsnapshot>"""

MADE = """
<domainsnapshot>
  <name>my snap name</name>
  <description>!@#$%^</description>
  <state>disk-snapshot</state>
  <creationTime>1272917631</creationTime>
  <disks>
    <disk name='hda' snapshot='external'>
      <driver type='qcow2'/>
      <source file='/path/to/new'/>
      <mirror file='/path/to/other'/>
    </disk>
    <disk name='hdb' snapshot='external'>
      <driver type='qcow2'/>
      <source file='/path/to/generated'/>
      <mirror file='/path/to/other2'/>
    </disk>
  </disks>
  <domain type='qemu'>
    <name>QEMUGuest1</name>
    <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
    <memory unit='KiB'>219100</memory>
    <os>
      <type arch='i686' machine='pc'>hvm</type>
      <boot dev='hd'/>
    </os>
    <devices>
      <emulator>/usr/bin/qemu</emulator>
      <disk type='block' device='disk'>
        <source dev='/dev/HostVG/QEMUGuest1'/>
        <target dev='hda' bus='ide'/>
      </disk>
    </devices>
  </domain>
</domainsnapshot>"""

LIBVIRTS = """
<domainsnapshot>
  <name>1795258691</name>
  <description>a &lt;b&gt;</description>
  <state>disk-snapshot</state>
  <parent>
    <name>first</name>
  </parent>
  <creationTime>1795258691</creationTime>
  <memory snapshot='no'/>
  <disks>
    <disk name='vda' snapshot='external' type='file'>
      <driver type='qcow2'/>
      <source file='/images/x,y.q' startupPolicy='optional'>
        <seclabel model='dac' relabel='no'/>
      </source>
    </disk>
    <disk name='vdb' snapshot='external' type='block'>
      <driver type='qcow2'/>
      <source dev='/dev/vg/lv'/>
    </disk>
    <disk name='vdc' snapshot='external' type='network'>
      <driver type='qcow2'/>
      <source protocol='nbd' name='x'>
        <host name='localhost' port='10809'/>
      </source>
    </disk>
    <disk name='vdd' snapshot='no'/>
    <disk name='vde' snapshot='internal'/>
  </disks>
  <domain type='qemu'>
    <name>guest</name>
  </domain>
  <inactiveDomain type='qemu'>
    <name>guest</name>
  </inactiveDomain>
  <cookie>
    <slirpHelper/>
  </cookie>
  <active>1</active>
</domainsnapshot>"""


def disks(inside: str) -> str:
    return f"<domainsnapshot>\n<name>n</name>\n<disks>\n{inside}\n</disks>\n</domainsnapshot>"


# Reading and writing


def test_a_mirror_makes_the_snapshot_external() -> None:
    snapshot = parse_snapshot(ASKED, mirrors=True)
    assert (snapshot.name, snapshot.description) == ("my snap name", "!@#$%^")
    first, second = snapshot.disks or ()
    assert (first.kind, first.path, first.mirror_path) == (Kind.EXTERNAL, "/path/to/new", "/path/to/other")
    assert (second.kind, second.path, second.mirror_path) == (Kind.EXTERNAL, None, "/path/to/other2")
    assert snapshot.mirrored == (first, second)


@pytest.mark.parametrize("text", [MADE, LIBVIRTS], ids=["mirrored", "libvirt's own"])
def test_what_was_read_is_written_again(text: str) -> None:
    snapshot = parse_snapshot(text, mirrors=True)
    assert snapshot_xml(snapshot).split() == text.replace("'", '"').split()
    check_schema(snapshot_xml(snapshot))


def test_libvirts_own_elements() -> None:
    snapshot = parse_snapshot(LIBVIRTS, mirrors=False)
    assert (snapshot.parent, snapshot.created, snapshot.active) == ("first", 1795258691, "1")
    assert not snapshot.holds_memory
    a, b, c, d, e = snapshot.disks or ()
    assert [disk.path for disk in (a, b, c, d, e)] == ["/images/x,y.q", "/dev/vg/lv", None, None, None]
    assert [disk.kind for disk in (c, d, e)] == [Kind.EXTERNAL, Kind.NO, Kind.INTERNAL]


def test_unknown_elements_are_kept() -> None:
    text = disks("<disk name='vda' odd='1'><new a='b'><c/></new></disk>").replace(
        "<disks>", "<other/><disks>"
    )
    again = snapshot_xml(parse_snapshot(text, mirrors=True))
    for part in ('odd="1"', '<new a="b">', "<other/>"):
        assert part in again


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("<disk name='vda'><mirror/></disk>", "line 4: the mirror of vda needs a file"),
        ("<disk name='vda'><mirror file=''/></disk>", "needs a file"),
        ("<disk name='vda'><mirror file='m'/></disk>", "the mirror of vda is not absolute"),
        ("<disk name='vda'><source file='s'/></disk>", "the file of vda is not absolute"),
        ("<disk name='vda' snapshot='internal'><mirror file='/m'/></disk>", "only an external snapshot"),
        ("<disk name='vda' snapshot='no'><mirror file='/m'/></disk>", "only an external snapshot"),
        ("<disk name='vda' snapshot='manual'><mirror file='/m'/></disk>", "only an external snapshot"),
        ("<disk name='vda' snapshot='no'><source file='/s'/></disk>", "only an external snapshot"),
        ("<disk name='vda' snapshot='some'/>", "none of no, internal, external, manual"),
        ("<disk name='vda'><mirror file='/a'/><mirror file='/b'/></disk>", "2 mirrors"),
        ("<disk><mirror file='/m'/></disk>", "has no name"),
    ],
)
def test_what_contradicts_itself(inside: str, message: str) -> None:
    with pytest.raises(InvalidXML, match=message):
        parse_snapshot(disks(inside), mirrors=True)
    with pytest.raises(InvalidXML, match="line 4: "):
        check_schema(disks(inside))


def test_mirrors_are_refused_where_none_can_be_made() -> None:
    with pytest.raises(InvalidXML, match="line 6: hda has a mirror, and none can be made here"):
        parse_snapshot(ASKED, mirrors=False)


@pytest.mark.parametrize("text", ["<domain/>", "<domainsnapshot><name/></domainsnapshot>", "<a", ""])
def test_what_is_no_snapshot(text: str) -> None:
    with pytest.raises(InvalidXML):
        parse_snapshot(text, mirrors=True)
    with pytest.raises(InvalidXML):
        check_schema(text)


def test_characters_that_xml_cannot_carry() -> None:
    with pytest.raises(InvalidXML, match="cannot carry"):
        snapshot_xml(Snapshot("a\x01b"))


# The schema


@pytest.mark.parametrize("text", [ASKED, MADE, LIBVIRTS, disks("<disk name='vda'/>"), disks("")])
def test_what_the_schema_takes(text: str) -> None:
    check_schema(text)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("<disk name='vda'><miror file='/m'/></disk>", "line 4: <miror> is nothing that <disk> can have"),
        ("<disk name='vda' mode='x'/>", "line 4: mode='x' cannot stand in <disk>"),
        ("<disk name='vda'><source file='s'/></disk>", "line 4: file='s' cannot stand in <source>"),
        ("<disk name='vda'/></disks><active>2</active><disks>", "line 4: "),
        ("<disk name='vda'><a/><b/></disk>", "line 4: <a> is nothing that <disk> can have"),
    ],
)
def test_the_schema_names_line_and_part(inside: str, message: str) -> None:
    with pytest.raises(InvalidXML, match=message):
        check_schema(disks(inside))


def test_the_value_of_an_element() -> None:
    text = disks("").replace("</disks>", "</disks>\n<state>dancing</state>")
    with pytest.raises(InvalidXML, match="line 6: <state> in <domainsnapshot> cannot be 'dancing'"):
        check_schema(text)


def test_other_namespaces_and_long_definitions_are_taken() -> None:
    domain = "<domain>" + "<a b='c'/>" * 5000 + "</domain>"
    check_schema(
        disks("<disk name='vda'><x:y xmlns:x='urn:x'/></disk>").replace("<disks>", domain + "<disks>")
    )
    with pytest.raises(InvalidXML, match="<miror>"):
        check_schema(disks("<disk name='v'><miror/></disk>").replace("<disks>", domain + "<disks>"))


# Round trips

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=12)
PATH = TEXT.map(lambda text: f"/{text}")


def file(path: str) -> Kept:
    return Kept((("file", path),))


@st.composite
def snapshot_disks(draw: st.DrawFn) -> SnapshotDisk:
    name = draw(TEXT)
    kind = draw(st.sampled_from(Kind))
    if kind is not Kind.EXTERNAL:
        return SnapshotDisk(name, kind)
    return SnapshotDisk(
        name,
        kind,
        source=draw(st.none() | PATH.map(file)),
        driver=draw(st.none() | TEXT.map(lambda text: Kept((("type", text),)))),
        mirror=draw(st.none() | PATH.map(file)),
        type=draw(st.sampled_from([None, "file"])),
    )


SNAPSHOTS = st.builds(
    Snapshot,
    name=st.none() | TEXT,
    description=st.none() | TEXT,
    state=st.sampled_from([None, "running", "disk-snapshot"]),
    parent=st.none() | TEXT,
    created=st.none() | st.integers(0, 2**62),
    memory=st.sampled_from([None, Kept((("snapshot", "no"),))]),
    disks=st.none() | st.lists(snapshot_disks(), max_size=4).map(tuple),
    domain=st.sampled_from([None, '<domain type="qemu"><name>n</name></domain>']),
    cookie=st.sampled_from([None, "<cookie><a/></cookie>"]),
    extra=st.sampled_from([(), ('<x:y xmlns:x="urn:x">z</x:y>',)]),
)


@given(SNAPSHOTS)
def test_round_trip(snapshot: Snapshot) -> None:
    text = snapshot_xml(snapshot)
    assert parse_snapshot(text, mirrors=True) == snapshot
    check_schema(text)


@given(TEXT, st.none() | TEXT, st.none() | PATH, st.none() | PATH)
def test_a_diskspec_says_the_same(
    name: str, format_: str | None, path: str | None, mirror: str | None
) -> None:
    said = {"driver": format_, "file": path, "mirror": mirror}
    words = [name, *(f"{key}={value}" for key, value in said.items() if value is not None)]
    disk = parse_diskspec(",".join(word.replace(",", ",,") for word in words))
    assert (disk.name, disk.format, disk.path, disk.mirror_path) == (name, format_, path, mirror)
    assert disk.kind == (Kind.EXTERNAL if format_ or path or mirror else None)
    without = replace(disk, mirror=None)
    assert parse_diskspec(diskspec(without)) == without


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first word"),
        (",file=/a", "first word"),
        ("vda,/a", "none of snapshot=, driver=, file=, mirror="),
        ("vda,stype=file", "none of"),
        ("vda,file=", "is empty"),
        ("vda,file=/a,file=/b", "is there twice"),
        ("vda,mirror=b", "not absolute"),
        ("vda,snapshot=internal", "not snapshot=no"),
        ("vda,snapshot=no,mirror=/m", "only an external snapshot"),
    ],
)
def test_diskspecs_that_make_no_sense(text: str, message: str) -> None:
    with pytest.raises(InvalidDiskspec, match=message):
        parse_diskspec(text)


def test_a_comma_that_is_meant() -> None:
    disk = parse_diskspec("vda,file=/a,,b,mirror=/c,,")
    assert (disk.path, disk.mirror_path) == ("/a,b", "/c,")
