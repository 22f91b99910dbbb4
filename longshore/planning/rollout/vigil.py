"""Checks between two bakes: in pauses all of them, else those that watch the whole rollout (DESIGN, rule 8).

A bake measures by itself (`watch`). Everywhere else the stages only wait for copies, for time or for people, and this
measures in what would be idle time.
"""

from datetime import timedelta

from longshore.planning.operation import Decision, Measure
from longshore.planning.rollout import baking, pausing
from longshore.planning.rollout.rollback import turn_round
from longshore.planning.rollout.state import Stage
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import Phase
from longshore.spec.deployment import Check

MEASURES_ITSELF = {Stage.GATE, Stage.VERIFY, Stage.GOLDEN, Stage.BAKE}


def watched(turn: RolloutTurn) -> tuple[Check, ...]:
    """The checks that are asked now, outside of a bake."""
    state = turn.state
    if state.vigil is None or state.way_back or state.stage in MEASURES_ITSELF:
        return ()
    rebaking = state.rescale is not None and state.rescale.back is Stage.BAKE
    every = state.pause is not None or state.stage is Stage.STAND or rebaking
    return tuple(check for check in baking.checks(turn) if every or check.during == "rollout")


def mind(turn: RolloutTurn) -> None:
    """Take in what was measured in idle time: a failed check turns the rollout round, one past its limit asks."""
    state = turn.state
    if turn.facts.measurements is None or state.vigil is None or state.way_back or state.stage in MEASURES_ITSELF:
        return
    counted, verdict = baking.count(turn, state.vigil)
    turn.become(vigil=counted)
    if verdict.action == "roll_back":
        turn_round(turn, Phase.ROLLED_BACK, verdict.reason or "CheckFailed", verdict.message)
    elif verdict.action == "pause" and not turn.state.pause:
        pausing.pause(turn, baking.pause_reason(verdict), pausing.ask(turn, verdict.message))


def keep(turn: RolloutTurn, decision: Decision) -> Decision:
    """The decision of a stage; where it only waits, measure what is due first, and wait no longer than for the next."""
    checks, vigil = watched(turn), turn.state.vigil
    if not checks or vigil is None or decision.actions or decision.result:
        return decision
    # Which checks are watched changes with pauses: one that comes anew is due an interval from now.
    due = {check.name: vigil.due.get(check.name, turn.now + timedelta(seconds=check.interval)) for check in checks}
    now = tuple(check for check in checks if due[check.name] <= turn.now)
    for check in now:
        due[check.name] = baking.next_due(due[check.name], turn.now, check)
    turn.become(vigil=vigil.model_copy(update={"due": due}))
    if now:
        watching = Measure(checks=now, watched=checks, batch=turn.state.batch, not_before=vigil.since, bake_ended=False)
        return turn.act(watching)
    return turn.wait(min([*due.values(), *([decision.wait_until] if decision.wait_until else [])]))
