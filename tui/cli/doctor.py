"""``doctor``: what is wrong here, and what to do about it."""

from __future__ import annotations

from tui.cli.commands import DoctorCommand
from tui.cli.describing import finding_text, glyphs
from tui.cli.documents import finding_document
from tui.cli.errors import DONE, UNREACHED
from tui.cli.hosts import Fleet, find_domain
from tui.cli.output import Output
from tui.model.text import printable


def show_findings(command: DoctorCommand, fleet: Fleet, output: Output) -> int:
    """Examine every host, or one domain; an unreachable host among several is told, and is the exit status."""
    if command.domain is None:
        examined = [(control, control.examine()) for control in fleet.live]
    else:
        control, domain = find_domain(fleet, command.domain)
        examined = [(control, control.examine(domain.uuid))]
    if command.json:
        hosts = [
            {"uri": control.state.uri, "findings": [finding_document(f) for f in findings]}
            for control, findings in examined
        ]
        output.document({"hosts": hosts})
    else:
        draw = glyphs(ascii_only=output.ascii_only)
        for control, findings in examined:
            if len(examined) > 1:
                output.say(printable(control.state.name))
            for finding in findings:
                output.say(f"{draw.of(finding.severity)} {finding_text(finding)}")
    for complaint in fleet.complaints():
        output.complain(complaint)
    return UNREACHED if fleet.dead else DONE
