"""Domain XML into values: every kind of disk, source, driver and mirror."""

from __future__ import annotations

import pytest

from tui.model.definition import parse_disk, parse_domain
from tui.model.disk import Device, Driver, MirrorJob, MirrorReady
from tui.model.storage import (
    BlockSource,
    Chain,
    DirSource,
    Encryption,
    FileSource,
    Layer,
    NetworkHost,
    NetworkSource,
    NvmeSource,
    Slice,
    Source,
    UnknownSource,
    VhostUserSource,
    VhostVdpaSource,
    VolumeSource,
)
from tui.model.xml import InvalidXML

DOMAIN = """<?xml version='1.0' encoding='ISO-8859-1'?>
<domain type='kvm' id='7' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>db01</name>
  <uuid>6f1e0d0a-4f3e-4b0c-9a43-0a6b8e3a9c11</uuid>
  <title>Orders, primary</title>
  <metadata>
    <tool:info xmlns:tool="urn:other-tool"><tool:note>kept</tool:note></tool:info>
    <plan xmlns="urn:virt-mirror:plan:k3" id="k3" title="a &lt; b"><step kind="StartCopy"/></plan>
    <!-- between -->
    <p:plan xmlns:p="urn:virt-mirror:plan:k4" id="k4"/>
  </metadata>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk' snapshot='external'>
      <driver name='qemu' type='qcow2' cache='none' io='native' discard='unmap' detect_zeroes='unmap'
        error_policy='stop' rerror_policy='report' copy_on_read='on' iothread='1' queues='4'/>
      <source file='/slow/top.qcow2' index='3'><seclabel model='dac' relabel='no'/></source>
      <backingStore type='file' index='4'>
        <format type='qcow2'/><source file='/slow/mid.qcow2'/>
        <backingStore type='block' index='5'>
          <format type='raw'/><source dev='/dev/vg/base'/>
          <backingStore/>
        </backingStore>
      </backingStore>
      <mirror type='file' file='/fast/db01.qcow2' format='qcow2' job='copy' ready='yes'>
        <format type='qcow2'/><source file='/fast/db01.qcow2' index='6'/>
        <backingStore/>
      </mirror>
      <target dev='vda' bus='virtio'/>
      <serial>WD-1</serial>
      <alias name='virtio-disk0'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <disk type='file' device='disk'><source file='/nowhere'/></disk>
    <disk type='file' device='tape'><source file='/t'/><target dev='sdt'/></disk>
    <disk type='file' device='disk'><driver type='raw'/><source file='/b'/><target dev='vda'/></disk>
    <disk type='block' device='lun'>
      <driver name='qemu' type='raw'/><source dev='/dev/sdb' index='1'/><backingStore/>
      <target dev='sdb' bus='scsi'/><readonly/><shareable/><transient/>
    </disk>
  </devices>
  <seclabel type='dynamic' model='apparmor' relabel='yes'><label>libvirt-1</label></seclabel>
  <seclabel type='dynamic' model='dac' relabel='yes'><label>+64055:+994</label></seclabel>
</domain>
"""


def disk(inner: str, attributes: str = "type='file' device='disk'") -> str:
    """A disk with a target and this inside."""
    return f"<disk {attributes}>{inner}<target dev='vda' bus='virtio'/></disk>"


def domain(inner: str) -> str:
    """A domain with a name, a UUID and this inside."""
    return f"<domain><name>n</name><uuid>u</uuid>{inner}</domain>"


