"""The commands about whole chains: merging layers, moving disks with all of theirs, and what was interrupted."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from tui.cli import requests
from tui.cli.commands import WriteCommand
from tui.cli.options import (
    COPY_LOSSES,
    add_bandwidth,
    add_command,
    add_consent,
    add_losses,
    add_synchronous_writes,
    bandwidth,
    consent,
)
from tui.model.finding import Acceptance
from tui.model.request import How, Shared

_MERGE_LOSSES = (
    Acceptance.LOSE_SNAPSHOTS,
    Acceptance.LOSE_INTERNAL_SNAPSHOTS,
    Acceptance.RISK_FULL_DESTINATION,
)
_HOW = {
    How.KEEP_CHAIN: "take all layers along (this is the default where there are several)",
    How.FLATTEN: "make one image of them",
    How.SHALLOW: "take the active layer alone; it stands on the others where they are",
}
_LAYER = "a layer: vda[3] as virsh dumpxml numbers them, or a path"


def add_commit(commands: Any) -> None:
    """The command to merge layers downwards."""
    parser = add_command(
        commands,
        "commit",
        "merge upper layers of a disk down into a lower one",
        "Write what the layers from --top down hold into --base, which takes their place in the chain. Without --top"
        " the active layer is merged as well: that gets in sync and waits for pivot or cancel, as a mirror does.",
    )
    _add_merge(parser)
    group = parser.add_argument_group("which layers")
    group.add_argument("--top", metavar="LAYER", help=f"{_LAYER} (default: the active layer)")
    group.add_argument("--base", metavar="LAYER", help="what takes the data (default: the last of the chain)")
    group.add_argument("--shallow", action="store_true", help="the base is the layer right below the top")
    group.add_argument("--delete", action="store_true", help="remove the merged images afterwards")
    parser.add_argument_group("when it is in sync").add_argument(
        "--pivot",
        action="store_true",
        help="let the guest go over to the base, if the active layer is merged",
    )
    parser.set_defaults(
        make=lambda found: WriteCommand(
            found.domain,
            partial(requests.commit, found, bandwidth(parser, found)),
            found.wait or found.pivot,
            consent(found),
        )
    )


def add_pull(commands: Any) -> None:
    """The command to bring layers upwards."""
    parser = add_command(
        commands,
        "pull",
        "bring lower layers of a disk up into the active one",
        "Bring what the layers above --base hold, or all of them, up into the active layer, which then stands"
        " without them. The images themselves stay as they are.",
    )
    _add_merge(parser)
    group = parser.add_argument_group("which layers")
    group.add_argument("--base", metavar="LAYER", help=f"what stays below: {_LAYER} (default: nothing)")
    parser.set_defaults(
        make=lambda found: WriteCommand(
            found.domain, partial(requests.pull, found, bandwidth(parser, found)), found.wait, consent(found)
        )
    )


def _add_merge(parser: argparse.ArgumentParser) -> None:
    """What commit and pull have in common."""
    parser.add_argument("domain", metavar="DOMAIN", help="the running guest")
    parser.add_argument("disk", metavar="DISK", help="the disk, as vda")
    group = parser.add_argument_group("how")
    group.add_argument("--keep-relative", action="store_true", help="keep backing names relative")
    add_bandwidth(group)
    group.add_argument("--wait", action="store_true", help="stay until it is done, or in sync")
    add_losses(parser, _MERGE_LOSSES)
    add_consent(parser)


def add_move(commands: Any) -> None:
    """The command to move disks with their chains."""
    parser = add_command(
        commands,
        "move",
        "move disks of a running guest to another place, with their backing chains",
        "Move the named disks, or all that the guest can write to, into a directory while it runs. A backing chain"
        " goes along layer by layer, and the guest goes over when all of it is there.",
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the running guest")
    parser.add_argument(
        "disks", metavar="DISK", nargs="*", help="the disks (default: all that can be written)"
    )
    parser.add_argument(
        "--to",
        metavar="DIR|pool:NAME",
        required=True,
        help="where to: a directory or a storage pool of files; in a logical pool each disk, which must be a single"
        " image or flattened, gets a volume",
    )
    chain = parser.add_mutually_exclusive_group()
    for how, what in _HOW.items():
        chain.add_argument(f"--{how}", dest="how", action="store_const", const=how, help=what)
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        help="of flattened images (default: that of the source; raw in a logical pool)",
    )
    parser.add_argument(
        "--merge-overlay", action="store_true", help="fold the overlay back, so that the chain stays as deep"
    )
    parser.add_argument(
        "--shared-base",
        metavar="WHAT",
        choices=[str(what) for what in Shared],
        default=str(Shared.COPY),
        help="layers that other disks stand on too: copy, leave where they are, or reuse equal ones that lie there"
        " (default: copy)",
    )
    parser.add_argument(
        "--delete-source",
        action="store_true",
        help="put the old images into quarantine afterwards; doctor lists what lies there",
    )
    group = parser.add_argument_group("how to copy")
    add_bandwidth(group)
    add_synchronous_writes(group)
    then = parser.add_argument_group("when all of it is there").add_mutually_exclusive_group()
    then.add_argument("--pivot", action="store_true", help="let the guest go over (this is the default)")
    then.add_argument("--hold", action="store_true", help="keep both places in sync until pivot or undo")
    add_losses(parser, COPY_LOSSES)
    add_consent(parser)
    parser.set_defaults(
        make=lambda found: WriteCommand(
            found.domain, partial(requests.move, found, bandwidth(parser, found)), consent=consent(found)
        )
    )


def add_recover(commands: Any, name: str, summary: str, *, undo: bool) -> None:
    """The command to go on with an interrupted plan, or take it back."""
    parser = add_command(
        commands, name, summary, f"{summary[0].upper()}{summary[1:]}, as the journal has it."
    )
    parser.add_argument("domain", metavar="DOMAIN", help="the guest")
    parser.add_argument("--plan", metavar="ID", help="which one, where there are several")
    add_consent(parser)
    parser.set_defaults(
        make=lambda found: WriteCommand(
            found.domain, partial(requests.recover, found, undo), consent=consent(found)
        )
    )
