"""What only SageMaker needs to know: of a target, where it is; of a version, how its component starts and is placed."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from longshore.spec.base import Spec
from longshore.spec.quantities import Duration

ENDPOINT_NAME = r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"
COMPONENT_NAME = r"^[a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?$"
REGION = r"^[a-z]{2}(-[a-z]+)+-\d$"
ROLE_ARN = r"^arn:aws[a-z\-]*:iam::\d{12}:role/[a-zA-Z0-9+=,.@\-_/]+$"
INSTANCE_TYPE = r"^ml\.[a-z0-9\-]+\.[a-z0-9]+$"

RoleArn = Annotated[str, Field(pattern=ROLE_ARN)]
InstanceType = Annotated[str, Field(pattern=INSTANCE_TYPE)]


class InstancePool(Spec):
    """Instances of one type that an endpoint may be made of; the first type that is to be had is taken."""

    instance_type: InstanceType = Field(description="`ml.g5.12xlarge`, …")
    priority: int | None = Field(default=None, ge=1, description="1 is tried first; left out: in the order written.")


class Instances(Spec):
    """The instances of an endpoint that Longshore makes."""

    type: InstanceType | None = Field(default=None, description="Their type; or give pools.")
    pools: tuple[InstancePool, ...] = Field(default=(), max_length=5, description="Several types, by priority.")
    min: int = Field(default=1, ge=0, description="Fewest instances; 0 lets an idle endpoint cost nothing.")
    max: int = Field(default=1, ge=1, description="Most instances that SageMaker may start for copies.")
    routing: Literal["LEAST_OUTSTANDING_REQUESTS", "RANDOM"] = Field(
        default="LEAST_OUTSTANDING_REQUESTS", description="How SageMaker chooses a copy for a request."
    )
    scale_in: Literal["consolidation", "idleRelease"] = Field(
        default="consolidation",
        description="consolidation: SageMaker moves copies together, so that an instance that an update needed can go "
        "again. idleRelease: only an instance without a copy goes.",
    )
    inference_ami_version: str | None = Field(default=None, max_length=63, description="SageMaker's host image.")

    @model_validator(mode="after")
    def _are_of_some_type(self) -> Self:
        if (self.type is None) == (not self.pools):
            raise ValueError("instances need a type, or pools of several types: give one of the two")
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}: raise max")
        return self


class SageMakerTarget(Spec):
    """A SageMaker endpoint that many models share, or the place where each deployment has an endpoint of its own."""

    region: str = Field(pattern=REGION, description="AWS region: `eu-central-1`.")
    endpoint: Annotated[str, Field(pattern=ENDPOINT_NAME, max_length=63)] | None = Field(
        default=None,
        description="The endpoint whose instances the deployments share, as inference components. Left out: each "
        "deployment has a classic endpoint of its own, and its copies are instances.",
    )
    instances: Instances | None = Field(
        default=None, description="Make the endpoint of these. Left out: it is there, and stays as it is."
    )
    variant: str = Field(
        default="AllTraffic", pattern=ENDPOINT_NAME, max_length=63, description="The endpoint's production variant."
    )
    role: RoleArn | None = Field(
        default=None, description="Role that Longshore takes on to call AWS; left out: its own credentials."
    )
    execution_role: RoleArn | None = Field(
        default=None, description="Role that SageMaker takes on to fetch models and images, where Longshore makes them."
    )

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if self.instances is not None and self.execution_role is None:
            raise ValueError("instances are made with executionRole: the role that SageMaker fetches models with")
        if self.endpoint is None and self.instances is None:
            raise ValueError("give endpoint, the shared one, or instances and executionRole for classic endpoints")
        return self


class Adapter(Spec):
    """The model whose component an adapter (LoRA) is loaded into."""

    deployment: str = Field(min_length=1, description="The base model's deployment on the same target.")


class SageMakerServing(Spec):
    """How SageMaker starts and places the copies of a version."""

    download_timeout: Duration | None = Field(
        default=None, ge=60, le=3600, description="Longest time to fetch the artifact: 1m to 1h."
    )
    startup_timeout: Duration | None = Field(
        default=None, ge=60, le=3600, description="Longest time until a started container is healthy: 1m to 1h."
    )
    placement: Literal["spread", "binpack"] | None = Field(
        default=None, description="spread: over as many instances as there are; binpack: on as few as will do."
    )
    caching: bool | None = Field(default=None, description="Keep artifact and image on instances for later copies.")
    max_memory_gib: float | None = Field(
        default=None, gt=0, alias="maxMemoryGiB", description="Most memory of a copy; resources.memoryGiB is the least."
    )
    adapter_of: Adapter | None = Field(
        default=None, description="It is an adapter: artifact alone, loaded into another deployment's copies."
    )
