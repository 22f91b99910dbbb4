"""Which accelerators a new copy gets. Pure."""

from collections.abc import Collection, Mapping, Sequence

from longshore.backends.local.record import Slot
from longshore.planning.room import choose_accelerators
from longshore.spec.base import Value
from longshore.spec.model_version import Resources
from longshore.spec.target import Host


class Device(Value):
    """One accelerator: a GPU that NVML found, or a declared one without silicon behind it."""

    key: str
    """The same for the same silicon, whatever a target calls it: the GPU's UUID, or target/host/index."""
    memory_gib: float
    cuda: str
    """Its name in CUDA_VISIBLE_DEVICES: a UUID, or an index for a declared one."""


class Place(Value):
    """One host of a target, with its devices in the order of their indices."""

    name: str
    memory_gib: float = 0
    """Memory of each device, as declared or as the smallest has."""
    devices: tuple[Device, ...] = ()


def places_of(target: str, declared: Sequence[Host], machine: str, found: Sequence[Device]) -> tuple[Place, ...]:
    """The hosts of a target: declared ones, or this machine with the GPUs that were found.

    Declared accelerators are real GPUs, in order, where the machine has enough that suffice for all of them;
    otherwise all are virtual, as on a laptop.
    """
    if not declared:
        least = min((gpu.memory_gib for gpu in found), default=0.0)
        return (Place(name=machine, memory_gib=least, devices=tuple(found)),)
    return _on_gpus(declared, found) or tuple(_virtual(target, host) for host in declared)


def place(
    places: Sequence[Place],
    taken: Collection[str],
    resources: Resources,
    *,
    wanted: Mapping[str, int],
    serving: Mapping[str, int],
) -> Slot | None:
    """The slot of one more copy; None when none is free.

    Hosts still below `wanted` copies come first (`serving` says how many each has). Then best fit: the least free room
    that suffices, name as tie-break; copies without accelerators spread evenly (DESIGN, rule 3).
    """
    candidates = []
    for host in places:
        free = {index: device.memory_gib for index, device in enumerate(host.devices) if device.key not in taken}
        chosen = choose_accelerators(free, resources.accelerators, resources.accelerator_memory_gib)
        if chosen is None:
            continue
        below = serving.get(host.name, 0) < wanted.get(host.name, 0)
        crowd = len(free) if resources.accelerators else serving.get(host.name, 0)
        candidates.append((not below, crowd, host.name, host, chosen))
    if not candidates:
        return None
    _, _, name, host, chosen = min(candidates, key=lambda candidate: candidate[:3])
    devices = [host.devices[index] for index in chosen]
    return Slot(
        host=name,
        accelerators=tuple(chosen),
        devices=tuple(device.key for device in devices),
        cuda_visible_devices=",".join(device.cuda for device in devices),
    )


def choose_cpus(available: Collection[int], load: Mapping[int, int], cpus: float | None) -> tuple[int, ...]:
    """The CPUs a copy is held to: whole ones, the least used first. Empty when it may use all."""
    need = -int(-cpus // 1) if cpus is not None else len(available)
    if need >= len(available):
        return ()
    return tuple(sorted(sorted(available, key=lambda cpu: (load.get(cpu, 0), cpu))[:need]))


def _on_gpus(declared: Sequence[Host], found: Sequence[Device]) -> tuple[Place, ...]:
    """The declared hosts on real GPUs; empty when there are too few."""
    left = list(found)
    places = []
    for host in declared:
        fitting = [gpu for gpu in left if gpu.memory_gib >= host.accelerator_memory_gib][: host.accelerators]
        if len(fitting) < host.accelerators:
            return ()
        left = [gpu for gpu in left if gpu not in fitting]
        places.append(Place(name=host.name, memory_gib=host.accelerator_memory_gib, devices=tuple(fitting)))
    return tuple(places)


def _virtual(target: str, host: Host) -> Place:
    devices = (
        Device(key=f"{target}/{host.name}/{index}", memory_gib=host.accelerator_memory_gib, cuda=str(index))
        for index in range(host.accelerators)
    )
    return Place(name=host.name, memory_gib=host.accelerator_memory_gib, devices=tuple(devices))
