"""How warm copies are given up: out of the route, then drained (DESIGN, rule 6).

It is an operation of its own when they are due, and the first thing that others do when they need the room.
"""

from typing import TypeVar

from longshore.planning.operation import Decision, Facts, OperationOrder, State, Warm
from longshore.planning.turn import Turn
from longshore.planning.words import EventType, Phase


class KeepsWarm(State):
    """An operation during which copies may be warm."""

    warm: Warm | None = None
    """Those that are there; None once they have ended."""
    unlisted: bool = False
    """Whether the gateways have forgotten them."""


W = TypeVar("W", bound=KeepsWarm)


class ReleaseTurn(Turn[KeepsWarm]):
    """One decision of a release in the making."""

    @property
    def warm(self) -> None:
        """However it ends, nothing is warm after it; what is left over is told as drift."""
        return


def begin(order: OperationOrder) -> KeepsWarm:
    """The state of a release that has not begun."""
    alone = {order.new.version: 100}
    return KeepsWarm(weights=alone, published=alone, warm=order.warm)


def advance(order: OperationOrder, state: KeepsWarm, facts: Facts) -> Decision:
    """Decide what a release does now."""
    turn = ReleaseTurn(order, state, facts)
    turn.become(started=True)
    for command in facts.commands:
        if command.verb == "retire":
            turn.answer(command, "ended: the deployment is being retired")
            return turn.end(Phase.ABORTED, "Retired", "ended by retire: warm copies stay for it to drain")
        turn.refuse(command, "Releasing", f"only warm copies are being given up: there is nothing to {command.verb}")
    if facts.trouble and not facts.trouble.retryable:
        return turn.fail(facts.trouble.reason, facts.trouble.message)
    if decision := turn.owed():
        return decision
    turn.say(Phase.PROGRESSING)
    if decision := give_up(turn):
        return decision
    return turn.end(Phase.SUCCEEDED, None, "no copies are kept warm any more")


def give_up(turn: Turn[W]) -> Decision | None:
    """Give up the copies that are warm: the route is published without them, then they drain and end.

    Returns:
        The decision to make; None once none are there.
    """
    warm = turn.state.warm
    if warm is None:
        return None
    if not turn.state.unlisted:
        if decision := turn.shift(turn.state.weights, (), "without warm copies", None):
            return decision
        turn.become(unlisted=True)
    if decision := turn.drain_to(warm.version, 0):
        return decision
    turn.emit(EventType.WARM_RELEASED, f"the warm copies of version {warm.version} are gone", version=warm.version)
    turn.become(warm=None, unlisted=False)
    return None
