"""An endpoint's instances as hosts, and which of them the copies are taken to be on. Pure.

SageMaker tells neither the instances' names nor which copy is on which. So instances are numbered, and copies are
packed onto them as SageMaker can have done it: what fits here may not fit there, and SageMaker has the last word.
"""

from collections.abc import Iterable, Mapping

from longshore.backends.port import BackendError
from longshore.backends.sagemaker.instance_types import InstanceType, instance_type
from longshore.backends.sagemaker.seen import Endpoint
from longshore.planning.observed import ObservedHost
from longshore.planning.room import choose_accelerators
from longshore.spec.base import Value

NOWHERE = "unplaced"
"""The host of a copy for which no instance has room, as far as one can reckon."""


class Need(Value):
    """A copy that needs a place."""

    id: str
    accelerators: int = 0
    memory_gib: float = 0
    hosts: tuple[str, ...] = ()
    """Where the planner reckons with it; tried first."""


class Place(Value):
    """Where a copy is taken to be."""

    host: str
    accelerators: tuple[int, ...] = ()


def hosts(endpoint: Endpoint, *, refused: bool) -> tuple[ObservedHost, ...]:
    """The instances that are there, and those that managed instance scaling could start.

    Args:
        endpoint: as described.
        refused: SageMaker said lately that it has no more instances, so none can be promised.

    Raises:
        BackendError: reason `InstanceTypeUnknown`.
    """
    if not endpoint.instances:
        return ()
    known = {name: known_type(name) for name in endpoint.instances}
    numbered = [
        _host(endpoint, name, number, known[name])
        for name, count in endpoint.instances.items()
        for number in range(count)
    ]
    missing = max(0, (endpoint.most or 0) - len(numbered))
    best = next(iter(endpoint.instances))
    first = endpoint.instances[best]
    obtainable = [
        _host(endpoint, best, first + number, known[best]).model_copy(update={"obtainable": True, "up": not refused})
        for number in range(missing)
    ]
    return (*numbered, *obtainable)


def known_type(name: str) -> InstanceType:
    """What instances of a type have.

    Raises:
        BackendError: reason `InstanceTypeUnknown`.
    """
    found = instance_type(name)
    if found is None:
        message = f"{name}: this build does not know how many accelerators such an instance has; use a known type"
        raise BackendError("InstanceTypeUnknown", message, retryable=False)
    return found


def packed(places: Iterable[ObservedHost], needs: Iterable[Need]) -> dict[str, Place]:
    """Copy → place, in the order of the needs: where the planner reckons with it, else where it fits most tightly.

    Instances that are there come before those that could be started, and each accelerator is given once.
    """
    there = list(places)
    free = {host.name: dict.fromkeys(range(host.accelerators), host.accelerator_memory_gib) for host in there}
    return {need.id: _placed(need, there, free) for need in needs}


def _placed(need: Need, there: list[ObservedHost], free: dict[str, dict[int, float]]) -> Place:
    candidates = []
    for order, host in enumerate(there):
        chosen = choose_accelerators(free[host.name], need.accelerators, need.memory_gib)
        if chosen is not None:
            tightness = len(free[host.name]) if need.accelerators else order
            candidates.append((host.name not in need.hosts, host.obtainable, tightness, order, host.name, chosen))
    if not candidates:
        return Place(host=NOWHERE)
    *_, name, chosen = min(candidates)
    for index in chosen:
        del free[name][index]
    return Place(host=name, accelerators=chosen)


def share(placement: Mapping[str, int], index: int) -> tuple[str, ...]:
    """The host that a placement means for the copy of this index; none beyond its end."""
    spread = [host for host, count in sorted(placement.items()) for _ in range(count)]
    return (spread[index],) if index < len(spread) else ()


def _host(endpoint: Endpoint, name: str, number: int, kind: InstanceType) -> ObservedHost:
    stem = name.removeprefix("ml.") if endpoint.pooled else "instance"
    return ObservedHost(
        name=f"{stem}-{number + 1}",
        accelerators=kind.accelerators,
        accelerator_memory_gib=kind.accelerator_memory_gib,
        instance_type=name,
    )
