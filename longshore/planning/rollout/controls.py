"""What people ask of a rollout under way, and what it makes of it (DESIGN, rules 8 to 11)."""

from collections.abc import Callable

from longshore.planning.operation import Command, Verb
from longshore.planning.rollout import autoscaled, meddling, rescale, standing
from longshore.planning.rollout.pausing import go_on, pause
from longshore.planning.rollout.rollback import turn_round
from longshore.planning.rollout.state import PauseReason, Stage
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.words import EventType, Phase


def obey(turn: RolloutTurn) -> None:
    """Take in the commands that came, in their order."""
    for command in turn.facts.commands:
        if turn.state.stage is Stage.RETIRED:
            turn.refuse(command, "Retiring", f"is being retired and cannot {command.verb}")
            continue
        _VERBS[command.verb](turn, command)


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
    paused = turn.state.pause
    if paused is None:
        turn.refuse(command, "NotPaused", "is not paused: there is nothing to resume")
        return
    if paused.reason is PauseReason.APPROVAL:
        turn.refuse(command, PauseReason.APPROVAL, f"{turn.state.message}: resume does not pass it")
        return
    if paused.reason is PauseReason.OUTSIDE:
        meddling.take(turn)
    go_on(turn)
    if paused.reason is PauseReason.STEP:
        standing.pass_step(turn)
    turn.emit(EventType.ROLLOUT_RESUMED, "resumed", actor=command.actor, batch=turn.state.batch or None)
    turn.answer(command, "resumed")


def _promote(turn: RolloutTurn, command: Command) -> None:
    state = turn.state
    if state.way_back:
        turn.refuse(command, "RollingBack", "is rolling back: retry the revision once that is over")
        return
    stands = state.stage is Stage.STAND and state.stands_until is not None
    if not (command.full or state.pause or stands or state.stage is Stage.BAKE):
        turn.refuse(command, "NothingToPromote", "no bake or pause to end: promote --full skips those to come")
        return
    if state.pause and state.pause.reason is PauseReason.APPROVAL:
        _promote_beyond_approval(turn, command)
        return
    if state.pause and state.pause.reason is PauseReason.OUTSIDE:
        turn.refuse(command, PauseReason.OUTSIDE, f"{state.message}: promote does neither")
        return
    if stands or (state.pause and state.pause.reason is PauseReason.STEP):
        standing.pass_step(turn)
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


def _promote_beyond_approval(turn: RolloutTurn, command: Command) -> None:
    """No promotion passes an approval; a full one skips what comes after it."""
    name = turn.order.deployment
    if not command.full:
        message = f"{turn.state.message}: promote does not pass it"
        turn.refuse(command, PauseReason.APPROVAL, message)
        return
    turn.become(skip=True)
    turn.answer(command, f"promoted to the end, once it is approved: longshore rollout approve {name}")


def _approve(turn: RolloutTurn, command: Command) -> None:
    state = turn.state
    if state.pause is None or state.pause.reason is not PauseReason.APPROVAL:
        turn.refuse(command, "NothingToApprove", "waits for no approval now")
        return
    at = standing.stood_at(turn)
    approval = turn.course.steps[at].approval if at is not None else None
    roles = approval.roles if approval else ()
    if not set(roles) & set(command.roles):
        has = ", ".join(command.roles) or "none"
        message = f"an approval needs the role {' or '.join(roles)}: {command.actor} has {has}"
        turn.refuse(command, "RoleMissing", message)
        return
    turn.emit(
        EventType.APPROVED,
        f"approved by {command.actor}" + (f": {command.reason}" if command.reason else ""),
        actor=command.actor,
        batch=state.batch or None,
        roles=list(command.roles),
        reason=command.reason,
    )
    go_on(turn)
    standing.pass_step(turn)
    turn.answer(command, "approved")


def _override(turn: RolloutTurn, command: Command) -> None:
    if turn.state.stage is not Stage.GATE:
        turn.refuse(command, "NotFrozen", "is not held by a freeze: there is nothing to override")
        return
    why = command.reason or "no reason given"
    turn.emit(EventType.APPROVED, f"freeze overridden by {command.actor}: {why}", actor=command.actor, reason=why)
    turn.become(thawed=True, pending=())
    turn.say(turn.state.phase)
    turn.answer(command, "starts in spite of the freeze")


def _revise(turn: RolloutTurn, command: Command) -> None:
    """The same version with other copies, at once, or with another policy, from the next batch on (rules 9 and 10)."""
    spec = command.spec
    if spec is None:
        raise AssertionError("revise brings a spec")
    if turn.state.way_back:
        turn.refuse(command, "RollingBack", "is rolling back: change it once that is over")
        return
    spec = autoscaled.revised(turn, spec)
    copies, before = spec.copies, turn.copies
    turn.become(policy_next=None if spec.rollout == turn.policy else spec.rollout)
    if copies != before:
        rescale.begin(turn, spec, command.actor)
        turn.answer(command, f"from {before} to {copies} copies")
        return
    turn.become(spec=spec.model_copy(update={"rollout": turn.policy}))
    turn.answer(command, "takes effect from the next batch")


def _supersede(turn: RolloutTurn, command: Command) -> None:
    """A newer revision is waiting; one that has all its copies in place ends first, for the newer to start from."""
    state = turn.state
    if state.way_back:
        turn.answer(command, "is rolling back already: the newer revision starts after it")
    elif state.stage in {Stage.FINISH, Stage.CONFIRM} and turn.order.old is not None:
        go_on(turn)
        turn.answer(command, "is about to succeed: the newer revision starts after it")
    else:
        turn_round(turn, Phase.SUPERSEDED, "Superseded", f"superseded by a newer revision of {command.actor}")
        turn.answer(command, "superseded: traffic returns to the stable version")


def _abort(turn: RolloutTurn, command: Command) -> None:
    if turn.state.way_back:
        turn.refuse(command, "RollingBack", "is rolling back already")
        return
    turn_round(turn, Phase.ABORTED, "AbortedByUser", f"aborted by {command.actor}")
    turn.answer(command, "aborting: traffic returns to the stable version")


def _retire(turn: RolloutTurn, command: Command) -> None:
    turn.become(stage=Stage.RETIRED, pending=())
    turn.answer(command, "ended without restoring: the deployment is being retired")


_VERBS: dict[Verb, Callable[[RolloutTurn, Command], None]] = {
    "pause": _pause,
    "resume": _resume,
    "promote": _promote,
    "approve": _approve,
    "override": _override,
    "revise": _revise,
    "supersede": _supersede,
    "abort": _abort,
    "retire": _retire,
}
