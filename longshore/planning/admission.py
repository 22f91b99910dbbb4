"""What a version must show before its first traffic: artifact, smoke test, golden requests (DESIGN, rule 15)."""

from datetime import timedelta

from longshore.planning import baking, controls
from longshore.planning.checks import may_end_bake
from longshore.planning.operation import Decision, Measure, Smoke, Verify
from longshore.planning.rollback import turn_round
from longshore.planning.rollout_state import Stage
from longshore.planning.rollout_turn import RolloutTurn
from longshore.planning.words import Phase


def verify(turn: RolloutTurn) -> Decision | None:
    """Check artifact and command before anything starts."""
    if not turn.facts.verified:
        return turn.act(Verify())
    turn.become(stage=Stage.RESERVE)
    return None


def smoke(turn: RolloutTurn) -> Decision | None:
    """Ask every copy its smoke request."""
    if turn.facts.smoke is None:
        return turn.act(Smoke(version=turn.new))
    if turn.facts.smoke:
        turn_round(turn, Phase.FAILED, "SmokeTestFailed", turn.facts.smoke)
    else:
        turn.become(stage=Stage.GOLDEN)
    return None


def golden(turn: RolloutTurn) -> Decision | None:
    """Onboarding asks its golden requests once, before there is traffic."""
    asked = tuple(check for check in baking.checks(turn) if check.source is not None)
    if not asked:
        turn.become(stage=Stage.SHIFT, bake=None)
        return None
    bake = turn.state.bake or baking.begin(turn, turn.now)
    if turn.facts.measurements is None:
        if turn.state.pause:
            return turn.wait(None)
        turn.become(bake=bake)
        return turn.act(Measure(checks=asked, batch=turn.state.batch, not_before=turn.now, bake_ended=True))
    bake, verdict = baking.count(turn, bake)
    turn.become(bake=bake)
    if verdict.action == "roll_back":
        turn_round(turn, Phase.FAILED, verdict.reason or "CheckFailed", verdict.message)
        return None
    if verdict.action == "pause":
        if not turn.state.pause:
            controls.pause(turn, baking.pause_reason(verdict), controls.ask(turn, verdict.message))
        return turn.wait(None)
    again = [check for check in asked if not may_end_bake(check, bake.latest[check.name])]
    if again:
        return turn.poll(timedelta(seconds=min(check.interval for check in again)))
    baking.say_passed(turn, bake)
    turn.become(stage=Stage.SHIFT, bake=None)
    return None
