"""What a user can do in the view of snapshots, once: its keys, its footer and its help are read from here."""

from __future__ import annotations

from tui.app.command import Command

SNAPSHOT_COMMANDS = (
    Command(
        "take", ("n",), "New", "Take a snapshot: choose how, see the plan, start.", "Snapshots", writes=True
    ),
    Command(
        "delete",
        ("d", "delete"),
        "Delete",
        "Delete the snapshot under the cursor; what the guest has now stays. Overlays are merged. Mirrors that it has "
        "end: the guest goes over to them, or they are given up.",
        "Snapshots",
        writes=True,
    ),
    Command(
        "delete-all",
        ("D",),
        "Delete with all below",
        "Delete the snapshot under the cursor and all that descend from it.",
        "Snapshots",
        writes=True,
    ),
    Command(
        "forget",
        ("F", "shift+delete"),
        "Forget",
        "Have libvirt forget the snapshot under the cursor; no image is touched.",
        "Snapshots",
        writes=True,
    ),
    Command(
        "revert",
        ("v",),
        "Go back",
        "Take the domain back to the snapshot under the cursor.",
        "Snapshots",
        writes=True,
    ),
    Command(
        "export",
        ("E",),
        "Export",
        "Write all snapshots to a file that can bring them back; the images are not in it.",
        "Snapshots",
    ),
    Command(
        "import",
        ("I",),
        "Import",
        "Have libvirt remember the snapshots of such a file; the images have to be there.",
        "Snapshots",
        writes=True,
    ),
    Command(
        "resume",
        ("R",),
        "Resume",
        "Go on with the interrupted plan of the domain, from the step that it had reached.",
        "Plans",
        writes=True,
    ),
    Command(
        "undo",
        ("X",),
        "Undo",
        "Take back what the interrupted plan of the domain has done, or that which took the snapshot under the cursor "
        "and holds its mirrors.",
        "Plans",
        writes=True,
    ),
    Command("read", ("r", "ctrl+r"), "Read again", "Ask the host again.", "View"),
    Command("help", ("question_mark", "f1"), "Help", "All keys.", "View"),
    Command("leave", ("escape", "q"), "Close", "From the details to the tree, and from there back.", "View"),
    Command(
        "read-details",
        ("tab", "shift+tab", "enter"),
        "Details",
        "Go to the details, which the arrows scroll, and back to the tree.",
        "View",
    ),
    Command("copy", ("y", "c"), "Copy", "Send the name of the snapshot to the terminal's clipboard.", "View"),
    Command("result", ("b",), "Result", "Show again what the snapshot that was taken last holds.", "View"),
)
"""In the order in which the help shows them."""

BY_ID = {command.id: command for command in SNAPSHOT_COMMANDS}
BY_ACTION = {command.action: command for command in SNAPSHOT_COMMANDS}

IN_FOOTER = (
    "resume",
    "undo",
    "take",
    "delete",
    "forget",
    "revert",
    "export",
    "import",
    "help",
    "leave",
    "read-details",
    "read",
)
"""In the order in which the footer names them, as far as it has room."""
ABOUT_ONE = frozenset({"delete", "delete-all", "forget", "revert"})
"""What is done to the snapshot under the cursor."""
ABOUT_PLANS = frozenset({"resume", "undo"})
"""What is done to a plan that is open."""
