"""The stage in which a batch bakes: measure, mind lost copies, and go on, turn round or ask (rules 8 and 13)."""

from datetime import timedelta

from longshore.planning.operation import Decision
from longshore.planning.rollout import baking, pausing
from longshore.planning.rollout.rollback import fail_if_broken, turn_round
from longshore.planning.rollout.state import Bake, Stage
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import Phase


def bake(turn: RolloutTurn) -> Decision | None:
    """Watch the batch until its bake is over, and let it go on, turn it round, or ask a person."""
    if fail_if_broken(turn):
        return None
    if decision := _mind_losses(turn):
        return decision
    if turn.state.stage is not Stage.BAKE:
        return None
    counted, verdict = baking.count(turn, _present(turn))
    turn.become(bake=counted)
    if counted.promoted:
        return _ended_by_a_person(turn)
    if verdict.action == "roll_back":
        turn_round(turn, Phase.ROLLED_BACK, verdict.reason or "CheckFailed", verdict.message)
        return None
    if verdict.action == "pause" and not turn.state.pause:
        pausing.pause(turn, baking.pause_reason(verdict), pausing.ask(turn, verdict.message))
    return _bake_on(turn) if turn.state.pause or turn.now < counted.ends else _bake_over(turn)


def _bake_on(turn: RolloutTurn) -> Decision:
    """Measure what is due, and wait for the next instant; a paused bake has checks but no end."""
    present, due = baking.due_now(turn, _present(turn))
    turn.become(bake=present)
    return turn.act(due) if due else turn.wait(baking.next_instant(present, paused=turn.state.pause is not None))


def _bake_over(turn: RolloutTurn) -> Decision | None:
    """Measure all checks a last time; one that could not be measured is asked again, for an error never promotes."""
    present = _present(turn)
    if baking.checks(turn) and (not present.last_call or baking.unfinished(turn, present)):
        soonest = min(present.due.values())
        if present.last_call and turn.now < soonest:
            return turn.wait(soonest)
        present, last = baking.last_call(turn, present)
        turn.become(bake=present)
        return turn.act(last)
    if not turn.facts.fresh:
        return turn.look()
    baking.say_passed(turn, present)
    _go_on(turn)
    return None


def _ended_by_a_person(turn: RolloutTurn) -> Decision | None:
    """A promoted bake asks no check, but no promotion skips readiness (rule 8)."""
    if turn.state.pause:
        return turn.wait(None)
    if not turn.facts.fresh:
        return turn.look()
    _go_on(turn)
    return None


def _go_on(turn: RolloutTurn) -> None:
    turn.become(stage=Stage.DRAIN)
    turn.rung("draining")


def _mind_losses(turn: RolloutTurn) -> Decision | None:
    """A lost copy is replaced before the rollout goes on, and the window in which it was lost is discarded (rule 13).

    An old copy that was not ready when the rollout began is not lost but what the rollout may be there to mend. One
    that does not come back in time holds it up no longer, for to go back would need it all the more.
    """
    state, facts, present = turn.state, turn.facts, _present(turn)
    if not facts.fresh:
        return turn.look() if present.recover_by else None
    new_lost = facts.ready(turn.new) < turn.wanted
    old_lost = facts.ready(turn.old) < min(state.level - state.dip, state.old_well or 0)
    if present.recover_by is None:
        if not (new_lost or old_lost):
            return _discard(turn) if _was_lost(turn) else None
        limit = turn.now + timedelta(seconds=turn.policy.deadline)
        turn.become(bake=present.model_copy(update={"recover_by": limit}))
        return turn.poll()
    late = turn.now >= present.recover_by and state.pause is None
    if new_lost and late:
        message = f"a lost copy was not ready again within {turn.policy.deadline:g} s"
        turn_round(turn, Phase.ROLLED_BACK, "CopyLost", message)
        return None
    if new_lost or (old_lost and not late):
        return turn.poll()
    if old_lost:
        turn.become(old_well=facts.ready(turn.old))
    anew = present.model_copy(update={"recover_by": None}) if present.promoted else baking.begin(turn, turn.now)
    turn.become(bake=anew)
    return None


def _was_lost(turn: RolloutTurn) -> bool:
    """Whether a copy of the new version was lost and is back before anybody looked."""
    served = _present(turn).served
    return any(copy.ready_at != served.get(copy.id, copy.ready_at) for copy in turn.facts.copies(turn.new))


def _discard(turn: RolloutTurn) -> Decision:
    """Begin the bake anew; what was just measured is of the time in which a copy was lost."""
    present = _present(turn)
    anew = baking.begin(turn, turn.now)
    turn.become(bake=present.model_copy(update={"served": anew.served}) if present.promoted else anew)
    return turn.poll()


def _present(turn: RolloutTurn) -> Bake:
    if turn.state.bake is None:
        raise AssertionError("a baking batch has a bake")
    return turn.state.bake
