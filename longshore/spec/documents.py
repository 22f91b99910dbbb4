"""The documents: kind, metadata and spec."""

from typing import Annotated, Final, Literal

from pydantic import Field

from longshore.spec.base import Spec
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.freeze import FreezeSpec
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.quantities import Name, Version
from longshore.spec.target import TargetSpec

API_VERSION: Final = "longshore/v1"


class NamedMetadata(Spec):
    """What identifies a target or a freeze."""

    name: Name = Field(description="Its name, unique among its kind.")


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


class Freeze(Spec):
    """Times in which no rollout begins. Undo, abort, scale, retire and onboarding are never held."""

    api_version: Literal["longshore/v1"] = API_VERSION
    kind: Literal["Freeze"] = "Freeze"
    metadata: NamedMetadata
    spec: FreezeSpec


Document = Annotated[Target | ModelVersion | Deployment | Freeze, Field(discriminator="kind")]
