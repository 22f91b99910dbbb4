"""The seam to the GPUs: what a backend must do, and the values that cross it.

Every verb is a level ("version 2 serves with 3 copies"), safe to repeat, never an edge ("add one"), and carries a
fence, so that a late retry of an older step changes nothing.
"""

from typing import Any, Literal, Protocol, runtime_checkable

from longshore.planning.fence import Fence
from longshore.planning.native import NativePolicy, NativeStatus
from longshore.planning.observed import Copy, Observation
from longshore.spec.base import Value
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.scaling import Scaling
from longshore.spec.target import Host


class CopiesLevel(Value):
    """The level wanted of one version of one deployment on a target.

    `copies` is how many shall serve, or be on their way to. Copies above it are surplus: first those that are already
    draining, then those that found no room, then those that failed or are not ready, then the newest. Surplus copies
    are drained (kept alive without being counted), or ended.
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
    lasting: bool = False
    """What is made for it will serve later versions, too: its name is of the deployment alone."""


class AutoscalerLevel(Value):
    """What the target's own autoscaler shall do about one deployment.

    Exactly `version` has the policy `scaling`; every other version of the deployment has none. While `suspended` the
    autoscaler keeps the policy and changes no copies.
    """

    deployment: str
    version: str | None = None
    """None: no version has one."""
    scaling: Scaling | None = None
    """None, if and only if the version is."""
    suspended: bool = False
    fence: Fence


class Handover(Value):
    """An update that the platform itself shall carry out."""

    deployment: str
    model: str
    version: str
    """The version that shall be there in the end."""
    before: str
    """The one that is there now."""
    copies: int | None
    """Copies of it; None: as many as there are."""
    policy: NativePolicy
    spec: ModelVersionSpec
    fence: Fence


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


@runtime_checkable
class NativeUpdates(Protocol):
    """What a backend can besides, whose platform updates copies by a mechanism of its own."""

    async def hand_over(self, update: Handover) -> None:
        """Have the platform begin the update, once: the same again while it lasts, or after it, begins no other.

        Raises:
            BackendError: the platform refused it; not retryable, nothing has changed.
            FenceRefusedError: the fence is lower than one seen for this deployment.
        """

    async def follow(self, deployment: str, fence: Fence) -> NativeStatus:
        """See how the deployment's last update stands, and note for readings what came of it.

        Raises:
            FenceRefusedError: as for `hand_over`.
        """


@runtime_checkable
class Autoscaling(Protocol):
    """What a backend can besides, whose platform chooses copies by a policy."""

    async def steer(self, level: AutoscalerLevel) -> None:
        """Bring the autoscaler to a level.

        Raises:
            BackendError: it could not be told, or not all of it; the same again goes on from there.
            FenceRefusedError: the fence is lower than one seen for this deployment.
        """
