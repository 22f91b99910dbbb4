"""The instances of an endpoint that is not there yet, for plans: it will be made as its target says. Pure."""

from longshore.backends.sagemaker.instance_types import instance_type
from longshore.planning.observed import ObservedHost
from longshore.spec.target import TargetSpec


def to_be_made(spec: TargetSpec | None) -> tuple[ObservedHost, ...]:
    """Its instances: those that it begins with, and those that SageMaker may start; none where they are not known."""
    place = spec.sagemaker if spec else None
    instances = place.instances if place else None
    if place is None or place.endpoint is None or instances is None:
        return ()
    name = instances.type or min(instances.pools, key=lambda pool: pool.priority or 1).instance_type
    kind = instance_type(name)
    if kind is None:
        return ()
    return tuple(
        ObservedHost(
            name=f"instance-{number + 1}",
            accelerators=kind.accelerators,
            accelerator_memory_gib=kind.accelerator_memory_gib,
            obtainable=number >= instances.min,
            instance_type=name,
        )
        for number in range(instances.max)
    )
