"""The API's way to the deployments' workflows: updates by name, and their failures as typed errors."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.service import RetryConfig, RPCError, RPCStatusCode

from longshore.messages import (
    DEPLOYMENT_WORKFLOW,
    REFUSED,
    TASK_QUEUE,
    Answer,
    ApplyRequest,
    Refusal,
    Request,
    workflow_id,
)
from longshore.settings import Settings

CONNECT_TIMEOUT = timedelta(seconds=5)
"""A server on this machine, or beside it, accepts at once; longer means that it is not there."""
UPDATE_TIMEOUT = timedelta(seconds=20)
"""An update answers when its operation acknowledged it, which takes a worker well below a second."""
HEALTH_TIMEOUT = timedelta(seconds=2)
"""How long `/readyz` waits for an answer."""
RETRIES = RetryConfig(max_elapsed_time_millis=3_000)
"""The client's own retries: enough for a hiccup, and the caller still hears of an outage within seconds."""
_AWAY = {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.INTERNAL}

Connect = Callable[[], Awaitable[Client]]


class TemporalUnavailableError(Exception):
    """Temporal, or a worker, does not answer. What was asked may still be carried out; the same key again is safe."""


class RefusedError(Exception):
    """The workflow refused the update; nothing was changed."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class WorkflowMissingError(Exception):
    """No workflow of this deployment is running."""


def connector(settings: Settings) -> Connect:
    """How to reach the Temporal server of these settings."""

    def connect() -> Awaitable[Client]:
        return Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            data_converter=pydantic_data_converter,
            retry_config=RETRIES,
        )

    return connect


class DeploymentWorkflows:
    """Speaks to deployments' workflows. It connects at the first need, so the API starts without Temporal."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    async def apply(self, request: ApplyRequest) -> Answer:
        """Bring a deployment to a desired state, starting its workflow if there is none; see `start_with`."""
        return await self.start_with("apply", request.name, request)

    async def start_with(self, verb: str, deployment: str, request: Request) -> Answer:
        """Ask something of a deployment, starting its workflow if there is none.

        Raises:
            RefusedError: the workflow refused it.
            TemporalUnavailableError: no answer.
        """
        client = await self._connected()
        start: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
            DEPLOYMENT_WORKFLOW,
            id=workflow_id(deployment),
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"Deployment {deployment}",
        )
        update = client.execute_update_with_start_workflow(
            verb,
            request,
            start_workflow_operation=start,
            id=request.key,
            result_type=Answer,
            rpc_timeout=UPDATE_TIMEOUT,
        )
        return await _answered(_with_start(update, start))

    async def control(self, deployment: str, verb: str, request: Request) -> Answer:
        """Send a control verb to a running deployment.

        Raises:
            RefusedError: the workflow refused it.
            WorkflowMissingError: there is no such workflow; none was started.
            TemporalUnavailableError: no answer.
        """
        client = await self._connected()
        handle = client.get_workflow_handle(workflow_id(deployment))
        return await _answered(
            handle.execute_update(verb, request, id=request.key, result_type=Answer, rpc_timeout=UPDATE_TIMEOUT)
        )

    async def check(self) -> None:
        """Say whether the server answers.

        Raises:
            TemporalUnavailableError: it does not.
        """
        client = await self._connected()
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT.total_seconds()):
                healthy = await client.service_client.check_health(timeout=HEALTH_TIMEOUT)
        except (RPCError, TimeoutError) as error:
            raise TemporalUnavailableError("Temporal does not answer") from error
        if not healthy:
            raise TemporalUnavailableError("Temporal says that it does not serve")

    async def _connected(self) -> Client:
        async with self._connecting:
            if self._client is None:
                try:
                    async with asyncio.timeout(CONNECT_TIMEOUT.total_seconds()):
                        self._client = await self._connect()
                except (RuntimeError, TimeoutError) as error:  # the SDK's word for a failed connection is RuntimeError
                    raise TemporalUnavailableError("Temporal cannot be reached") from error
            return self._client


async def _with_start(update: Awaitable[Answer], start: WithStartWorkflowOperation[object, object]) -> Answer:
    """The update's answer. The SDK leaves a failure in the start's future, too: unread, it would be logged as lost."""
    answer, _ = await asyncio.gather(update, start.workflow_handle(), return_exceptions=True)
    if isinstance(answer, BaseException):
        raise answer
    return answer


async def _answered(update: Awaitable[Answer]) -> Answer:
    """The update's answer, or one of our errors for the SDK's many."""
    try:
        async with asyncio.timeout(UPDATE_TIMEOUT.total_seconds()):
            return await update
    except WorkflowUpdateFailedError as error:
        if refusal := _refusal(error.cause):
            raise RefusedError(refusal) from error
        raise
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise WorkflowMissingError from error
        if error.status in _AWAY:
            raise TemporalUnavailableError("Temporal cannot be reached") from error
        raise
    except (RPCTimeoutOrCancelledError, TimeoutError) as error:
        seconds = int(UPDATE_TIMEOUT.total_seconds())
        raise TemporalUnavailableError(f"no worker answered within {seconds} s") from error


def _refusal(cause: BaseException) -> Refusal | None:
    """The refusal in a rejected update's failure; None for any other failure."""
    if not isinstance(cause, ApplicationError) or cause.type != REFUSED:
        return None
    if cause.details:
        return Refusal.model_validate(cause.details[0])
    return Refusal(reason=REFUSED, message=cause.message)
