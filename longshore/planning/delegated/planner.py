"""How an update is handed to the platform, and followed to its end with the truth about what came of it.

What people may ask of it is in `controls`, and what is judged of a status in `verdict`. Room for what the platform
starts beside the old copies is held for as long as it lasts, so that no other deployment is promised that.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from longshore.planning import freezing, refusals, steering
from longshore.planning.delegated import controls
from longshore.planning.delegated.state import DelegatedState, Stage
from longshore.planning.delegated.turn import DelegatedTurn
from longshore.planning.delegated.verdict import Verdict, judged
from longshore.planning.native import NativeStatus
from longshore.planning.operation import (
    Decision,
    Delegate,
    Facts,
    Follow,
    GiveUpWarm,
    OperationOrder,
    OperationResult,
    Reserve,
    Steer,
    Verify,
)
from longshore.planning.release import give_up
from longshore.planning.rollout.rollback import ROOM_POLL
from longshore.planning.room import ReservationRequest
from longshore.planning.steering import steered
from longshore.planning.words import EventType, Phase

STAGES_AT_ONCE: Final = 20
"""More stages than one decision can go through without an action: a planner that loops is a bug, not a hang."""
FIRST_LOOK: Final = timedelta(seconds=2)
LOOKS_GROW: Final = 1.3
RAREST_LOOK: Final = timedelta(seconds=30)
LOOKS_COUNTED: Final = 20
"""Pauses between looks grow from the one to the other: an update of minutes need not be asked for every second."""
MARGIN: Final = timedelta(minutes=30)
"""Beyond the platform's own limit, in which it goes back; then a person must look."""
CONFIRM_LIMIT: Final = timedelta(minutes=5)
"""For the target's readings to show what was just described."""


def begin(order: OperationOrder) -> DelegatedState:
    """The state of an update that has not begun."""
    old = order.old.version if order.old else ""
    return DelegatedState(
        stage=Stage.DOUBT if order.doubt else Stage.GATE,
        weights={old: 100},
        levels={old: order.copies_before},
        returning=order.doubt is not None,
        again=order.doubt == "again",
        warm=order.warm,
    )


def aim(order: OperationOrder, state: DelegatedState, result: OperationResult) -> Steer | None:
    """The autoscaler goes on with the version that serves in the end, by its own policy."""
    if result.reason == "Retired" and result.phase is Phase.ABORTED:
        return None
    new = result.phase is Phase.SUCCEEDED
    served, scaling = (order.new, order.spec.scaling) if new else (order.old, order.old_scaling)
    if served is None or not (state.held or new) or (scaling is None and not order.autoscaled):
        return None
    return steering.aimed_at(served.version, scaling, state.step + 1)


@steered(aim)
def advance(order: OperationOrder, state: DelegatedState, facts: Facts) -> Decision:
    """Decide what a delegated update does now."""
    turn = DelegatedTurn(order, state, facts)
    if not state.started:
        turn.become(started=True)
        turn.emit(EventType.ROLLOUT_STARTED, _started(turn), actor=order.actor, strategy=turn.strategy, delegate=True)
    if decision := controls.obey(turn) or _mind_trouble(turn) or turn.owed():
        return decision
    for _ in range(STAGES_AT_ONCE):
        if decision := STAGES[turn.state.stage](turn):
            return decision
    raise AssertionError(f"the update does not come out of stage {turn.state.stage}")


def _mind_trouble(turn: DelegatedTurn) -> Decision | None:
    """What the platform refused to begin changed nothing; what cannot be followed any more needs a person."""
    trouble = turn.facts.trouble
    if trouble is None or trouble.retryable:
        return None
    if turn.state.stage in {Stage.FOLLOW, Stage.SHIFT, Stage.CONFIRM, Stage.DOUBT} or turn.state.returning:
        return turn.fail(trouble.reason, f"the update cannot be followed: {trouble.message}; {_again(turn)}")
    turn.emit(EventType.ROLLED_BACK, trouble.message, reason=trouble.reason)
    return turn.end(Phase.ROLLED_BACK, trouble.reason, trouble.message)


# -- before it is handed over --------------------------------------------------------------------------------------


def gate(turn: DelegatedTurn) -> Decision | None:
    """A freeze may hold it; see `freezing.hold`."""
    if decision := freezing.hold(turn):
        return decision
    turn.become(stage=Stage.VERIFY)
    return None


