"""What the adapter and the agent say to each other over the socket, beside the values of the port."""

from longshore.spec.base import Value
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import Host

FENCE_REFUSED = "FenceRefused"
"""Reason of the trouble that becomes a FenceRefusedError again."""


class Declaration(Value):
    """A target's declared hosts."""

    hosts: tuple[Host, ...]


class Verification(Value):
    """A model version to be checked before it is served."""

    spec: ModelVersionSpec


class Lines(Value):
    """The end of a log, oldest line first."""

    lines: list[str]


class Rested(Value):
    """How many copies still run after the machine was asked to rest."""

    running: int


class Trouble(Value):
    """Why the agent did not do it."""

    reason: str
    message: str
    retryable: bool
