"""The documents: kind, metadata and spec."""

from typing import Annotated, Final, Literal

from pydantic import Field

from longshore.spec.base import Spec
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.quantities import Name, Version
from longshore.spec.target import TargetSpec

API_VERSION: Final = "longshore/v1"


class NamedMetadata(Spec):
    """What identifies a target."""

    name: Name = Field(description="Its name, unique among targets.")


class DeploymentMetadata(Spec):
    """What identifies a deployment, and the labels people filter by."""

    name: Name = Field(description="Its name, unique among deployments.")
    labels: dict[str, str] = Field(default={}, description="Labels to filter by, texts by name.")


class ModelVersionMetadata(Spec):
    """What identifies a model version."""

    model: Name = Field(description="The model it is a version of.")
    version: Version = Field(description="Its label; with the model, what it is known by.")


class Target(Spec):
    """A place with GPUs."""

    api_version: Literal["longshore/v1"] = API_VERSION
    kind: Literal["Target"] = "Target"
    metadata: NamedMetadata
    spec: TargetSpec


class ModelVersion(Spec):
    """One immutable version of a model."""

    api_version: Literal["longshore/v1"] = API_VERSION
    kind: Literal["ModelVersion"] = "ModelVersion"
    metadata: ModelVersionMetadata
    spec: ModelVersionSpec


class Deployment(Spec):
    """One model on one target."""

    api_version: Literal["longshore/v1"] = API_VERSION
    kind: Literal["Deployment"] = "Deployment"
    metadata: DeploymentMetadata
    spec: DeploymentSpec


Document = Annotated[Target | ModelVersion | Deployment, Field(discriminator="kind")]