def verify(turn: DelegatedTurn) -> Decision | None:
    """Check the artifact before anything starts."""
    if not turn.facts.verified:
        return turn.act(Verify())
    turn.become(stage=Stage.GIVE_UP_WARM)
    return None


def give_up_warm(turn: DelegatedTurn) -> Decision | None:
    """Three versions never hold accelerators at once."""
    if decision := give_up(turn):
        return decision
    turn.become(stage=Stage.RESERVE)
    return None


def reserve(turn: DelegatedTurn) -> Decision | None:
    """Hold the room of what the platform starts beside the old copies, or wait for it."""
    order, grant = turn.order, turn.facts.grant
    if grant is None:
        size = turn.policy.beside(turn.spec.copies) if turn.spec.copies else 0
        if not size:
            turn.become(stage=Stage.HOLD)
            return None
        request = ReservationRequest(
            target=order.target,
            deployment=order.deployment,
            model=order.model,
            version=order.new.version,
            operation=order.id,
            resources=order.new.resources,
            batch=size,
            old_version=turn.old.version,
            whole=True,
        )
        return turn.act(Reserve(request=request))
    if grant.granted:
        turn.become(stage=Stage.HOLD, blocked=False)
        return None
    others = tuple(name for name in grant.warm if name != order.deployment)
    if others and not turn.state.warm_asked:
        turn.become(warm_asked=True)
        return turn.act(GiveUpWarm(deployments=others))
    if not grant.warm and not turn.state.blocked:
        turn.emit(EventType.ROLLOUT_BLOCKED, refusals.told(turn, grant), reason=grant.reason)
        turn.become(blocked=True)
    turn.held_up(grant.reason, refusals.told(turn, grant))
    return turn.poll(ROOM_POLL)


def hold(turn: DelegatedTurn) -> Decision | None:
    """The autoscaler leaves the copies alone while they are replaced."""
    if actions := steering.hold(turn):
        return turn.act(*actions)
    turn.become(stage=Stage.HAND_OVER, asked=False)
    return None


# -- handing over, and following -----------------------------------------------------------------------------------


def hand_over(turn: DelegatedTurn) -> Decision | None:
    """Ask the platform, once: asked again after a rollback it would begin anew."""
    state = turn.state
    if not state.asked:
        limit = turn.now + timedelta(seconds=turn.policy.limit_s) + MARGIN
        turn.become(asked=True, handed=True, give_up_at=limit)
        return turn.act(
            Delegate(
                version=turn.goal.version,
                before=turn.before.version,
                copies=turn.copies,
                policy=turn.policy,
                step=turn.next_step(),
            )
        )
    turn.become(stage=Stage.FOLLOW, asked=False, looks=0)
    message = f"SageMaker brings it to version {turn.goal.version}: {turn.policy.told(turn.spec.copies)}"
    turn.say(Phase.ROLLING_BACK if state.returning else Phase.PROGRESSING, None, message)
    return None


def follow(turn: DelegatedTurn) -> Decision | None:
    """Look, at growing pauses, until it is known what came of it."""
    state, status = turn.state, turn.facts.native
    if status is None:
        return turn.act(Follow(step=state.step))
    verdict = judged(status, goal=turn.goal.version, before=turn.before.version, copies=turn.copies)
    if verdict is Verdict.UNDER_WAY:
        return _look_later(turn, status)
    said = status.words or "it does not say why"
    if verdict is Verdict.BROKEN:
        message = f"SageMaker left {status.resource} as neither version: {said}; {_again(turn)}"
        return turn.fail("NativeUpdateFailed", message, cause=said)
    if verdict is Verdict.RETURNED:
        return _returned(turn, f"SageMaker rolled {status.resource} back to version {turn.before.version}: {said}")
    turn.become(stage=Stage.CONFIRM, give_up_at=turn.now + CONFIRM_LIMIT)
    return None


def _look_later(turn: DelegatedTurn, status: NativeStatus) -> Decision:
    """The platform is still at it: look again after a while, but not for ever."""
    limit = turn.state.give_up_at or turn.now + timedelta(seconds=turn.policy.limit_s) + MARGIN
    if turn.now >= limit:
        message = f"SageMaker still updates {status.resource}, long after its own limit; {_again(turn)}"
        return turn.fail("StillUpdating", message)
    looks = turn.state.looks
    turn.become(looks=min(looks + 1, LOOKS_COUNTED), give_up_at=limit)
    pause = min(RAREST_LOOK, FIRST_LOOK * LOOKS_GROW**looks)
    return turn.poll(timedelta(seconds=round(pause.total_seconds())))


