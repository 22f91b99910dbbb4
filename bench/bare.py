"""The reference for a rollout: a bare workflow that makes as many activity calls, and each of them does nothing.

It has a rollout's levels: a long-lived parent takes an update, starts a child, answers once the child has started,
and waits for it. The child makes its calls one after the other, as a rollout does.
"""

from datetime import timedelta

from temporalio import activity, workflow

QUEUE = "bare"
BESIDE = "bare-beside"
"""Another worker's queue, as a target's is: an activity there cannot start eagerly."""
CALL = timedelta(seconds=20)


@activity.defn
async def no_op() -> None:
    """Nothing."""


@workflow.defn
class BareOperation:
    """Makes one no-op call for each task queue it is given, in their order."""

    @workflow.run
    async def run(self, queues: list[str]) -> None:
        """Call, and call again."""
        for queue in queues:
            await workflow.execute_activity(no_op, task_queue=queue, start_to_close_timeout=CALL)


@workflow.defn
class BareDeployment:
    """Runs an operation for every update."""

    def __init__(self) -> None:
        self._asked: list[tuple[str, list[str]]] = []
        self._started = 0

    @workflow.run
    async def run(self) -> None:
        """Run what is asked, one after the other, for ever."""
        while True:
            await workflow.wait_condition(lambda: bool(self._asked))
            name, queues = self._asked.pop(0)
            child = await workflow.start_child_workflow(BareOperation.run, queues, id=name)
            self._started += 1
            await child

    @workflow.update
    async def go(self, name: str, queues: list[str]) -> None:
        """Start an operation."""
        wanted = self._started + len(self._asked) + 1
        self._asked.append((name, queues))
        await workflow.wait_condition(lambda: self._started >= wanted)
