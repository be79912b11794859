"""Destinations as XML, to libvirt and back, and a disk's new place in a definition."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.test_chain import REPRESENTATIONS
from tests.test_definition import DOMAIN
from tui.model.definition import parse_domain
from tui.model.destination import destination_xml, domain_with_disk_source, parse_destination
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

import libvirt

SCHEMAS = Path("/usr/share/libvirt/schemas")
UUID = "6f1e0d0a-4f3e-4b0c-9a43-0a6b8e3a9c11"

# Everything that XML can carry, and what it must escape often.
WORDS = st.text(
    st.sampled_from("<>&'\" \t\n\r%:;[]{}\u202e")
    | st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=12,
).filter(lambda word: not set(word) & {"\ufffe", "\uffff"})
MAYBE = st.none() | WORDS

SOURCES = st.one_of(
    st.builds(FileSource, WORDS),
    st.builds(BlockSource, WORDS),
    st.builds(VolumeSource, WORDS, WORDS, MAYBE),
    st.builds(
        NetworkSource,
        st.sampled_from(
            [
                "nbd",
                "rbd",
                "iscsi",
                "gluster",
                "http",
                "https",
                "ftp",
                "tftp",
                "sheepdog",
                "ssh",
                "vxhs",
                "nfs",
            ]
        ),
        MAYBE,
        st.lists(st.builds(NetworkHost, MAYBE, MAYBE, MAYBE, MAYBE), max_size=3).map(tuple),
        MAYBE,
        MAYBE,
        MAYBE,
        MAYBE,
        MAYBE,
    ),
    st.builds(
        NvmeSource,
        WORDS,
        st.from_regex(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", fullmatch=True),
        st.booleans(),
    ),
)
NUMBERS = st.integers(0, 2**63)
FORMATS = st.sampled_from(["raw", "qcow2", "qed"])
EXTRA = st.lists(
    st.sampled_from(
        [
            '<seclabel model="dac" relabel="no"/>',
            '<auth username="u"><secret type="ceph" usage="k"/></auth>',
            '<reservations managed="yes"/>',
            '<x:y xmlns:x="urn:x">a &lt; b</x:y>',
        ]
    ),
    unique=True,
    max_size=3,
).map(tuple)
STORES = st.builds(Layer, SOURCES, FORMATS, extra=EXTRA)
ENCRYPTIONS = st.builds(
    Encryption,
    st.sampled_from(["luks", "luks2", "qcow"]),
    WORDS,
    st.booleans(),
    st.none() | st.sampled_from(["qemu", "librbd"]),
    st.sampled_from([(), ('<cipher name="aes" size="256"/>',), ('<secret type="passphrase" uuid="b"/>',)]),
)


def layers(formats: st.SearchStrategy[str | None]) -> st.SearchStrategy[Layer]:
    return st.builds(
        Layer,
        SOURCES,
        formats,
        encryption=st.none() | ENCRYPTIONS,
        slices=st.lists(st.builds(Slice, NUMBERS, NUMBERS), max_size=2).map(tuple),
        data_store=st.none() | STORES,
        metadata_cache=st.none() | NUMBERS,
        extra=EXTRA,
    )


LAYERS = layers(st.none() | FORMATS)
CHAINS = st.builds(Chain, st.lists(layers(FORMATS), max_size=3).map(tuple), st.booleans())


@settings(max_examples=300)
@given(LAYERS, st.none() | CHAINS)
def test_round_trip(layer: Layer, backing: Chain | None) -> None:
    """What is written is read back as it was, whatever is in the names."""
    written = destination_xml(layer, backing=backing)
    below = backing or Chain((), complete=False)
    assert parse_destination(written) == Chain((layer, *below.layers), below.complete)


def test_as_libvirt_documents_it() -> None:
    text = destination_xml(Layer(FileSource("/fast/a&b.qcow2"), "qcow2"))
    assert text == (
        '<disk type="file">\n  <driver name="qemu" type="qcow2"/>\n'
        '  <source file="/fast/a&amp;b.qcow2"/>\n</disk>'
    )
    assert "driver" not in destination_xml(Layer(BlockSource("/dev/vg/new")))
    shallow = destination_xml(
        Layer(FileSource("/n"), "qcow2"), backing=Chain((Layer(FileSource("/b"), "raw"),))
    )
    assert "".join(shallow.split()).endswith(
        '<backingStoretype="file"><formattype="raw"/><sourcefile="/b"/><backingStore/></backingStore></disk>'
    )
    assert "<backingStore/>" in destination_xml(Layer(FileSource("/n")), backing=Chain())


@pytest.mark.parametrize(
    "source", [DirSource("/d"), VhostUserSource("/s"), VhostVdpaSource("/v"), UnknownSource("hologram")]
)
def test_places_no_copy_is_written_to(source: Source) -> None:
    with pytest.raises(InvalidXML, match="cannot be written to"):
        destination_xml(Layer(source, "raw"))


@pytest.mark.parametrize(
    ("layer", "backing", "sentence"),
    [
        (Layer(FileSource("/a\x1b")), None, "the file of a source has a character that XML cannot carry"),
        (Layer(FileSource("/\udcff")), None, "cannot carry"),
        (Layer(NvmeSource("1", "first")), None, "NVMe"),
        (Layer(FileSource("/a")), Chain((Layer(FileSource("/b")),)), "no format"),
        (Layer(FileSource("/a"), extra=("<x",)), None, "well-formed"),
    ],
)
def test_what_cannot_be_written_is_said(layer: Layer, backing: Chain | None, sentence: str) -> None:
    with pytest.raises(InvalidXML, match=sentence):
        destination_xml(layer, backing=backing)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<domain/>", "not a disk"),
        ("<disk/>", "nowhere to write to"),
        ("<disk type='network'><source/></disk>", "nowhere to write to"),
        ("<disk type='dir'><source dir='/d'/></disk>", "cannot be written to a dir source"),
        ("<disk><source file='/a' fdgroup='g'/></disk>", "'fdgroup'"),
        ("<disk><source file='/a'/><backingStore type='file'/></disk>", "without a source"),
        (
            """<disk><source file='/a'/><backingStore type='file'><format type='raw'/><source/></backingStore>
            </disk>""",
            "without a source",
        ),
        (
            "<disk><source file='/a'/><backingStore type='file'><source file='/b'/></backingStore></disk>",
            "no format",
        ),
    ],
)
def test_a_users_xml_must_be_whole(text: str, sentence: str) -> None:
    with pytest.raises(InvalidXML, match=sentence):
        parse_destination(text)


def test_a_users_xml_may_be_a_disk_of_a_running_guest() -> None:
    """Taken from a definition: libvirt's numbers in it belong to the other guest."""
    chain = parse_destination(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>"
        "<source file='/a' index='3' startupPolicy='optional'/>"
        "<backingStore type='file' index='4'><format type='raw'/><source file='/b'/>"
        "<backingStore/></backingStore>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    assert chain == Chain((Layer(FileSource("/a"), "qcow2"), Layer(FileSource("/b"), "raw")), complete=True)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_older_representations_are_destinations_too(name: str) -> None:
    inner = REPRESENTATIONS[name]
    chain = parse_destination(f"<disk>{inner}</disk>")
    assert [layer.path for layer in chain.layers] == ["/path/to/top", "/path/to/middle", "/path/to/base"]
    assert chain.complete


REAL = [
    Layer(FileSource("/fast/a & 'b' <c>.qcow2"), "qcow2"),
    Layer(FileSource("/fast/a"), "qcow2", extra=('<seclabel model="dac" relabel="no"/>',)),
    Layer(FileSource("/fast/a"), "qcow2", metadata_cache=1024),
    Layer(FileSource("/fast/a"), "raw", slices=(Slice(1048576, 4096),)),
    Layer(FileSource("/fast/a"), "qcow2", encryption=Encryption("luks", UUID)),
    Layer(FileSource("/fast/a"), "qcow2", encryption=Encryption("luks", "a key", by_usage=True)),
    Layer(BlockSource("/dev/vg/lv"), "raw"),
    Layer(VolumeSource("pool", "volume"), "qcow2"),
    Layer(NvmeSource("1", "0000:01:1f.7", managed=True), "raw"),
    Layer(NetworkSource("nbd", "e", (NetworkHost("h", "10809"),), tls="yes"), "raw"),
    Layer(NetworkSource("nbd", None, (NetworkHost(transport="unix", socket="/run/n.sock"),)), "qcow2"),
    Layer(
        NetworkSource(
            "rbd",
            "p/i",
            (NetworkHost("m1", "6789"), NetworkHost("m2", "6789")),
            snapshot="s",
            config="/etc/c",
        ),
        "raw",
        extra=(f'<auth username="u"><secret type="ceph" uuid="{UUID}"/></auth>',),
    ),
    Layer(NetworkSource("gluster", "v/i", (NetworkHost("g", "24007"),)), "qcow2"),
    Layer(NetworkSource("iscsi", "iqn.2013-07.com.example:t/1", (NetworkHost("h", "3260"),)), "raw"),
    Layer(NetworkSource("https", "a", (NetworkHost("h", "443"),), query="t=1&u=2"), "raw"),
]

BACKING = Chain((Layer(FileSource("/b"), "qcow2"), Layer(BlockSource("/dev/c"), "raw")))


def in_a_domain(disk: str) -> str:
    """A domain with this destination as its disk."""
    with_target = disk.replace("</disk>", "<target dev='vda' bus='virtio'/></disk>")
    return (
        f"<domain type='test'><name>d</name><uuid>{UUID}</uuid><memory>1024</memory><os><type>hvm</type></os>"
        f"<devices>{with_target}</devices></domain>"
    )


@pytest.mark.parametrize("layer", REAL, ids=lambda layer: layer.path)
@pytest.mark.parametrize("backing", [None, Chain(), BACKING], ids=["not said", "none", "chain"])
def test_libvirt_reads_what_we_write(layer: Layer, backing: Chain | None) -> None:
    """libvirt's own parser and formatter hand back the same values."""
    connection = libvirt.open("test:///default")
    try:
        domain = connection.defineXML(in_a_domain(destination_xml(layer, backing=backing)))
        found = parse_domain(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)).disks[0].chain
    finally:
        connection.close()
    below = backing or Chain((), complete=False)
    assert found == Chain((layer, *below.layers), below.complete)


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="libvirt's schemas are not installed")
def test_libvirts_schema_agrees() -> None:
    schema = etree.RelaxNG(file=str(SCHEMAS / "domain.rng"))
    for layer in REAL:
        for backing in (None, Chain(), BACKING):
            text = in_a_domain(destination_xml(layer, backing=backing))
            schema.assertValid(etree.ElementTree(etree.fromstring(text)))
            wrong = etree.ElementTree(etree.fromstring(text.replace("<source ", "<source x='y' ", 1)))
            assert not schema.validate(wrong)


