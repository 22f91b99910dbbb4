"""What the agent says of itself and its machine, for `doctor` and for people."""

import os

import longshore
from longshore.backends.local import memory
from longshore.backends.local.fleet import Fleet
from longshore.spec.base import Value


class Gpu(Value):
    """One GPU that NVML found."""

    uuid: str
    memory_gib: float


class AgentFacts(Value):
    """The agent, its GPUs, and which of a copy's resources this system really holds it to."""

    version: str
    machine: str
    gpus: tuple[Gpu, ...]
    copies: int
    accelerators_enforced: str
    cpus_enforced: str
    memory_enforced: str


def facts_of(fleet: Fleet) -> AgentFacts:
    """The facts as of now."""
    return AgentFacts(
        version=longshore.__version__,
        machine=fleet.machine,
        gpus=tuple(Gpu(uuid=gpu.key, memory_gib=gpu.memory_gib) for gpu in fleet.gpus),
        copies=sum(len(state.copies) for state in fleet.durable.states()),
        accelerators_enforced="exclusive: each copy sees its own in CUDA_VISIBLE_DEVICES",
        cpus_enforced=(
            "whole CPUs, by affinity" if hasattr(os, "sched_setaffinity") else "no: this system has no CPU affinity"
        ),
        memory_enforced=(
            "by the agent: a copy that holds more is ended within seconds"
            if memory.LIMITED
            else "no: this system does not tell what of a copy's memory it cannot take back"
        ),
    )
