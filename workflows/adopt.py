"""Take over, as it is, what somebody else made or changed."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from longshore.planning import adopt as planner
    from longshore.planning.adopt import AdoptState
    from longshore.planning.operation import Command, OperationOrder, OperationResult
    from workflows.operation import Operation


@workflow.defn(name="Adopt", versioning_behavior=VersioningBehavior.PINNED)
class AdoptWorkflow:
    """Take over, as it is, what somebody else made or changed."""

    @workflow.init
    def __init__(self, order: OperationOrder) -> None:
        self._operation = Operation(order, planner, AdoptState)

    @workflow.run
    async def run(self, order: OperationOrder) -> OperationResult:  # noqa: ARG002 - taken by __init__
        """Drive it to its end."""
        return await self._operation.run()

    @workflow.signal
    def control(self, command: Command) -> None:
        """A control verb, sequenced by the deployment."""
        self._operation.command(command)
