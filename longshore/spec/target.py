"""A target: a place with GPUs."""

from typing import Annotated, Literal

from pydantic import Field

from longshore.spec.base import Spec
from longshore.spec.quantities import Name
from longshore.spec.release import not_yet

Backend = Literal["local", "simulated"]


class Host(Spec):
    """One host with its accelerators, all alike."""

    name: Name = Field(description="Names the host on its target.")
    accelerators: int = Field(ge=0, le=1024, description="GPUs of this host.")
    accelerator_memory_gib: float = Field(
        default=0, ge=0, alias="acceleratorMemoryGiB", description="Memory of each GPU, in GiB."
    )


class TargetSpec(Spec):
    """Where copies run. Without `hosts`, the local backend asks NVML which GPUs this machine has."""

    backend: Annotated[Backend, not_yet("sagemaker", "kubernetes", instead="local")] = Field(
        description="Who runs the copies: this machine, or a simulated fleet."
    )
    hosts: tuple[Host, ...] = Field(
        default=(), description="Declared accelerators, for a machine without GPUs or to use only some of them."
    )