def _returned(turn: DelegatedTurn, message: str) -> Decision:
    """The version of before is there again, however the platform calls that."""
    if turn.state.returning:
        return turn.fail("NativeUpdateFailed", f"{message}; {_again(turn)}")
    turn.emit(EventType.ROLLED_BACK, message, reason="RolledBackByPlatform")
    return turn.end(Phase.ROLLED_BACK, "RolledBackByPlatform", message)


def doubt(turn: DelegatedTurn) -> Decision | None:
    """An operation before this one did not end well: see what is there, and ask for the old version if it is not."""
    status = turn.facts.native
    if status is None:
        return turn.act(Follow(step=turn.next_step()))
    if status.under_way and not status.broken:
        return _look_later(turn, status)
    if judged(status, goal=turn.goal.version, before=turn.before.version, copies=turn.copies) is Verdict.REACHED:
        turn.become(stage=Stage.CONFIRM, give_up_at=turn.now + CONFIRM_LIMIT)
    else:
        turn.emit(EventType.ROLLBACK_STARTED, f"back to version {turn.goal.version}: asked by {turn.order.actor}")
        turn.become(stage=Stage.HAND_OVER, asked=False)
    return None


def confirm(turn: DelegatedTurn) -> Decision | None:
    """It succeeded only when the target's own reading shows what was asked for, and nothing else."""
    facts, goal, state = turn.facts, turn.goal.version, turn.state
    if not facts.fresh or facts.observation is None:
        return turn.look()
    there = facts.count(goal)
    wanted = there if turn.copies is None else turn.copies
    if facts.ready(goal) == there == wanted == len(facts.observation.copies):
        turn.become(stage=Stage.SHIFT)
        return None
    if state.give_up_at is not None and turn.now >= state.give_up_at:
        message = f"{facts.ready(goal)} of {wanted} copies of version {goal} are seen; {_again(turn)}"
        return turn.fail("StillUpdating", message)
    return turn.poll(FIRST_LOOK)


def shift(turn: DelegatedTurn) -> Decision | None:
    """Name the version that serves: the route leads to the same place as before, and the ledger learns of it now."""
    goal = turn.goal.version
    cause = f"version {goal}, as SageMaker was seen to have it; from when on it answered, only SageMaker knows"
    if turn.state.weights != {goal: 100} and (decision := turn.shift({goal: 100}, (), cause, None)):
        return decision
    if turn.state.returning:
        return _back(turn)
    there = turn.facts.count(goal)
    message = f"version {goal} serves with {there} {'copy' if there == 1 else 'copies'}"
    turn.emit(EventType.ROLLOUT_SUCCEEDED, message)
    return turn.end(Phase.SUCCEEDED, None, message)


def _back(turn: DelegatedTurn) -> Decision:
    """The old version serves again: begin anew where that was asked, else it is over."""
    if turn.state.again:
        turn.become(stage=Stage.GATE, returning=False, again=False, handed=False, asked=False, looks=0)
        turn.say(Phase.PENDING)
        return turn.poll()
    message = f"version {turn.old.version} serves again: asked by {turn.order.actor}"
    turn.emit(EventType.ROLLOUT_ABORTED, message, reason="AbortedByUser")
    return turn.end(Phase.ABORTED, "AbortedByUser", message)


def _started(turn: DelegatedTurn) -> str:
    order = turn.order
    if order.doubt == "return":
        return f"back from version {order.new.version} to {turn.old.version}, by SageMaker"
    copies = f"{order.spec.copies} {'copy' if order.spec.copies == 1 else 'copies'}"
    how = turn.policy.told(order.spec.copies)
    return f"from version {turn.old.version} to {order.new.version}, {copies}, handed to SageMaker: {how}"


def _again(turn: DelegatedTurn) -> str:
    name = turn.order.deployment
    return (
        f"longshore rollout abort {name} asks SageMaker for version {turn.old.version} again, "
        f"longshore rollout retry {name} for version {turn.order.new.version}"
    )


STAGES: Final[dict[Stage, Callable[[DelegatedTurn], Decision | None]]] = {
    Stage.DOUBT: doubt,
    Stage.GATE: gate,
    Stage.VERIFY: verify,
    Stage.GIVE_UP_WARM: give_up_warm,
    Stage.RESERVE: reserve,
    Stage.HOLD: hold,
    Stage.HAND_OVER: hand_over,
    Stage.FOLLOW: follow,
    Stage.SHIFT: shift,
    Stage.CONFIRM: confirm,
}