INACTIVE = """<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>db01</name>
  <uuid>6f1e0d0a-4f3e-4b0c-9a43-0a6b8e3a9c11</uuid>
  <!-- by hand -->
  <metadata><x:a xmlns:x="urn:x" b="1">t &amp; u</x:a></metadata>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none' discard='unmap'>
        <metadata_cache><max_size unit='bytes'>4096</max_size></metadata_cache>
      </driver>
      <source file='/slow/a.raw' startupPolicy='optional'>
        <seclabel model='dac' relabel='no'/>
        <encryption format='luks'><secret type='passphrase' uuid='7a'/></encryption>
      </source>
      <backingStore/>
      <target dev='vda' bus='virtio'/>
      <iotune><total_iops_sec>9</total_iops_sec></iotune>
      <future word='kept'/>
    </disk>
    <disk type='file' device='cdrom'>
      <target dev='sda' bus='sata'/>
    </disk>
  </devices>
  <qemu:commandline><qemu:arg value='-x'/></qemu:commandline>
</domain>"""


def test_a_disk_moves_and_all_else_stays() -> None:
    changed = domain_with_disk_source(INACTIVE, "vda", Layer(BlockSource("/dev/vg/new"), "qcow2", index=5))
    expected = (
        INACTIVE.replace("<disk type='file' device='disk'>", "<disk type='block' device='disk'>")
        .replace("type='raw' cache", "type='qcow2' cache")
        .replace("file='/slow/a.raw' startup", "dev='/dev/vg/new' startup")
        .replace("<metadata_cache><max_size unit='bytes'>4096</max_size></metadata_cache>", "")
        .replace("<encryption format='luks'><secret type='passphrase' uuid='7a'/></encryption>", "")
        .replace("<backingStore/>", "")
    )
    assert normal(changed) == normal(expected)


