"""What became of an operation whose deployment lost sight of it."""

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.inputs import LostOperation, LostOutput
from longshore.planning.operation import OperationResult
from longshore.planning.words import Phase

RUNNING = WorkflowExecutionStatus.RUNNING


class LostActivities:
    """Ends an operation found running, so that two never work on one deployment."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name="end_lost_operation")
    async def end(self, lost: LostOperation) -> LostOutput:
        """Ask an operation to abort if it still runs; once it ended, say how."""
        handle = self._client.get_workflow_handle(f"deployment/{lost.id}", result_type=OperationResult)
        try:
            description = await handle.describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return LostOutput(result=_lost(lost.id, "is unknown to Temporal"))
            raise
        if description.status is RUNNING:
            await handle.cancel()
            return LostOutput()
        if description.status is WorkflowExecutionStatus.COMPLETED:
            return LostOutput(result=await handle.result())
        ended = description.status.name.lower() if description.status else "ended"
        return LostOutput(result=_lost(lost.id, ended))


def _lost(operation: str, how: str) -> OperationResult:
    message = f"{operation} {how} without a result: nothing was undone; look at what runs, then apply or retry"
    return OperationResult(phase=Phase.FAILED, reason="OperationLost", message=message)
