"""The target's own autoscaler and our operations: one of them chooses the copies at a time.

An operation that changes copies first has the autoscaler hold still, and begins with the copies that it had chosen.
The last thing that any operation does, however it ends, is to tell the autoscaler which version serves now and by
which policy its copies are chosen. Both are levels, so an operation that was lost in between is made good by the next.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Final, Protocol, TypeVar

from longshore.planning.operation import (
    Action,
    Command,
    Decision,
    Facts,
    Farewell,
    Observe,
    OperationOrder,
    OperationResult,
    State,
    Steer,
)
from longshore.planning.turn import Turn
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.scaling import Scaling

FAREWELL_LIMIT: Final = timedelta(minutes=10)
"""An autoscaler that cannot be told for so long needs a person; its deployment serves, and must not stay locked."""
NOT_STEERED: Final = "AutoscalerNotSet"

S = TypeVar("S", bound=State)
S_contra = TypeVar("S_contra", bound=State, contravariant=True)

Advance = Callable[[OperationOrder, S, Facts], Decision]


class Aim(Protocol[S_contra]):
    """What the autoscaler shall do once the operation has ended so; None leaves it as it is."""

    def __call__(self, order: OperationOrder, state: S_contra, result: OperationResult, /) -> Steer | None:
        """Decide it."""


def with_copies(spec: DeploymentSpec, copies: int) -> DeploymentSpec:
    """The same with a number of copies that an autoscaler chose."""
    return spec.model_copy(update={"copies": copies})


def bounded(spec: DeploymentSpec, copies: int) -> DeploymentSpec:
    """Where an autoscaler chooses the copies, so many as its bounds allow; else as it is.

    At least one: a version that never ran has shown nothing. The autoscaler then lets it sleep, if it may.
    """
    return spec if spec.scaling is None else with_copies(spec, max(1, spec.scaling.within(copies)))


def chooses(turn: Turn[S]) -> bool:
    """Whether the autoscaler may still change the copies of what serves."""
    return turn.order.autoscaled and turn.order.old is not None and not turn.state.held


def hold(turn: Turn[S]) -> tuple[Action, ...]:
    """Have the autoscaler leave the copies alone, then see how many it had chosen. Nothing, where it did before."""
    order = turn.order
    if order.old is None or not chooses(turn):
        return ()
    turn.become(held=True)
    return aimed_at(order.old.version, order.old_scaling, turn.next_step(), suspended=True), Observe()


def aimed_at(version: str, scaling: Scaling | None, step: int, *, suspended: bool = False) -> Steer:
    """The copies of this version, by this policy; none at all where there is no policy."""
    if scaling is None:
        return Steer(step=step)
    return Steer(version=version, scaling=scaling, suspended=suspended, step=step)


def steered(aim: Aim[S]) -> Callable[[Advance[S]], Advance[S]]:
    """Let no operation of a planner end before the autoscaler was told what `aim` says of that end.

    Where nothing is to be told, as of a deployment without a scaling policy, decisions are as the planner made them.
    """

    def around(advance: Advance[S]) -> Advance[S]:
        @wraps(advance)
        def steering(order: OperationOrder, state: S, facts: Facts) -> Decision:
            if state.farewell is not None:
                return _go_on(Turn(order, state, facts), state.farewell)
            decision = advance(order, state, facts)
            if decision.result is None:
                return decision
            ended = type(state).model_validate(decision.state)
            steer = aim(order, ended, decision.result)
            if steer is None:
                return decision
            farewell = Farewell(
                result=decision.result,
                events=decision.events,
                progress=decision.progress,
                steer=steer,
                until=facts.now + FAREWELL_LIMIT,
            )
            return _begin(state, ended, decision, farewell)

        return steering

    return around


def _begin(before: S, ended: S, decision: Decision, farewell: Farewell) -> Decision:
    """Keep the end back: it is told once the autoscaler is."""
    steer = farewell.steer
    told = {"phase": before.phase, "reason": before.reason, "message": before.message}
    kept = {**told, "step": steer.step, "farewell": farewell, "pending": (steer,)}
    state = ended.model_copy(update=kept).model_dump(mode="json")
    changes = {**told, "state": state, "events": (), "result": None, "actions": (steer,)}
    return decision.model_copy(update=changes)


def _go_on(turn: Turn[S], farewell: Farewell) -> Decision:
    """Tell the autoscaler, trying again for a while; then end, and say so where it could not be told."""
    hurried = [_makes_way(turn, command) for command in turn.facts.commands]
    if turn.facts.answered:
        return _end(turn, farewell, farewell.result)
    trouble = turn.facts.trouble
    if any(hurried) or turn.now >= farewell.until or (trouble and not trouble.retryable):
        why = trouble.message if trouble else "there was no time for it"
        return _end(turn, farewell, _unsteered(turn, farewell.result, why))
    decision = turn.owed() or turn.act(farewell.steer)
    return decision.model_copy(update={"progress": farewell.progress})


def _makes_way(turn: Turn[S], command: Command) -> bool:
    """Whether somebody waits for the end, and tells the autoscaler anew."""
    if command.verb in {"retire", "supersede"}:
        turn.answer(command, "has ended")
        return True
    turn.refuse(command, "Ending", f"has ended but for its autoscaler, and cannot {command.verb}")
    return False


def _unsteered(turn: Turn[S], result: OperationResult, why: str) -> OperationResult:
    cure = f"longshore apply -f FILE sets it, also where nothing else has changed; see longshore doctor: {why}"
    message = f"{turn.order.deployment} serves, but its autoscaler was not told how to go on: {cure}"
    said = f"{result.message}; {message}" if result.message else message
    return result.model_copy(update={"unsteered": True, "reason": result.reason or NOT_STEERED, "message": said})


def _end(turn: Turn[S], farewell: Farewell, result: OperationResult) -> Decision:
    turn.become(farewell=None)
    turn.events = [*farewell.events]
    return turn.close(result).model_copy(update={"progress": farewell.progress})
