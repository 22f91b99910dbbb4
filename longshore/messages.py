"""What the API and the workflows say to each other: update arguments and their answers.

Workflow, update and query names are here too, so that the API starts workflows it does not import.
"""

from typing import Any

from longshore.planning.words import OperationKind, Phase
from longshore.spec.base import Value
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

DEPLOYMENT_WORKFLOW = "Deployment"
TASK_QUEUE = "longshore"


def workflow_id(deployment: str) -> str:
    """The id of a deployment's workflow, which is its lock."""
    return f"deployment/{deployment}"


def operation_id(deployment: str, kind: OperationKind, number: int) -> str:
    """The id of an operation in the store: `digits/rollout-2`; its workflow's has `deployment/` before it."""
    return f"{deployment}/{kind}-{number}"


def target_queue(target: str) -> str:
    """The task queue of the workers beside a target."""
    return f"longshore-target-{target}"


class VersionFacts(Value):
    """What decisions need of a model version; activities look the rest up in the store."""

    version: str
    resources: Resources
    side_by_side: bool = True
    smoke: bool = False


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


class ScaleRequest(Request):
    """Bring the copies to a number."""

    copies: int


class ControlRequest(Request):
    """pause, resume, abort, retire, retry: no more than who asks, and why."""

    reason: str | None = None


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


class Refusal(Value):
    """Why a verb was refused; it travels as the one detail of the rejected update's failure, type `Refused`."""

    reason: str
    message: str
    phase: Phase | None = None


REFUSED = "Refused"
"""Type of the ApplicationError of a rejected update."""


class OperationOrder(Value):
    """What a deployment gives an operation to do. A saved state comes along when it continues as new."""

    id: str
    deployment: str
    number: int
    kind: OperationKind
    target: str
    model: str
    actor: str
    revision: int
    spec: DeploymentSpec
    new: VersionFacts
    old: VersionFacts | None = None
    old_revision: int | None = None
    old_copies: int = 0
    """Desired copies before this operation."""
    state: dict[str, Any] | None = None


class OperationResult(Value):
    """How an operation ended, and what was then observed to run."""

    phase: Phase
    reason: str | None = None
    message: str | None = None
    copies: dict[str, int] = {}


class ControlSignal(Value):
    """A control verb on its way to the operation; acknowledged by its sequence number."""

    sequence: int
    verb: str
    actor: str
    full: bool = False
    reason: str | None = None


class Acknowledgement(Value):
    """The operation's word on a control signal."""

    sequence: int
    refusal: Refusal | None = None
    message: str = ""
    phase: Phase
