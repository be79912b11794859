"""What qemu-img can tell of images on this machine. It never guesses a format.

A guest can write the header of another format into a raw disk. So the format of an image is always the one
that the definition, or the overlay above it, records; where none is recorded, nothing is read.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from urllib.parse import parse_qs, unquote, urlsplit

from tui.engine.errors import HostError
from tui.model.image import ImageInfo, InvalidAnswer, Measure, parse_image_info, parse_measure
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkHost, NetworkSource, Source
from tui.model.text import printable

TIMEOUT = 30.0
"""Seconds; qemu-img reads headers only."""

MAX_DEPTH = 200
"""Layers, as many as libvirt follows."""

_MAX_REASON = 300

_DYING = 1.0

_LOOK = 0.5
"""Seconds between two looks at whether anybody still waits for an answer."""

_URI_PROTOCOLS = frozenset({"nbd", "http", "https", "ftp", "ftps"})


class ImageError(HostError):
    """An image could not be read; the message is a sentence."""


def image_info(path: str, format: str, timeout: float = TIMEOUT) -> ImageInfo:  # noqa: A002  qemu-img's word
    """Read one image's header, also while a guest uses it.

    Raises:
        ImageError: when it cannot be read in this format.
    """
    answer = _qemu_img(["info", "--output=json", "-U", "-f", format, "--", _plain(path)], timeout)
    try:
        return parse_image_info(answer)
    except InvalidAnswer as error:
        raise ImageError(f"{printable(path, _MAX_REASON)} cannot be read: {error}.") from error


def measure(source: int | Chain, format: str, timeout: float = TIMEOUT) -> Measure:  # noqa: A002
    """Ask what a new image would take.

    Args:
        source: the size in bytes, or the chain whose content is to be copied: whole for a full copy; for a
            shallow one only its active layer, as a complete chain.
        format: the new image's.
        timeout: seconds.

    Raises:
        ImageError: when qemu-img cannot measure this format, or cannot read the whole chain.
    """
    arguments = ["measure", "--output=json", "-O", format]
    if isinstance(source, int):
        arguments += ["--size", str(source)]
    else:
        arguments += ["-U", _pseudo_filename(source)]
    try:
        return parse_measure(_qemu_img(arguments, timeout))
    except InvalidAnswer as error:
        raise ImageError(f"The space that a {format} image needs is not known: {error}.") from error


def create(
    path: str,
    format: str,  # noqa: A002
    size: int,
    backing: str | None = None,
    backing_format: str | None = None,
    *,
    layout: Sequence[str] = (),
) -> None:
    """Make an empty image whose header names the layer below, which need not be there yet.

    Args:
        path: where.
        format: qemu-img's word for it.
        size: bytes that the guest sees.
        backing: the name of the layer below, as it is to stand in the header.
        backing_format: of that layer.
        layout: as ``ImageInfo.layout``.

    Raises:
        ImageError: when it cannot be made.
    """
    below = ("-u", "-b", backing, "-F", backing_format or "raw") if backing else ()
    laid_out = ("-o", ",".join(layout)) if layout else ()
    _qemu_img(["create", "-q", "-f", format, *laid_out, *below, "--", _plain(path), str(size)], TIMEOUT)


def rename_backing(path: str, format: str, backing: str, backing_format: str) -> None:  # noqa: A002
    """Write another name of the layer below into a header; what the layers hold is not touched.

    Raises:
        ImageError: when the image cannot be written.
    """
    named = ("-b", backing, "-F", backing_format)
    _qemu_img(["rebase", "-q", "-u", "-f", format, *named, "--", _plain(path)], TIMEOUT)


def compare(one: str, other: str, format: str, stop: threading.Event) -> None:  # noqa: A002
    """See that a guest would find the same in two images of one format, with what they stand on.

    Returns early, and says nothing, when ``stop`` is set: large images take hours.

    Raises:
        ImageError: when they differ, or cannot be read.
    """
    arguments = ["compare", "-U", "-f", format, "-F", format, "--", _plain(one), _plain(other)]
    _qemu_img(arguments, None, stop)


def read_chain(layer: Layer, timeout: float = TIMEOUT) -> Chain:
    """Follow a backing chain through the images, for a domain whose definition does not list it.

    All of it takes ``timeout`` seconds at most.

    The chain is not complete where the next format is not recorded, an image cannot be read, or the images
    back each other in a circle.
    """
    layers: list[Layer] = []
    seen = set[str]()
    below: Layer | None = layer
    deadline = time.monotonic() + timeout
    while below is not None and len(layers) < MAX_DEPTH:
        path = below.local_path
        if path is not None:
            real = os.path.realpath(path)
            if real in seen:
                return Chain(tuple(layers), complete=False)
            seen.add(real)
        layers.append(below)
        if below.format == "raw":
            return Chain(tuple(layers), complete=True)
        if path is None or below.format is None:
            return Chain(tuple(layers), complete=False)
        try:
            info = image_info(path, below.format, max(0.0, deadline - time.monotonic()))
        except ImageError:
            return Chain(tuple(layers), complete=False)
        if info.data_file and below.data_store is None:
            store = _named(info.data_file, path)
            layers[-1] = replace(below, data_store=Layer(store, "raw") if store else None)
        if info.backing_file is None:
            return Chain(tuple(layers), complete=True)
        below = _backing(info, path)
    return Chain(tuple(layers), complete=False)


def _qemu_img(arguments: list[str], timeout: float | None, stop: threading.Event | None = None) -> str:
    try:
        process = subprocess.Popen(
            ["qemu-img", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},
        )
    except FileNotFoundError as error:
        raise ImageError("qemu-img is not installed here, so images cannot be read.") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"qemu-img cannot be started ({printable(str(error), _MAX_REASON)}).") from error
    try:
        answer, complaint = _answer_of(process, timeout, stop)
    except subprocess.TimeoutExpired as error:
        process.kill()
        # One that is stuck in the kernel, as on a dead NFS server, does not even die: it is left to itself.
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_DYING)
        raise ImageError(f"qemu-img did not answer within {timeout:g} seconds.") from error
    if process.returncode:
        # What differs is no complaint, and stands in the answer.
        lines = (complaint.strip() or answer).decode(errors="replace").strip().splitlines()
        reason = (
            printable(lines[-1].removeprefix("qemu-img: "), _MAX_REASON) if lines else "it does not say why"
        )
        raise ImageError(f"qemu-img failed: {reason.rstrip('.')}.")
    return answer.decode(errors="surrogateescape")


def _answer_of(
    process: subprocess.Popen[bytes], timeout: float | None, stop: threading.Event | None
) -> tuple[bytes, bytes]:
    """What a process says, and what it complains of; nothing of either when it was stopped."""
    if stop is None:
        return process.communicate(timeout=timeout)
    while True:
        try:
            return process.communicate(timeout=_LOOK)
        except subprocess.TimeoutExpired:
            if stop.is_set():
                process.kill()
                process.communicate()
                process.returncode = 0
                return b"", b""


def _plain(path: str) -> str:
    """A path that can be nothing else: no option, and no protocol, which has a colon before any slash."""
    return os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118  the name stays as it is


def _is_block(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)  # noqa: PTH116  a Path cannot hold every name
    except (OSError, ValueError):
        return False


def _local(path: str) -> FileSource | BlockSource:
    return BlockSource(path) if _is_block(path) else FileSource(path)


def _backing(info: ImageInfo, overlay: str) -> Layer | None:
    """The layer that an overlay's header names, ``None`` where it cannot be said what it is."""
    name, format_ = info.backing_file or "", info.backing_format
    source = _named(name, overlay)
    if name.startswith("json:") and format_ is None:
        driver = _json_object(name).get("driver")
        format_ = driver if isinstance(driver, str) else None
    return Layer(source, format_) if source else None


