"""A deployment's workflow without operations: the real decisions behind the real update names, and nothing else."""

from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from longshore.messages import DEPLOYMENT_WORKFLOW, REFUSED
    from longshore.planning.deployment import decisions as planner
    from longshore.planning.deployment.revisions import Accepted, DeploymentState
    from longshore.planning.requests import (
        Answer,
        ApplyRequest,
        ControlRequest,
        PromoteRequest,
        Refusal,
        ScaleRequest,
        UndoRequest,
    )


@workflow.defn(name=DEPLOYMENT_WORKFLOW)
class TinyDeployment:
    """Accepts and refuses; an operation that it starts stays under way for ever."""

    @workflow.init
    def __init__(self, carried: DeploymentState | None = None) -> None:
        self._state = carried or DeploymentState(name=workflow.info().workflow_id.partition("/")[2])
        self._answers = 0

    @workflow.run
    async def run(self, carried: DeploymentState | None = None) -> None:  # noqa: ARG002 - taken by __init__
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def answers(self) -> int:
        """How many updates were carried out."""
        return self._answers

    @workflow.update
    def apply(self, request: ApplyRequest) -> Answer:
        return self._accept(lambda: planner.decide_apply(self._state, request))

    @workflow.update
    def scale(self, request: ScaleRequest) -> Answer:
        return self._accept(lambda: planner.decide_scale(self._state, request))

    @workflow.update
    def undo(self, request: UndoRequest) -> Answer:
        return self._accept(lambda: planner.decide_undo(self._state, request))

    @workflow.update
    def retire(self, request: ControlRequest) -> Answer:
        return self._accept(lambda: planner.decide_retire(self._state, request))

    @workflow.update
    def pause(self, request: ControlRequest) -> Answer:  # noqa: ARG002 - the update's signature
        return self._control("pause")

    @workflow.update
    def promote(self, request: PromoteRequest) -> Answer:
        return self._control(f"promote full={request.full}")

    @scale.validator
    def _scale_makes_sense(self, request: ScaleRequest) -> None:
        decision = planner.decide_scale(self._state, request)
        if isinstance(decision, Refusal):
            raise _refused(decision)

    def _accept(self, decide: Callable[[], Accepted | Refusal]) -> Answer:
        decision = decide()
        if isinstance(decision, Refusal):
            raise _refused(decision)
        self._state = decision.state
        self._answers += 1
        return decision.answer

    def _control(self, verb: str) -> Answer:
        if refusal := planner.decide_control(self._state, verb):
            raise _refused(refusal)
        self._answers += 1
        return Answer(changed=True, message=verb, revision=1, operation=self._state.last_operation)


def _refused(refusal: Refusal) -> ApplicationError:
    return ApplicationError(refusal.message, refusal, type=REFUSED, non_retryable=True)
