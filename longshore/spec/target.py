"""A target: a place with GPUs."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from longshore.spec.base import Spec
from longshore.spec.quantities import Name
from longshore.spec.release import not_yet
from longshore.spec.sagemaker import SageMakerTarget

Backend = Literal["local", "sagemaker", "simulated"]


class Host(Spec):
    """One host with its accelerators, all alike."""

    name: Name = Field(description="Names the host on its target.")
    accelerators: int = Field(ge=0, le=1024, description="GPUs of this host.")
    accelerator_memory_gib: float = Field(
        default=0, ge=0, alias="acceleratorMemoryGiB", description="Memory of each GPU, in GiB."
    )


class TargetSpec(Spec):
    """Where copies run. Without `hosts`, the local backend asks NVML which GPUs this machine has."""

    backend: Annotated[Backend, not_yet("kubernetes", instead="local or sagemaker")] = Field(
        description="Who runs the copies: this machine, SageMaker, or a simulated fleet."
    )
    hosts: tuple[Host, ...] = Field(
        default=(), description="Declared accelerators, for a machine without GPUs or to use only some of them."
    )
    sagemaker: SageMakerTarget | None = Field(default=None, description="Backend sagemaker: where it is.")

    @model_validator(mode="after")
    def _fields_fit_the_backend(self) -> Self:
        if (self.backend == "sagemaker") != (self.sagemaker is not None):
            raise ValueError("backend: sagemaker and the field sagemaker go together: add the one, or remove the other")
        if self.backend == "sagemaker" and self.hosts:
            raise ValueError("hosts are not declared on SageMaker, its instances are: use sagemaker.instances")
        return self
