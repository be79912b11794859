"""What qemu-img tells of real images: chains, sizes, and nothing that was not recorded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.engine.images import MAX_DEPTH, ImageError, image_info, measure, read_chain
from tui.engine.images import create as make_image
from tui.model.image import ImageInfo, InvalidAnswer, Measure, parse_image_info, parse_measure
from tui.model.storage import BlockSource, Chain, Encryption, FileSource, Layer, NetworkHost, NetworkSource

MIB = 1024 * 1024


def qemu_img(*words: str | Path, cwd: Path | None = None) -> None:
    subprocess.run(["qemu-img", *words], check=True, stdout=subprocess.DEVNULL, cwd=cwd)


def create(path: Path, image_format: str = "qcow2", size: str = "16M") -> Path:
    qemu_img("create", "-q", "-f", image_format, f"file:{path}", size)
    return path


def overlay(path: Path, backing: str, backing_format: str | None = "qcow2") -> Path:
    """An overlay whose header says just this, true or not."""
    qemu_img("create", "-q", "-f", "qcow2", f"file:{path}", "16M")
    words = ("-F", backing_format) if backing_format else ()
    qemu_img("rebase", "-q", "-u", "-f", "qcow2", "-b", backing, *words, f"file:{path}")
    return path


def forget_backing_format(path: Path, old: bytes = b"qcow2") -> None:
    """Make the header extension for the backing format one that nobody knows."""
    content = path.read_bytes()
    mark = b"\xe2\x79\x2a\xca" + len(old).to_bytes(4, "big")
    assert mark in content
    path.write_bytes(content.replace(mark, b"\x12\x34\x56\x78" + len(old).to_bytes(4, "big"), 1))


def layer(path: Path | str, image_format: str | None = "qcow2") -> Layer:
    return Layer(FileSource(str(path)), image_format)


def test_a_plain_image(tmp_path: Path) -> None:
    info = image_info(str(create(tmp_path / "a.qcow2")), "qcow2")
    assert (info.virtual_size, info.format, info.cluster_size) == (16 * MIB, "qcow2", 65536)
    assert info.actual_size is not None
    assert info.actual_size < 4 * MIB
    assert (info.backing_file, info.backing_format, info.snapshots, info.bitmaps) == (None, None, (), ())
    assert not info.encrypted


@pytest.mark.parametrize(
    "layout",
    [
        (),
        ("compat=0.10",),
        (
            "cluster_size=1048576",
            "extended_l2=on",
            "lazy_refcounts=on",
            "refcount_bits=8",
            "compression_type=zstd",
        ),
    ],
)
def test_an_image_is_made_as_another_is_laid_out(tmp_path: Path, layout: tuple[str, ...]) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    options = ("-o", ",".join(layout)) if layout else ()
    qemu_img("create", "-q", "-f", "qcow2", *options, f"file:{one}", "16M")
    found = image_info(str(one), "qcow2").layout
    assert found == layout
    make_image(str(other), "qcow2", 16 * MIB, layout=found)
    assert image_info(str(other), "qcow2").layout == layout


def test_what_is_no_qcow2_has_no_layout(tmp_path: Path) -> None:
    assert image_info(str(create(tmp_path / "a", "raw")), "raw").layout == ()
    assert image_info(str(create(tmp_path / "b", "qed")), "qed").layout == ()


def test_snapshots_and_bitmaps(tmp_path: Path) -> None:
    path = create(tmp_path / "a.qcow2")
    for name in ("before upgrade", "[b]"):
        qemu_img("snapshot", "-c", name, path)
    qemu_img("bitmap", "--add", path, "nightly")
    info = image_info(str(path), "qcow2")
    assert info.snapshots == ("before upgrade", "[b]")
    assert info.bitmaps == ("nightly",)


def test_encryption(tmp_path: Path) -> None:
    # The old AES format: for LUKS qemu-img measures the processor first, and gives up where that is too quick.
    path = tmp_path / "a.qcow2"
    secret = (
        "--object",
        "secret,id=s,data=x",
        "-o",
        "encrypt.format=aes,encrypt.key-secret=s",
    )
    qemu_img("create", "-q", "-f", "qcow2", *secret, path, "16M")
    assert image_info(str(path), "qcow2").encrypted


def test_data_file(tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={tmp_path}/a.raw,data_file_raw=on", path, "16M")
    info = image_info(str(path), "qcow2")
    assert (info.data_file, info.data_file_raw) == (f"{tmp_path}/a.raw", True)
    chain = read_chain(layer(path))
    assert chain.complete
    assert chain.layers[0].data_store == layer(tmp_path / "a.raw", "raw")
    assert measure(chain, "qcow2").fully_allocated > 16 * MIB


def test_an_image_in_use_can_be_read(tmp_path: Path) -> None:
    path = create(tmp_path / "a.qcow2")
    command = ["qemu-io", "-f", "qcow2", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdin is not None
        assert user.stdout is not None
        user.stdin.write(b"write 0 1M\n")
        user.stdin.flush()
        assert user.stdout.readline()
        assert subprocess.run(["qemu-img", "info", path], capture_output=True, check=False).returncode
        assert image_info(str(path), "qcow2").virtual_size == 16 * MIB
        assert read_chain(layer(path)).complete
        user.communicate()


@pytest.mark.parametrize(
    "name",
    ["-f", "--help", "-", "nbd:127.0.0.1:1", "a:b", "file:x", "json:{}", "a,b=c", "fat:rw:x", "a b", "é\n"],
)
def test_a_name_is_only_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create(tmp_path / "plain")
    (tmp_path / "plain").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (name, f"{tmp_path}/{name}"):
        assert image_info(path, "qcow2").virtual_size == 16 * MIB
    chain = read_chain(layer(tmp_path / name))
    assert chain.complete
    assert measure(chain, "raw").required == 16 * MIB


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    create(tmp_path / "plain")
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    (tmp_path / "plain").rename(name)
    chain = read_chain(layer(name))
    assert chain.complete
    with pytest.raises(ImageError):
        measure(chain, "raw")


@pytest.mark.parametrize(
    ("path", "image_format"),
    [
        ("/nonexistent/\x1b[2J", "qcow2"),
        ("/etc/hostname", "qcow2"),
        ("/etc", "raw"),
        ("/a\0b", "raw"),
        ("/etc/passwd", "no"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(path: str, image_format: str) -> None:
    with pytest.raises(ImageError) as caught:
        image_info(path, image_format)
    assert str(caught.value).isprintable()
    assert str(caught.value).endswith(".")


def test_qemu_img_missing_or_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = create(tmp_path / "a.qcow2")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImageError, match="not installed"):
        image_info(str(path), "qcow2")
    fake = tmp_path / "qemu-img"
    fake.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    fake.chmod(0o755)
    with pytest.raises(ImageError, match=r"did not answer within 0\.2 seconds"):
        image_info(str(path), "qcow2", timeout=0.2)
    assert read_chain(layer(path), timeout=0.2) == Chain((layer(path),), complete=False)
    for answer in ("", "[]", "{}"):
        fake.write_text(f"#!/bin/sh\necho '{answer}'\n")
        with pytest.raises(ImageError, match="cannot be read"):
            image_info(str(path), "qcow2")
        with pytest.raises(ImageError, match="not known"):
            measure(1, "raw")


def test_three_layers(tmp_path: Path) -> None:
    base = create(tmp_path / "base.raw", "raw")
    middle = overlay(tmp_path / "middle.qcow2", str(base), "raw")
    top = overlay(tmp_path / "top.qcow2", str(middle))
    chain = Chain((layer(top), layer(middle), layer(base, "raw")), complete=True)
    assert read_chain(layer(top)) == chain
    assert read_chain(layer(base, "raw")) == Chain((layer(base, "raw"),), complete=True)


def test_relative_names_are_beside_the_overlay(tmp_path: Path) -> None:
    """Whether the overlay is reached by its own name or by a link."""
    (tmp_path / "sub").mkdir()
    base = create(tmp_path / "base.raw", "raw")
    middle = overlay(tmp_path / "sub" / "middle.qcow2", "../base.raw", "raw")
    top = overlay(tmp_path / "top.qcow2", "sub/middle.qcow2")
    assert read_chain(layer(top)) == Chain(
        (layer(top), layer(middle), layer(f"{tmp_path}/sub/../base.raw", "raw")), complete=True
    )
    overlay(top, f"file:{base}", "raw")
    assert read_chain(layer(top)).layers[-1] == layer(base, "raw")


def test_a_format_that_is_not_recorded_is_not_guessed(tmp_path: Path) -> None:
    """A guest can write any header into a raw disk; here one that names a file of the host."""
    base = overlay(tmp_path / "base", "/etc/passwd", "raw")
    top = overlay(tmp_path / "top.qcow2", str(base))
    forget_backing_format(top)
    assert read_chain(layer(top)) == Chain((layer(top), layer(base, None)), complete=False)
    assert read_chain(layer(base, None)) == Chain((layer(base, None),), complete=False)
    assert read_chain(layer(base, "raw")) == Chain((layer(base, "raw"),), complete=True)
    with pytest.raises(ImageError):
        measure(read_chain(layer(top)), "raw")
    with pytest.raises(ImageError, match="format"):
        measure(Chain((layer(base, None),)), "raw")


def test_missing_and_unreadable_layers(tmp_path: Path) -> None:
    top = overlay(tmp_path / "top.qcow2", f"{tmp_path}/gone.qcow2")
    assert read_chain(layer(top)) == Chain((layer(top), layer(tmp_path / "gone.qcow2")), complete=False)
    (tmp_path / "gone.qcow2").write_bytes(b"no header")
    assert not read_chain(layer(top)).complete


def test_a_circle(tmp_path: Path) -> None:
    a = overlay(tmp_path / "a", str(tmp_path / "b"))
    b = overlay(tmp_path / "b", "./a")
    (tmp_path / "link").symlink_to(a)
    assert read_chain(layer(a)) == Chain((layer(a), layer(b)), complete=False)
    assert len(read_chain(layer(tmp_path / "link")).layers) == 2
    own = overlay(tmp_path / "own", str(tmp_path / "own"))
    assert read_chain(layer(own)) == Chain((layer(own),), complete=False)


def test_a_chain_too_deep_is_left_off(tmp_path: Path) -> None:
    """As deep as libvirt goes, and no deeper."""
    first = overlay(tmp_path / "layer000", "layer001")
    content = first.read_bytes()
    for number in range(1, MAX_DEPTH + 5):
        name = f"layer{number + 1:03d}".encode()
        (tmp_path / f"layer{number:03d}").write_bytes(content.replace(b"layer001", name))
    chain = read_chain(layer(first))
    assert (len(chain.layers), chain.complete) == (MAX_DEPTH, False)


@pytest.mark.parametrize(
    ("backing", "backing_format", "expected"),
    [
        (
            "nbd://host.example:10809/exp%20ort",
            "raw",
            Layer(NetworkSource("nbd", "exp ort", (NetworkHost("host.example", "10809"),)), "raw"),
        ),
        (
            "nbd+unix:///e?socket=/run/n.sock",
            "qcow2",
            Layer(NetworkSource("nbd", "e", (NetworkHost(transport="unix", socket="/run/n.sock"),)), "qcow2"),
        ),
        (
            "https://h/a.raw?t=1",
            "raw",
            Layer(NetworkSource("https", "a.raw", (NetworkHost("h"),), query="t=1"), "raw"),
        ),
        ('json:{"driver":"raw","file":{"driver":"file","filename":"/b:c"}}', None, layer("/b:c", "raw")),
        ('json:{"driver":"qcow2","file.driver":"file","file.filename":"/b"}', "raw", layer("/b", "raw")),
        (
            'json:{"driver":"raw","file":{"driver":"host_device","filename":"/dev/x"}}',
            "raw",
            Layer(BlockSource("/dev/x"), "raw"),
        ),
        (
            'json:{"driver":"nbd","server":{"type":"inet","host":"h","port":"1"},"export":"e"}',
            "raw",
            Layer(NetworkSource("nbd", "e", (NetworkHost("h", "1"),)), "raw"),
        ),
        (
            'json:{"driver":"raw","file":{"driver":"nbd","server":{"type":"unix","path":"/s"}}}',
            "raw",
            Layer(NetworkSource("nbd", None, (NetworkHost(transport="unix", socket="/s"),)), "raw"),
        ),
        ("rbd:pool/image", "raw", None),
        ("nbd://[x/", "raw", None),
        ("nbd:h:1", "raw", None),
        ("json:{", "raw", None),
        ("json:[]", "raw", None),
        ('json:{"driver":"null-co"}', "raw", None),
    ],
)
def test_names_that_are_no_paths(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backing: str,
    backing_format: str | None,
    expected: Layer | None,
) -> None:
    """Understood where it is easy; nothing is opened over the network."""
    top = tmp_path / "top"
    answer = {"virtual-size": 1, "format": "qcow2", "backing-filename": backing}
    answer |= {"backing-filename-format": backing_format} if backing_format else {}
    fake = tmp_path / "qemu-img"
    fake.write_text(
        f"#!/bin/sh\ncase $* in *{top}*) cat <<'END'\n{json.dumps(answer)}\nEND\n;; *) exit 1;; esac\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    chain = read_chain(layer(top))
    assert chain.layers[1:] == ((expected,) if expected else ())
    assert chain.complete == (expected is not None and expected.format == "raw")


def test_measure_a_size() -> None:
    assert measure(64 * MIB, "raw") == Measure(64 * MIB, 64 * MIB)
    thin = measure(64 * MIB, "qcow2")
    assert thin.required < MIB
    assert thin.fully_allocated > 64 * MIB
    with pytest.raises(ImageError):
        measure(1, "vhdx; rm")


def test_measure_a_chain_and_a_layer(tmp_path: Path) -> None:
    base = create(tmp_path / "base.raw", "raw")
    qemu_img_io(base, "raw", "write 0 4M")
    top = overlay(tmp_path / "top.qcow2", "base.raw", "raw")
    qemu_img_io(top, "qcow2", "write 8M 1M")
    chain = read_chain(layer(top))
    whole, active = measure(chain, "qcow2"), measure(Chain(chain.layers[:1]), "qcow2")
    assert 4 * MIB < active.required + 4 * MIB <= whole.required < 7 * MIB
    assert active.required < 3 * MIB
    made = tmp_path / "made.qcow2"
    qemu_img("convert", "-O", "qcow2", top, made)
    assert made.stat().st_size <= whole.required


def qemu_img_io(path: Path, image_format: str, command: str) -> None:
    subprocess.run(
        ["qemu-io", "-f", image_format, "-c", command, path], check=True, stdout=subprocess.DEVNULL
    )


def test_measure_needs_the_whole_chain(tmp_path: Path) -> None:
    image = layer(create(tmp_path / "a"))
    network = Layer(NetworkSource("nbd"), "raw")
    secret = Layer(image.source, "qcow2", encryption=Encryption("luks", "u"))
    for chain in (Chain(), Chain((image,), complete=False), Chain((network,)), Chain((secret,))):
        with pytest.raises(ImageError) as caught:
            measure(chain, "raw")
        assert str(caught.value).endswith(".")


def test_a_header_names_a_data_file_that_is_not_opened(tmp_path: Path) -> None:
    """The header is read even if what it names is gone, or the sentence names it."""
    path = tmp_path / "a.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={tmp_path}/a.raw", path, "16M")
    shutil.copy(path, tmp_path / "b.qcow2")
    (tmp_path / "a.raw").unlink()
    try:
        named = str(image_info(str(tmp_path / "b.qcow2"), "qcow2").data_file)
    except ImageError as error:
        named = str(error)  # An older QEMU opens it.
    assert f"{tmp_path}/a.raw" in named


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "virtual-size",
                    "format",
                    "snapshots",
                    "bitmaps",
                    "name",
                    "format-specific",
                    "data",
                    "data-file",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
)


@given(st.text() | _JSON.map(json.dumps))
def test_any_answer_is_a_value_or_a_sentence(text: str) -> None:
    for read in (parse_image_info, parse_measure):
        answer: object
        try:
            answer = read(text)
        except InvalidAnswer as error:
            answer = str(error)
        assert isinstance(answer, ImageInfo | Measure) or "qemu-img" in str(answer)


def test_deep_json_is_refused() -> None:
    with pytest.raises(InvalidAnswer):
        parse_image_info("[" * 100_000)
