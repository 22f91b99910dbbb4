"""Operations whose deployment lost sight of them: ended before anything else begins, and nothing undone by guess."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.inputs import LostOperation, LostOutput
    from activities.limits import CALL, RETRY
    from longshore.planning.operation import OperationOrder, OperationResult
    from longshore.planning.words import Phase

LOST_POLL = timedelta(seconds=2)
LOST_LIMIT = timedelta(hours=1)
"""An operation found running is aborted; a rollback takes no longer than this, or a person must look."""


async def end_lost(order: OperationOrder) -> OperationResult:
    """Abort an operation that is found running, and wait for its end."""
    give_up = workflow.now() + LOST_LIMIT
    while workflow.now() < give_up:
        output: LostOutput = await workflow.execute_activity(
            "end_lost_operation",
            LostOperation(id=order.id),
            result_type=LostOutput,
            start_to_close_timeout=CALL,
            retry_policy=RETRY,
            summary=f"end {order.id}, found running",
        )
        if output.result is not None:
            return output.result
        await workflow.sleep(LOST_POLL)
    return lost(order, f"still runs after {LOST_LIMIT}")


def lost(order: OperationOrder, how: str) -> OperationResult:
    """The end of an operation that never said how it ended."""
    message = f"{order.id} ended without a result ({how}): nothing was undone; look at what runs, then retry"
    return OperationResult(phase=Phase.FAILED, reason="OperationLost", message=message)
