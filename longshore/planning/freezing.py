"""How a freeze holds an operation before it begins anything: a rollout, whoever carries it out."""

from datetime import timedelta
from typing import Final, TypeVar

from longshore.planning.operation import AskFreeze, Decision
from longshore.planning.release import KeepsWarm
from longshore.planning.turn import Turn
from longshore.planning.words import EventType, OperationKind

FREEZE_POLL: Final = timedelta(minutes=1)
"""Between two looks at a freeze that holds a rollout: it may be deleted before it ends."""


class Freezable(KeepsWarm):
    """An operation that a freeze may hold."""

    thawed: bool = False
    """Whether no freeze holds it, or a person said that it does not matter."""
    blocked: bool = False
    """Whether it was told that it waits."""


F = TypeVar("F", bound=Freezable)


def hold(turn: Turn[F]) -> Decision | None:
    """A freeze holds new rollouts until it ends, or a person says why it must not. Ways back are never held.

    Returns:
        The decision to make; None once nothing holds it.
    """
    state, facts = turn.state, turn.facts
    if state.thawed or facts.thawed or turn.order.kind is not OperationKind.ROLLOUT:
        turn.become(blocked=False)
        return None
    if facts.frozen is None:
        return turn.act(AskFreeze())
    message = f"{facts.frozen.message}: longshore rollout override {turn.order.deployment} --reason WHY starts it now"
    if not state.blocked:
        turn.emit(EventType.ROLLOUT_BLOCKED, message, reason="Frozen", freeze=facts.frozen.name)
        turn.become(blocked=True)
    turn.held_up("Frozen", message)
    return turn.wait(min(facts.frozen.until, turn.now + FREEZE_POLL))
