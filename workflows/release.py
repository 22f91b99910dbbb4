"""Give up the warm copies of a deployment."""

from temporalio import workflow
from temporalio.common import VersioningBehavior

with workflow.unsafe.imports_passed_through():
    from longshore.planning import release as planner
    from longshore.planning.operation import Command, OperationOrder, OperationResult
    from longshore.planning.release import KeepsWarm
    from workflows.operation import Operation


@workflow.defn(name="Release", versioning_behavior=VersioningBehavior.PINNED)
class ReleaseWorkflow:
    """Give up the warm copies of a deployment."""

    @workflow.init
    def __init__(self, order: OperationOrder) -> None:
        self._operation = Operation(order, planner, KeepsWarm)

    @workflow.run
    async def run(self, order: OperationOrder) -> OperationResult:  # noqa: ARG002 - taken by __init__
        """Drive it to its end."""
        return await self._operation.run()

    @workflow.signal
    def control(self, command: Command) -> None:
        """A control verb, sequenced by the deployment."""
        self._operation.command(command)
