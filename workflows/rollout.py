"""Move a deployment to a newer revision, batch by batch."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from longshore.planning.moving import mover_of
    from longshore.planning.operation import Command, OperationOrder, OperationResult
    from workflows.operation import Operation


@workflow.defn(name="Rollout", versioning_behavior=VersioningBehavior.PINNED)
class RolloutWorkflow:
    """Move a deployment to a newer revision, batch by batch."""

    @workflow.init
    def __init__(self, order: OperationOrder) -> None:
        self._operation = Operation(order, *mover_of(order))

    @workflow.run
    async def run(self, order: OperationOrder) -> OperationResult:  # noqa: ARG002 - taken by __init__
        """Drive it to its end."""
        return await self._operation.run()

    @workflow.signal
    def control(self, command: Command) -> None:
        """A control verb, sequenced by the deployment."""
        self._operation.command(command)
