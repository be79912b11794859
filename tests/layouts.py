"""Images of qcow2 that are laid out otherwise than qemu-img does by itself, and what is to be seen of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.engine import command
from tests.guests import Guest
from tests.outside import image_info

ODD = ("cluster_size=1048576", "extended_l2=on", "lazy_refcounts=on", "refcount_bits=8")


def lay_out(guest: Guest, options: tuple[str, ...] = ODD) -> None:
    """Make the active layer of a guest that is off anew, with nothing in it."""
    *below, top = guest.images()
    stands = ("-b", str(below[-1]), "-F", "qcow2") if below else ()
    size = () if below else (str(image_info(top, "qcow2")["virtual-size"]),)
    command("qemu-img", "create", "-q", "-f", "qcow2", "-o", ",".join(options), *stands, str(top), *size)


def layout_of(path: Path) -> dict[str, Any]:
    """What qemu-img tells of it."""
    said = image_info(path, "qcow2")
    told = ("compat", "compression-type", "lazy-refcounts", "refcount-bits", "extended-l2")
    return {"cluster-size": said["cluster-size"]} | {
        name: said["format-specific"]["data"].get(name) for name in told
    }
