"""A rollout of a deployment whose copies the target's autoscaler chooses: it begins with what was chosen, and hands on.

Until its first copy may start the autoscaler goes on, however long the rollout waits. Then it holds still to the end,
and N is what it had chosen; a model that sleeps is updated with one copy. Where that first batch is refused the room
that it was granted, it goes on again until there is some.
"""

from typing import Final

from longshore.planning import steering
from longshore.planning.operation import Action, Decision, OperationOrder, OperationResult, Steer
from longshore.planning.rollout.legs import next_leg
from longshore.planning.rollout.state import RolloutState, Stage
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import Phase
from longshore.spec.deployment import DeploymentSpec

HALF: Final = 50
"""Percent of the traffic."""


def first_spec(order: OperationOrder) -> DeploymentSpec | None:
    """What a rollout to an autoscaled state begins with, as far as that can be said before anything was looked at."""
    spec = order.spec
    return None if spec.scaling is None else steering.bounded(spec, order.copies_before if order.old else spec.copies)


def revised(turn: RolloutTurn, spec: DeploymentSpec) -> DeploymentSpec:
    """What it is revised to: written copies do not count where an autoscaler chooses them."""
    return spec if spec.scaling is None else steering.with_copies(spec, turn.copies)


def follow(turn: RolloutTurn) -> Decision | None:
    """Before its first batch: N is what the autoscaler has chosen by now."""
    if not steering.chooses(turn):
        return None
    if not (turn.facts.fresh or turn.facts.grant):
        return turn.look()
    _take(turn, turn.facts.serving(turn.old))
    return None


def hold(turn: RolloutTurn) -> Decision | None:
    """Have the autoscaler hold still, and ask for room again: it may have chosen otherwise in the last moment."""
    if actions := steering.hold(turn):
        return turn.act(*actions)
    if not turn.facts.fresh:
        return turn.look()
    _take(turn, turn.facts.serving(turn.old))
    turn.become(stage=Stage.RESERVE)
    return None


def let_go(turn: RolloutTurn) -> Decision | None:
    """Nothing of the new version is left, and room may take hours to come: the autoscaler goes on until it does."""
    old = turn.order.old
    if old is None:
        raise AssertionError("nothing was held where nothing serves")
    if turn.state.held:
        turn.become(held=False, let_go=True)
        return turn.act(steering.aimed_at(old.version, turn.order.old_scaling, turn.next_step()))
    turn.become(stage=Stage.RESERVE)
    return None


def hold_at_once(turn: RolloutTurn) -> tuple[Action, ...]:
    """Where two versions serve already: nobody else may change either while one of them is brought down."""
    return steering.hold(turn)[:1]


def take_both(turn: RolloutTurn) -> None:
    """Where two versions serve, the way back restores as many copies as serve now."""
    scaling = turn.order.old_scaling
    if turn.order.autoscaled and scaling is not None:
        both = turn.facts.serving(turn.old) + turn.facts.serving(turn.new)
        _take(turn, scaling.within(both))


def _take(turn: RolloutTurn, chosen: int) -> None:
    """Let `chosen` copies be what there was before, and N where the autoscaler goes on choosing."""
    spec = steering.bounded(turn.spec, chosen)
    levels = {**turn.state.levels, turn.old: chosen}
    turn.become(spec=spec, restores=chosen, level=chosen, levels=levels)
    if turn.state.leg:  # of the first batch, which was refused its room: as large as it would be by now
        turn.become(leg=next_leg(turn.course, turn.state.settled, turn.state.steps_done))
    turn.become(ladder=turn.laid(()))


def aim(order: OperationOrder, state: RolloutState, result: OperationResult) -> Steer | None:
    """The version that serves in the end, by its own policy; of two, the one with more of the traffic."""
    if result.reason == "Retired" and result.phase is Phase.ABORTED:
        return None  # the retirement that follows tells it that there is nothing left to choose
    spec = state.spec or order.spec
    most = result.phase is Phase.FAILED and state.weights.get(order.new.version, 0) > HALF
    new = most or result.phase is Phase.SUCCEEDED
    served, scaling = (order.new, spec.scaling) if new else (order.old, order.old_scaling)
    told_before = state.held or state.let_go or result.phase is Phase.SUCCEEDED
    if served is None or not told_before or (scaling is None and not order.autoscaled):
        return None
    return steering.aimed_at(served.version, scaling, state.step + 1)
