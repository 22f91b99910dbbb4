"""How a deployment moves from one version to another, batch by batch, and how it is onboarded.

`advance` is the whole decision: it takes in what happened, and asks the stage it is in what to do now. DESIGN.md,
"The rules", numbers what the stages do. Those of a batch are in `batch`, what comes before the first traffic in
`admission`, its bake in `watch`, the way back in `rollback`, what people ask for in `controls`.
"""

from collections.abc import Callable
from datetime import timedelta

from longshore.planning import admission, batch, controls, rollback, watch
from longshore.planning.batches import ladder
from longshore.planning.operation import Decision, Facts, OperationOrder
from longshore.planning.rollback import turn_round
from longshore.planning.rollout_state import RolloutState, Stage
from longshore.planning.rollout_turn import RolloutTurn
from longshore.planning.words import EventType, Phase

STAGES_AT_ONCE = 40
"""More stages than one decision can go through without an action: a planner that loops is a bug, not a hang."""

DEADLINE_COUNTS = {Stage.DIP, Stage.START, Stage.SMOKE, Stage.SHIFT, Stage.CONFIRM}
"""Stages in which copies must get ready by the batch's deadline."""


def begin(order: OperationOrder) -> RolloutState:
    """The state of a rollout that has not begun."""
    return RolloutState(weights={order.old.version: 100} if order.old else {}, ladder=ladder(order))


def advance(order: OperationOrder, state: RolloutState, facts: Facts) -> Decision:
    """Decide what a rollout, an undo or an onboarding does now."""
    turn = RolloutTurn(order, state, facts)
    if not state.started:
        turn.become(started=True)
        turn.emit(EventType.ROLLOUT_STARTED, _started(order), actor=order.actor)
    if decision := _mind_trouble(turn):
        return decision
    _mind_what_was_seen(turn)
    controls.obey(turn)
    if decision := _mind_deadline(turn) or turn.owed():
        return decision
    for _ in range(STAGES_AT_ONCE):
        if decision := STAGES[turn.state.stage](turn):
            return decision
    raise AssertionError(f"the rollout does not come out of stage {turn.state.stage}")


def _mind_trouble(turn: RolloutTurn) -> Decision | None:
    """What cannot be done by trying again turns the rollout round; on the way back it needs a person."""
    trouble = turn.facts.trouble
    if trouble is None or trouble.retryable:
        return None
    if turn.state.way_back:
        message = f"the rollback cannot go on: {trouble.message}; both versions were left as they are"
        return turn.fail(trouble.reason, message)
    turn_round(turn, Phase.ROLLED_BACK if turn.order.old else Phase.FAILED, trouble.reason, trouble.message)
    return None


def _mind_what_was_seen(turn: RolloutTurn) -> None:
    """Keep how well the old version was, and give a batch that lost a host its time again, once (rule 13)."""
    order, state, facts = turn.order, turn.state, turn.facts
    if not facts.fresh or facts.observation is None:
        return
    if order.old and state.old_well is None:
        turn.become(old_well=facts.ready(turn.old) + len(facts.draining(turn.old)))
    down = {host.name for host in facts.observation.hosts if not host.up}
    if state.ready_by and not state.host_lost and any(copy.host in down for copy in facts.copies(turn.new)):
        turn.become(host_lost=True, ready_by=turn.now + timedelta(seconds=order.spec.rollout.deadline))


def _mind_deadline(turn: RolloutTurn) -> Decision | None:
    """A batch not ready by its deadline fails the rollout; a paused one has no deadline (rules 8 and 15)."""
    state, order = turn.state, turn.order
    if state.pause or not state.ready_by or turn.now < state.ready_by:
        return None
    if state.stage is Stage.RESTORE:
        return rollback.out_of_time(turn)
    if state.stage not in DEADLINE_COUNTS:
        return None
    wanted, ready = order.spec.copies if state.stage is Stage.CONFIRM else turn.wanted, turn.facts.ready(turn.new)
    if ready >= wanted and state.stage in {Stage.START, Stage.SHIFT}:
        return None
    message = (
        f"{ready} of {wanted} copies of version {turn.new} were ready within {order.spec.rollout.deadline:g} s: "
        f"see longshore logs {order.deployment}"
    )
    turn_round(turn, Phase.ROLLED_BACK if order.old else Phase.FAILED, "DeadlineExceeded", message)
    return None


def _finish(turn: RolloutTurn) -> Decision | None:
    """Leave the new version alone in the route."""
    alone = {turn.new: 100}
    if turn.state.pause and turn.state.published != alone:
        return turn.wait(None)
    if turn.order.old or turn.state.weights != alone:
        cause = f"version {turn.new} alone"
        if decision := turn.shift(alone, (), cause, None):
            return decision
    limit = turn.now + timedelta(seconds=turn.order.spec.rollout.deadline)
    turn.become(stage=Stage.CONFIRM, ready_by=limit)
    return None


def _confirm(turn: RolloutTurn) -> Decision | None:
    """It succeeded only when what runs was observed to equal what was asked for."""
    order, facts = turn.order, turn.facts
    if turn.state.pause:
        return turn.wait(None)
    if not facts.fresh:
        return turn.look()
    new, copies = order.new.version, order.spec.copies
    others = sum(copy.version != new for copy in facts.observation.copies) if facts.observation else 0
    if facts.ready(new) == facts.count(new) == copies and not others:
        message = f"version {new} serves with {copies} {'copy' if copies == 1 else 'copies'}"
        turn.emit(EventType.ROLLOUT_SUCCEEDED, message)
        return turn.end(Phase.SUCCEEDED, None, message)
    return turn.poll()


def _retired(turn: RolloutTurn) -> Decision:
    turn.emit(EventType.ROLLOUT_ABORTED, "ended by retire, nothing restored", reason="Retired")
    return turn.end(Phase.ABORTED, "Retired", "ended by retire, nothing restored")


def _started(order: OperationOrder) -> str:
    copies = f"{order.spec.copies} {'copy' if order.spec.copies == 1 else 'copies'}"
    if order.old is None:
        return f"onboard version {order.new.version} with {copies}"
    return f"from version {order.old.version} to {order.new.version}, {copies}"


STAGES: dict[Stage, Callable[[RolloutTurn], Decision | None]] = {
    Stage.VERIFY: admission.verify,
    Stage.RESERVE: batch.reserve,
    Stage.DIP: batch.dip,
    Stage.START: batch.start,
    Stage.SMOKE: admission.smoke,
    Stage.GOLDEN: admission.golden,
    Stage.SHIFT: batch.shift,
    Stage.BAKE: watch.bake,
    Stage.DRAIN: batch.drain,
    Stage.FINISH: _finish,
    Stage.CONFIRM: _confirm,
    Stage.RETURN: rollback.returning,
    Stage.TRIM: rollback.trimming,
    Stage.RESTORE_ROOM: rollback.room_to_restore,
    Stage.RESTORE: rollback.restoring,
    Stage.CLEAR: rollback.clearing,
    Stage.UNROUTE: rollback.unrouting,
    Stage.END: rollback.ending,
    Stage.RETIRED: _retired,
}
