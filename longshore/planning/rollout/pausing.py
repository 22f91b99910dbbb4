"""Standing still and going on: what a pause stops, and what it says (DESIGN, rule 8)."""

from longshore.planning.rollout import baking
from longshore.planning.rollout.state import Pause, PauseReason
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import EventType, Phase


def pause(turn: RolloutTurn, reason: PauseReason, message: str, actor: str | None = None) -> None:
    """Stand still, and say so: what is starting or draining finishes, and nothing new begins."""
    turn.emit(EventType.ROLLOUT_PAUSED, message, actor=actor, batch=turn.state.batch or None, reason=reason.value)
    stand_still(turn, reason, message)


def stand_still(turn: RolloutTurn, reason: PauseReason, message: str) -> None:
    """Be paused."""
    turn.become(pause=Pause(reason=reason, since=turn.now))
    turn.say(Phase.PAUSED, reason.value, message)


def ask(turn: RolloutTurn, message: str) -> str:
    """What a check's pause says: what was measured, and what a person can do."""
    name = turn.order.deployment
    return f"{message}; longshore rollout resume {name} bakes again, promote {name} goes on, abort {name} returns"


def go_on(turn: RolloutTurn) -> None:
    """End the pause: the bake and the deadline take up where they stopped."""
    state = turn.state
    if state.pause is None:
        return
    paused, bake = state.pause, state.bake
    if bake is not None:
        if paused.reason is PauseReason.BY_USER:
            stood = turn.now - max(paused.since, bake.since)
            recover_by = bake.recover_by and bake.recover_by + stood
            bake = bake.model_copy(update={"ends": bake.ends + stood, "recover_by": recover_by, "last_call": False})
        else:
            bake = baking.begin(turn, turn.now)
    elif state.vigil is not None and paused.reason in {PauseReason.INCONCLUSIVE, PauseReason.ERROR}:
        turn.become(vigil=baking.begin(turn, turn.now))
    stood = turn.now - paused.since
    turn.become(
        pause=None,
        bake=bake,
        ready_by=state.ready_by and state.ready_by + stood,
        stands_until=state.stands_until and state.stands_until + stood,
    )
    turn.say(Phase.PROGRESSING if state.batch else Phase.PENDING)