def test_a_live_domain() -> None:
    """What a running guest shows."""
    found = parse_domain(DOMAIN)
    assert (found.name, found.title, found.hypervisor) == ("db01", "Orders, primary", "kvm")
    assert found.uuid == "6f1e0d0a-4f3e-4b0c-9a43-0a6b8e3a9c11"
    assert found.owner == (64055, 994)
    vda = found.disk("vda")
    assert vda is not None
    assert (vda.bus, vda.device, vda.serial, vda.snapshot) == ("virtio", Device.DISK, "WD-1", "external")
    assert vda.driver == Driver(
        "qemu",
        "none",
        "native",
        "unmap",
        "unmap",
        "stop",
        rerror_policy="report",
        copy_on_read=True,
        iothread="1",
        queues="4",
    )
    assert vda.chain == Chain(
        (
            Layer(FileSource("/slow/top.qcow2"), "qcow2", 3, extra=('<seclabel model="dac" relabel="no"/>',)),
            Layer(FileSource("/slow/mid.qcow2"), "qcow2", 4),
            Layer(BlockSource("/dev/vg/base"), "raw", 5),
        ),
        complete=True,
    )
    assert vda.mirror is not None
    assert (vda.mirror.job, vda.mirror.ready) == (MirrorJob.COPY, MirrorReady.YES)
    assert vda.mirror.chain == Chain((Layer(FileSource("/fast/db01.qcow2"), "qcow2", 6),), complete=True)
    assert vda.local_paths == {"/slow/top.qcow2", "/slow/mid.qcow2", "/dev/vg/base", "/fast/db01.qcow2"}


def test_an_unusable_disk_takes_no_other_with_it() -> None:
    """A disk without a target, of an unknown kind or with a target twice is named, and the rest is there."""
    found = parse_domain(DOMAIN)
    assert [d.target for d in found.disks] == ["vda", "sda", "sdb"]
    assert found.problems == (
        "Disk number 3 of the definition cannot be understood: this disk has no target.",
        "Disk number 4 of the definition cannot be understood: this disk is a device of an unknown kind.",
        "Disk number 5 of the definition has the target of another one.",
    )


def test_plans_are_the_metadata_of_our_namespace() -> None:
    """Ours are handed on as XML that stands alone; another tool's are not looked at."""
    first, second = parse_domain(DOMAIN).plans
    assert 'xmlns="urn:virt-mirror:plan:k3"' in first
    assert 'title="a &lt; b"' in first
    assert first.endswith("</plan>")
    assert 'xmlns:p="urn:virt-mirror:plan:k4"' in second


def test_flags_of_a_disk() -> None:
    """Read-only, shareable, transient; a CD-ROM is read-only and here it is empty."""
    found = parse_domain(DOMAIN)
    lun, cdrom = found.disk("sdb"), found.disk("sda")
    assert lun is not None
    assert cdrom is not None
    assert (lun.device, lun.readonly, lun.shareable, lun.transient) == (Device.LUN, True, True, True)
    assert (cdrom.readonly, cdrom.empty, cdrom.chain) == (True, True, Chain((), complete=True))


@pytest.mark.parametrize(
    ("label", "owner"),
    [("+0:+0", (0, 0)), ("107:107", (107, 107)), ("qemu:qemu", None), ("+1", None), ("", None)],
)
def test_owner(label: str, owner: tuple[int, int] | None) -> None:
    """Only numbers say who owns what; names are not looked up."""
    text = domain(f"<seclabel type='static' model='dac'><label>{label}</label></seclabel>")
    assert parse_domain(text).owner == owner


@pytest.mark.parametrize(
    ("target", "agent"),
    [
        ("<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/>", True),
        ("<target type='virtio' name='org.qemu.guest_agent.0' state='disconnected'/>", False),
        ("<target type='virtio' name='com.redhat.spice.0' state='connected'/>", False),
        ("", False),
    ],
)
def test_an_agent_is_one_that_has_opened_its_channel(target: str, agent: bool) -> None:  # noqa: FBT001
    text = domain(f"<devices><channel type='unix'>{target}</channel></devices>")
    assert parse_domain(text).agent is agent


