"""What is asked of a deployment, and what it answers."""

from longshore.planning.operation import Adopts, VersionFacts
from longshore.planning.words import OperationKind, Phase
from longshore.spec.base import Value
from longshore.spec.deployment import DeploymentSpec


def operation_id(deployment: str, kind: OperationKind, number: int) -> str:
    """The id of an operation in the store: `digits/rollout-2`; its workflow's has `deployment/` before it."""
    return f"{deployment}/{kind}-{number}"


class Request(Value):
    """Who asks. The update's id is the request's idempotency key."""

    actor: str
    key: str


class ApplyRequest(Request):
    """Bring a deployment to this desired state; the API has checked that target and version exist."""

    name: str
    labels: dict[str, str] = {}
    spec: DeploymentSpec
    facts: VersionFacts
    take: bool = False
    """Undo what somebody else changed on the target, also where nothing else is to be done."""


class AdoptRequest(Request):
    """Let something be the deployment as it is on the target; the API has read it and registered its version."""

    name: str
    labels: dict[str, str] = {}
    spec: DeploymentSpec
    """With the version that it is from now on, and with the copies that were found."""
    facts: VersionFacts
    adopts: Adopts


class ScaleRequest(Request):
    """Bring the copies to a number."""

    copies: int


class ControlRequest(Request):
    """pause, resume, abort, retire, retry: no more than who asks, and why."""

    reason: str | None = None


class ApproveRequest(Request):
    """Pass an approval; `roles` are those that the actor has."""

    roles: tuple[str, ...] = ()
    reason: str | None = None


class OverrideRequest(Request):
    """Let a rollout start in spite of a freeze, with the reason why."""

    reason: str


class PromoteRequest(Request):
    """End the present bake or pause; `full` skips every further bake and check."""

    full: bool = False


class UndoRequest(Request):
    """Go back to the last revision that succeeded before the stable one, or to revision `to`."""

    to: int | None = None


class Answer(Value):
    """What an update answers once it is durable."""

    changed: bool
    message: str
    revision: int | None = None
    operation: str | None = None
    """Id of the operation that carries it out; None when there is nothing to do."""
    held: bool = False
    """It failed before, so only a person starts it again. It changes nothing, and is told as refused."""


class Refusal(Value):
    """Why a verb was refused; it travels as the one detail of the rejected update's failure, type `Refused`."""

    reason: str
    message: str
    phase: Phase | None = None