def _named(name: str, overlay: str) -> Source | None:
    """The place that a name in an image's header means."""
    if name.startswith("json:"):
        return _from_json(_json_object(name))
    protocol, colon, rest = name.partition(":")
    if not colon or "/" in protocol:
        return _local(_beside(overlay, name))
    if protocol == "file" and not rest.startswith("//"):
        return _local(_beside(overlay, rest))
    return _from_uri(name)


def _beside(overlay: str, name: str) -> str:
    return os.path.join(os.path.dirname(overlay), name)  # noqa: PTH118, PTH120  the name stays as it is


def _json_object(name: str) -> dict[str, object]:
    try:
        found = json.loads(name.removeprefix("json:"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _from_json(tree: dict[str, object]) -> Source | None:
    """The plain cases of QEMU's JSON names: a local image, or an NBD export."""
    flat = _flatten(tree)
    prefix = "file." if any(key.startswith("file.") for key in flat) else ""
    node = {key.removeprefix(prefix): value for key, value in flat.items() if key.startswith(prefix)}
    match node.get("driver"):
        case "file":
            return FileSource(node["filename"]) if node.get("filename", "").startswith("/") else None
        case "host_device":
            return BlockSource(node["filename"]) if node.get("filename", "").startswith("/") else None
        case "nbd":
            socket = node.get("server.path") or node.get("path")
            name = node.get("server.host") or node.get("host")
            port = node.get("server.port") or node.get("port")
            if socket:
                return NetworkSource(
                    "nbd", node.get("export"), (NetworkHost(transport="unix", socket=socket),)
                )
            return NetworkSource("nbd", node.get("export"), (NetworkHost(name, port),)) if name else None
        case _:
            return None


def _flatten(tree: dict[str, object]) -> dict[str, str]:
    """Nested objects as dotted keys: QEMU takes either form."""
    flat: dict[str, str] = {}
    waiting: list[tuple[str, dict[str, object]]] = [("", tree)]
    while waiting:
        prefix, node = waiting.pop()
        for key, value in node.items():
            if isinstance(value, dict):
                waiting.append((f"{prefix}{key}.", value))
            elif isinstance(value, str):
                flat[prefix + key] = value
    return flat


def _from_uri(name: str) -> NetworkSource | None:
    try:
        uri = urlsplit(name)
        port = uri.port
    except ValueError:
        return None
    protocol, _, transport = uri.scheme.partition("+")
    if protocol not in _URI_PROTOCOLS or "//" not in name:
        return None
    export = unquote(uri.path.removeprefix("/")) or None
    if transport == "unix":
        socket = parse_qs(uri.query).get("socket", [None])[0]
        return (
            NetworkSource(protocol, export, (NetworkHost(transport="unix", socket=socket),))
            if socket
            else None
        )
    if transport not in ("", "tcp") or not uri.hostname:
        return None
    host = NetworkHost(uri.hostname, str(port) if port is not None else None)
    return NetworkSource(protocol, export, (host,), query=uri.query or None)


def _pseudo_filename(chain: Chain) -> str:
    """The chain as QEMU's JSON name, which says the format of every layer, so that QEMU probes none."""
    if not chain.complete or not chain.layers:
        raise ImageError("The chain is not known to its end, so it cannot be measured.")
    node: dict[str, object] | None = None
    for layer in reversed(chain.layers):
        if layer.format is None:
            raise ImageError(f"The format of {printable(layer.path, _MAX_REASON)} is not known.")
        above: dict[str, object] = {"driver": layer.format, "file": _protocol_node(layer)}
        if layer.data_store:
            above["data-file"] = _protocol_node(layer.data_store)
        if layer.format != "raw":
            above["backing"] = node
        node = above
    return "json:" + json.dumps(node)


def _protocol_node(layer: Layer) -> dict[str, object]:
    path = layer.local_path
    if path is None or layer.encryption or layer.slices:
        raise ImageError(f"The layer {printable(layer.path, _MAX_REASON)} cannot be measured from here.")
    return {"driver": "host_device" if _is_block(path) else "file", "filename": path}
