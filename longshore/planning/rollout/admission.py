"""What comes before a rollout may begin, and what a whole new set must show before its first traffic.

A freeze holds it, its artifact is verified, other warm copies are given up; blue/green and onboarding then ask the
smoke test and the golden requests (DESIGN, rules 6 and 15).
"""

from datetime import timedelta

from longshore.planning import freezing
from longshore.planning.checks import may_end_bake
from longshore.planning.operation import Decision, Measure, Smoke, Verify
from longshore.planning.release import give_up
from longshore.planning.rollout import baking, pausing
from longshore.planning.rollout.rollback import turn_round
from longshore.planning.rollout.state import Stage
from longshore.planning.rollout.turn import RolloutTurn


def gate(turn: RolloutTurn) -> Decision | None:
    """A freeze may hold it; see `freezing.hold`."""
    if decision := freezing.hold(turn):
        return decision
    turn.become(stage=Stage.GIVE_UP_WARM if turn.state.instant else Stage.VERIFY)
    return None


def verify(turn: RolloutTurn) -> Decision | None:
    """Check artifact and command before anything starts."""
    if not turn.facts.verified:
        return turn.act(Verify())
    turn.become(stage=Stage.GIVE_UP_WARM)
    return None


def give_up_warm(turn: RolloutTurn) -> Decision | None:
    """Three versions never hold accelerators at once: what is kept warm goes, unless it is what shall serve."""
    warm = turn.state.warm
    serves = warm is not None and warm.version == turn.new and turn.course.whole
    if not serves and (decision := give_up(turn)):
        return decision
    turn.become(stage=Stage.STAND)  # a canary may stand before its first copy
    return None


def smoke(turn: RolloutTurn) -> Decision | None:
    """Ask every copy its smoke request."""
    if turn.facts.smoke is None:
        return turn.act(Smoke(version=turn.new))
    if turn.facts.smoke:
        turn_round(turn, turn.failed, "SmokeTestFailed", turn.facts.smoke)
    else:
        turn.become(stage=Stage.GOLDEN)
    return None


def golden(turn: RolloutTurn) -> Decision | None:
    """Golden requests are asked once, before there is traffic; again only where they could not be."""
    asked = tuple(check for check in baking.checks(turn) if check.golden is not None)
    if not asked:
        turn.become(stage=Stage.SHIFT, bake=None)
        return None
    bake = turn.state.bake or baking.begin(turn, turn.now)
    if turn.facts.measurements is None:
        if turn.state.pause:
            return turn.wait(None)
        turn.become(bake=bake)
        soonest = min(bake.due[check.name] for check in asked)
        if turn.now < soonest:
            return turn.wait(soonest)
        return turn.act(Measure(checks=asked, batch=turn.state.batch, not_before=turn.now, bake_ended=True))
    bake, verdict = baking.count(turn, bake)
    turn.become(bake=bake)
    if verdict.action == "roll_back":
        turn_round(turn, turn.failed, verdict.reason or "CheckFailed", verdict.message)
        return None
    if verdict.action == "pause":
        if not turn.state.pause:
            pausing.pause(turn, baking.pause_reason(verdict), pausing.ask(turn, verdict.message))
        return turn.wait(None)
    again = [check for check in asked if not may_end_bake(check, bake.latest[check.name])]
    if again:
        # An instant is kept: a command, or a workflow that continues as new, must not make it be asked sooner.
        soonest = turn.now + timedelta(seconds=min(check.interval for check in again))
        turn.become(bake=bake.model_copy(update={"due": dict.fromkeys(bake.due, soonest)}))
        return turn.wait(soonest)
    baking.say_passed(turn, bake)
    turn.become(stage=Stage.SHIFT, bake=None)
    return None
