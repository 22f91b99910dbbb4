"""Give a deployment another number of copies."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from longshore.planning import scale as planner
    from longshore.planning.operation import Command, OperationOrder, OperationResult
    from longshore.planning.scale import ScaleState
    from workflows.operation import Operation


@workflow.defn(name="Scale", versioning_behavior=VersioningBehavior.PINNED)
class ScaleWorkflow:
    """Give a deployment another number of copies."""

    @workflow.init
    def __init__(self, order: OperationOrder) -> None:
        self._operation = Operation(order, planner, ScaleState)

    @workflow.run
    async def run(self, order: OperationOrder) -> OperationResult:  # noqa: ARG002 - taken by __init__
        """Drive it to its end."""
        return await self._operation.run()

    @workflow.signal
    def control(self, command: Command) -> None:
        """A control verb, sequenced by the deployment."""
        self._operation.command(command)
