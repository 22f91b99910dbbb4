"""Copies that the target refused their room after it was granted: taken back, and room is asked for again (rule 3)."""

from longshore.planning import refusals
from longshore.planning.operation import Decision
from longshore.planning.rollout.state import Stage
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import Phase


def found(turn: RolloutTurn, version: str) -> bool:
    """Whether copies of a version are refused their room; then the next stage takes them back."""
    copies = refusals.refused(turn.facts, version)
    if not copies:
        return False
    refusals.remember(turn, copies)
    # All at once is all or nothing: what did start must not hold accelerators while it waits for the rest.
    nothing = turn.course.whole and not turn.state.instant and not turn.state.way_back
    kept = turn.state.settled if nothing else turn.facts.serving(version) - len(copies)
    turn.become(stage=Stage.TAKE_BACK, kept=kept, ready_by=None)
    return True


def take_back(turn: RolloutTurn) -> Decision | None:
    """End them, then ask for room again with what is really there: a smaller batch, a dip, or to wait."""
    state, back = turn.state, turn.state.way_back is not None
    if decision := refusals.take_back(turn, turn.old if back else turn.new, state.kept):
        return decision
    if back:
        turn.become(stage=Stage.RESTORE_ROOM, asked=False)
        return None
    # Old copies that were drained first are gone: no more may be missing than before.
    turn.become(stage=Stage.RESERVE, asked=False, level=state.level - state.dip, surge=0, dip=0)
    turn.rung("reserving")
    whole_old_side = turn.order.old is None or turn.state.level == turn.before
    if not state.kept and whole_old_side:
        turn.say(Phase.PENDING)
        if turn.order.autoscaled and state.held and turn.order.doubt is None:
            turn.become(stage=Stage.LET_GO)
    return None
