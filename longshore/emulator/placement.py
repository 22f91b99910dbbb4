"""Which instance a copy goes to: a pure decision over what the instances have left.

Source: the shape `InferenceComponentPlacementStrategy`: SPREAD distributes copies evenly, BINPACK packs them onto fewer
instances. What is done without a `SchedulingConfig` is not documented; here copies are packed. Accelerators are whole.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from longshore.emulator.instances import Room
from longshore.emulator.state import Blueprint, Copy, Instance, Need

MIB_A_GIB = 1024


class Free(NamedTuple):
    """What an instance has left."""

    accelerators: tuple[int, ...]
    """The indices of those that nobody has."""
    cpus: float
    memory_mib: float
    empty: bool


def free_on(room: Room, needs: Iterable[tuple[Need, tuple[int, ...]]]) -> Free:
    """What is left of an instance, given what its copies need and which accelerators they have."""
    held = list(needs)
    taken = {index for _, indices in held for index in indices}
    if any(need.whole_instance for need, _ in held):
        return Free((), 0.0, 0.0, empty=False)
    return Free(
        accelerators=tuple(index for index in range(room.accelerators) if index not in taken),
        cpus=room.vcpus - sum(need.cpus for need, _ in held),
        memory_mib=room.memory_gib * MIB_A_GIB - sum(need.memory_mib for need, _ in held),
        empty=not held,
    )


def fits(need: Need, free: Free) -> bool:
    """Whether a copy goes into what is left."""
    if need.whole_instance:
        return free.empty
    return len(free.accelerators) >= need.accelerators and free.cpus >= need.cpus and free.memory_mib >= need.memory_mib


def take(need: Need, free: Free) -> Free:
    """What is left once a copy went in."""
    return Free(
        free.accelerators[need.accelerators :] if not need.whole_instance else (),
        free.cpus - need.cpus,
        free.memory_mib - need.memory_mib,
        empty=False,
    )


def fits_an_empty(blueprint: Blueprint, instance_type: str, room: Room) -> bool:
    """Whether a copy would go on an instance of a type that has nothing on it."""
    made = blueprint.on(instance_type)
    return made is not None and fits(made[0], free_on(room, ()))


def place(copy: Copy, instances: Sequence[Instance], placed: Sequence[Copy]) -> tuple[Instance, tuple[int, ...]] | None:
    """Where a copy goes, and which accelerators it gets; None if nowhere has room.

    Args:
        copy: without an instance yet.
        instances: those that may take it, in the order in which they came.
        placed: the copies that hold room on them.
    """
    options = []
    for order, instance in enumerate(instances):
        made = copy.blueprint.on(instance.type)
        if made is None:
            continue
        here = [other for other in placed if other.instance is instance]
        free = free_on(instance.room, [(other.need, other.accelerators) for other in here])
        if not fits(made[0], free):
            continue
        siblings = sum(other.component == copy.component for other in here)
        # Spread looks for the fewest of its own kind and then the emptiest; packing for the least that is left.
        left = (len(free.accelerators), free.memory_mib)
        rank = (siblings, -left[0], -left[1]) if copy.blueprint.spread else (left[0], left[1], 0.0)
        options.append((rank, order, instance, free.accelerators[: made[0].accelerators]))
    if not options:
        return None
    _, _, instance, accelerators = min(options, key=lambda option: option[:2])
    return instance, accelerators
