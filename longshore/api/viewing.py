"""Rows, observed copies and acked traffic, as answers."""

from longshore.api.answers import DeploymentAnswer, OperationAnswer
from longshore.api.dependencies import Dependencies
from longshore.api.standing import deployment_object
from longshore.messages import workflow_id
from longshore.store.records import OperationRow, View


def deployment_answer(view: View, dependencies: Dependencies) -> DeploymentAnswer:
    """The object of DESIGN section 7, with its page in the Temporal UI."""
    return deployment_object(view, dependencies.now(), dependencies.temporal_url(workflow_id(view.row.name)))


def operation_answer(row: OperationRow, dependencies: Dependencies) -> OperationAnswer:
    """An operation with its page in the Temporal UI; its workflow's id is the deployment's prefix and its own."""
    answer = OperationAnswer.model_validate(row.model_dump())
    return answer.model_copy(update={"temporal_url": dependencies.temporal_url(workflow_id(row.id))})
