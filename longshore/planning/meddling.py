"""A scale, and what somebody else changed of the version that it scales.

Nobody else's change is overwritten without a person's word. Without it a scale that meets one ends and says what would
do; with it (`apply --take`) the level is said once as it is, which undoes the change, and the scale goes on from there.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import TypeVar

from longshore.planning import outside
from longshore.planning.operation import Decision, Ensure, Facts, OperationOrder, State
from longshore.planning.turn import Turn
from longshore.planning.words import Phase

S = TypeVar("S", bound=State)

Advance = Callable[[OperationOrder, S, Facts], Decision]


def minds_others(advance: Advance[S]) -> Advance[S]:
    """Let a planner of one version act only where nobody else changed it, or a person wants that undone."""

    @wraps(advance)
    def minding(order: OperationOrder, state: S, facts: Facts) -> Decision:
        changed = facts.changed(order.new.version)
        if not facts.fresh or not (changed or state.taken or order.take):
            return advance(order, state, facts)
        turn = Turn(order, state, facts)
        if order.take and not state.looked and not facts.commands:
            turn.become(looked=True, taken=changed)
            return _put_right(turn)
        turn.become(taken=state.taken if changed else ())
        if set(changed) - set(turn.state.taken):
            message = f"{outside.told(changed)}, and stays so: {outside.cures(order.deployment)}"
            return turn.fail(outside.CHANGED_OUTSIDE, message)
        decision = advance(order, turn.state, facts)
        if changed and decision.result is not None and decision.result.phase is Phase.SUCCEEDED:
            return _await_right(turn, decision)
        return decision

    return minding


def _put_right(turn: Turn[S]) -> Decision:
    """Say the level that is there, once more: that undoes all but other numbers, for which the scale itself asks."""
    version = turn.order.new.version
    copies, limit = turn.facts.serving(version), turn.now + timedelta(seconds=turn.order.spec.rollout.deadline)
    turn.become(started=True, right_by=limit)
    turn.say(Phase.PROGRESSING)
    return turn.act(Ensure(version=version, copies=copies, surplus="drain", step=turn.next_step(), take=True))


def _await_right(before: Turn[S], decision: Decision) -> Decision:
    """It succeeds only once nothing of the change is seen any more."""
    told = {"phase": before.state.phase, "reason": before.state.reason, "message": before.state.message}
    state = type(before.state).model_validate(decision.state).model_copy(update=told)
    turn = Turn(before.order, state, before.facts)
    turn.acknowledged = [*decision.acknowledged]
    if state.right_by is not None and turn.now < state.right_by:
        return turn.poll()
    changed = outside.told(turn.facts.changed(turn.order.new.version))
    return turn.fail(outside.CHANGED_OUTSIDE, f"{changed}, and could not be undone in time: see longshore doctor")
