"""What a version would have to say to be an inference component that somebody else made or changed. Pure.

It is the way back of `specification`: what was asked for of SageMaker, from what SageMaker describes.
"""

from collections.abc import Mapping
from typing import Any, Final

from longshore.backends.port import BackendError
from longshore.backends.sagemaker.seen import Component
from longshore.backends.sagemaker.specification import DIGEST, MIB, NAME, VERSION
from longshore.spec.model_version import Artifact, ModelVersionSpec, Resources, Server
from longshore.spec.sagemaker import SageMakerServing

UNSURE: Final = "sha256:" + "0" * 64
"""In place of a digest that plays no part in a comparison."""
TOLD_ONLY: Final = frozenset({"ResolvedImage", "ResolutionTime"})
"""Of a deployed image, what nobody asks for."""

Model = Mapping[str, Any]
"""The answer of DescribeModel."""


def obstacle(found: Component) -> str | None:
    """Why no version can say what a component is; None where one can, as far as its model allows."""
    wanted = found.specification
    if found.moving:
        return f"SageMaker is changing it ({found.status}): wait for that"
    if found.status == "Failed":
        return f"it failed: {found.failure or 'SageMaker says no more'}"
    if "BaseInferenceComponentName" in wanted:
        return "it is an adapter of another component: deploy it with sagemaker.adapterOf instead"
    if not wanted:
        return "its specification differs by instance type, which a version cannot say"
    devices = wanted.get("ComputeResourceRequirements", {}).get("NumberOfAcceleratorDevicesRequired", 0)
    if devices != int(devices):
        return f"a copy has {devices:g} accelerators, and only whole ones can be counted"
    return None


def as_asked(found: Mapping[str, Any]) -> dict[str, Any]:
    """A described specification as UpdateInferenceComponent would take it: what a page keeps."""
    container = found.get("Container")
    if container is None:
        return dict(found)
    asked = {key: value for key, value in container.items() if key != "DeployedImage"}
    image = container.get("DeployedImage", {}).get("SpecifiedImage")
    return {**found, "Container": {**asked, **({"Image": image} if image else {})}}


def version_of(
    found: Component, model: Model | None, digest: str, base: ModelVersionSpec | None = None
) -> ModelVersionSpec:
    """The version that a component is.

    Args:
        found: as described.
        model: the model object that its specification names, if it does.
        digest: of its artifact.
        base: what SageMaker does not know of it is as this version says.

    Raises:
        BackendError: reason `CannotBeTaken`; says what no version can say.
    """
    container = _container(found.specification, model)
    image, uri = container.get("image"), container.get("uri")
    if image is None:
        raise cannot(found.name, "its model is a package or a pipeline, and has no image of its own")
    if uri is None:
        raise cannot(found.name, "it has no artifact on S3 that a digest could pin")
    told: dict[str, Any] = {"image": image, "env": _own_env(container.get("env", {}), digest, base)}
    spec = ModelVersionSpec(
        artifact=Artifact(uri=uri, digest=digest),
        server=base.server.model_copy(update=told) if base else Server(ready="/ping", protocol="http", **told),
        resources=_resources(found.specification, base.resources if base else Resources()),
        sagemaker=_serving(found.specification),
    )
    if base is None:
        return spec
    same = spec.artifact == base.artifact
    kept = {"side_by_side": base.side_by_side, "evaluation": base.evaluation if same else {}}
    return spec.model_copy(update=kept)


def artifact_of(found: Component, model: Model | None) -> str | None:
    """Where its artifact lies; None where it has none of its own."""
    uri: str | None = _container(found.specification, model).get("uri")
    return uri


def cannot(name: str, why: str) -> BackendError:
    """It cannot be taken over."""
    return BackendError("CannotBeTaken", f"{name} cannot be taken over: {why}", retryable=False)


def _container(found: Mapping[str, Any], model: Model | None) -> dict[str, Any]:
    """`image`, `uri` and `env`, of the component itself or of its model object."""
    if model is None:
        own = as_asked(found).get("Container", {})
        return _without_nothing(image=own.get("Image"), uri=own.get("ArtifactUrl"), env=own.get("Environment"))
    containers = [model["PrimaryContainer"]] if "PrimaryContainer" in model else model.get("Containers", [])
    if len(containers) != 1:
        return {}
    own = containers[0]
    source = own.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri")
    return _without_nothing(image=own.get("Image"), uri=source or own.get("ModelDataUrl"), env=own.get("Environment"))


def _own_env(env: Mapping[str, str], digest: str, base: ModelVersionSpec | None) -> dict[str, str]:
    """The environment without what we add to every version's, which shows by the digest of what it serves."""
    if env.get(DIGEST) != digest:
        return dict(env)
    said = base.server.env if base else {}
    return {key: value for key, value in env.items() if key in said or key not in {NAME, VERSION, DIGEST}}


def _resources(found: Mapping[str, Any], base: Resources) -> Resources:
    compute = found.get("ComputeResourceRequirements", {})
    told = {
        "accelerators": int(compute.get("NumberOfAcceleratorDevicesRequired", 0)),
        "cpus": compute.get("NumberOfCpuCoresRequired"),
        "memory_gib": compute["MinMemoryRequiredInMb"] / MIB if "MinMemoryRequiredInMb" in compute else None,
    }
    return base.model_copy(update=told)


def _serving(found: Mapping[str, Any]) -> SageMakerServing | None:
    """What only SageMaker needs to know; None where that is nothing."""
    startup, most = found.get("StartupParameters", {}), found.get("ComputeResourceRequirements", {})
    placement = found.get("SchedulingConfig", {}).get("PlacementStrategy")
    told = _without_nothing(
        download_timeout=startup.get("ModelDataDownloadTimeoutInSeconds"),
        startup_timeout=startup.get("ContainerStartupHealthCheckTimeoutInSeconds"),
        placement=placement.lower() if placement else None,
        caching=found.get("DataCacheConfig", {}).get("EnableCaching"),
        max_memory_gib=most["MaxMemoryRequiredInMb"] / MIB if "MaxMemoryRequiredInMb" in most else None,
    )
    return SageMakerServing.model_validate(told) if told else None


def _without_nothing(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
