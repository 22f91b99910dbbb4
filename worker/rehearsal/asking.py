"""What the timeline asks of deployments, asked as the API asks it: as updates, whose refusals become events."""

import asyncio
from typing import Any

from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from longshore.messages import (
    DEPLOYMENT_WORKFLOW,
    REFUSED,
    TASK_QUEUE,
    Answer,
    ApplyRequest,
    ApproveRequest,
    ControlRequest,
    PromoteRequest,
    Refusal,
    Request,
    ScaleRequest,
    UndoRequest,
    VersionFacts,
    workflow_id,
)
from longshore.planning.words import Event, EventType
from longshore.spec.checking import DocumentError, check_as
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.rehearsal import Apply, Approve, Promote, Scale, Undo
from longshore.spec.rehearsal import Request as Asked
from longshore.store.records import Record
from longshore.store.store import Store
from worker.rehearsal.seeding import ACTOR
from worker.rehearsal.world import World

ANSWER_LIMIT = 120.0
"""Real seconds for a worker to take a request in; on any machine that works it takes milliseconds."""
HEARD_WITHIN = 2.0
"""Real seconds for an answer that takes no simulated time, so that time goes on only once it was heard: it takes
milliseconds. A verb whose answer does take simulated time costs this much."""


class UnansweredError(Exception):
    """The workers did not take a request in."""


class Asking:
    """Asks, and keeps what was not answered yet: some answers take simulated time."""

    def __init__(self, client: Client, world: World, store: Store) -> None:
        self._client = client
        self._world = world
        self._store = store
        self._asked = 0
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def answered(self) -> bool:
        """Whether everything asked so far was answered."""
        return not self._waiting

    async def ask(self, event: Asked) -> None:
        """Ask, and return once it is answered, or was taken in and takes its time.

        Raises:
            UnansweredError: none did.
        """
        self._asked += 1
        key = f"{ACTOR}-{self._asked}"
        try:
            async with asyncio.timeout(ANSWER_LIMIT):
                handle = await self._start(event, key)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            refusal = Refusal(reason="Retired", message="is retired: longshore apply -f FILE onboards it again")
            await self._refused(event, key, refusal)
            return
        except DocumentError as error:
            await self._refused(event, key, Refusal(reason="Invalid", message=_sentence(error)))
            return
        except TimeoutError:
            raise UnansweredError(f"no worker took in {event.do} of {event.deployment}") from None
        task = asyncio.create_task(self._hear(event, key, handle))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        await asyncio.wait({task}, timeout=HEARD_WITHIN)

    async def _start(self, event: Asked, key: str) -> Any:
        if isinstance(event, Apply):
            operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
                DEPLOYMENT_WORKFLOW,
                id=workflow_id(event.deployment),
                task_queue=TASK_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            return await self._client.start_update_with_start_workflow(
                "apply",
                await self._desired(event, key),
                id=key,
                result_type=Answer,
                wait_for_stage=WorkflowUpdateStage.ACCEPTED,
                start_workflow_operation=operation,
            )
        handle = self._client.get_workflow_handle(workflow_id(event.deployment))
        return await handle.start_update(
            event.do,
            request_of(event, key),
            id=key,
            result_type=Answer,
            wait_for_stage=WorkflowUpdateStage.ACCEPTED,
        )

    async def _hear(self, event: Asked, key: str, handle: Any) -> None:
        try:
            answer: Answer = await handle.result()
            if answer.held:
                await self._refused(event, key, Refusal(reason="Held", message=answer.message))
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            if not (isinstance(cause, ApplicationError) and cause.type == REFUSED):
                raise
            await self._refused(event, key, Refusal.model_validate(cause.details[0]))

    async def _refused(self, event: Asked, key: str, refusal: Refusal) -> None:
        """A refusal is an event, as the API makes one."""
        told = Event(
            at=self._world.now(),
            deployment=event.deployment,
            type=EventType.REFUSED,
            actor=ACTOR,
            message=refusal.message,
            evidence={"verb": event.do, "reason": refusal.reason},
        )
        self._world.scenes.remember((told,))
        await self._store.record(Record(source=f"request/{key}", step=0, events=(told,)))

    async def _desired(self, event: Apply, key: str) -> ApplyRequest:
        """The newest desired state, with what the event gives in its place.

        Raises:
            DocumentError: they do not fit together.
        """
        labels, before = await self._newest(event.deployment)
        spec = check_as(DeploymentSpec, event.on(before))
        behaviour = self._world.behaviour(spec.version)
        return ApplyRequest(
            actor=ACTOR,
            key=key,
            name=event.deployment,
            labels=labels if event.labels is None else event.labels,
            spec=spec,
            facts=VersionFacts(
                version=spec.version, resources=behaviour.resources, side_by_side=behaviour.side_by_side
            ),
        )

    async def _newest(self, name: str) -> tuple[dict[str, str], dict[str, Any]]:
        """Labels and spec that an apply changes: of the newest revision that has not ended, else today's."""
        rows = await self._store.deployments.rows([name])
        if not rows:
            return {}, {}
        under_way = [one for one in await self._store.deployments.revisions(name) if not one.phase.ended]
        newest = max(under_way, key=lambda one: one.number, default=None)
        spec = newest.spec if newest and not rows[0].retired else rows[0].spec
        return rows[0].labels, spec.model_dump(mode="json", by_alias=True)


def request_of(event: Asked, key: str) -> Request:
    """A verb as its update takes it."""
    if isinstance(event, Scale):
        return ScaleRequest(actor=ACTOR, key=key, copies=event.copies)
    if isinstance(event, Promote):
        return PromoteRequest(actor=ACTOR, key=key, full=event.full)
    if isinstance(event, Undo):
        return UndoRequest(actor=ACTOR, key=key, to=event.to)
    if isinstance(event, Approve):
        return ApproveRequest(actor=event.by, key=key, roles=event.roles)
    return ControlRequest(actor=ACTOR, key=key)


def _sentence(error: DocumentError) -> str:
    """What does not fit, in one line."""
    return "; ".join(f"{'.'.join(map(str, path))}: {message}" for path, message in error.problems)