SOURCES: list[tuple[str, str, Source | None]] = [
    ("file", "<source file='/a &amp; b/&lt;x&gt;'/>", FileSource("/a & b/<x>")),
    ("file", "<source startupPolicy='optional'/>", None),
    ("block", "<source dev='/dev/vg/lv'/>", BlockSource("/dev/vg/lv")),
    ("block", "", None),
    ("dir", "<source dir='/srv/fat'/>", DirSource("/srv/fat")),
    ("volume", "<source pool='p' volume='v' mode='host'/>", VolumeSource("p", "v", "host")),
    ("vhostuser", "<source type='unix' path='/run/blk.sock'/>", VhostUserSource("/run/blk.sock")),
    ("vhostvdpa", "<source dev='/dev/vhost-vdpa-0'/>", VhostVdpaSource("/dev/vhost-vdpa-0")),
    ("hologram", "<source cube='1'/>", UnknownSource("hologram")),
    (
        "nvme",
        """<source type='pci' managed='yes' namespace='1'>
        <address domain='0x0000' bus='0x01' slot='0x1f' function='0x7'/></source>""",
        NvmeSource("1", "0000:01:1f.7", managed=True),
    ),
    (
        "nvme",
        "<source type='pci' namespace='1'><address domain='x' bus='1'/></source>",
        UnknownSource("nvme"),
    ),
    (
        "network",
        """<source protocol='nbd' name='e' tls='yes' tlsHostname='h.example'>
        <host name='::1' port='10809'/></source>""",
        NetworkSource("nbd", "e", (NetworkHost("::1", "10809"),), tls="yes", tls_hostname="h.example"),
    ),
    (
        "network",
        "<source protocol='nbd'><host transport='unix' socket='/run/nbd.sock'/></source>",
        NetworkSource("nbd", None, (NetworkHost(transport="unix", socket="/run/nbd.sock"),)),
    ),
    (
        "network",
        """<source protocol='rbd' name='pool/image'><host name='m1' port='6789'/><host name='m2'/>
        <snapshot name='s'/><config file='/etc/ceph.conf'/></source>""",
        NetworkSource(
            "rbd",
            "pool/image",
            (NetworkHost("m1", "6789"), NetworkHost("m2")),
            snapshot="s",
            config="/etc/ceph.conf",
        ),
    ),
    (
        "network",
        "<source protocol='https' name='a.iso' query='t=1&amp;u=2'><host name='h' port='443'/></source>",
        NetworkSource("https", "a.iso", (NetworkHost("h", "443"),), query="t=1&u=2"),
    ),
    (
        "network",
        "<source protocol='gluster' name='vol/i'><host transport='rdma' name='g' port='24007'/></source>",
        NetworkSource("gluster", "vol/i", (NetworkHost("g", "24007", "rdma"),)),
    ),
    ("network", "<source protocol='vxhs' name='x'/>", NetworkSource("vxhs", "x")),
    ("network", "<source name='x'/>", None),
]


@pytest.mark.parametrize(("kind", "inner", "source"), SOURCES)
def test_sources(kind: str, inner: str, source: Source | None) -> None:
    """Every type of source, an empty drive, and one that nobody has heard of."""
    found = parse_disk(disk(inner, f"type='{kind}' device='disk'"))
    assert (found.chain.active.source if found.chain.active else None) == source
    assert found.empty == (source is None)


def test_what_means_nothing_here_is_kept_as_xml() -> None:
    """Login, labels and reservations come along, on one line each, wherever libvirt of the day put them."""
    inner = "<auth username='u'>\n  <secret type='ceph' uuid='x'/>\n</auth>"
    kept = ('<auth username="u"><secret type="ceph" uuid="x"/></auth>',)
    new = parse_disk(disk(f"<source protocol='rbd' name='p/i'>{inner}</source>", "type='network'"))
    old = parse_disk(disk(f"<source protocol='rbd' name='p/i'/>{inner}", "type='network'"))
    assert new == old
    assert new.chain.layers[0].extra == kept


def test_encryption_in_both_places() -> None:
    """Under the disk, where it was once, and under the source."""
    inner = "<encryption format='luks'><secret type='passphrase' uuid='7a'/></encryption>"
    new = parse_disk(disk(f"<source file='/a'>{inner}</source>"))
    assert new == parse_disk(disk(f"<source file='/a'/>{inner}"))
    assert new.chain.layers[0].encryption == Encryption("luks", "7a")


def test_encryption_in_full() -> None:
    """What has no value of its own is kept as XML."""
    inner = (
        "<encryption format='luks2' engine='librbd'><secret type='passphrase' usage='key'/>"
        "<secret type='passphrase' usage='lower'/><cipher name='aes' size='256'/></encryption>"
    )
    layer = parse_disk(disk(f"<source file='/a'>{inner}</source>")).chain.layers[0]
    assert layer.encryption == Encryption(
        "luks2",
        "key",
        by_usage=True,
        engine="librbd",
        extra=('<secret type="passphrase" usage="lower"/>', '<cipher name="aes" size="256"/>'),
    )


