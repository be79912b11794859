"""What the options of a command line ask for, as requests to the engine."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from tui.cli.errors import WRONG, CommandError
from tui.cli.hosts import find_target
from tui.cli.options import losses
from tui.engine.own_files import FileTrouble
from tui.engine.snapshot_file import read_saved
from tui.model.destination import parse_destination
from tui.model.domain import Domain
from tui.model.hierarchy_request import SnapshotDeleteRequest, SnapshotImportRequest, SnapshotRevertRequest
from tui.model.methods import Method, Quiesce, Wish
from tui.model.migrate_request import (
    Convergence,
    CopyStorage,
    MigrateRequest,
    MigrationTuneRequest,
    TimeoutAction,
    Transport,
    Tune,
)
from tui.model.mirrored_snapshot import Kind, Snapshot, SnapshotDisk, memory_file, parse_snapshot
from tui.model.quantity import moment_name
from tui.model.request import (
    CommitRequest,
    CopyRequest,
    Ending,
    EndRequest,
    LiveSnapshotRequest,
    MoveRequest,
    PullRequest,
    RecoverRequest,
    RemoteCopyRequest,
    Shared,
    SnapshotEndRequest,
    SnapshotRequest,
    SpeedRequest,
    Then,
)
from tui.model.snapshot_case import target_of
from tui.model.snapshot_schema import check_schema
from tui.model.storage import BlockSource, Chain, FileSource, Layer, NetworkHost, NetworkSource, Source
from tui.model.xml import InvalidXML

Parsed = TypeVar("Parsed")


def copy(found: Namespace, then: Then, limit: int, domain: Domain) -> CopyRequest | RemoteCopyRequest:
    """Mirror one disk, to a place that its own host reaches or to another host.

    Raises:
        CommandError: when the destination's XML cannot be read.
    """
    wish = CopyRequest(
        uuid=domain.uuid,
        target=find_target(domain, found.disk),
        destination=_destination(found),
        shallow=found.shallow,
        reuse_external=found.reuse_external,
        bandwidth=limit,
        granularity=found.granularity,
        buf_size=found.buf_size,
        synchronous_writes=found.synchronous_writes,
        transient_job=found.transient_job,
        then=then,
        timeout=found.timeout,
        accepted=losses(found),
    )
    if found.on is None:
        return wish
    return RemoteCopyRequest(wish, found.on, found.nbd_address, found.nbd_port)


def commit(found: Namespace, limit: int, domain: Domain) -> CommitRequest:
    """Merge layers downwards."""
    return CommitRequest(
        uuid=domain.uuid,
        target=find_target(domain, found.disk),
        top=found.top,
        base=found.base,
        shallow=found.shallow,
        delete=found.delete,
        keep_relative=found.keep_relative,
        bandwidth=limit,
        then=Then.PIVOT if found.pivot else Then.HOLD,
        accepted=losses(found),
    )


def pull(found: Namespace, limit: int, domain: Domain) -> PullRequest:
    """Bring layers upwards."""
    return PullRequest(
        uuid=domain.uuid,
        target=find_target(domain, found.disk),
        base=found.base,
        keep_relative=found.keep_relative,
        bandwidth=limit,
        accepted=losses(found),
    )


def move(found: Namespace, limit: int, domain: Domain) -> MoveRequest:
    """Move disks into a directory."""
    return MoveRequest(
        uuid=domain.uuid,
        directory=found.to,
        targets=_targets(found.disks, domain),
        how=found.how,
        format=found.format,
        bandwidth=limit,
        synchronous_writes=found.synchronous_writes,
        then=Then.HOLD if found.hold else Then.PIVOT,
        merge_overlay=found.merge_overlay,
        shared=Shared(found.shared_base),
        delete_source=found.delete_source,
        accepted=losses(found),
    )


def recover(found: Namespace, undo: bool, domain: Domain) -> RecoverRequest:  # noqa: FBT001  by position, for partial
    """Go on with an interrupted plan, or take it back."""
    return RecoverRequest(domain.uuid, undo, found.plan)


def end(found: Namespace, ending: Ending, domain: Domain) -> EndRequest:
    """Pivot, keep or cancel."""
    waits = getattr(found, "wait", False)
    return EndRequest(domain.uuid, _targets(found.disks, domain), ending, found.pause, waits)


def speed(found: Namespace, limit: int, domain: Domain) -> SpeedRequest | MigrationTuneRequest:
    """Change the limit of a job, or without a disk that of a migration."""
    if found.disk is None:
        return MigrationTuneRequest(domain.uuid, Tune.BANDWIDTH, limit)
    return SpeedRequest(domain.uuid, find_target(domain, found.disk), limit)


def snapshot(found: Namespace, limit: int, domain: Domain) -> SnapshotRequest | LiveSnapshotRequest:
    """Take a snapshot, with mirrors or without.

    Raises:
        CommandError: when its XML cannot be read, or has another name, or something is asked for that has no effect.
    """
    wanted = _snapshot(found)
    if not wanted.mirrored:
        if limit or found.synchronous_writes:
            message = "--bandwidth and --synchronous-writes are for mirrors, and no disk is given one."
            raise CommandError(WRONG, message)
        return _live(found, wanted, domain)
    if found.no_metadata or found.pause or found.wait or found.method not in (None, Method.QEMU):
        message = "A snapshot with mirrors is taken by qemu alone, libvirt has a record of it, and it needs no pause."
        how = "Leave out --no-metadata, --pause, --wait and --method, or the mirrors."
        raise CommandError(WRONG, message, how)
    return SnapshotRequest(
        uuid=domain.uuid,
        snapshot=wanted,
        reuse_external=found.reuse_external,
        bandwidth=limit,
        synchronous_writes=found.synchronous_writes,
        validate=found.validate,
        quiesce=Quiesce(found.quiesce),
        limit=found.limit,
        accepted=losses(found),
    )


def migrate(found: Namespace, limit: int, domain: Domain) -> MigrateRequest:
    """Take a domain to another host."""
    disks = [name for name in found.migrate_disks.split(",") if name]
    return MigrateRequest(
        domain.uuid,
        found.destination,
        storage=CopyStorage(found.copy_storage) if found.copy_storage else None,
        targets=_targets(disks, domain),
        maps=tuple(found.maps),
        name=found.dname,
        persistent=found.persistent,
        undefine_source=found.undefine_source,
        transport=Transport(
            p2p=found.p2p,
            tls=found.tls,
            tls_destination=found.tls_destination,
            migrate_uri=found.migrate_uri,
            disks_uri=found.disks_uri,
            disks_port=found.disks_port,
            listen_address=found.listen_address,
            bandwidth=limit,
            parallel=found.parallel,
            compressed=found.compressed,
        ),
        convergence=Convergence(
            auto_converge=found.auto_converge,
            postcopy=found.postcopy,
            max_downtime=found.max_downtime,
            synchronous_writes=found.synchronous_writes,
            timeout=found.timeout,
            timeout_action=TimeoutAction(found.timeout_action),
        ),
        offline=found.offline,
        unsafe=found.unsafe,
        change_protection=found.change_protection,
        abort_on_error=found.abort_on_error,
        accepted=losses(found),
    )


def tune(found: Namespace, domain: Domain) -> MigrationTuneRequest:
    """Change how a migration goes on."""
    if found.max_downtime is not None:
        return MigrationTuneRequest(domain.uuid, Tune.DOWNTIME, found.max_downtime)
    return MigrationTuneRequest(domain.uuid, found.tune)


def leave(found: Namespace, limit: int, domain: Domain) -> MigrateRequest:
    """The same for one of many; of a domain that is off only the definition goes."""
    wanted = migrate(found, limit, domain)
    return wanted if domain.state.active else wanted.definition_alone


def snapshot_delete(found: Namespace, domain: Domain) -> SnapshotDeleteRequest:
    """Delete a snapshot that has no mirrors."""
    return SnapshotDeleteRequest(
        domain.uuid,
        found.name,
        itself=not found.children_only,
        children=found.children or found.children_only,
        metadata_only=found.metadata_only,
    )


def snapshot_end(found: Namespace, domain: Domain) -> SnapshotEndRequest:
    """End the mirrors of a snapshot."""
    return SnapshotEndRequest(domain.uuid, found.name, found.ending, compare=not found.no_compare)


def snapshot_revert(found: Namespace, domain: Domain) -> SnapshotRevertRequest:
    """Take a guest back to a snapshot."""
    return SnapshotRevertRequest(domain.uuid, found.name, found.after, losses(found))


def snapshot_import(found: Namespace, domain: Domain) -> SnapshotImportRequest:
    """Have libvirt remember the snapshots of a file.

    Raises:
        CommandError: when that cannot be read.
    """
    path = Path(found.file)
    try:
        digest, saved = read_saved(path)
    except FileTrouble as error:
        raise CommandError(WRONG, str(error)) from error
    return SnapshotImportRequest(
        domain.uuid,
        str(path.absolute()),
        digest,
        saved,
        tuple(found.maps),
        current=not found.no_current,
        accepted=losses(found),
    )


def _live(found: Namespace, wanted: Snapshot, domain: Domain) -> LiveSnapshotRequest:
    memory = wanted.memory.get("file") if wanted.memory else None
    kind = wanted.memory.get("snapshot") if wanted.memory else None
    if wanted.holds_memory and (memory is None or kind not in (None, Kind.EXTERNAL)):
        message = f"{found.xml} asks for the memory of the guest, and not in a file that it names."
        raise CommandError(
            WRONG, message, "Write <memory snapshot='external' file='/…'/>, or use --method internal."
        )
    wishes = found.wishes or tuple(_wish(disk) for disk in wanted.disks or ())
    return LiveSnapshotRequest(
        uuid=domain.uuid,
        name=wanted.name or "",
        description=wanted.description or "",
        disks=tuple(replace(wish, target=target_of(domain, wish.target) or wish.target) for wish in wishes),
        method=Method(found.method) if found.method else Method.QEMU if found.xml else None,
        quiesce=Quiesce(found.quiesce),
        pause=found.pause,
        limit=found.limit,
        command=found.command,
        asks=found.wait,
        memory=memory,
        metadata=not found.no_metadata,
        reuse_external=found.reuse_external,
        validate=found.validate,
        accepted=losses(found),
    )


def _wish(disk: SnapshotDisk) -> Wish:
    """What a ``<disk>`` of a ``<domainsnapshot>`` comes down to."""
    methods = {
        Kind.NO: Method.NO,
        Kind.INTERNAL: Method.INTERNAL,
        Kind.EXTERNAL: Method.QEMU,
        Kind.MANUAL: Method.MANUAL,
    }
    return Wish(disk.name, methods[disk.kind] if disk.kind else None, disk.path, format=disk.format)


def _snapshot(found: Namespace) -> Snapshot:
    if found.xml is None:
        memory = None if found.memory is None else memory_file(found.memory)
        wanted = Snapshot(found.name, found.description, memory=memory, disks=found.mirrored)
    else:
        wanted = _parsed(found.xml, _checked_snapshot, "snapshot that can be taken")
        if None not in (found.name, wanted.name) and found.name != wanted.name:
            message = f"{found.xml} gives the snapshot another name than the command line."
            raise CommandError(WRONG, message)
    # Before the plan, in which names of files are made of it.
    return replace(wanted, name=wanted.name or found.name or moment_name(time.time()))


def _checked_snapshot(text: str) -> Snapshot:
    wanted = parse_snapshot(text, mirrors=True)
    check_schema(text)
    return wanted


def _targets(disks: Iterable[str], domain: Domain) -> tuple[str, ...]:
    return tuple(dict.fromkeys(find_target(domain, disk) for disk in disks))


def _destination(found: Namespace) -> Chain:
    if found.xml is not None:
        return _parsed(found.xml, parse_destination, "destination")
    place = found.destination or ""
    layer = Layer(_source(place, blockdev=found.blockdev), "raw" if found.raw else found.format)
    return Chain((layer,), complete=False)


def _parsed(path: str, parse: Callable[[str], Parsed], what: str) -> Parsed:
    """What a file of XML says.

    Raises:
        CommandError: when it cannot be read, or says no such thing.
    """
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        message = f"{path} cannot be read: {reason}."
        raise CommandError(WRONG, message) from error
    except InvalidXML as error:
        message = f"{path} is no {what}: {error}."
        raise CommandError(WRONG, message) from error


def _source(place: str, *, blockdev: bool) -> Source:
    if blockdev:
        return BlockSource(place)
    if place.startswith("nbd://"):
        parts = urlsplit(place)
        port = str(parts.port) if parts.port else None
        return NetworkSource("nbd", unquote(parts.path.lstrip("/")), (NetworkHost(parts.hostname, port),))
    return FileSource(place)
