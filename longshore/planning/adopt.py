"""How something is taken over as it is: noted under its new name, then given the route. Nothing of it is touched."""

from longshore.planning.operation import Accept, Decision, Facts, OperationOrder, State
from longshore.planning.turn import Turn
from longshore.planning.words import EventType, Phase


class AdoptState(State):
    """An adoption under way."""

    accepted: bool = False
    """Whether it is noted as ours: from here on there is no way back but other operations."""


def begin(order: OperationOrder) -> AdoptState:
    """The state of an adoption that has not begun."""
    weights = {order.old.version: 100} if order.old else {}
    return AdoptState(weights=weights, published=weights)


def advance(order: OperationOrder, state: AdoptState, facts: Facts) -> Decision:
    """Decide what an adoption does now.

    Raises:
        ValueError: the order does not say what to take over.
    """
    if order.adopts is None:
        raise ValueError(f"{order.id} does not say what to take over")
    turn = Turn(order, state, facts)
    turn.become(started=True)
    for command in facts.commands:
        if command.verb == "retire":
            turn.answer(command, "ended: the deployment is being retired")
            return turn.end(Phase.ABORTED, "Retired", "ended by retire: what was taken over stays for it to drain")
        if command.verb == "supersede":
            turn.answer(command, "is about to end: the newer revision starts after it")
        else:
            turn.refuse(command, "Adopting", f"is about to end, and cannot {command.verb}: wait for it")
    if facts.trouble and not facts.trouble.retryable:
        return turn.fail(facts.trouble.reason, facts.trouble.message)
    if decision := turn.owed():
        return decision
    turn.say(Phase.PROGRESSING)
    new = order.new.version
    if not turn.state.accepted and not facts.answered:
        accept = Accept(version=new, copies=order.spec.copies, adopts=order.adopts, step=turn.next_step())
        return turn.act(accept)
    turn.become(accepted=True)
    if {new: 100} != turn.state.weights and (decision := turn.shift({new: 100}, (), _cause(order), None)):
        return decision
    message = _message(order)
    turn.emit(EventType.ADOPTED, message, actor=order.actor, component=order.adopts.component, copies=order.spec.copies)
    return turn.end(Phase.SUCCEEDED, None, message)


def _cause(order: OperationOrder) -> str:
    return f"version {order.new.version} as it was found"


def _message(order: OperationOrder) -> str:
    copies = f"{order.spec.copies} {'copy' if order.spec.copies == 1 else 'copies'}"
    return f"taken over as it is: version {order.new.version} with {copies}"