def normal(text: str) -> bytes:
    """Canonical, without the indentation."""
    root = etree.fromstring(text, etree.XMLParser(remove_blank_text=True))
    for element in root.iter():
        element.tail = (element.tail or "").strip()
        element.text = (element.text or "").strip()
    return etree.tostring(root, method="c14n")


def test_what_belongs_to_the_new_image_comes_with_it() -> None:
    new = Layer(
        FileSource("/n"),
        "qcow2",
        encryption=Encryption("luks", "8b"),
        metadata_cache=8192,
        extra=('<seclabel model="dac" relabel="yes"/>',),
    )
    disk = parse_domain(domain_with_disk_source(INACTIVE, "vda", new)).disk("vda")
    assert disk is not None
    assert disk.chain == Chain((new,), complete=False)
    assert (disk.driver.cache, disk.driver.discard) == ("none", "unmap")


def test_a_drive_without_medium_or_driver() -> None:
    disk = parse_domain(domain_with_disk_source(INACTIVE, "sda", Layer(FileSource("/n"), "raw"))).disk("sda")
    assert disk is not None
    assert disk.chain.layers == (Layer(FileSource("/n"), "raw"),)


def test_a_live_definition_loses_its_mirror() -> None:
    changed = parse_domain(domain_with_disk_source(DOMAIN, "vda", Layer(FileSource("/n"), "raw")))
    disk = changed.disk("vda")
    assert disk is not None
    assert disk.mirror is None
    assert changed.plans == parse_domain(DOMAIN).plans


@pytest.mark.parametrize("text", ["<domain/>", "<disk/>", INACTIVE])
def test_no_such_disk(text: str) -> None:
    with pytest.raises(InvalidXML, match="no such disk"):
        domain_with_disk_source(text, "vdz", Layer(FileSource("/n")))


@settings(max_examples=200)
@given(LAYERS)
def test_any_layer_can_become_the_disk(layer: Layer) -> None:
    disk = parse_domain(domain_with_disk_source(INACTIVE, "vda", layer)).disk("vda")
    assert disk is not None
    active = disk.chain.active
    assert active is not None
    assert (active.source, active.encryption, active.slices) == (layer.source, layer.encryption, layer.slices)
    assert active.format == (layer.format or "raw")
