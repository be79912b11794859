"""What a host's picture becomes when there is news of domains on their way to another host."""

from __future__ import annotations

from dataclasses import replace

from tui.model.host import HostState
from tui.model.job import JobEvent, Sample
from tui.model.migrate_steps import (
    BringBack,
    CompareThere,
    CopyLayersThere,
    MakeThere,
    Migrate,
    ProveArrival,
    SetAside,
)
from tui.model.migration import (
    DiskOnTheWay,
    LayersOnTheWay,
    MemoryOnTheWay,
    Migration,
    MigrationPhase,
    phase_of,
)
from tui.model.steps import Step
from tui.model.tracking import SAMPLES_KEPT

ROUNDS_KEPT = 5
"""Enough to tell a guest that changes more memory for a moment from one that always does."""
_STAGES: dict[type, tuple[MigrationPhase, str]] = {
    MakeThere: (MigrationPhase.PREPARING, "its images are made there"),
    CompareThere: (MigrationPhase.COMPARING, ""),
    CopyLayersThere: (MigrationPhase.LAYERS, ""),
    SetAside: (MigrationPhase.PREPARING, "its snapshots are set aside"),
    Migrate: (MigrationPhase.PREPARING, "the hosts agree"),
    BringBack: (MigrationPhase.FINISHING, "its snapshots become known there"),
    ProveArrival: (MigrationPhase.FINISHING, "its arrival is proved"),
}


def begun(step: Migrate, *, led: bool = True) -> Migration:
    """It, before anything is known of how far it is."""
    transport, convergence = step.transport, step.convergence
    return Migration(
        step.uuid,
        step.domain,
        step.host,
        p2p=transport.p2p,
        postcopy=convergence.postcopy,
        auto_converge=convergence.auto_converge,
        led=led,
        targets=step.targets,
    )


def with_step(state: HostState, way: Migrate, step: Step) -> HostState:
    """The plan that takes a domain to another host comes to one of its steps."""
    return with_phase(state, way, *_STAGES[type(step)])


def with_phase(state: HostState, way: Migrate, phase: MigrationPhase, doing: str = "") -> HostState:
    """It begins something else, of which nothing is known yet."""
    return _with(state, replace(begun(way), phase=phase, doing=doing))


def with_layers(
    state: HostState, uuid: str, phase: MigrationPhase, layers: LayersOnTheWay | None
) -> HostState:
    """One look at what stands still and goes ahead of a domain; its sample joins those of the looks before."""
    migration = state.migrations.get(uuid)
    if migration is None:
        return state
    if layers is not None and migration.layers is not None:
        layers = replace(layers, samples=(*_earlier(migration.layers), *layers.samples))
    return _with(state, replace(migration, phase=phase, layers=layers))


def with_migration(state: HostState, seen: Migration) -> HostState:
    """One look at a migration: its samples and its round join those of the looks before."""
    before = state.migrations.get(seen.uuid)
    seen = _standing(seen, before)
    synced = before.synced if before else frozenset[str]()
    # What the guest wrote until somebody paused it, or let it go on, says nothing of what is to come.
    known = {disk.target: disk for disk in before.disks} if before and before.paused is seen.paused else {}
    disks = tuple(_joined(disk, known.get(disk.target), synced) for disk in seen.disks)
    changes = seen.phase is MigrationPhase.MEMORY and not seen.paused
    memory = _sent(seen.memory, before.memory if before and changes else None, changes=changes)
    return _with(state, replace(seen, disks=disks, memory=memory, synced=synced))


def with_pause(state: HostState, uuid: str) -> HostState:
    """Somebody has paused the guest of a migration, which does not switch it over by that."""
    migration = state.migrations.get(uuid)
    if migration is None:
        return state
    disks = tuple(replace(disk, samples=()) for disk in migration.disks)
    memory = _sent(migration.memory, None, changes=False)
    return _with(state, replace(migration, paused=True, disks=disks, memory=memory))


def with_disk_event(state: HostState, uuid: str, target: str, event: JobEvent) -> HostState:
    """libvirt said something about a disk; of a migration it tells when that disk is in sync."""
    migration = state.migrations.get(uuid)
    if migration is None or event is not JobEvent.READY:
        return state
    disks = tuple(replace(disk, in_sync=True) if disk.target == target else disk for disk in migration.disks)
    return _with(state, replace(migration, disks=disks, synced=migration.synced | {target}))


def without_migration(state: HostState, uuid: str) -> HostState:
    """A domain is on its way no more."""
    left = {key: value for key, value in state.migrations.items() if key != uuid}
    return replace(state, migrations=left)


def without_other(state: HostState, uuid: str) -> HostState:
    """One that another program has led is over, or is led here from now on."""
    migration = state.migrations.get(uuid)
    return state if migration is None or migration.led else without_migration(state, uuid)


def led_elsewhere(state: HostState, own: frozenset[str]) -> dict[str, Migrate]:
    """By domain UUID: the migrations from here that other programs lead, as the journals of the domains have them.

    Libvirt changes no journal of a domain that is on its way: one that has begun goes on until libvirt says that it
    does not.

    Args:
        state: the picture.
        own: ids of the plans that are being carried out here.
    """
    return {
        entry.uuid: step
        for entry in state.entries
        if entry.id not in own
        and (step := entry.leads)
        and not state.abandons(entry)
        and not state.arrives(entry.uuid)
    }


def _standing(seen: Migration, before: Migration | None) -> Migration:
    """It, with what is known of why its guest stands still."""
    if seen.phase is MigrationPhase.POSTCOPY:
        return replace(seen, paused=False)
    if seen.phase is not MigrationPhase.SWITCHING:
        return seen
    # No memory is sent before all disks are in sync; and who was paused before is not being switched over by that.
    meant = (seen.memory is None and seen.disks) or (before is not None and before.paused)
    return replace(seen, phase=phase_of(seen.disks, seen.memory)) if meant else replace(seen, paused=False)


def _joined(disk: DiskOnTheWay, before: DiskOnTheWay | None, synced: frozenset[str]) -> DiskOnTheWay:
    earlier = _earlier(before) if before else ()
    return replace(disk, samples=(*earlier, *disk.samples), in_sync=disk.in_sync or disk.target in synced)


def _sent(
    memory: MemoryOnTheWay | None, before: MemoryOnTheWay | None, *, changes: bool
) -> MemoryOnTheWay | None:
    """It with the rounds before, or without what libvirt goes on telling of a guest that changes nothing any more."""
    if memory is None:
        return None
    if not changes:
        return replace(memory, dirty_rate=None, rounds=())
    if before is None or before.dirty_rate is None:
        # QEMU may not have taken back yet what it has guessed of the round until it knew that rate.
        return replace(memory, rounds=())
    # Of the same round it tells better now, and a later one is of another attempt.
    earlier = [one for one in before.rounds if one.number < memory.iteration]
    return replace(memory, rounds=(*earlier, *memory.rounds)[-ROUNDS_KEPT:])


def _earlier(before: DiskOnTheWay | LayersOnTheWay) -> tuple[Sample, ...]:
    return before.samples[-SAMPLES_KEPT + 1 :]


def _with(state: HostState, migration: Migration) -> HostState:
    if migration.phase is MigrationPhase.DISKS and migration.all_synced:
        migration = replace(migration, phase=MigrationPhase.IN_SYNC)
    return replace(state, migrations={**state.migrations, migration.uuid: migration})
