"""A deployment: one long-lived workflow, whose id is its lock, that runs one operation at a time."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import VersioningBehavior
from temporalio.exceptions import ApplicationError, ChildWorkflowError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.inputs import SayingInput
    from activities.limits import CALL, RECORD, RETRY
    from longshore.messages import DEPLOYMENT_WORKFLOW, REFUSED, TASK_QUEUE
    from longshore.planning.deployment import adopting, settling, superseding
    from longshore.planning.deployment import decisions as planner
    from longshore.planning.deployment.revisions import Accepted, DeploymentState, Revision
    from longshore.planning.operation import Acknowledged, OperationOrder, OperationResult, Verb
    from longshore.planning.requests import (
        AdoptRequest,
        Answer,
        ApplyRequest,
        ApproveRequest,
        ControlRequest,
        OverrideRequest,
        PromoteRequest,
        Refusal,
        Request,
        ScaleRequest,
        UndoRequest,
    )
    from longshore.planning.words import Event, OperationKind, Phase
    from longshore.spec.deployment import DeploymentSpec
    from workflows import details
    from workflows.commanding import Line
    from workflows.lost import end_lost, lost

UNWANTED = timedelta(seconds=30)
"""A deployment whose first request was refused has nothing to live for; update-with-start started it all the same."""
WORKFLOWS = {
    OperationKind.ONBOARD: "Onboard",
    OperationKind.ROLLOUT: "Rollout",
    OperationKind.ROLLBACK: "Rollback",
    OperationKind.SCALE: "Scale",
    OperationKind.RETIRE: "Retire",
    OperationKind.RELEASE: "Release",
    OperationKind.ADOPT: "Adopt",
}


@workflow.defn(name=DEPLOYMENT_WORKFLOW, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class DeploymentWorkflow:
    """Takes requests as updates, decides by `planning.deployment.decisions`, and runs operations as children.

    | update | argument | answers once |
    |---|---|---|
    | apply, adopt, scale, undo, retry, retire | a request | it is recorded, and the operation it starts has started |
    | apply, scale while that version is under way | a request | the operation acknowledged what is revised |
    | pause, resume, promote, abort, approve, override | a request | the operation acknowledged it, or ended |

    What a newer revision supersedes is not waited for: the revision is durable, and starts when that has ended. While
    warm copies are given up, requests wait for the end of that.
    """

    @workflow.init
    def __init__(self, carried: DeploymentState | None = None) -> None:
        self.state = carried or DeploymentState(name=workflow.info().workflow_id.partition("/")[2])
        self._loaded = carried is not None
        self._line = Line(self)
        self._recorded = self.state.sequence
        self._untold: list[Event] = []
        """Of revisions that ended unstarted; recorded with the next saying."""
        self._recording = asyncio.Lock()
        self._revising = asyncio.Lock()

    @workflow.run
    async def run(self, carried: DeploymentState | None = None) -> None:  # noqa: ARG002 - taken by __init__
        """Live until retired, or as long as no request was ever accepted."""
        if not self._loaded:
            await self._load()
        while True:
            if self.state.operation is not None:
                await self._run_operation(self.state.operation)
            elif self.state.retired and workflow.all_handlers_finished():
                return
            elif settling.release_due(self.state, workflow.now()):
                self.state = settling.begin_release(self.state)
            elif workflow.info().is_continue_as_new_suggested():
                # A request on its way in may begin an operation, and waits for that: it must not be waited for here.
                await workflow.wait_condition(
                    lambda: self.state.operation is not None or workflow.all_handlers_finished()
                )
                if self.state.operation is None:
                    workflow.continue_as_new(self.state)
            elif not await self._wait_for_work():
                return

    async def _wait_for_work(self) -> bool:
        """Until there is something to do; false when nothing was ever accepted and nobody asks any more."""
        wanted, warm = bool(self.state.revisions), self.state.warm
        left = max(timedelta(0), warm.until - workflow.now()) if warm else None
        try:
            await workflow.wait_condition(
                lambda: (
                    self.state.operation is not None
                    or (self.state.retired and workflow.all_handlers_finished())
                    or workflow.info().is_continue_as_new_suggested()
                    or settling.release_due(self.state, workflow.now())
                ),
                timeout=left if wanted else UNWANTED,
                timeout_summary="copies are warm" if warm else None,
            )
        except TimeoutError:
            return bool(self.state.revisions) or not workflow.all_handlers_finished()
        return True

    # -- beginning -------------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        """Begin with what the store knows; end an operation that lost its deployment before anything else."""
        self.state = await workflow.execute_local_activity(
            "load_deployment",
            self.state.name,
            result_type=DeploymentState,
            start_to_close_timeout=CALL,
            retry_policy=RETRY,
        )
        self._recorded = self.state.sequence
        if self.state.operation is not None:
            order = self.state.operation
            self._line.open(order.number, None)
            await self._settle(await end_lost(order))
        else:
            self._keep(*superseding.proceed(self.state), settling.LONGSHORE)
        self._loaded = True

    # -- operations ------------------------------------------------------------------------------------------------

    async def _run_operation(self, order: OperationOrder) -> None:
        await self._record()
        try:
            child = await workflow.start_child_workflow(
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
            self._line.open(order.number, None)
            await self._settle(await end_lost(order))
            return
        self._line.open(order.number, child)
        try:
            result = await child
        except ChildWorkflowError as error:
            result = lost(order, str(error.cause or error))
        self._line.close()
        await self._settle(result)

    async def _settle(self, result: OperationResult) -> None:
        """Take in how the operation under way ended, and begin what waited for that, in one saying."""
        order = self.state.operation  # as it was last revised
        if order is None:
            raise AssertionError("only an operation that is under way can end")
        self._keep(*superseding.go_on(self.state, order, result), settling.LONGSHORE)
        await self._record(order, result)

    def _keep(self, state: DeploymentState, unstarted: tuple[Revision, ...], actor: str) -> None:
        """Take a new state, and remember to tell of the revisions that end unstarted with it."""
        self.state = state
        now = workflow.now()
        self._untold += [superseding.unstarted_event(state, revision, actor, now) for revision in unstarted]

    async def _record(self, ended: OperationOrder | None = None, result: OperationResult | None = None) -> None:
        """Write the state as it is now, once; those who come while it is being written wait for theirs."""
        async with self._recording:
            state = self.state
            workflow.set_current_details(details.standing(state))
            if ended is None and (state.sequence <= self._recorded or state.spec is None):
                return
            said = state.model_copy(update={"answered": ()})
            events, self._untold = tuple(self._untold), []
            await workflow.execute_local_activity(
                "record_deployment",
                SayingInput(state=said, at=workflow.now(), ended=ended, result=result, events=events),
                start_to_close_timeout=RECORD,
                retry_policy=RETRY,
            )
            self._recorded = state.sequence

    # -- requests --------------------------------------------------------------------------------------------------

    @workflow.update
    async def apply(self, request: ApplyRequest) -> Answer:
        """Bring the deployment to a desired state."""
        return await self._accept(request, lambda: planner.decide_apply(self.state, request))

    @workflow.update
    async def scale(self, request: ScaleRequest) -> Answer:
        """Bring the copies to a number."""
        return await self._accept(request, lambda: planner.decide_scale(self.state, request))

    @workflow.update
    async def adopt(self, request: AdoptRequest) -> Answer:
        """Let what is on the target be what is desired."""
        return await self._accept(request, lambda: adopting.decide_adopt(self.state, request))

    @workflow.update
    async def undo(self, request: UndoRequest) -> Answer:
        """Roll to an earlier revision's version."""
        return await self._accept(request, lambda: planner.decide_undo(self.state, request))

    @workflow.update
    async def retry(self, request: ControlRequest) -> Answer:
        """Try the held revision again."""
        return await self._accept(request, lambda: planner.decide_retry(self.state, request))

    @workflow.update
    async def retire(self, request: ControlRequest) -> Answer:
        """End whatever is under way, without restoring, then remove everything."""
        await workflow.wait_condition(lambda: self._loaded)
        # One may have ended and another have begun while this waited: two never run, so each is ended first.
        while (under_way := self.state.operation) is not None and under_way.kind is not OperationKind.RETIRE:
            self._keep(*superseding.drop_waiting(self.state, Phase.ABORTED, "Retired"), request.actor)
            await self._line.ask(under_way.number, verb="retire", actor=request.actor)
            await self._line.end_of(under_way.number)
        return await self._accept(request, lambda: planner.decide_retire(self.state, request))

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
        """Return to the stable revision; what waits never starts."""
        await workflow.wait_condition(lambda: self._loaded)
        if self.state.under_way is None:
            return await self._accept(request, lambda: planner.decide_abort(self.state, request))
        return await self._control("abort", request)

    @workflow.update
    async def approve(self, request: ApproveRequest) -> Answer:
        """Pass an approval."""
        return await self._control("approve", request, roles=request.roles, reason=request.reason)

    @workflow.update
    async def override(self, request: OverrideRequest) -> Answer:
        """Start in spite of a freeze."""
        return await self._control("override", request, reason=request.reason)

    # A validator runs before a fresh workflow has read the store; then the handler itself refuses.

    @apply.validator
    def _apply_makes_sense(self, request: ApplyRequest) -> None:
        self._validate(request, lambda: planner.decide_apply(self.state, request))

    @scale.validator
    def _scale_makes_sense(self, request: ScaleRequest) -> None:
        self._validate(request, lambda: planner.decide_scale(self.state, request))

    @adopt.validator
    def _adopt_makes_sense(self, request: AdoptRequest) -> None:
        self._validate(request, lambda: adopting.decide_adopt(self.state, request))

    @undo.validator
    def _undo_makes_sense(self, request: UndoRequest) -> None:
        self._validate(request, lambda: planner.decide_undo(self.state, request))

    @retry.validator
    def _retry_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: planner.decide_retry(self.state, request))

    @retire.validator
    def _retire_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: planner.decide_retire(self.state, request))

    @pause.validator
    def _pause_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: planner.decide_control(self.state, "pause"))

    @resume.validator
    def _resume_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: planner.decide_control(self.state, "resume"))

    @promote.validator
    def _promote_makes_sense(self, request: PromoteRequest) -> None:
        self._validate(request, lambda: planner.decide_control(self.state, "promote"))

    @abort.validator
    def _abort_makes_sense(self, request: ControlRequest) -> None:
        self._validate(request, lambda: self._abort_now(request))

    @approve.validator
    def _approve_makes_sense(self, request: ApproveRequest) -> None:
        self._validate(request, lambda: planner.decide_control(self.state, "approve"))

    @override.validator
    def _override_makes_sense(self, request: OverrideRequest) -> None:
        self._validate(request, lambda: planner.decide_control(self.state, "override"))

    def _validate(self, request: Request, decide: Callable[[], Accepted | Refusal | None]) -> None:
        if not self._loaded or self.state.answer_to(request.key):
            return
        decision = decide()
        if isinstance(decision, Refusal):
            raise _refused(decision)

    def _abort_now(self, request: ControlRequest) -> Accepted | Refusal | None:
        if self.state.under_way is None:
            return planner.decide_abort(self.state, request)
        return planner.decide_control(self.state, "abort")

    async def _accept(self, request: Request, decide: Callable[[], Accepted | Refusal]) -> Answer:
        """Decide, remember the answer under its key, and give it once it is durable and under way."""
        while True:
            while not self._loaded or self.state.releasing:
                await workflow.wait_condition(lambda: self._loaded and not self.state.releasing)
            if (answered := self.state.answer_to(request.key)) is not None:
                return answered
            decision = decide()
            if isinstance(decision, Refusal):
                raise _refused(decision)
            if decision.ask is None or decision.ask.spec is None:
                return await self._carry_out(request, decision)
            if (answer := await self._revise(request, decide)) is not None:
                return (
                    answer  # otherwise what is under way has changed meanwhile, and what is asked means something else
                )

    async def _carry_out(self, request: Request, decision: Accepted) -> Answer:
        before = self.state
        self._keep(decision.state.with_answer(request.key, decision.answer), decision.unstarted, request.actor)
        started = self.state.operations
        if started > before.operations:
            await self._line.begun(started)
        elif decision.answer.changed:
            await self._record()
        if decision.ask is not None and before.operation is not None:
            await self._line.send(before.operation.number, verb=decision.ask.verb, actor=request.actor)
        return decision.answer

    async def _revise(self, request: Request, decide: Callable[[], Accepted | Refusal]) -> Answer | None:
        """Let the operation under way go on to another desired state; None when there is none to answer that."""
        async with self._revising:  # one after the other, each from what the one before it came to
            decision, order = decide(), self.state.operation
            if order is None or isinstance(decision, Refusal) or decision.ask is None or decision.ask.spec is None:
                return None
            return await self._revise_to(decision.ask.spec, order, request, decision)

    async def _revise_to(
        self, spec: DeploymentSpec, order: OperationOrder, request: Request, decision: Accepted
    ) -> Answer | None:
        labels = decision.state.labels

        def revised(state: DeploymentState) -> DeploymentState:
            return superseding.revised(state.model_copy(update={"labels": labels}), order.number, spec)

        acknowledged = await self._line.ask(order.number, then=revised, verb="revise", actor=request.actor, spec=spec)
        if acknowledged is None:
            await self._line.end_of(order.number)
            return None
        if not acknowledged.accepted:
            raise _refused(Refusal(reason=acknowledged.reason or "Refused", message=acknowledged.message))
        answer = decision.answer.model_copy(update={"message": acknowledged.message})
        self.state = self.state.with_answer(request.key, answer)
        await self._record()
        return answer

    async def _control(self, verb: Verb, request: Request, **more: Any) -> Answer:
        await workflow.wait_condition(lambda: self._loaded)
        if (answered := self.state.answer_to(request.key)) is not None:
            return answered
        refusal = planner.decide_control(self.state, verb)
        under_way = self.state.operation
        if refusal is not None or under_way is None:
            raise _refused(refusal or _ended(verb))
        waited = self.state.waiting if verb == "abort" else None
        if waited is not None:
            self._keep(*superseding.drop_waiting(self.state, Phase.ABORTED, "AbortedByUser"), request.actor)
            await self._record()
        acknowledged = await self._line.ask(under_way.number, verb=verb, actor=request.actor, **more)
        if waited is not None:
            message = f"version {waited.spec.version} does not start; {under_way.id} returns to what was"
        elif acknowledged is None:
            raise _refused(_ended(verb))
        elif not acknowledged.accepted:
            raise _refused(Refusal(reason=acknowledged.reason or "Refused", message=acknowledged.message))
        else:
            message = acknowledged.message
        answer = Answer(changed=True, message=message, revision=under_way.revision, operation=under_way.id)
        self.state = self.state.with_answer(request.key, answer)
        return answer

    # -- signals ---------------------------------------------------------------------------------------------------

    @workflow.signal
    def acknowledged(self, acknowledged: Acknowledged) -> None:
        """The operation's word on a command."""
        self._line.hear(acknowledged)

    @workflow.signal
    async def give_up_warm(self) -> None:
        """Another deployment needs the room of the copies that are warm here."""
        await workflow.wait_condition(lambda: self._loaded)
        self.state = settling.give_up_warm(self.state, workflow.now())


def _ended(verb: str) -> Refusal:
    return Refusal(reason="Ended", message=f"has ended before it could {verb}")


def _refused(refusal: Refusal) -> ApplicationError:
    return ApplicationError(refusal.message, refusal, type=REFUSED, non_retryable=True)
