"""Backing chains: where they end, where nobody looked, and every way in which they have been written down."""

from __future__ import annotations

import pytest

from tui.model.definition import parse_disk
from tui.model.storage import Chain, FileSource, Layer, NetworkHost, NetworkSource

BASE = Layer(FileSource("/path/to/base"), "raw")
MIDDLE = Layer(FileSource("/path/to/middle"), "qcow2")
TOP = Layer(FileSource("/path/to/top"), "qcow2")
MIRROR = Layer(FileSource("/path/to/mirror"), "qed")

# base[raw] <- middle[qcow2] <- top[qcow2], and a mirror[qed] on base, in every representation there has been.
LIBVIRT = """
  <driver name='qemu' type='qcow2'/>
  <source file='/path/to/top'/>
  <backingStore type='file'>
    <format type='qcow2'/>
    <source file='/path/to/middle'/>
    <backingStore type='file'>
      <format type='raw'/>
      <source file='/path/to/base'/>
      <backingStore/>
    </backingStore>
  </backingStore>
  <mirror type='file' job='copy'>
    <format type='qed'/>
    <source file='/path/to/mirror'/>
    <backingStore type='file'>
      <format type='raw'/>
      <source file='/path/to/base'/>
      <backingStore/>
    </backingStore>
  </mirror>"""

LIBVIRT_WITH_ATTRIBUTES = LIBVIRT.replace(
    "<mirror type='file' job='copy'>", "<mirror type='file' file='/path/to/mirror' format='qed' job='copy'>"
)

NESTED = """
  <driver name='qemu' type='qcow2'/>
  <source file='/path/to/top'/>
  <mirror>
    <driver name='qemu' type='qed'/>
    <source file='/path/to/mirror'/>
    <backingFile>
      <driver name='qemu' type='raw'/>
      <source file='/path/to/base'/>
    </backingFile>
  </mirror>
  <backingFile>
    <driver name='qemu' type='qcow2'/>
    <source file='/path/to/middle'/>
    <backingFile>
      <driver name='qemu' type='raw'/>
      <source file='/path/to/base'/>
    </backingFile>
  </backingFile>"""

FLAT = """
  <driver name='qemu' type='qcow2'/>
  <source file='/path/to/top'/>
  <mirror>
    <source file='/path/to/mirror' format='qed'/>
    <backing file='/path/to/base' format='raw'/>
  </mirror>
  <backing file='/path/to/middle' format='qcow2'/>
  <backing file='/path/to/base' format='raw'/>"""

SOURCES_IN_A_LIST = """
  <driver name='qemu' type='qcow2'/>
  <source file='/path/to/top'/>
  <mirror>
    <source file='/path/to/mirror' format='qed'/>
    <backingFile>
      <source file='/path/to/base' format='raw'/>
    </backingFile>
  </mirror>
  <backingFile>
    <source file='/path/to/middle' format='qcow2'/>
    <source file='/path/to/base' format='raw'/>
  </backingFile>"""

REPRESENTATIONS = {
    "nested backingStore": LIBVIRT,
    "nested backingStore, mirror with attributes": LIBVIRT_WITH_ATTRIBUTES,
    "nested backingFile": NESTED,
    "flat backing": FLAT,
    "sources in a list": SOURCES_IN_A_LIST,
}


def disk(inner: str, attributes: str = "type='file' device='disk'") -> str:
    """A disk with a target and this inside."""
    return f"<disk {attributes}>{inner}<target dev='vda' bus='virtio'/></disk>"


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_all_representations_are_one_value(name: str) -> None:
    """Whoever wrote it down, it is the same chain with the same mirror."""
    found = parse_disk(disk(REPRESENTATIONS[name]))
    assert found.chain == Chain((TOP, MIDDLE, BASE), complete=True)
    assert found.mirror is not None
    assert found.mirror.chain == Chain((MIRROR, BASE), complete=True)
    assert found == parse_disk(disk(LIBVIRT))


@pytest.mark.parametrize(
    ("inner", "chain"),
    [
        ("<backingStore/>", Chain((TOP,), complete=True)),
        ("<backingStore><!-- nothing --></backingStore>", Chain((TOP,), complete=True)),
        ("<backingFile/>", Chain((TOP,), complete=True)),
        ("", Chain((TOP,), complete=False)),
        (
            "<backingStore type='file'><format type='qcow2'/><source file='/path/to/middle'/></backingStore>",
            Chain((TOP, MIDDLE), complete=False),
        ),
        ("<backingStore type='file'><format type='qcow2'/></backingStore>", Chain((TOP,), complete=False)),
        ("<backing file='/path/to/middle' format='qcow2'/><backing/>", Chain((TOP, MIDDLE), complete=False)),
    ],
)
def test_the_end_and_the_unknown(inner: str, chain: Chain) -> None:
    """An empty element is the end; with none nobody looked; a layer without a place is not known."""
    assert parse_disk(disk(f"<driver type='qcow2'/><source file='/path/to/top'/>{inner}")).chain == chain


def test_a_raw_disk_without_a_chain_is_not_guessed() -> None:
    """A raw image has none, and yet only the definition's own word makes it complete."""
    assert not parse_disk(disk("<driver type='raw'/><source file='/a'/>")).chain.complete


def test_types_may_change_along_a_chain() -> None:
    """A file on a network disk."""
    inner = (
        "<driver type='qcow2'/><source file='/path/to/top' index='1'/><backingStore type='network' index='3'>"
        "<format type='raw'/><source protocol='nbd' name='e'><host name='h' port='1'/></source>"
        "<backingStore/></backingStore>"
    )
    assert parse_disk(disk(inner)).chain.layers[1] == Layer(
        NetworkSource("nbd", "e", (NetworkHost("h", "1"),)), "raw", 3
    )


def test_older_representations_know_devices_too() -> None:
    """The name of the attribute tells the type where none is given."""
    found = parse_disk(disk("<source dev='/dev/a'/><backing dev='/dev/b' format='raw'/>", "device='disk'"))
    assert found.chain.local_paths == {"/dev/a", "/dev/b"}
    assert found.chain.complete


def test_a_chain_as_deep_as_the_parser_allows() -> None:
    """Deep chains are read to their end without recursion."""
    inner = "<backingStore/>"
    for number in range(240):
        layer = f"<format type='qcow2'/><source file='/{number}'/>"
        inner = f"<backingStore type='file'>{layer}{inner}</backingStore>"
    chain = parse_disk(disk(f"<source file='/top'/>{inner}")).chain
    assert len(chain.layers) == 241
    assert chain.complete
