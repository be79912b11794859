"""Serving an image at the other host while a disk is copied into it, by qemu-nbd there.

The server takes one client and ends with it. It is known by its export, which is the id of the plan: whoever finds
the journal finds it, and no other one is ever ended.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.files import Files
from tui.engine.peers import peer_of
from tui.engine.steps import happened, run, undo
from tui.model.finding import Finding, fine, warning
from tui.model.serve_steps import RemoveThere, ServeThere, StopServing

if TYPE_CHECKING:
    from tui.engine.host import Host

LOOKS = 50
"""How often it is looked, within ten seconds, if a server ends by itself."""
ROUNDS = 10
"""How often it is asked to end, with twenty seconds in between: it may have much to write out."""

_SERVE = """complaints=$(mktemp) || exit
LC_ALL=C qemu-nbd --fork --shared=1 --discard=unmap --format="$1" --bind="$2" --port="$3" --export-name="$4" -- "$5" \
</dev/null >/dev/null 2>"$complaints"
status=$?
cat -- "$complaints" >&2
rm -f -- "$complaints"
exit $status"""
"""Some servers keep what they complain to open as long as they live, and ssh would wait for that."""
_REACH = """command -v qemu-img >/dev/null && command -v timeout >/dev/null || exit 0
said=$(LC_ALL=C timeout 10 qemu-img info --image-opts "driver=raw,file.driver=nbd,file.server.type=inet,\
file.server.host=$1,file.server.port=$2,file.export=none" 2>&1)
case "$said" in
*"xport not available"*|*"not present"*) exit 0;;
"") echo "it does not answer" >&2;;
*) printf '%s\\n' "${said##*\\': }" >&2;;
esac
exit 1"""
"""It is asked for what it does not export, so that it does not take us for its client."""
_OURS = """ours() {
    # The pattern comes by the pipe: as an argument grep would find it with itself.
    printf '%s\\n' "--export-name=$1" | grep -lzxF -f - /proc/[0-9]*/cmdline 2>/dev/null |
    while IFS=/ read -r _ _ pid _
    do [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != qemu-nbd ] || echo "$pid"
    done
}
"""
_FIND = f'{_OURS}ours "$1"'
_END = f"""{_OURS}gone() {{
    looks=$2
    while [ -n "$(ours "$1")" ]
    do [ "$looks" -gt 0 ] || return
        looks=$((looks - 1))
        sleep 0.2
    done
}}
gone "$1" "$2" && exit
kill $(ours "$1") 2>/dev/null
gone "$1" 100
ours "$1" """


def _files_of(there: Host, step: ServeThere) -> Files:
    if there.files is None:
        raise StepFailed(f"No program can be run at {step.host} from here.")
    return there.files


@run.register(ServeThere)
def _(step: ServeThere, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    where = (step.address, str(step.port))
    with peer_of(host, step.destination) as there:
        files = _files_of(there, step)
        try:
            files.ask(_SERVE, step.format, *where, step.export, step.place)
        except StepFailed as error:
            raise StepFailed(f"{step.host} does not serve {step.place}: {error.message}") from error
    if host.files is not None:
        # QEMU would hold the guest still while it waits for an answer that never comes.
        try:
            host.files.ask(_REACH, *where)
        except StepFailed as error:
            raise StepFailed(
                f"{host.state.name} does not reach port {step.port} of {step.address}: {error.message}",
                remedy="Open it in the firewall there, or name others with --nbd-address and --nbd-port.",
            ) from error
    return ()


@happened.register(ServeThere)
def _(step: ServeThere, host: Host) -> bool:
    with peer_of(host, step.destination) as there:
        return bool(_files_of(there, step).ask(_FIND, step.export).strip())


@undo.register(ServeThere)
def _(step: ServeThere, host: Host, since: float, *, failed: bool) -> list[str]:  # noqa: ARG001
    return [f"The server at {step.host} has ended."] if _ended(step, host, looks=0) else []


def _ended(step: ServeThere, host: Host, looks: int) -> bool:
    """End the server, and wait until it has written all; whether there was one.

    Raises:
        StepFailed: when it does not end.
    """
    with peer_of(host, step.destination) as there:
        files = _files_of(there, step)
        if not files.ask(_FIND, step.export).strip():
            return False
        for _round in range(ROUNDS):
            stays = files.ask(_END, step.export, str(looks)).split()
            if not stays:
                return True
    raise StepFailed(f"The server at {step.host} does not end (process {' '.join(stays)}).")


@run.register(StopServing)
def _(step: StopServing, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    served = step.step
    try:
        _ended(served, host, LOOKS if step.kept else 0)
    except NoConnection:
        raise
    except HostError as error:
        if not step.kept:
            raise
        # The copy is whole, and nothing of it is to be taken back for that.
        reason = f"Nobody could see that the server of {served.place} at {served.host} has ended: {error}"
        return (warning("server-left", reason, f"End it there: {step.commands[0]}"),)
    if not step.kept:
        return ()
    return (fine("copy-there", f"{served.place} stays at {served.host} as a copy; its server has ended."),)


@run.register(RemoveThere)
def _(step: RemoveThere, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    remarks = undo(step.step, host, step.since, failed=False)
    if happened(step.step, host):
        remedy = f"Remove it there when you are sure that nothing needs it: {step.commands[0]}"
        return tuple(warning("destination-left", remark, remedy) for remark in remarks)
    return tuple(fine("destination-removed", remark) for remark in remarks)


@happened.register(StopServing)
@happened.register(RemoveThere)
def _(step: StopServing | RemoveThere, host: Host) -> bool:
    return not happened(step.step, host)
