"""What pause, resume, promote, abort and retire mean to a rollout under way (DESIGN, rules 8 and 11)."""

from longshore.planning import baking
from longshore.planning.operation import Command
from longshore.planning.rollback import turn_round
from longshore.planning.rollout_state import Pause, PauseReason, Stage
from longshore.planning.rollout_turn import RolloutTurn
from longshore.planning.words import EventType, Phase


def obey(turn: RolloutTurn) -> None:
    """Take in the commands that came, in their order."""
    for command in turn.facts.commands:
        if turn.state.stage is Stage.RETIRED:
            turn.refuse(command, "Retiring", f"is being retired and cannot {command.verb}")
            continue
        {"pause": _pause, "resume": _resume, "promote": _promote, "abort": _abort, "retire": _retire}[command.verb](
            turn, command
        )


def pause(turn: RolloutTurn, reason: PauseReason, message: str, actor: str | None = None) -> None:
    """Stand still: what is starting or draining finishes, and nothing new begins."""
    turn.become(pause=Pause(reason=reason, since=turn.now))
    turn.emit(EventType.ROLLOUT_PAUSED, message, actor=actor, batch=turn.state.batch or None, reason=reason.value)
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
    ready_by = state.ready_by and state.ready_by + (turn.now - paused.since)
    turn.become(pause=None, bake=bake, ready_by=ready_by)
    turn.say(Phase.PROGRESSING if state.batch else Phase.PENDING)


def _pause(turn: RolloutTurn, command: Command) -> None:
    if turn.state.way_back:
        turn.refuse(command, "RollingBack", "a rollback cannot be paused: it ends by itself")
    elif turn.state.pause:
        turn.answer(command, "is paused already")
    else:
        hint = f"paused by {command.actor}: longshore rollout resume {turn.order.deployment}"
        pause(turn, PauseReason.BY_USER, hint, command.actor)
        turn.answer(command, "paused")


def _resume(turn: RolloutTurn, command: Command) -> None:
    if turn.state.pause is None:
        turn.refuse(command, "NotPaused", "is not paused: there is nothing to resume")
        return
    go_on(turn)
    turn.emit(EventType.ROLLOUT_RESUMED, "resumed", actor=command.actor, batch=turn.state.batch or None)
    turn.answer(command, "resumed")


def _promote(turn: RolloutTurn, command: Command) -> None:
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
    if state.stage is Stage.BAKE and turn.state.bake:
        turn.become(bake=turn.state.bake.model_copy(update={"promoted": True}), pending=())
    elif state.stage is Stage.GOLDEN and state.pause and state.pause.reason is not PauseReason.BY_USER:
        turn.become(stage=Stage.SHIFT, bake=None, pending=())
    turn.answer(command, "promoted to the end" if command.full else "promoted")


def _abort(turn: RolloutTurn, command: Command) -> None:
    if turn.state.way_back:
        turn.refuse(command, "RollingBack", "is rolling back already")
        return
    turn_round(turn, Phase.ABORTED, "AbortedByUser", f"aborted by {command.actor}")
    turn.answer(command, "aborting: traffic returns to the stable version")


def _retire(turn: RolloutTurn, command: Command) -> None:
    turn.become(stage=Stage.RETIRED, pending=())
    turn.answer(command, "ended without restoring: the deployment is being retired")
