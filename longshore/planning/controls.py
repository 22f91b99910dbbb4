"""What pause, resume, promote, abort and retire mean to a rollout under way (DESIGN, rules 8 and 11)."""

from longshore.planning import baking
from longshore.planning.operation import Command
from longshore.planning.rollback import turn_round
from longshore.planning.rollout_state import Pause, PauseReason, RolloutState, Stage
from longshore.planning.turn import Turn
from longshore.planning.words import EventType, Phase


def obey(turn: Turn[RolloutState]) -> None:
    """Take in the commands that came, in their order."""
    for command in turn.facts.commands:
        {"pause": _pause, "resume": _resume, "promote": _promote, "abort": _abort, "retire": _retire}[command.verb](
            turn, command
        )


def pause(turn: Turn[RolloutState], reason: PauseReason, message: str, actor: str | None = None) -> None:
    """Stand still: what is starting or draining finishes, and nothing new begins."""
    turn.become(pause=Pause(reason=reason, since=turn.now))
    turn.emit(EventType.ROLLOUT_PAUSED, message, actor=actor, batch=turn.state.batch or None, reason=reason.value)
    turn.say(Phase.PAUSED, reason.value, message)


def go_on(turn: Turn[RolloutState]) -> None:
    """End the pause: the bake and the deadline take up where they stopped."""
    state = turn.state
    if state.pause is None:
        return
    stood = turn.now - state.pause.since
    bake = state.bake
    if bake is not None:
        if state.pause.reason is PauseReason.BY_USER:
            bake = bake.model_copy(update={"ends": bake.ends + stood, "last_call": False})
        else:
            bake = baking.begin(turn, turn.now)
    ready_by = state.ready_by + stood if state.ready_by else None
    turn.become(pause=None, bake=bake, ready_by=ready_by)
    turn.say(Phase.PROGRESSING if state.batch else Phase.PENDING)


def _pause(turn: Turn[RolloutState], command: Command) -> None:
    if turn.state.way_back:
        turn.refuse(command, "RollingBack", "a rollback cannot be paused: it ends by itself")
    elif turn.state.pause:
        turn.answer(command, "is paused already")
    else:
        hint = f"paused by {command.actor}: longshore rollout resume {turn.order.deployment}"
        pause(turn, PauseReason.BY_USER, hint, command.actor)
        turn.answer(command, "paused")


def _resume(turn: Turn[RolloutState], command: Command) -> None:
    if turn.state.pause is None:
        turn.refuse(command, "NotPaused", "is not paused: there is nothing to resume")
        return
    go_on(turn)
    turn.emit(EventType.ROLLOUT_RESUMED, "resumed", actor=command.actor, batch=turn.state.batch or None)
    turn.answer(command, "resumed")


def _promote(turn: Turn[RolloutState], command: Command) -> None:
    state = turn.state
    if state.way_back:
        turn.refuse(command, "RollingBack", "is rolling back: retry the revision once that is over")
        return
    if not (command.full or state.pause or state.stage is Stage.BAKE):
        turn.refuse(command, "NothingToPromote", "no bake or pause to end: promote --full skips those to come")
        return
    if state.pause:
        go_on(turn)
        turn.emit(EventType.ROLLOUT_RESUMED, "promoted", actor=command.actor, batch=state.batch or None)
    if command.full:
        turn.become(skip=True)
    if state.stage is Stage.BAKE:
        turn.become(stage=Stage.DRAIN, bake=None, pending=())
    elif state.stage is Stage.GOLDEN and state.pause:
        turn.become(stage=Stage.SHIFT, bake=None, pending=())
    turn.answer(command, "promoted to the end" if command.full else "promoted")


def _abort(turn: Turn[RolloutState], command: Command) -> None:
    if turn.state.way_back:
        turn.refuse(command, "RollingBack", "is rolling back already")
        return
    turn_round(turn, Phase.ABORTED, "AbortedByUser", f"aborted by {command.actor}")
    turn.answer(command, "aborting: traffic returns to the stable version")


def _retire(turn: Turn[RolloutState], command: Command) -> None:
    turn.become(stage=Stage.RETIRED, pending=())
    turn.answer(command, "ended without restoring: the deployment is being retired")
