"""What the API and the workflows say to each other: update arguments and their answers.

Workflow, update and query names are here too, so that the API starts workflows it does not import.
"""

from longshore.planning.operation import Adopts, VersionFacts
from longshore.planning.requests import (
    AdoptRequest,
    Answer,
    ApplyRequest,
    ApproveRequest,
    ControlRequest,
    OverrideRequest,
    PromoteRequest,
    Refusal,
    Request,
    ScaleRequest,
    UndoRequest,
    operation_id,
)

__all__ = [
    "DEPLOYMENT_WORKFLOW",
    "REFUSED",
    "TASK_QUEUE",
    "AdoptRequest",
    "Adopts",
    "Answer",
    "ApplyRequest",
    "ApproveRequest",
    "ControlRequest",
    "OverrideRequest",
    "PromoteRequest",
    "Refusal",
    "Request",
    "ScaleRequest",
    "UndoRequest",
    "VersionFacts",
    "operation_id",
    "target_queue",
    "workflow_id",
]

DEPLOYMENT_WORKFLOW = "Deployment"
TASK_QUEUE = "longshore"


def workflow_id(deployment: str) -> str:
    """The id of a deployment's workflow, which is its lock."""
    return f"deployment/{deployment}"


def target_queue(target: str) -> str:
    """The task queue of the workers beside a target."""
    return f"longshore-target-{target}"


REFUSED = "Refused"
"""Type of the ApplicationError of a rejected update."""
