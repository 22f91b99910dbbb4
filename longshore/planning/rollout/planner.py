"""How a deployment moves from one version to another, batch by batch, and how it is onboarded.

`advance` is the whole decision: it takes in what happened, and asks the stage it is in what to do now. DESIGN.md,
"The rules", numbers what the stages do. What comes before the first copy and the first traffic is in `admission`,
a batch in `batch`, its bake in `watch`, what a canary stands at in `standing`, other copies on the way in `rescale`,
the way back in `rollback`, and what people ask for in `controls`.
"""

from collections.abc import Callable
from datetime import timedelta

from longshore.planning.operation import Decision, Facts, OperationOrder
from longshore.planning.requests import Refusal
from longshore.planning.rollout import (
    admission,
    autoscaled,
    batch,
    controls,
    doubt,
    ending,
    meddling,
    refused,
    rescale,
    rollback,
    standing,
    vigil,
    watch,
)
from longshore.planning.rollout.legs import ladder
from longshore.planning.rollout.rollback import turn_round
from longshore.planning.rollout.state import RolloutState, Stage
from longshore.planning.rollout.strategy import Chosen, choose
from longshore.planning.rollout.turn import RolloutTurn, course_of
from longshore.planning.steering import steered
from longshore.planning.words import EventType, OperationKind

STAGES_AT_ONCE = 60
"""More stages than one decision can go through without an action: a planner that loops is a bug, not a hang."""

DEADLINE_COUNTS = {Stage.DIP, Stage.START, Stage.SMOKE, Stage.SHIFT, Stage.CONFIRM}
"""Stages in which copies must get ready by the batch's deadline."""


def begin(order: OperationOrder) -> RolloutState:
    """The state of a rollout that has not begun."""
    warm = order.warm
    instant = order.kind is OperationKind.ROLLBACK and warm is not None and warm.version == order.new.version
    strategy, why = _strategy(order, instant=instant)
    state = RolloutState(
        stage=Stage.DOUBT if order.doubt else Stage.GATE,
        weights={order.old.version: 100} if order.old else {},
        levels={order.old.version: order.copies_before} if order.old else {},
        strategy=strategy,
        why=why,
        warm=warm,
        instant=instant,
        spec=autoscaled.first_spec(order),
        level=order.copies_before if order.old else 0,
    )
    return state.model_copy(update={"ladder": ladder(course_of(order, state), state.level)})


@steered(autoscaled.aim)
def advance(order: OperationOrder, state: RolloutState, facts: Facts) -> Decision:
    """Decide what a rollout, an undo or an onboarding does now."""
    turn = RolloutTurn(order, state, facts)
    if not state.started:
        turn.become(started=True)
        turn.emit(EventType.ROLLOUT_STARTED, _started(turn), actor=order.actor, strategy=state.strategy)
    if decision := _mind_trouble(turn):
        return decision
    _mind_what_was_seen(turn)
    meddling.mind(turn)
    vigil.mind(turn)
    controls.obey(turn)
    if decision := _mind_deadline(turn) or turn.owed() or meddling.put_right(turn):
        return decision
    for _ in range(STAGES_AT_ONCE):
        if decision := STAGES[turn.state.stage](turn):
            return vigil.keep(turn, decision)
    raise AssertionError(f"the rollout does not come out of stage {turn.state.stage}")


def _strategy(order: OperationOrder, *, instant: bool) -> Chosen:
    if order.old is None:
        return Chosen("rolling", "the first version: nothing serves yet")
    if instant:
        return Chosen("blueGreen", f"version {order.new.version} was kept warm")
    chosen = choose(order.spec.rollout, order.new, order.old)
    # A refusal was given when it was asked for. Should it come this far, the versions are kept apart all the same.
    return Chosen("blueGreen", chosen.message) if isinstance(chosen, Refusal) else chosen


