"""What findings say of options of the command line, said of the fields and keys of the screen.

A finding is written once for both. What is quoted as a whole command line stays as it is.
"""

from __future__ import annotations

import re

from tui.model.finding import Acceptance

_ACCEPT = "the box below"
_ONLY_THERE = "virt-mirror snapshot create --diskspec"
_PHRASES = {
    "Say it with --command, or do it by hand with --wait": "Fill in “Command”",
    "ask again with --pause": "press P",
    "say --wait": "press P",
    "forgotten alone: --metadata-only": "forgotten alone, by F in the view of snapshots",
    "forget them: --metadata-only": "forget them by F in the view of snapshots",
    "import without: --no-current": "import without “Current: as in the file”",
    "leave that as it is: --no-current": "leave that as it is: not “Current: as in the file”",
    "with --offline": "if the form is opened while it is off",
    "With --offline": "If the form is opened while it is off,",
    "and --offline is for": "and this form is for",
}
"""Where another word alone would make no sentence."""
_OPTIONS = {
    "--base": "“into”",
    "--blockdev": "“To: device”",
    "--buf-size": "“Buffer”",
    "--compressed": "“compress the memory”",
    "--copy-storage": "“Storage”",
    "--copy-storage all": "“Storage: all”",
    "--copy-storage inc": "“Storage: active layers”",
    "--copy-storage none": "“Storage: nothing”",
    "--delete-source": "“old images to quarantine afterwards”",
    "--diskspec": _ONLY_THERE,
    "--disks-port": "“Disks to”",
    "--disks-uri": "“Disks to”",
    "--dname NAME": "“Name there”",
    "--flatten": "“Chains: flatten”",
    "--format": "“Format”",
    "--format qcow2": "“Format: qcow2”",
    "--granularity": "“Granularity”",
    "--keep": "“When in sync: keep the copy”",
    "--keep-relative": "“keep backing names relative”",
    "--map": "“Image map”",
    "--map OLD=NEW": "“Image map” OLD=NEW",
    "--merge-overlay": "“fold the overlay back afterwards”",
    "--method internal": "“internal”",
    "--migrate-disks": "“Storage: all”",
    "--migrate-uri": "“Memory to”",
    "--nbd-address": "“Through”",
    "--no-compare": "virt-mirror snapshot delete --no-compare",
    "--on": "“To: other host”",
    "--parallel": "“Connections”",
    "--pause": "“the guest may be paused for it”",
    "--paused": "“Guest then: paused”",
    "--persistent": "“Kept there: yes”",
    "--plan": "virt-mirror resume --plan",
    "--postcopy": "“post-copy”",
    "--quiesce auto": "“Quiesce: auto”",
    "--quiesce required": "“Quiesce: required”",
    "--raw": "“Format: raw”",
    "--reuse-external": "“reuse”",
    "--running": "“Guest then: running”",
    "--shallow": "“shallow”",
    "--shared-base copy": "“Shared base: copy”",
    "--shared-base leave": "“Shared base: leave”",
    "--shared-base reuse": "“Shared base: reuse”",
    "--synchronous-writes": "“synchronous writes”",
    "--tls": "“encrypted by TLS”",
    "--tls-destination": "“TLS name”",
    "--undefine-source": "“Forget here: yes”",
    "--unsafe": "“unsafe”",
    "--xml": "“To: XML”",
    **{f"--{acceptance}": _ACCEPT for acceptance in Acceptance},
}
"""What an option is called here, or where there is no field for it the command that has it."""
_WORDS = _PHRASES | _OPTIONS
_COMMAND = r"\b(?:cp|qemu-img|virsh|virt-mirror)\s.*"
"""A command line goes on to the end of what is said."""
_SAID = re.compile(
    "|".join([_COMMAND, *(rf"(?<![\w/-]){re.escape(one)}(?![\w-])" for one in sorted(_WORDS, reverse=True))])
)


def on_screen(text: str) -> str:
    """A sentence of a finding in the words of the screen."""
    return _SAID.sub(lambda found: _WORDS.get(found[0], found[0]), text)
