"""The seam to the GPUs: what a backend must do, and the values that cross it.

Every verb is a level ("version 2 serves with 3 copies"), safe to repeat, never an edge ("add one"), and carries a
fence, so that a late retry of an older step changes nothing.
"""

from typing import Any, Literal, Protocol

from longshore.planning.fence import Fence
from longshore.planning.observed import Copy, Observation
from longshore.spec.base import Value
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import Host


class CopiesLevel(Value):
    """The level wanted of one version of one deployment on a target.

    `copies` is how many shall serve, or be on their way to. Copies above it are surplus: first those that are already
    draining, then those that failed or are not ready, then the newest. Surplus copies are drained (kept alive without
    being counted), or ended.
    """

    deployment: str
    model: str
    version: str
    copies: int
    surplus: Literal["drain", "end"] = "end"
    placement: dict[str, int] = {}
    """Host → serving copies, where the caller chose; empty leaves it to the backend."""
    spec: ModelVersionSpec
    fence: Fence
    take: bool = False
    """Undo what somebody else changed of it. Else that is left alone, and told as a difference."""


class HttpAnswer(Value):
    """What a copy answered to one request sent straight to it."""

    status: int
    body: bytes = b""
    seconds: float = 0.0

    def json_body(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: it is not JSON.
        """
        import json

        return json.loads(self.body)


class BackendError(Exception):
    """A backend could not do it. `retryable` says whether trying the same again can help."""

    def __init__(self, reason: str, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retryable = retryable


class Backend(Protocol):
    """One target's GPUs.

    Every method raises `BackendError`. None waits for copies to come or go: waiting is the workflow's.
    """

    async def declare(self, hosts: tuple[Host, ...]) -> None:
        """Make the target's declared hosts known; an empty tuple means those the machine has."""

    async def verify(self, model: str, version: str, spec: ModelVersionSpec) -> None:
        """Check that the artifact is there and has the digest that pins it, and that it can be started.

        Raises:
            BackendError: reason `ArtifactMissing`, `DigestMismatch` or `CommandMissing`, not retryable.
        """

    async def ensure(self, level: CopiesLevel) -> Observation:
        """Bring one version of a deployment to a level, and say what the deployment has now.

        Raises:
            FenceRefusedError: the fence is lower than one seen for this deployment.
        """

    async def observe(self, deployment: str | None = None) -> Observation:
        """Read the whole target in one call, or one deployment's part of it."""

    async def send(self, copy: Copy, method: str, path: str, body: Any | None, timeout: float) -> HttpAnswer:
        """Send one request straight to a copy, outside the traffic plane; `body` goes as JSON, `timeout` in seconds."""

    async def logs(self, copy_id: str, tail: int) -> list[str]:
        """The last lines that a copy wrote."""
