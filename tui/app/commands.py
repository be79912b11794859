"""Everything a user can do on the main screen, once.

Key bindings, the footer, the command palette, the help and what a read-only session forbids are all read from
``COMMANDS``: a command that is here is everywhere, and one that is not here does not exist.
"""

from __future__ import annotations

from textual.binding import Binding

from tui.app.command import Command, Panel, Where, bindings_of

ALL = frozenset(Panel)
DISKS_AND_JOBS = frozenset({Panel.DOMAINS, Panel.JOBS})
QUEUE = frozenset({Panel.QUEUE})

COMMANDS: tuple[Command, ...] = (
    Command(
        "mirror",
        ("m",),
        "Mirror",
        "Mirror the disk under the cursor, or the tagged ones in turn: choose where to and how, see the plan, start.",
        "Disks",
        writes=True,
        footer=frozenset({Panel.DOMAINS, Panel.CHAIN}),
    ),
    Command(
        "move",
        ("M",),
        "Move",
        "Move the disks of the domain, or the tagged ones, to another place with all their layers. With disks of "
        "several domains tagged, queue a move for each.",
        "Disks",
        writes=True,
        footer=frozenset({Panel.DOMAINS}),
    ),
    Command(
        "migrate",
        ("H",),
        "Migrate",
        "Take the domain to another host, running, with its memory, its storage and its snapshots. With disks of "
        "several domains tagged, queue a migration for each.",
        "Disks",
        writes=True,
        footer=frozenset({Panel.DOMAINS}),
    ),
    Command(
        "evacuate",
        ("E",),
        "Evacuate",
        "Take the domains of the host under the cursor to another one: a plan for each, carried out by the queue.",
        "Disks",
        writes=True,
    ),
    Command(
        "hosts",
        ("w",),
        "Hosts",
        "The hosts side by side: pick domains of one, and point at the host that they are to go to.",
        "Disks",
    ),
    Command(
        "commit",
        ("c",),
        "Commit",
        "Merge the layer under the cursor down into the one below, or more of them: choose, see the chain, start.",
        "Disks",
        writes=True,
        footer=frozenset({Panel.CHAIN}),
    ),
    Command(
        "pull",
        ("u",),
        "Pull",
        "Bring what lies above the layer under the cursor, or all layers, up into the active one.",
        "Disks",
        writes=True,
        footer=frozenset({Panel.CHAIN}),
    ),
    Command(
        "pivot",
        ("p",),
        "Pivot",
        "Let the guest go over to the destination. Possible once the mirror is in sync.",
        "Jobs",
        writes=True,
        footer=DISKS_AND_JOBS,
    ),
    Command(
        "keep",
        ("K",),
        "Keep",
        "End the mirror and keep the destination as a consistent copy. Possible once it is in sync.",
        "Jobs",
        writes=True,
        footer=frozenset({Panel.JOBS}),
    ),
    Command(
        "cancel",
        ("x",),
        "Cancel",
        "Cancel the job. The guest stays on the source; an unfinished image made for the copy is removed. A domain on "
        "its way to another host is called back. In the queue: let the item under the cursor go, and take back what it "
        "has done.",
        "Jobs",
        writes=True,
        footer=DISKS_AND_JOBS | QUEUE,
    ),
    Command(
        "resume",
        ("R",),
        "Resume",
        "Go on with the interrupted plan of the disk, from the step that it had reached.",
        "Jobs",
        writes=True,
        footer=DISKS_AND_JOBS | QUEUE,
    ),
    Command(
        "undo",
        ("X",),
        "Undo",
        "Take back what the interrupted or waiting plan of the disk has done.",
        "Jobs",
        writes=True,
        footer=DISKS_AND_JOBS | QUEUE,
    ),
    Command(
        "pivot-paused",
        ("P",),
        "Pivot with the guest paused",
        "For a guest that outruns its destination: pause it until its disks are in sync and pivoted.",
        "Jobs",
        writes=True,
    ),
    Command(
        "speed",
        ("b",),
        "Speed",
        "Change the bandwidth limit of the running job. Of a domain on its way to another host: more bandwidth, more "
        "downtime, post-copy, or a pause.",
        "Jobs",
        writes=True,
        footer=DISKS_AND_JOBS,
    ),
    Command(
        "details",
        ("enter",),
        "Details",
        "Everything about the job: its rate over time, forecast and proof. Without a job: the chain.",
        "Jobs",
        footer=frozenset({Panel.JOBS}),
    ),
    Command(
        "dismiss-job",
        ("d",),
        "Dismiss",
        "Take an ended job out of the list, or an ended item out of the queue.",
        "Jobs",
        footer=frozenset({Panel.JOBS, Panel.QUEUE}),
    ),
    Command(
        "queue-earlier",
        ("shift+up",),
        "Earlier",
        "Let the waiting item under the cursor begin before the one above it.",
        "Queue",
        writes=True,
        footer=QUEUE,
    ),
    Command(
        "queue-later",
        ("shift+down",),
        "Later",
        "Let the waiting item under the cursor begin after the one below it.",
        "Queue",
        writes=True,
        footer=QUEUE,
    ),
    Command(
        "queue-pause",
        ("Z",),
        "Pause the queue",
        "Begin nothing more from the queue, or go on with it; what runs goes on in any case.",
        "Queue",
        writes=True,
        footer=QUEUE,
    ),
    Command(
        "queue-limits",
        ("L",),
        "Limits",
        "How many of the queue may run at once on one host, and write to one destination.",
        "Queue",
        writes=True,
        footer=QUEUE,
    ),
    Command(
        "queue-clear",
        ("D",),
        "Clear the ended",
        "Take everything that has ended out of the queue.",
        "Queue",
        footer=QUEUE,
    ),
    Command(
        "snapshots",
        ("s",),
        "Snapshots",
        "The snapshots of the domain as a tree, and what their images belong to: take one, delete one, go back.",
        "Disks",
        footer=frozenset({Panel.DOMAINS}),
    ),
    Command(
        "tag",
        ("space",),
        "Tag",
        "Tag the disk under the cursor; mirror, pivot, keep and cancel are then for all tagged disks of the domain.",
        "Disks",
        footer=frozenset({Panel.DOMAINS}),
    ),
    Command(
        "tag-domain",
        ("t",),
        "Tag the domain",
        "Tag all disks of the domain that a move takes along, and go to the next domain.",
        "Disks",
    ),
    Command("untag-all", ("U",), "Untag all", "Forget all tags.", "Disks"),
    Command(
        "filter",
        ("slash",),
        "Filter",
        "Show only what contains a text; ! in front shows what does not. Works in the log, too.",
        "Find",
        footer=frozenset({Panel.DOMAINS, Panel.LOG}),
        priority=True,
    ),
    Command(
        "clear",
        ("escape",),
        "Clear",
        "Leave the filter and show everything again; without one, go back to the domains.",
        "Find",
    ),
    Command(
        "sort-left",
        ("less_than_sign",),
        "Sort by the column to the left",
        "Sort by the column to the left of the present one.",
        "Find",
    ),
    Command(
        "sort-right",
        ("greater_than_sign",),
        "Sort by the column to the right",
        "Sort by the column to the right of the present one.",
        "Find",
    ),
    Command("sort-invert", ("I",), "Invert the order", "Sort the other way round.", "Find"),
    Command(
        "copy",
        ("y",),
        "Copy",
        "Send the log line's virsh command, or the path of the layer or image, to the terminal's clipboard.",
        "View",
        footer=frozenset({Panel.CHAIN, Panel.LOG}),
    ),
    Command(
        "log",
        ("l",),
        "Log",
        "Show or hide what happened and which commands would have done it.",
        "View",
        footer=frozenset({Panel.CHAIN, Panel.LOG}),
    ),
    Command(
        "save-log",
        ("ctrl+s",),
        "Save the log",
        "Write the log to a file.",
        "View",
        footer=frozenset({Panel.LOG}),
    ),
    Command("show-domains", ("1",), "Domains", "Go to the domains.", "View"),
    Command("show-chain", ("2",), "Chain", "Go to the backing chain of the disk.", "View"),
    Command("show-jobs", ("3",), "Jobs", "Go to the jobs.", "View"),
    Command("show-log", ("4",), "Go to the log", "Go to the log, and show it.", "View"),
    Command("show-queue", ("5",), "Queue", "Go to the queue, while it holds anything.", "View"),
    Command("next-panel", ("tab",), "Next panel", "Go to the next panel.", "View"),
    Command("previous-panel", ("shift+tab",), "Previous panel", "Go to the panel before.", "View"),
    Command("pause", ("z",), "Pause the display", "Hold the picture still; jobs and keys go on.", "View"),
    Command(
        "refresh",
        ("ctrl+r",),
        "Refresh",
        "Read all definitions again; a host that is lost is tried at once.",
        "View",
    ),
    Command(
        "doctor",
        ("e",),
        "Doctor",
        "Examine the host under the cursor: what is wrong there or left over, and what to do about it.",
        "View",
    ),
    Command(
        "history",
        ("h",),
        "History",
        "What has ended: each plan that was carried out from here, how long it took, how it ended, what was measured.",
        "View",
        footer=frozenset({Panel.LOG}),
    ),
    Command("connect", ("plus",), "Connect", "Open another host beside the ones that are here.", "Program"),
    Command("help", ("question_mark", "f1"), "Help", "All keys.", "Program", footer=ALL),
    Command(
        "quit",
        ("q", "ctrl+q"),
        "Quit",
        "Leave. Jobs go on in QEMU; a migration that this program leads is called back.",
        "Program",
        footer=ALL,
    ),
    Command(
        "command-palette", ("ctrl+p",), "Palette", "Find any command by name.", "Program", where=Where.TEXTUAL
    ),
    Command("cursor-up", ("up", "k"), "Up", "One line up.", "Move", where=Where.LIST),
    Command("cursor-down", ("down", "j"), "Down", "One line down.", "Move", where=Where.LIST),
    Command("page-up", ("pageup",), "Page up", "One page up.", "Move", where=Where.LIST),
    Command("page-down", ("pagedown",), "Page down", "One page down.", "Move", where=Where.LIST),
    Command("first", ("home", "g"), "First", "To the first line.", "Move", where=Where.LIST),
    Command(
        "last",
        ("end", "G"),
        "Last",
        "To the last line; in the log also: follow what is new.",
        "Move",
        where=Where.LIST,
    ),
)
"""All commands, in the order in which help, palette and footer show them."""

BY_ID = {command.id: command for command in COMMANDS}
BY_ACTION = {command.action: command for command in COMMANDS}


def bindings(where: Where) -> list[Binding]:
    """The key bindings of the screen, or of every list."""
    return bindings_of(command for command in COMMANDS if command.where is where)


def footer(panel: Panel) -> tuple[Command, ...]:
    """The commands that the footer names while a panel has the focus."""
    return tuple(c for c in COMMANDS if panel in c.footer)
