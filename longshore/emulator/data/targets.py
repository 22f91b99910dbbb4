"""What a call is for, and how it is refused."""

from typing import Any, NamedTuple

from longshore.emulator.errors import AwsError


class Share(NamedTuple):
    """Copies that take a part of an endpoint's calls: a variant's, a component's, or one side of a traffic shift."""

    variant: str
    copies: tuple[str, ...]
    """Ids of those in service."""
    weight: float = 1.0


class Target(NamedTuple):
    """What a call is for."""

    endpoint: str
    shares: tuple[Share, ...]
    component: str | None = None
    """The component that was asked for."""
    adapter: str | None = None
    """The component, if it is an adapter: its base's copies are asked, and told for which adapter."""
    strategy: str = "LEAST_OUTSTANDING_REQUESTS"
    output: "dict[str, Any] | None" = None
    """The `AsyncInferenceConfig` of an asynchronous endpoint."""


class CallError(AwsError):
    """A call that is answered with an error of the runtime: AWS's code and sentence, a status, and the shape's rest."""

    def __init__(self, code: str, message: str, status: int = 400, **members: object) -> None:
        super().__init__(code, message, status)
        self.members = members


NO_CAPACITY = (
    "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress "
    "(if configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
)
"""What AWS says while a component is scaled to zero, word for word: clients look for it."""
