"""Workers that are killed right before or right after the work of an activity, to show that nothing comes of it.

It is no part of a rehearsal's format: a `crash-worker` of the timeline is an outage, and takes its time. Here another
crew is there at once, and the server is told that the work was lost, as it would find out by itself after a timeout.
So no simulated time goes by, and whatever is then unlike the course without any death is a fault of ours.

| who | does |
|---|---|
| `Mortality` | with the workers: tells of every activity, before its work and after it, and waits for leave to go on |
| `Deaths` | with the engine: decides where they die, and has them replaced |
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, NamedTuple

from google.protobuf.duration_pb2 import Duration
from temporalio import activity
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.workflowservice.v1 import RespondActivityTaskFailedRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from worker.rehearsal.link import Link, Question

PART: Final = "moment"
"""Of a question: it is about a moment, not about the world."""
STRETCH: Final = 10_000
"""Seconds of the server for a simulated one: all the deaths of an instant take place within it."""
AT_ONCE: Final = Duration(nanos=1_000_000)


class Moment(NamedTuple):
    """A moment in the life of an activity, the same at every attempt."""

    workflow: str
    run: str
    activity: str
    """Its id, which counts within the run."""
    type: str
    when: Literal["before", "after"]


class Mortality(Interceptor):
    """Asks the engine at every moment of every activity whether to live on; a worker that must not hears nothing."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See `Interceptor`."""
        return _Mortal(next, self._link)


class _Mortal(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, link: Link) -> None:
        super().__init__(next)
        self._link = link

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        await self._pass("before")
        answer = await self.next.execute_activity(input)
        await self._pass("after")
        return answer

    async def _pass(self, when: Literal["before", "after"]) -> None:
        info = activity.info()
        moment = Moment(info.workflow_id or "", info.workflow_run_id or "", info.activity_id, info.activity_type, when)
        await self._link.ask(Question(PART, when, (moment, info.task_token), None))


class Deaths:
    """Where the workers of a rehearsal die.

    Args:
        at: the moment, counted from 1 in the order in which they come; None for each of them once, 0 for none.
    """

    def __init__(self, at: int | None) -> None:
        self.moments: dict[Moment, bool] = {}
        """Those that came, and whether the workers died there."""
        self._at = at
        self._begun: list[bytes] = []
        """Tasks that these workers were given."""

    async def answer(self, question: Question, replace: Callable[[], Awaitable[None]], client: Client) -> None:
        """Let the workers live on, or end them and have them replaced.

        Raises:
            ConnectionResetError: who asked is gone, and so is the line.
        """
        moment, task = question.arguments
        self._begun.append(task)
        if moment in self.moments:
            return
        count = len(self.moments) + 1
        self.moments[moment] = dies = self._at is None or self._at == count
        if dies:
            lost, self._begun = self._begun, []
            await replace()
            await asyncio.gather(*(_lose(client, task) for task in dict.fromkeys(lost)))
            raise ConnectionResetError


async def _lose(client: Client, task: bytes) -> None:
    """Say that the worker of an activity is gone; of one that had ended nobody wants to know."""
    died = Failure(message="the worker died", application_failure_info=ApplicationFailureInfo(next_retry_delay=AT_ONCE))
    request = RespondActivityTaskFailedRequest(namespace=client.namespace, task_token=task, failure=died)
    try:
        await client.workflow_service.respond_activity_task_failed(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
