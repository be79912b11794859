"""Making a volume for a disk to go to, and deleting it where the disk did not go there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tui.engine.errors import HostError, NoConnection, StepFailed
from tui.engine.files import CLOCK_SLACK
from tui.engine.logical import devices
from tui.engine.needs import needed_by
from tui.engine.steps import happened, run, undo
from tui.model.command import typed
from tui.model.file_volume import parse_file_volume
from tui.model.finding import Finding, fine, warning
from tui.model.quantity import size
from tui.model.text import printable
from tui.model.volume_steps import MakeVolume, RemoveVolume, volume_xml

if TYPE_CHECKING:
    from tui.engine.connection import Connection
    from tui.engine.host import Host
    from tui.engine.volume_calls import VolumeFound


@run.register(MakeVolume)
def _(step: MakeVolume, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    connection = host.connection()
    if connection.volume_in(step.pool, step.name) is None:
        connection.create_volume(step.pool, volume_xml(step))
    _insist_on_fit(step, connection)
    return (fine("volume-made", f"{step.path} was made, with {size(step.size)}."),)


def made_volume(pool: str, name: str, connection: Connection) -> VolumeFound:
    """A volume that a pool was asked for, as the pool shows it.

    Raises:
        StepFailed: when it does not show it.
    """
    made = connection.volume_in(pool, name)
    if made is None:
        message = f"The pool {printable(pool)} does not show the volume {printable(name)} that was made."
        raise StepFailed(message)
    return made


def _insist_on_fit(step: MakeVolume, connection: Connection) -> None:
    """What LVM made of it: the extents of a volume group are not known before."""
    made = made_volume(step.pool, step.name, connection)
    if step.fits(made.path, made.capacity):
        return
    if made.path != step.path:
        message = f"The volume was made as {printable(made.path)}, not as {printable(step.path)}."
        raise StepFailed(message, remedy="Refresh the pool, and look at its target.")
    message = (
        f"The pool {printable(step.pool)} made a volume of {made.capacity} bytes where {step.size} were asked for; "
        "a raw image needs exactly as many."
    )
    raise StepFailed(message, remedy="Choose qcow2 as the format: --format qcow2")


@happened.register(MakeVolume)
def _(step: MakeVolume, host: Host) -> bool:
    made = host.connection().volume_in(step.pool, step.name)
    return made is not None and step.fits(made.path, made.capacity)


@undo.register(MakeVolume)
def _(step: MakeVolume, host: Host, since: float, *, failed: bool) -> list[str]:  # noqa: ARG001
    # Under a name with the mark of the plan there is nothing but what the plan made, whether it failed over it or not.
    return [finding.reason for finding in _removed(step.removal, host)]


@run.register(RemoveVolume)
def _(step: RemoveVolume, host: Host, left: threading.Event) -> tuple[Finding, ...]:  # noqa: ARG001
    return _removed(step, host) or (fine("volume-removed", f"{step.path} is not there."),)


def _removed(step: RemoveVolume, host: Host) -> tuple[Finding, ...]:
    """Delete a volume that nothing uses; nothing is said where there is none."""
    connection = host.connection()
    try:
        found = connection.volume_in(step.pool, step.name)
        if found is None and not devices([step.path]):
            # A directory may have changed since its pool looked last.
            connection.refresh_pool(step.pool)
            found = connection.volume_in(step.pool, step.name)
        if found is None:
            return _unseen(step, host)
        needed = needed_by([step.path, found.path], step.uuid, host, whole_host=False)
        if needed:
            path, why = next(iter(needed.items()))
            return _left_there(step, f"{path} {why}, and stays.")
        if step.since and _older(found.path, step.since, connection):
            return _left_there(step, f"{step.path} is older than the plan and stays.")
        connection.delete_volume_in(step.pool, step.name)
    except NoConnection:
        raise
    except HostError as error:
        # A pool that was stopped, or a device that somebody holds open.
        return _left_there(step, f"{step.path} stays: {error}")
    return (fine("volume-removed", f"{step.path} was deleted."),)


def _older(path: str, since: float, connection: Connection) -> bool:
    text = connection.volume_xml(path)
    return text is not None and parse_file_volume(text).changed < since - CLOCK_SLACK


def _unseen(step: RemoveVolume, host: Host) -> tuple[Finding, ...]:
    """One that the pool does not show can be there: libvirt overlooks snapshot volumes that are full."""
    if host.files is None or not host.files.existing([step.path]):
        return ()
    reason = (
        f"{step.path} stays: its pool does not show it, as libvirt shows no snapshot volume that is full."
    )
    return _left_there(step, reason, typed("lvremove", step.path))


def _left_there(step: RemoveVolume, reason: str, command: str | None = None) -> tuple[Finding, ...]:
    remedy = f"Delete it by hand when you are sure that nothing needs it: {command or step.commands[0]}"
    return (warning("volume-left", reason, remedy),)


@happened.register(RemoveVolume)
def _(step: RemoveVolume, host: Host) -> bool:
    return host.connection().volume_in(step.pool, step.name) is None
