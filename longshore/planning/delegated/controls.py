"""What people ask of an update that the platform carries out. Most of it the platform cannot, and that is said."""

from longshore.planning.delegated.state import Stage
from longshore.planning.delegated.turn import DelegatedTurn
from longshore.planning.operation import Command, Decision
from longshore.planning.words import EventType, Phase

HANDED_OVER = "HandedOver"
"""Why a verb is refused."""


def obey(turn: DelegatedTurn) -> Decision | None:
    """Take in the commands that came; the decision to make where one of them ends it."""
    for command in turn.facts.commands:
        if decision := _obey(turn, command):
            return decision
    return None


def _obey(turn: DelegatedTurn, command: Command) -> Decision | None:
    handed, name = turn.state.handed or turn.state.returning, turn.order.deployment
    match command.verb:
        case "retire":
            turn.emit(EventType.ROLLOUT_ABORTED, "ended by retire, nothing restored", reason="Retired")
            turn.answer(command, "ended without restoring: the deployment is being retired")
            return turn.end(Phase.ABORTED, "Retired", "ended by retire, nothing restored")
        case "override" if turn.state.stage is Stage.GATE:
            _override(turn, command)
        case "abort" if turn.state.stage is Stage.HAND_OVER:
            # It may have been asked, and nobody knows: see what is there, and ask for the old version if it is not.
            turn.become(stage=Stage.DOUBT, returning=True, again=False, asked=False, pending=())
            turn.say(Phase.ROLLING_BACK, "AbortedByUser", f"aborted by {command.actor}")
            turn.answer(command, f"aborting: back to version {turn.old.version} as soon as SageMaker can be asked")
        case "abort" if not handed:
            return _end(turn, command, Phase.ABORTED, "AbortedByUser", f"aborted by {command.actor}")
        case "supersede" if not handed:
            told = f"superseded by a newer revision of {command.actor}"
            return _end(turn, command, Phase.SUPERSEDED, "Superseded", told)
        case "supersede":
            turn.answer(command, "SageMaker cannot be stopped: the newer revision starts once it has ended")
        case "abort":
            alarms = turn.spec.rollout.alarms
            cure = f"an alarm of it ({alarms[0]}) makes SageMaker go back" if alarms else "wait for its end"
            told = f"is in SageMaker's hands, which cannot stop it: {cure}, or longshore rollout undo {name} after it"
            turn.refuse(command, HANDED_OVER, told)
        case _:
            told = f"is in SageMaker's hands, which cannot {_words(command)}: it ends by itself"
            turn.refuse(command, HANDED_OVER, told)
    return None


def _words(command: Command) -> str:
    return "change it on the way" if command.verb == "revise" else command.verb


def _override(turn: DelegatedTurn, command: Command) -> None:
    why = command.reason or "no reason given"
    turn.emit(EventType.APPROVED, f"freeze overridden by {command.actor}: {why}", actor=command.actor, reason=why)
    turn.become(thawed=True, pending=())
    turn.say(turn.state.phase)
    turn.answer(command, "starts in spite of the freeze")


def _end(turn: DelegatedTurn, command: Command, phase: Phase, reason: str, message: str) -> Decision:
    """Nothing was handed over yet, so it is over at once."""
    type_ = EventType.ROLLOUT_ABORTED if phase is Phase.ABORTED else EventType.ROLLOUT_SUPERSEDED
    turn.emit(type_, message, reason=reason)
    turn.answer(command, "ended before anything was handed over")
    return turn.end(phase, reason, message)
