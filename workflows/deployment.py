"""A deployment: one long-lived workflow, whose id is its lock, that runs one operation at a time."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.inputs import LostOperation, LostOutput, SayingInput
    from activities.limits import CALL, RECORD, RETRY
    from longshore.messages import DEPLOYMENT_WORKFLOW, REFUSED, TASK_QUEUE
    from longshore.planning import deployment as planner
    from longshore.planning.deployment import Accepted, DeploymentState
    from longshore.planning.operation import Acknowledged, Command, OperationOrder, OperationResult
    from longshore.planning.requests import (
        Answer,
        ApplyRequest,
        ControlRequest,
        PromoteRequest,
        Refusal,
        Request,
        ScaleRequest,
        UndoRequest,
    )
    from longshore.planning.words import OperationKind, Phase
    from workflows import details

UNWANTED = timedelta(seconds=30)
"""A deployment whose first request was refused has nothing to live for; update-with-start started it all the same."""
LOST_POLL = timedelta(seconds=2)
LOST_LIMIT = timedelta(hours=1)
"""An operation found running is aborted; a rollback takes no longer than this, or a person must look."""

WORKFLOWS = {
    OperationKind.ONBOARD: "Onboard",
    OperationKind.ROLLOUT: "Rollout",
    OperationKind.ROLLBACK: "Rollback",
    OperationKind.SCALE: "Scale",
    OperationKind.RETIRE: "Retire",
}


@workflow.defn(name=DEPLOYMENT_WORKFLOW, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class DeploymentWorkflow:
    """Takes requests as updates, decides by `planning.deployment`, and runs operations as children.

    | update | argument | answers once |
    |---|---|---|
    | apply, scale, undo, retry, retire | a request | it is recorded and the operation, if any, has started |
    | pause, resume, promote, abort | a request | the operation acknowledged it, or ended |
    """

    @workflow.init
    def __init__(self, carried: DeploymentState | None = None) -> None:
        self._state = carried or DeploymentState(name=workflow.info().workflow_id.partition("/")[2])
        self._loaded = carried is not None
        self._child: workflow.ChildWorkflowHandle[OperationOrder, OperationResult] | None = None
        self._running = 0
        """Number of the operation whose child was last started."""
        self._recorded = self._state.sequence
        self._acknowledged: dict[int, Acknowledged] = {}
        self._recording = asyncio.Lock()

    @workflow.run
    async def run(self, carried: DeploymentState | None = None) -> None:  # noqa: ARG002 - taken by __init__
        """Live until retired, or as long as no request was ever accepted."""
        if not self._loaded:
            await self._load()
        while True:
            if self._state.operation is not None:
                await self._run_operation(self._state.operation)
            elif self._state.retired and workflow.all_handlers_finished():
                return
            elif workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                if self._state.operation is None:
                    workflow.continue_as_new(self._state)
            elif not await self._wait_for_work():
                return

    async def _wait_for_work(self) -> bool:
        """Until there is something to do; false when nothing was ever accepted and nobody asks any more."""
        wanted = bool(self._state.revisions)
        try:
            await workflow.wait_condition(
                lambda: (
                    self._state.operation is not None
                    or (self._state.retired and workflow.all_handlers_finished())
                    or workflow.info().is_continue_as_new_suggested()
                ),
                timeout=None if wanted else UNWANTED,
            )
        except TimeoutError:
            return bool(self._state.revisions) or not workflow.all_handlers_finished()
        return True

    # -- beginning -------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        """Begin with what the store knows; end an operation that lost its deployment before anything else."""
        self._state = await workflow.execute_local_activity(
            "load_deployment",
            self._state.name,
            result_type=DeploymentState,
            start_to_close_timeout=CALL,
            retry_policy=RETRY,
        )
        self._recorded = self._state.sequence
        if self._state.operation is not None:
            order = self._state.operation
            self._running = order.number
            await self._settle(order, await self._end_lost(order))
        self._loaded = True

    async def _end_lost(self, order: OperationOrder) -> OperationResult:
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
        return _lost(order, f"still runs after {LOST_LIMIT}")

    # -- operations ------------------------------------------------------------------------------------------------

    async def _run_operation(self, order: OperationOrder) -> None:
        await self._record()
        try:
            self._child = await workflow.start_child_workflow(
                WORKFLOWS[order.kind],
                order,
                id=f"deployment/{order.id}",
                task_queue=TASK_QUEUE,
                result_type=OperationResult,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=details.attributes(order),
                static_summary=details.summary(order),
            )
        except WorkflowAlreadyStartedError:
            self._running = order.number
            await self._settle(order, await self._end_lost(order))
            return
        self._running = order.number
        try:
            result = await self._child
        except ChildWorkflowError as error:
            result = _lost(order, str(error.cause or error))
        self._child = None
        await self._settle(order, result)

    async def _settle(self, order: OperationOrder, result: OperationResult) -> None:
        state = planner.settle(self._state, order, result)
        self._state = state.model_copy(update={"sequence": state.sequence + 1})
        await self._record(order, result)

    async def _record(self, ended: OperationOrder | None = None, result: OperationResult | None = None) -> None:
        """Write the state as it is now, once; those who come while it is being written wait for theirs."""
        async with self._recording:
            state = self._state
            workflow.set_current_details(details.standing(state))
            if ended is None and (state.sequence <= self._recorded or state.spec is None):
                return
            said = state.model_copy(update={"answered": ()})
            await workflow.execute_local_activity(
                "record_deployment",
                SayingInput(state=said, at=workflow.now(), ended=ended, result=result),
                start_to_close_timeout=RECORD,
                retry_policy=RETRY,
            )
            self._recorded = state.sequence

    # -- requests --------------------------------------------------------------------------------------------------

    @workflow.update
    async def apply(self, request: ApplyRequest) -> Answer:
        """Bring the deployment to a desired state."""
        return await self._accept(request, lambda: planner.decide_apply(self._state, request))

    @workflow.update
    async def scale(self, request: ScaleRequest) -> Answer:
        """Bring the copies to a number."""
        return await self._accept(request, lambda: planner.decide_scale(self._state, request))

    @workflow.update
    async def undo(self, request: UndoRequest) -> Answer:
        """Roll to an earlier revision's version."""
        return await self._accept(request, lambda: planner.decide_undo(self._state, request))

    @workflow.update
    async def retry(self, request: ControlRequest) -> Answer:
        """Try the held revision again."""
        return await self._accept(request, lambda: planner.decide_retry(self._state, request))

    @workflow.update
    async def retire(self, request: ControlRequest) -> Answer:
        """End whatever is under way, without restoring, then remove everything."""
        await workflow.wait_condition(lambda: self._loaded)
        # One may have ended and another have begun while this waited: two never run, so each is ended first.
        while (under_way := self._state.operation) is not None and under_way.kind is not OperationKind.RETIRE:
            await self._command("retire", request)
            await self._end_of(under_way.number)
        return await self._accept(request, lambda: planner.decide_retire(self._state, request))

    @workflow.update
    async def pause(self, request: ControlRequest) -> Answer:
        """Stand still."""
        return await self._control("pause", request)

    @workflow.update
    async def resume(self, request: ControlRequest) -> Answer:
        """Go on."""
        return await self._control("resume", request)

    @workflow.update
    async def promote(self, request: PromoteRequest) -> Answer:
        """End the present bake or pause."""
        return await self._control("promote", request, full=request.full)

    @workflow.update
    async def abort(self, request: ControlRequest) -> Answer:
        """Return to the stable revision."""
        return await self._control("abort", request)

    # A validator runs before a fresh workflow has read the store; then the handler itself refuses.

    @apply.validator
    def _apply_makes_sense(self, request: ApplyRequest) -> None:
        self._validate(request, lambda: planner.decide_apply(self._state, request))

    @scale.validator
    def _scale_makes_sense(self, request: ScaleRequest) -> None:
        self._validate(request, lambda: planner.decide_scale(self._state, request))

    @undo.validator
    def _undo_makes_sense(self, request: UndoRequest) -> None:
        self._validate(request, lambda: planner.decide_undo(self._state, request))

    @retry.validator
    def _retry_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: planner.decide_retry(self._state, request))

    @retire.validator
    def _retire_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: planner.decide_retire(self._state, request))

    @pause.validator
    def _pause_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: planner.decide_control(self._state, "pause"))

    @resume.validator
    def _resume_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: planner.decide_control(self._state, "resume"))

    @promote.validator
    def _promote_makes_sense(self, request: PromoteRequest) -> None:
        self._validate(request, lambda: planner.decide_control(self._state, "promote"))

    @abort.validator
    def _abort_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: planner.decide_control(self._state, "abort"))

    def _validate(self, request: Request, decide: Callable[[], Accepted | Refusal | None]) -> None:
        if not self._loaded or self._state.answer_to(request.key):
            return
        decision = decide()
        if isinstance(decision, Refusal):
            raise _refused(decision)

    async def _accept(self, request: Request, decide: Callable[[], Accepted | Refusal]) -> Answer:
        """Decide, remember the answer under its key, and give it once it is durable and under way."""
        if not self._loaded:
            await workflow.wait_condition(lambda: self._loaded)
        if (answered := self._state.answer_to(request.key)) is not None:
            return answered
        decision = decide()
        if isinstance(decision, Refusal):
            raise _refused(decision)
        self._state = decision.state.with_answer(request.key, decision.answer)
        started = self._state.operations if decision.answer.changed and decision.answer.operation else 0
        if started:
            await workflow.wait_condition(lambda: self._running >= started)
        elif decision.answer.changed:
            await self._record()
        return decision.answer

    async def _control(self, verb: str, request: ControlRequest | PromoteRequest, *, full: bool = False) -> Answer:
        await workflow.wait_condition(lambda: self._loaded)
        if (answered := self._state.answer_to(request.key)) is not None:
            return answered
        if refusal := planner.decide_control(self._state, verb):
            raise _refused(refusal)
        under_way = self._state.operation
        acknowledged = await self._command(verb, request, full=full)
        if acknowledged is None:
            raise _refused(Refusal(reason="Ended", message=f"has ended before it could {verb}"))
        if not acknowledged.accepted:
            raise _refused(Refusal(reason=acknowledged.reason or "Refused", message=acknowledged.message))
        answer = Answer(
            changed=True,
            message=acknowledged.message,
            revision=under_way.revision if under_way else None,
            operation=under_way.id if under_way else None,
        )
        self._state = self._state.with_answer(request.key, answer)
        return answer

    async def _end_of(self, number: int) -> None:
        await workflow.wait_condition(lambda: self._state.operation is None or self._state.operation.number != number)

    async def _command(
        self, verb: str, request: ControlRequest | PromoteRequest, *, full: bool = False
    ) -> Acknowledged | None:
        """Send a verb to the operation under way; None when it ended without answering."""
        under_way = self._state.operation
        if under_way is None:
            return None
        await workflow.wait_condition(lambda: self._running >= under_way.number or self._state.operation is None)
        sequence = self._state.signals + 1
        self._state = self._state.model_copy(update={"signals": sequence})
        command = Command(sequence=sequence, verb=verb, actor=request.actor, full=full)
        child = self._child
        if child is None:
            return None
        try:
            await child.signal("control", command)
        except ApplicationError:
            return None
        await workflow.wait_condition(lambda: sequence in self._acknowledged or self._state.operation is not under_way)
        return self._acknowledged.pop(sequence, None)

    @workflow.signal
    def acknowledged(self, acknowledged: Acknowledged) -> None:
        """The operation's word on a control verb."""
        self._acknowledged[acknowledged.sequence] = acknowledged


def _refused(refusal: Refusal) -> ApplicationError:
    return ApplicationError(refusal.message, refusal, type=REFUSED, non_retryable=True)


def _lost(order: OperationOrder, how: str) -> OperationResult:
    message = f"{order.id} ended without a result ({how}): nothing was undone; look at what runs, then retry"
    return OperationResult(phase=Phase.FAILED, reason="OperationLost", message=message)
