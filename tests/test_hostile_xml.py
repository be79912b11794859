"""XML that means harm: nothing but values or one sentence ever comes of it."""

from __future__ import annotations

import http.server
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_chain import REPRESENTATIONS
from tests.test_definition import DOMAIN
from tui.model import xml
from tui.model.definition import parse_disk, parse_domain
from tui.model.destination import domain_with_disk_source, parse_destination
from tui.model.disk import Disk
from tui.model.domain import Definition
from tui.model.mirrored_snapshot import Snapshot, parse_snapshot
from tui.model.snapshot_schema import check_schema
from tui.model.storage import Chain, FileSource, Layer
from tui.model.xml import InvalidXML

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LAUGHS = (
    "<!DOCTYPE domain [<!ENTITY a 'ha'>"
    + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><domain><name>&i;</name><uuid>u</uuid></domain>"
)

HOSTILE = {
    "entity bomb": LAUGHS,
    "entity bomb in an attribute": LAUGHS.replace("<domain>", "<domain type='&i;'>"),
    "entity bomb behind a prolog": "<?xml version='1.0'?>\n<!-- <a> --><?pi <b?>\n" + LAUGHS,
    "external entity": (
        "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><name>&x;</name><uuid>u</uuid></domain>"
    ),
    "parameter entity": (
        "<!DOCTYPE d [<!ENTITY % x SYSTEM 'file:///etc/passwd'>%x;]><domain><name>n</name><uuid>u</uuid></domain>"
    ),
    "public identifier": "<!DOCTYPE d PUBLIC '-//X//EN' 'http://127.0.0.1:1/x.dtd'><domain/>",
    "undeclared entity": "<domain><name>&x;</name><uuid>u</uuid></domain>",
    "deep": "<domain>" + "<a>" * 5000 + "</a>" * 5000 + "</domain>",
    "deep chain": "<disk><source file='/a'/>" + "<backingStore type='file'><source file='/b'/>" * 5000,
    "closed deep chain": (
        "<disk><source file='/a'/>"
        + "<backingStore type='file'><source file='/b'/>" * 5000
        + "</backingStore>" * 5000
        + "<target dev='vda'/></disk>"
    ),
    "large": "<domain>" + " " * xml.MAX_SIZE + "</domain>",
    "half a character": "<domain><name>\ud800</name><uuid>u</uuid></domain>",
    "NUL": "<domain><name>a\0b</name><uuid>u</uuid></domain>",
    "control character": "<domain><name>a\x1bb</name><uuid>u</uuid></domain>",
    "reference to a control character": "<domain><name>&#27;</name><uuid>u</uuid></domain>",
    "two roots": "<domain/><domain/>",
    "not closed": "<domain><name>n",
    "unbound prefix": "<x:domain/>",
    "attribute twice": "<domain type='a' type='b'/>",
    "nothing": " ",
}


def read_snapshot(text: str) -> Snapshot:
    """As a snapshot that a user asks for."""
    check_schema(text)
    return parse_snapshot(text, mirrors=True)


READERS: tuple[Callable[[str], object], ...] = (
    parse_domain,
    parse_disk,
    parse_destination,
    read_snapshot,
    check_schema,
)


def read(reader: Callable[[str], object], text: str) -> object:
    """A value, or the sentence."""
    try:
        return reader(text)
    except InvalidXML as error:
        return str(error)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("reader", READERS)
def test_hostile_documents_give_one_sentence(reader: Callable[[str], object], name: str) -> None:
    """Refused, at once, in words that can be shown."""
    started = time.monotonic()
    answer = read(reader, HOSTILE[name])
    assert isinstance(answer, str)
    assert answer
    assert len(answer) < 300
    assert answer.isprintable()
    assert time.monotonic() - started < 10


def test_a_document_type_is_refused_before_libxml2_sees_it() -> None:
    """Also where comments and instructions hide it, and not where it is only text."""
    for prolog in (
        "",
        "\ufeff",
        " \n",
        "<?xml version='1.0'?>",
        "<!-- - -->",
        "<?a b?><!--<!DOCTYPE x>-->\n",
    ):
        with pytest.raises(InvalidXML):
            xml.parse(prolog + "<!DOCTYPE d><d/>")
    with pytest.raises(InvalidXML, match="document type"):
        xml.parse("<!-- c --><!DOCTYPE d><d/>")
    assert xml.parse("<!-- <!DOCTYPE d> --><d><![CDATA[<!DOCTYPE d>]]></d>").text == "<!DOCTYPE d>"


