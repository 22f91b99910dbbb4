"""What a version is in SageMaker's words: an inference component's specification, and its model object. Pure."""

from typing import Any, Final

from longshore.backends.port import BackendError, CopiesLevel, Handover
from longshore.backends.sagemaker.names import Names
from longshore.planning.observed import Difference
from longshore.planning.servable import ARCHIVE, not_for_sagemaker
from longshore.spec.model_version import ModelVersionSpec

MIB: Final = 1024
LEAST_MEMORY_MIB: Final = 128
"""Shape MemoryInMb."""

NAME: Final = "MODEL_NAME"
VERSION: Final = "MODEL_VERSION"
DIGEST: Final = "LONGSHORE_MODEL_DIGEST"
"""What every container is told of what it serves, under the names that it has on every backend."""

Served = CopiesLevel | Handover
"""Either says which version of which deployment is to be served."""

Wanted = dict[str, Any]
"""A specification as CreateInferenceComponent takes it."""


def needs_model(spec: ModelVersionSpec) -> bool:
    """Whether the version needs a model object: a component itself fetches archives only (shape ArtifactUrl)."""
    return not spec.artifact.uri.endswith(ARCHIVE)


def specification(names: Names, of: Served, base: str | None) -> Wanted:
    """The specification of a version's component; `base` is the component that an adapter is loaded into."""
    spec = of.spec
    if base is not None:
        return {"BaseInferenceComponentName": base, "Container": {"ArtifactUrl": spec.artifact.uri}}
    wanted: Wanted = {}
    if needs_model(spec):
        wanted["ModelName"] = names.model(of.deployment, of.version)
    else:
        wanted["Container"] = {
            "Image": spec.server.image,
            "ArtifactUrl": spec.artifact.uri,
            "Environment": _environment(of),
        }
    wanted["ComputeResourceRequirements"] = _compute(spec)
    own = spec.sagemaker
    if own is None:
        return wanted
    startup = {
        "ModelDataDownloadTimeoutInSeconds": own.download_timeout,
        "ContainerStartupHealthCheckTimeoutInSeconds": own.startup_timeout,
    }
    if any(startup.values()):
        wanted["StartupParameters"] = {key: int(value) for key, value in startup.items() if value is not None}
    if own.caching is not None:
        wanted["DataCacheConfig"] = {"EnableCaching": own.caching}
    if own.placement is not None:
        wanted["SchedulingConfig"] = {"PlacementStrategy": own.placement.upper()}
    return wanted


def model_object(names: Names, of: Served, role: str) -> dict[str, Any]:
    """The CreateModel request of a version whose artifact is a single file, or a prefix (it ends with a slash)."""
    spec = of.spec
    source = {
        "S3Uri": spec.artifact.uri,
        "S3DataType": "S3Prefix" if spec.artifact.uri.endswith("/") else "S3Object",
        "CompressionType": "None",
    }
    return {
        "ModelName": names.model(of.deployment, of.version),
        "ExecutionRoleArn": role,
        "PrimaryContainer": {
            "Image": spec.server.image,
            "Environment": _environment(of),
            "ModelDataSource": {"S3DataSource": source},
        },
    }


def _environment(of: Served) -> dict[str, str]:
    """A container's environment; what the version itself says wins."""
    return {NAME: of.model, VERSION: of.version, DIGEST: of.spec.artifact.digest, **of.spec.server.env}


def differences(deployment: str, version: str, wanted: Wanted, found: dict[str, Any]) -> tuple[Difference, ...]:
    """Where a described specification is another than the one we asked for.

    Only what we asked for is compared, for SageMaker fills in the rest; of the environment also what was added.
    """
    asked, there = _leaves(_as_described(wanted)), _leaves(found)
    environment = {path for path in there if path.startswith("Container.Environment.")}
    paths = [*asked, *sorted(environment - asked.keys())]
    return tuple(
        Difference(
            deployment=deployment,
            version=version,
            what=f"Specification.{path}",
            wanted=_told(asked.get(path)),
            found=_told(there.get(path)),
        )
        for path in paths
        if asked.get(path) != there.get(path)
    )


def accelerators(found: dict[str, Any]) -> int:
    """Accelerators of each copy of a described component."""
    return int(found.get("ComputeResourceRequirements", {}).get("NumberOfAcceleratorDevicesRequired", 0))


def checked(model: str, version: str, spec: ModelVersionSpec) -> None:
    """Refuse a version that SageMaker cannot serve.

    Raises:
        BackendError: reason `NotForSageMaker`.
    """
    if found := not_for_sagemaker(spec):
        field, why = found
        raise BackendError("NotForSageMaker", f"{model} {version}: {field}: {why}", retryable=False)


def _compute(spec: ModelVersionSpec) -> dict[str, Any]:
    need, own = spec.resources, spec.sagemaker
    least = max(LEAST_MEMORY_MIB, round((need.memory_gib or 0) * MIB))
    compute: dict[str, Any] = {"MinMemoryRequiredInMb": least}
    if own is not None and own.max_memory_gib is not None:
        compute["MaxMemoryRequiredInMb"] = round(own.max_memory_gib * MIB)
    if need.accelerators:
        compute["NumberOfAcceleratorDevicesRequired"] = float(need.accelerators)
    if need.cpus is not None:
        compute["NumberOfCpuCoresRequired"] = need.cpus
    return compute


def _as_described(wanted: Wanted) -> dict[str, Any]:
    """A specification as DescribeInferenceComponent would answer it: the image is told as it was specified."""
    container = wanted.get("Container")
    if not container or "Image" not in container:
        return wanted
    told = {key: value for key, value in container.items() if key != "Image"}
    return {**wanted, "Container": {**told, "DeployedImage": {"SpecifiedImage": container["Image"]}}}


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        inner = (_leaves(child, f"{path}.{key}" if path else key) for key, child in value.items())
        return {key: leaf for leaves in inner for key, leaf in leaves.items()}
    return {path: value}


def _told(value: Any) -> str:
    return "nothing" if value is None else str(value)
