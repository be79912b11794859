"""What libvirt asks of LVM, done with loop devices: for kernels without a device mapper.

Called by the names of LVM's tools, as libvirt calls them, with their options and their output. It keeps the volume
groups in directories beside itself: a file ``group`` with the sizes in JSON, and an image for each volume.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
STALE = b"\xa5" * (1024 * 1024)
"""A volume holds what lay there before, and never zeroes by itself."""
CHUNK = 4096
"""Bytes that a snapshot keeps at a time."""


def main() -> None:
    """Do what the tool of that name does."""
    tools = {"lvs": lvs, "vgs": vgs, "pvs": pvs, "lvcreate": lvcreate, "lvremove": lvremove}
    name = Path(sys.argv[0]).name
    if name in tools:
        tools[name](sys.argv[1:])


def lvs(words: list[str]) -> None:
    """One line for each volume of a group, or for each that is named by its device, with the fields asked for."""
    given = _reading(words)
    missing = False
    for image in (image for name in given.names for image in _images(name)):
        if not image.exists():
            sys.stderr.write(f'  Failed to find logical volume "{image.parent.name}/{image.stem}"\n')
            missing = True
            continue
        size = image.stat().st_size
        origin = image.with_suffix(".origin")
        snapshot = origin.exists()
        part = _part(image) if snapshot else 0.0
        known = {
            "lv_name": image.stem,
            "lv_path": f"/dev/{image.parent.name}/{image.stem}",
            "data_percent": f"{100 * min(part, 1.0):.2f}" if snapshot else "",
            "origin": origin.read_text() if snapshot else "",
            "uuid": f"stand-{image.stem}",
            "devices": "/dev/none(0)",
            "segtype": "linear",
            "stripes": "1",
            "seg_size": str(size),
            "vg_extent_size": str(_group(image.parent.name)["extent"]),
            "size": str(size),
            "lv_attr": ("swi-I-s---" if part >= 1 else "swi-a-s---") if snapshot else "-wi-a-----",
        }
        print("  " + given.separator.join(known[field] for field in given.options.split(",")))  # noqa: T201  its output
    if missing:
        sys.exit(5)


def _images(name: str) -> list[Path]:
    if name.startswith("/dev/"):
        return [HERE / Path(name).parent.name / f"{Path(name).name}.img"]
    return sorted((HERE / name).glob("*.img"))


def _part(image: Path) -> float:
    """How much of its room a snapshot would have taken for what its volume does not hold any more."""
    origin = Path("/dev", image.parent.name, image.with_suffix(".origin").read_text())
    changed = 0
    with image.open("rb") as then, origin.open("rb") as now:
        while chunk := then.read(CHUNK):
            changed += chunk != now.read(CHUNK)
    return changed * CHUNK / int(image.with_suffix(".room").read_text())


def vgs(words: list[str]) -> None:
    """The size of a group and what is free of it."""
    given = _reading(words)
    (name,) = given.names
    print(f"  {_group(name)['size']}{given.separator}{_free(name)}")  # noqa: T201  its output


def pvs(_words: list[str]) -> None:
    """The devices that groups lie on."""
    for group in HERE.glob("*/group"):
        print(f"  /dev/none {group.parent.name}")  # noqa: T201  its output


def lvcreate(words: list[str]) -> None:
    """A new volume, in whole extents, with something in it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("-L", dest="size", required=True)
    parser.add_argument("--yes", action="store_true")
    parser.add_argument("-s", dest="snapshot", action="store_true")
    parser.add_argument("group", help="or the volume that a snapshot is of")
    given = parser.parse_args(words)
    name = Path(given.group).parent.name if given.snapshot else Path(given.group).name
    group, image = _group(name), HERE / name / f"{given.name}.img"
    wanted = int(given.size.removesuffix("K")) * 1024
    size = -(-wanted // group["extent"]) * group["extent"]
    if image.exists():
        _fail(f'Logical Volume "{given.name}" already exists in volume group "{name}"')
    if size > _free(name):
        _fail(f'Volume group "{name}" has insufficient free space')
    if given.snapshot:
        # A copy made while nobody writes is what a snapshot would show.
        image.write_bytes(Path(given.group).read_bytes())
        image.with_suffix(".origin").write_text(Path(given.group).name)
        image.with_suffix(".room").write_text(str(size))
    else:
        with image.open("wb") as file:
            for _ in range(size // len(STALE)):
                file.write(STALE)
    found = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True)
    device = Path("/dev", name, given.name)
    device.parent.mkdir(exist_ok=True)
    device.symlink_to(found.stdout.strip())


def lvremove(words: list[str]) -> None:
    """Remove a volume."""
    device = Path(words[-1])
    subprocess.run(["losetup", "--detach", device.resolve()], check=True)
    device.unlink()
    image = HERE / device.parent.name / f"{device.name}.img"
    image.unlink()
    for suffix in (".origin", ".room"):
        image.with_suffix(suffix).unlink(missing_ok=True)


def _reading(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--separator", default=" ")
    parser.add_argument("--options", "-o", default="")
    parser.add_argument("--units")
    for flag in ("--noheadings", "--unbuffered", "--nosuffix"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("names", nargs="+")
    return parser.parse_args(words)


def _group(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / name / "group").read_text())
    return found


def _free(name: str) -> int:
    return int(_group(name)["size"]) - sum(path.stat().st_size for path in (HERE / name).glob("*.img"))


def _fail(why: str) -> NoReturn:
    sys.stderr.write(f"  {why}\n")
    sys.exit(os.EX_SOFTWARE)


if __name__ == "__main__":
    main()