def _mind_trouble(turn: RolloutTurn) -> Decision | None:
    """What cannot be done by trying again turns the rollout round; on the way back it needs a person."""
    trouble = turn.facts.trouble
    if trouble is None or trouble.retryable:
        return None
    if turn.state.way_back:
        message = f"the rollback cannot go on: {trouble.message}; both versions were left as they are"
        return turn.fail(trouble.reason, message)
    turn_round(turn, turn.failed, trouble.reason, trouble.message)
    return None


def _mind_what_was_seen(turn: RolloutTurn) -> None:
    """Keep how well the old version was, and give a batch that lost a host its time again, once (rule 13)."""
    order, state, facts = turn.order, turn.state, turn.facts
    if not facts.fresh or facts.observation is None:
        return
    if order.old and state.old_well is None:
        turn.become(old_well=facts.ready(turn.old) + len(facts.draining(turn.old)))
    down = {host.name for host in facts.observation.hosts if not host.up and not host.obtainable}
    ours = {copy.host for copy in facts.copies(turn.new)} | set(state.placement)
    if state.ready_by and not state.host_lost and down & ours:
        turn.become(host_lost=True, ready_by=turn.now + timedelta(seconds=turn.policy.deadline))


def _mind_deadline(turn: RolloutTurn) -> Decision | None:
    """A batch not ready by its deadline fails the rollout; a paused one has no deadline (rules 8 and 15)."""
    state = turn.state
    if state.pause or not state.ready_by or turn.now < state.ready_by:
        return None
    if state.stage is Stage.RESTORE:
        return rollback.out_of_time(turn)
    if state.stage not in DEADLINE_COUNTS:
        return None
    wanted, ready = turn.copies if state.stage is Stage.CONFIRM else turn.wanted, turn.facts.ready(turn.new)
    if ready >= wanted and state.stage in {Stage.START, Stage.SHIFT}:
        return None
    message = (
        f"{ready} of {wanted} copies of version {turn.new} were ready within {turn.policy.deadline:g} s: "
        f"see longshore logs {turn.order.deployment}"
    )
    turn_round(turn, turn.failed, "DeadlineExceeded", message)
    return None


def _started(turn: RolloutTurn) -> str:
    order = turn.order
    copies = f"{order.spec.copies} {'copy' if order.spec.copies == 1 else 'copies'}"
    if order.old is None:
        return f"onboard version {order.new.version} with {copies}"
    if order.doubt == "return":
        return f"back from version {order.new.version} to {order.old.version}, {copies}"
    return f"from version {order.old.version} to {order.new.version}, {copies}, {turn.state.strategy}: {turn.state.why}"


STAGES: dict[Stage, Callable[[RolloutTurn], Decision | None]] = {
    Stage.DOUBT: doubt.look,
    Stage.GATE: admission.gate,
    Stage.VERIFY: admission.verify,
    Stage.GIVE_UP_WARM: admission.give_up_warm,
    Stage.RESERVE: batch.reserve,
    Stage.HOLD: autoscaled.hold,
    Stage.DIP: batch.dip,
    Stage.START: batch.start,
    Stage.TAKE_BACK: refused.take_back,
    Stage.LET_GO: autoscaled.let_go,
    Stage.SMOKE: admission.smoke,
    Stage.GOLDEN: admission.golden,
    Stage.SHIFT: batch.shift,
    Stage.BAKE: watch.bake,
    Stage.DRAIN: batch.drain,
    Stage.STAND: standing.stand,
    Stage.RESCALE: rescale.rescale,
    Stage.FINISH: ending.finish,
    Stage.CONFIRM: ending.confirm,
    Stage.RETURN: rollback.returning,
    Stage.TRIM: rollback.trimming,
    Stage.RESTORE_ROOM: rollback.room_to_restore,
    Stage.RESTORE: rollback.restoring,
    Stage.CLEAR: rollback.clearing,
    Stage.UNROUTE: rollback.unrouting,
    Stage.END: rollback.ending,
    Stage.RETIRED: ending.retired,
}
