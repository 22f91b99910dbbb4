"""What a canary stands at before a weight: a timed pause, an open one, an approval (DESIGN, rules 5 and 8)."""

from datetime import timedelta

from longshore.planning.operation import Decision
from longshore.planning.rollout import pausing
from longshore.planning.rollout.legs import standing_step, told
from longshore.planning.rollout.state import PauseReason, Stage
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import EventType, Phase
from longshore.spec.deployment import OpenPause


def stand(turn: RolloutTurn) -> Decision | None:
    """Wait for the time, or for the person, that the next step asks for; then go on to the next batch."""
    state = turn.state
    at = standing_step(turn.course, state.steps_done)
    if at is None:
        turn.become(stage=Stage.RESERVE)
        return None
    if state.pause:
        return turn.wait(None)
    step, name = turn.course.steps[at], turn.order.deployment
    if step.approval is not None:
        roles = " or ".join(step.approval.roles)
        message = f"waits for an approval by {roles}: longshore rollout approve {name}"
        turn.emit(EventType.APPROVAL_ASKED, message, batch=state.batch or None, roles=list(step.approval.roles))
        pausing.stand_still(turn, PauseReason.APPROVAL, message)
        return turn.wait(None)
    if isinstance(step.pause, OpenPause):
        message = f"stands at its step {at + 1}, {told(step)}: longshore rollout resume {name} goes on"
        pausing.pause(turn, PauseReason.STEP, message)
        return turn.wait(None)
    until = state.stands_until or turn.now + timedelta(seconds=step.pause or 0)
    if turn.now < until:
        turn.become(stands_until=until)
        turn.say(Phase.PROGRESSING, None, f"stands at its step {at + 1}, {told(step)}")
        return turn.wait(until)
    pass_step(turn)
    return None


def stood_at(turn: RolloutTurn) -> int | None:
    """The index of the step at which the canary came to stand, also where it was scaled to no copies since."""
    return standing_step(turn.course._replace(copies=max(1, turn.copies)), turn.state.steps_done)


def pass_step(turn: RolloutTurn) -> None:
    """The pause or approval at which the canary stands is over."""
    at = stood_at(turn)
    if at is not None:
        turn.become(steps_done=at + 1, stands_until=None)
        turn.say(Phase.PROGRESSING if turn.state.batch else Phase.PENDING)