def test_slices_cache_and_data_store() -> None:
    """A part of a container, the limit of the metadata cache, and a qcow2 image with its data elsewhere."""
    found = parse_disk(
        disk(
            "<driver type='qcow2'><metadata_cache><max_size unit='KiB'>8</max_size></metadata_cache></driver>"
            "<source file='/top'><slices><slice type='storage' offset='12345' size='123'/></slices>"
            "<dataStore type='block'><format type='raw'/><source dev='/dev/d' index='9'/></dataStore>"
            "</source>"
        )
    )
    assert found.chain.layers == (
        Layer(
            FileSource("/top"),
            "qcow2",
            slices=(Slice(12345, 123),),
            data_store=Layer(BlockSource("/dev/d"), "raw", 9),
            metadata_cache=8192,
        ),
    )
    assert found.local_paths == {"/top", "/dev/d"}


@pytest.mark.parametrize(
    ("attributes", "job", "ready"),
    [
        ("job='copy'", MirrorJob.COPY, MirrorReady.NO),
        ("job='copy' ready='yes'", MirrorJob.COPY, MirrorReady.YES),
        ("job='active-commit' ready='pivot'", MirrorJob.ACTIVE_COMMIT, MirrorReady.PIVOT),
        ("job='copy' ready='abort'", MirrorJob.COPY, MirrorReady.ABORT),
        ("job=''", MirrorJob.CONCLUDING, MirrorReady.NO),
        ("job='teleport' ready='nearly'", MirrorJob.UNKNOWN, MirrorReady.NO),
    ],
)
def test_mirror_words(attributes: str, job: MirrorJob, ready: MirrorReady) -> None:
    """Every word, and words not known, which never pass for in sync."""
    inner = f"<mirror type='block' {attributes}><format type='raw'/><source dev='/dev/n'/></mirror>"
    mirror = parse_disk(disk("<source file='/a'/>" + inner)).mirror
    assert mirror is not None
    assert (mirror.job, mirror.ready) == (job, ready)
    assert mirror.destination == Layer(BlockSource("/dev/n"), "raw")
    assert not mirror.chain.complete


def test_mirror_of_attributes_alone() -> None:
    """As the first libvirt with block copy wrote it: no job, no children, no word of a chain."""
    mirror = parse_disk(disk("<source file='/a'/><mirror file='/n' format='qed' ready='yes'/>")).mirror
    assert mirror is not None
    assert (mirror.job, mirror.ready) == (MirrorJob.COPY, MirrorReady.YES)
    assert mirror.chain == Chain((Layer(FileSource("/n"), "qed"),), complete=False)


def test_mirror_with_the_chain_it_shares() -> None:
    """A shallow mirror stands on the source's backing file; attributes give way to what the children say."""
    inner = (
        "<mirror type='file' file='/n' format='qcow2' job='copy'><format type='qcow2'/>"
        "<source file='/n' index='4'/>"
        "<backingStore type='file'><format type='raw'/><source file='/base' index='5'/>"
        "<backingStore/></backingStore></mirror>"
    )
    mirror = parse_disk(disk("<source file='/a'/>" + inner)).mirror
    assert mirror is not None
    assert mirror.chain == Chain(
        (Layer(FileSource("/n"), "qcow2", 4), Layer(FileSource("/base"), "raw", 5)), complete=True
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "this is not well-formed XML"),
        ("<domain><uuid>u</uuid></domain>", "this domain has no name"),
        ("<domain><name>n</name></domain>", "this domain has no UUID"),
        ("<network/>", "this XML is not a domain"),
    ],
)
def test_what_is_no_domain(text: str, sentence: str) -> None:
    """One sentence says why."""
    with pytest.raises(InvalidXML, match=sentence):
        parse_domain(text)


def test_what_is_no_disk() -> None:
    """A disk is known by its target, so one without is none."""
    with pytest.raises(InvalidXML, match="not a disk"):
        parse_disk("<domain/>")
    with pytest.raises(InvalidXML, match="no target"):
        parse_disk("<disk><target/></disk>")
    with pytest.raises(InvalidXML, match="slice"):
        parse_disk(disk("<source file='/a'><slices><slice offset='x' size='1'/></slices></source>"))
