"""How a deployment is retired: no more requests, then no more copies (DESIGN, rule 11)."""

from longshore.planning.operation import Decision, Facts, OperationOrder, State, Steer
from longshore.planning.turn import Turn
from longshore.planning.words import EventType, Phase


class RetireState(State):
    """A retirement under way."""

    unrouted: bool = False


class RetireTurn(Turn[RetireState]):
    """One decision of a retirement in the making."""

    def takes(self, version: str) -> bool:  # noqa: ARG002 - each of them
        """It all goes, whatever somebody else has made of it."""
        return True

    @property
    def warm(self) -> None:
        """Warm copies are ended like all others, and never come back by an undo."""
        return


def begin(order: OperationOrder) -> RetireState:
    """The state of a retirement that has not begun."""
    weights = {order.old.version: 100} if order.old else {}
    levels = {order.old.version: order.copies_before} if order.old else {}
    return RetireState(weights=weights, published=weights, levels=levels)


def advance(order: OperationOrder, state: RetireState, facts: Facts) -> Decision:
    """Decide what a retirement does now."""
    turn = RetireTurn(order, state, facts)
    turn.become(started=True)
    for command in facts.commands:
        turn.refuse(command, "Retiring", f"is being retired and cannot {command.verb}")
    if facts.trouble and not facts.trouble.retryable:
        return turn.fail(facts.trouble.reason, facts.trouble.message)
    if decision := turn.owed():
        return decision
    turn.say(Phase.PROGRESSING)
    if order.autoscaled and not turn.state.held:
        turn.become(held=True)
        return turn.act(Steer(step=turn.next_step()))
    if not turn.state.unrouted:
        if decision := turn.unroute("retired"):
            return decision
        turn.become(unrouted=True)
    if facts.observation is None:
        return turn.look()
    present = {copy.version for copy in facts.observation.copies} | set(order.versions) | set(state.levels)
    for version in sorted(present):
        if decision := turn.drain_to(version, 0):
            return decision
    turn.emit(EventType.RETIRED, "the route is gone and every copy has ended", actor=order.actor)
    return turn.end(Phase.SUCCEEDED, "Retired", "retired")
