"""Fences: a write of an older step than the newest one carried out is refused."""

from sqlalchemy.ext.asyncio import AsyncConnection

from longshore.planning.fence import Fence, FenceRefusedError
from longshore.store.statements import not_newer, upsert
from longshore.store.tables import fences


async def check(connection: AsyncConnection, deployment: str, fence: Fence) -> None:
    """Pass the fence, in the transaction that does the fenced write; an equal one is a repeat, and passes.

    Raises:
        FenceRefusedError: a later step has already written.
    """
    row = {"deployment": deployment, "operation": fence.operation, "step": fence.step}
    passed = not_newer((fences.c.operation, fence.operation), (fences.c.step, fence.step))
    if not await upsert(connection, fences, row, where=passed):
        raise FenceRefusedError(
            f"step {fence.step} of operation {fence.operation} of {deployment} comes too late: "
            "a later step has already written"
        )
