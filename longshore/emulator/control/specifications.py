"""An inference component's specification: checked, made into a blueprint of copies, and shown again."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from longshore.emulator.control.account import Account
from longshore.emulator.control.variants import container_of
from longshore.emulator.errors import invalid
from longshore.emulator.instances import TYPES
from longshore.emulator.placement import fits_an_empty
from longshore.emulator.protocol import Caller
from longshore.emulator.state import DEFAULT_START_SECONDS, Blueprint, Container, Fleet, Need, instant

Specification = Mapping[str, Any]


def specifications_of(params: Mapping[str, Any]) -> list[Specification]:
    """The one `Specification` or the `Specifications` of a request; empty where it has neither.

    Raises:
        AwsError: it has both, or several without distinct instance types.
    """
    if "Specification" in params and "Specifications" in params:
        raise invalid("Specification and Specifications cannot be specified together.")
    given: list[Specification] = list(params.get("Specifications", []))
    kinds = [each.get("InstanceType") for each in given]
    if len(given) > 1 and (None in kinds or len(set(kinds)) < len(kinds)):
        raise invalid("Each of several Specifications must have an InstanceType of its own.")
    return given or ([params["Specification"]] if "Specification" in params else [])


def blueprint_of(account: Account, caller: Caller, specifications: Sequence[Specification], fleet: Fleet) -> Blueprint:
    """How copies are made by specifications.

    Raises:
        AwsError: a model is missing, or no instance of the variant could ever hold a copy.
    """
    by_type = {each.get("InstanceType"): (_need(each), _container(account, caller, each)) for each in specifications}
    first = specifications[0]
    startup = first.get("StartupParameters", {})
    scheduling = first.get("SchedulingConfig", {})
    blueprint = Blueprint(
        by_type,
        start_seconds=float(startup.get("ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_START_SECONDS)),
        spread=scheduling.get("PlacementStrategy") == "SPREAD",
    )
    if not any(fits_an_empty(blueprint, kind, TYPES[kind]) for kind in fleet.pools):
        raise invalid(
            "The requested compute resources of the inference component are more than an instance of type "
            f"{', '.join(fleet.pools)} has."
        )
    return blueprint


def _need(specification: Specification) -> Need:
    required = specification.get("ComputeResourceRequirements")
    if required is None:
        raise invalid("ComputeResourceRequirements is required, unless the component is an adapter.")
    if "AcceleratorPartitionType" in required:
        raise invalid("The emulator has no partitions of accelerators.")
    least, most = required["MinMemoryRequiredInMb"], required.get("MaxMemoryRequiredInMb")
    if most is not None and least > most:
        raise invalid("MinMemoryRequiredInMb must be less than or equal to MaxMemoryRequiredInMb.")
    return Need(
        accelerators=math.ceil(required.get("NumberOfAcceleratorDevicesRequired", 0)),
        cpus=float(required.get("NumberOfCpuCoresRequired", 0)),
        memory_mib=int(least),
    )


def _container(account: Account, caller: Caller, specification: Specification) -> Container:
    own = specification.get("Container", {})
    if "ModelName" in specification:
        base = container_of(account.model(caller, specification["ModelName"]))
        return Container(
            own.get("Image", base.image),
            own.get("ArtifactUrl", base.model_url),
            {**base.environment, **own.get("Environment", {})},
            base.model_name,
        )
    if "Image" not in own:
        raise invalid("A specification must have a ModelName, or a Container with an Image.")
    return Container(own["Image"], own.get("ArtifactUrl"), dict(own.get("Environment", {})))


def shown(specification: Specification, created: float) -> dict[str, Any]:
    """A specification as Describe has it: the image stands with its digest beside it."""
    answer = {
        name: specification[name]
        for name in (
            "InstanceType",
            "ModelName",
            "StartupParameters",
            "ComputeResourceRequirements",
            "BaseInferenceComponentName",
            "DataCacheConfig",
            "SchedulingConfig",
        )
        if name in specification
    }
    if container := specification.get("Container"):
        kept = ("ArtifactUrl", "Environment", "ContainerMetricsConfig")
        summary = {name: container[name] for name in kept if name in container}
        if "Image" in container:
            summary["DeployedImage"] = deployed_image(container["Image"], created)
        answer["Container"] = summary
    return answer


def deployed_image(image: str, created: float) -> dict[str, Any]:
    """A `DeployedImage`: its digest is the image's own where it has one, else the emulator's word for that name."""
    name, at, _ = image.partition("@")
    digest = image if at else f"{name.rsplit(':', 1)[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"
    return {"SpecifiedImage": image, "ResolvedImage": digest[:255], "ResolutionTime": instant(created)}