def test_no_file_and_no_server_is_asked(tmp_path: Path) -> None:
    """External DTDs, entities, inclusions and style sheets are left where they are."""
    asked = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    secret = tmp_path / "secret"
    secret.write_text("sesame")
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/x"
        body = "<domain xmlns:xi='http://www.w3.org/2001/XInclude'><name>{}</name><uuid>u</uuid></domain>"
        answers = [
            read(parse_domain, text)
            for text in (
                f"<!DOCTYPE domain SYSTEM '{url}'>" + body.format("n"),
                f"<!DOCTYPE domain [<!ENTITY x SYSTEM '{url}'>]>" + body.format("&x;"),
                f"<!DOCTYPE domain [<!ENTITY x SYSTEM 'file://{secret}'>]>" + body.format("&x;"),
                f"<?xml-stylesheet href='{url}'?>" + body.format(f"<xi:include href='{url}'/>n"),
                body.format(f"<xi:include href='file://{secret}' parse='text'/>n"),
            )
        ]
        server.shutdown()
    assert not asked
    assert "sesame" not in repr(answers)


def test_wide_is_not_slow() -> None:
    """As many disks and children as fit."""
    disks = "".join(f"<disk><source file='/{n}'/><target dev='v{n}'/></disk>" for n in range(20000))
    started = time.monotonic()
    found = parse_domain(f"<domain><name>n</name><uuid>u</uuid><devices>{disks}</devices></domain>")
    assert len(found.disks) == 20000
    wide = "<backing file='/a' format='raw'/>" * 50000
    assert len(parse_disk(f"<disk><source file='/t'/>{wide}<target dev='vda'/></disk>").chain.layers) == 50001
    assert time.monotonic() - started < 30


def test_a_chain_deeper_than_python_recurses_gives_an_answer() -> None:
    """Nested in every way that there is, refused or read, never a crash."""
    for tag in ("backingStore", "backingFile", "dataStore", "mirror", "encryption", "source"):
        for depth in (200, 250, 5000):
            text = (
                "<disk type='file'><source file='/a'>"
                + f"<{tag} type='file'><source file='/b'>" * depth
                + f"</source></{tag}>" * depth
                + "</source><target dev='vda'/></disk>"
            )
            for reader in READERS:
                read(reader, text)


@given(st.text())
def test_random_text(text: str) -> None:
    """Whatever it is."""
    for reader in READERS:
        read(reader, text)


_NAMES = st.sampled_from(
    [
        "domain",
        "name",
        "uuid",
        "devices",
        "disk",
        "source",
        "target",
        "mirror",
        "backingStore",
        "backingFile",
        "backing",
        "format",
        "driver",
        "slices",
        "slice",
        "encryption",
        "secret",
        "dataStore",
        "host",
        "address",
        "metadata",
        "seclabel",
        "label",
        "metadata_cache",
        "max_size",
        "auth",
        "title",
        "x",
    ]
)
_ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        [
            "type",
            "device",
            "file",
            "dev",
            "dir",
            "pool",
            "volume",
            "protocol",
            "name",
            "port",
            "index",
            "format",
            "job",
            "ready",
            "offset",
            "size",
            "unit",
            "bus",
            "slot",
            "namespace",
            "model",
            "uuid",
            "usage",
            "transport",
            "path",
        ]
    ),
    st.sampled_from(
        ["file", "block", "network", "nvme", "volume", "copy", "yes", "dac", "/a", "vda", "", "1", "-1"]
    )
    | st.text(max_size=6),
    max_size=4,
)


def _element(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def write(name: str, attributes: dict[str, str], children: list[str]) -> str:
        words = "".join(
            f' {key}="{value.translate({ord(c): f"&#{ord(c)};" for c in "<&" + chr(34)})}"'
            for key, value in attributes.items()
        )
        return f"<{name}{words}>{''.join(children)}</{name}>"

    return st.builds(write, _NAMES, _ATTRIBUTES, st.lists(inner, max_size=4))


_TREES = st.recursive(st.sampled_from(["", "1", "+1:+1", "<!-- c -->", "<?p i?>"]), _element, max_leaves=25)


@settings(max_examples=300)
@given(st.lists(_TREES, max_size=6), st.sampled_from(["/", "qcow2"]))
def test_random_trees_of_known_words(parts: list[str], word: str) -> None:
    """Well-formed nonsense in libvirt's own words."""
    inner = "".join(parts)
    target = f"<target dev='vda'/><source file='{word}'/>"
    disk = f"<disk type='file'>{inner}{target}</disk>"
    domain = f"<domain><name>n</name><uuid>u</uuid>{inner}<devices>{inner}{disk}</devices></domain>"
    assert isinstance(read(parse_domain, domain), Definition | str)
    assert isinstance(read(parse_disk, disk), Disk | str)
    assert isinstance(read(parse_destination, disk), Chain | str)
    layer = Layer(FileSource("/new"), "raw")
    changed = read(lambda text: domain_with_disk_source(text, "vda", layer), domain)
    assert isinstance(changed, str)


@settings(max_examples=300)
@given(st.data())
def test_mutations_of_a_real_domain(data: st.DataObject) -> None:
    """A definition with pieces cut out, doubled, moved and replaced."""
    text = data.draw(st.sampled_from([DOMAIN, *REPRESENTATIONS.values()]))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 200)))
        piece = data.draw(
            st.sampled_from(["", text[start:end] * 2, "'", ">", "</disk>", "&x;", "<!--", "\0"])
        )
        text = text[:start] + piece + text[end:]
    for reader in READERS:
        read(reader, text)
