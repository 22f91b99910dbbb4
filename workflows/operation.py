"""How every operation runs: ask its planner, carry out what it says, record it, wait, and ask again."""

import asyncio
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.inputs import StepInput
    from activities.limits import RECORD, RETRY
    from longshore.messages import workflow_id
    from longshore.planning.observed import Observation
    from longshore.planning.operation import (
        Acknowledged,
        Action,
        Command,
        Decision,
        Facts,
        Observe,
        OperationOrder,
        OperationResult,
        State,
    )
    from longshore.planning.steady import Foresight, Known, ahead, still
    from longshore.planning.words import Phase, Progress
    from workflows import details
    from workflows.acting import Hands, trouble_of

S = TypeVar("S", bound=State)
T = TypeVar("T")
FROM_UI = -1
"""Sequence of the abort that a cancel from Temporal's UI means; nobody waits for its answer."""


class Planner(Protocol[S]):
    """A pure planner of one kind of operation."""

    def begin(self, order: OperationOrder) -> S:
        """The state before anything was done."""

    def advance(self, order: OperationOrder, state: S, facts: Facts) -> Decision:
        """What to do now."""


class Operation(Generic[S]):
    """Drives one operation. The workflow classes, one file each, hold one of these and hand it their signals."""

    def __init__(self, order: OperationOrder, planner: Planner[S], state_type: type[S]) -> None:
        self._order = order
        self._planner = planner
        self._state_type = state_type
        carried = order.state or {}
        self._state = state_type.model_validate(carried["state"]) if carried else planner.begin(order)
        self._records: int = carried.get("records", 0)
        self._commands = [Command.model_validate(command) for command in carried.get("commands", [])]
        self._hands = Hands(order)
        seen = carried.get("observation")
        self._kept = Observation.model_validate(seen) if seen else None
        self._foresight: Foresight | None = None
        self._given: dict[str, Any] = {}
        self._said: tuple[Phase, str | None, str | None] | None = None
        self._progress: Progress | None = None
        self._started_at = datetime.fromisoformat(carried["startedAt"]) if carried else workflow.now()

    def command(self, command: Command) -> None:
        """Take a control verb; the planner answers it at the next decision."""
        self._commands.append(command)

    async def run(self) -> OperationResult:
        """Drive the operation to its end."""
        while True:
            result = await self._turn()
            if result is not None:
                return result

    async def _turn(self) -> OperationResult | None:
        commands, self._commands = tuple(self._commands), []
        given, self._given = self._given, {}
        self._kept = given.pop("observation", self._kept)
        facts = Facts(now=workflow.now(), observation=self._kept, commands=commands, **given)
        decision = self._planner.advance(self._order, self._state, facts)
        self._state = self._state_type.model_validate(decision.state)
        await self._tell(decision)
        for acknowledged in decision.acknowledged:
            await self._acknowledge(acknowledged)
        if decision.result is not None:
            return decision.result
        if workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(workflow.all_handlers_finished)
            workflow.continue_as_new(self._order.model_copy(update={"state": self._carried()}))
        if decision.actions:
            self._given = await self._carry_out(decision.actions)
        else:
            await self._wait(decision)
        return None

    async def _wait(self, decision: Decision) -> None:
        """Until there is something to do, or a command comes."""
        if self._kept is None or self._kept.steady_until is None:
            await self._sleep(decision)
            return
        known = Known(observation=self._kept, foresight=self._foresight)
        last = ahead(self._advance, decision, known)
        await self._sleep(last)
        if last.wait_until is not None and workflow.now() < last.wait_until:
            last = still(self._advance, decision, known, workflow.now()) or decision
        self._state = self._state_type.model_validate(last.state)

    def _advance(self, state: dict[str, Any], facts: Facts) -> Decision:
        return self._planner.advance(self._order, self._state_type.model_validate(state), facts)

    async def _sleep(self, decision: Decision) -> None:
        """Until the instant, or a command. The instant is absolute: what came before it does not move it."""
        left = None if decision.wait_until is None else decision.wait_until - workflow.now()
        if left is not None and left <= timedelta(0):
            return
        try:
            await workflow.wait_condition(
                lambda: bool(self._commands), timeout=left, timeout_summary=details.waiting(decision)
            )
        except TimeoutError:
            return
        except asyncio.CancelledError:
            self._abort_from_ui()

    async def _finish(self, work: Awaitable[T]) -> T:
        """Await something to its end even when the workflow is cancelled: a cancel means abort, obeyed next."""
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            self._abort_from_ui()
            return await task

    def _abort_from_ui(self) -> None:
        self.command(Command(sequence=FROM_UI, verb="abort", actor="temporal"))

    def _carried(self) -> dict[str, Any]:
        return {
            "state": self._state.model_dump(mode="json"),
            "records": self._records,
            "commands": [command.model_dump(mode="json") for command in self._commands],
            "observation": self._kept.model_dump(mode="json") if self._kept else None,
            "startedAt": self._started_at.isoformat(),
        }

    # -- telling ---------------------------------------------------------------------------------------------------

    async def _tell(self, decision: Decision) -> None:
        """Record what is new, and show it to operators in Temporal's UI."""
        said = (decision.phase, decision.reason, decision.message)
        news = said != self._said or bool(decision.events or decision.shares or decision.result)
        if not news and decision.progress == self._progress:
            return
        workflow.set_current_details(details.ladder(decision))
        if not news and decision.actions:
            return  # how far it got is written once it waits, or with the next event: actions answer within moments
        if self._said is None or self._said[0] != decision.phase:
            workflow.upsert_search_attributes([details.PHASE.value_set(decision.phase.value)])
        self._said, self._progress = said, decision.progress
        self._records += 1
        await self._finish(
            workflow.execute_local_activity(
                "record_step",
                self._step(decision),
                start_to_close_timeout=RECORD,
                retry_policy=RETRY,
                summary=", ".join(event.type.value for event in decision.events) or decision.phase.value,
            )
        )

    def _step(self, decision: Decision) -> StepInput:
        return StepInput(
            order=self._order.model_copy(update={"state": None}),
            step=self._records,
            phase=decision.phase,
            reason=decision.reason,
            message=decision.message,
            events=decision.events,
            shares=decision.shares,
            progress=decision.progress,
            started_at=self._started_at,
            ended_at=workflow.now() if decision.result else None,
        )

    async def _acknowledge(self, acknowledged: Acknowledged) -> None:
        if acknowledged.sequence == FROM_UI:
            return
        parent = workflow.get_external_workflow_handle(workflow_id(self._order.deployment))
        try:
            await self._finish(parent.signal("acknowledged", acknowledged))
        except ApplicationError as error:
            workflow.logger.warning("nobody waits for the answer to a control verb: %s", error)

    # -- acting ----------------------------------------------------------------------------------------------------

    async def _carry_out(self, actions: tuple[Action, ...]) -> dict[str, Any]:
        given: dict[str, Any] = {"answered": True}
        for action in actions:
            if not isinstance(action, Observe):
                self._foresight = None  # of the world before this
            try:
                given |= await self._finish(self._hands.act(action))
            except ActivityError as error:
                return {"trouble": trouble_of(action, error)}
            self._foresight = given.pop("foresight", self._foresight)
        return given
