"""How a deployment gets another number of copies of the version it serves."""

from datetime import datetime, timedelta
from enum import StrEnum

from longshore.planning.observed import CopyState
from longshore.planning.operation import Decision, Ensure, Facts, OperationOrder, Reserve, State
from longshore.planning.rollback import ROOM_POLL
from longshore.planning.room import ReservationRequest
from longshore.planning.turn import Turn
from longshore.planning.words import EventType, Phase


class ScaleStage(StrEnum):
    """Where a scale is."""

    LOOK = "look"
    GROW = "grow"
    SHRINK = "shrink"
    ROUTE = "route"


class ScaleState(State):
    """A scale under way."""

    stage: ScaleStage = ScaleStage.LOOK
    wanted: int = 0
    """Copies of the batch under way, all in all."""
    ready_by: datetime | None = None
    blocked: bool = False
    ended: Phase | None = None
    """Set when it is to end without reaching its number."""


def begin(order: OperationOrder) -> ScaleState:
    """The state of a scale that has not begun."""
    return ScaleState(weights={order.new.version: 100}, published={order.new.version: 100})


def advance(order: OperationOrder, state: ScaleState, facts: Facts) -> Decision:
    """Decide what a scale does now."""
    turn = Turn(order, state, facts)
    turn.become(started=True)
    _obey(turn)
    if facts.trouble and not facts.trouble.retryable:
        return turn.end(Phase.FAILED, facts.trouble.reason, facts.trouble.message)
    if turn.state.ended:
        return turn.end(turn.state.ended, turn.state.reason, turn.state.message)
    if decision := turn.owed():
        return decision
    if facts.observation is None:
        return turn.look()
    if turn.state.stage is ScaleStage.LOOK:
        shrinks = facts.serving(order.new.version) > order.spec.copies
        turn.become(stage=ScaleStage.SHRINK if shrinks else ScaleStage.GROW)
        turn.say(Phase.PROGRESSING if shrinks else Phase.PENDING)
    if turn.state.stage is ScaleStage.SHRINK:
        decision = turn.drain_to(order.new.version, order.spec.copies)
        return decision or _done(turn)
    return _grow(turn)


def _grow(turn: Turn[ScaleState]) -> Decision:
    order, state, facts = turn.order, turn.state, turn.facts
    version, copies = order.new.version, order.spec.copies
    if facts.ready(version) >= copies:
        return _done(turn)
    if state.wanted and facts.ready(version) < state.wanted:
        return _await(turn)
    if facts.grant is None and facts.serving(version) < copies:
        return turn.act(Reserve(request=_request(turn)))
    if facts.grant is None:
        turn.become(wanted=copies, ready_by=turn.now + timedelta(seconds=order.spec.rollout.deadline))
        return turn.look()
    if not facts.grant.granted:
        if not state.blocked:
            turn.emit(EventType.ROLLOUT_BLOCKED, facts.grant.message or "no room", reason=facts.grant.reason)
        turn.become(blocked=True)
        turn.say(Phase.PROGRESSING if state.wanted else Phase.PENDING, facts.grant.reason, facts.grant.message)
        return turn.poll(ROOM_POLL)
    wanted = facts.serving(version) + facts.grant.surge
    turn.become(wanted=wanted, blocked=False, ready_by=turn.now + timedelta(seconds=order.spec.rollout.deadline))
    turn.say(Phase.PROGRESSING)
    placement = dict(facts.grant.placement)
    return turn.act(
        Ensure(
            version=version,
            copies=wanted,
            surplus="drain",
            placement=placement if sum(placement.values()) == wanted else {},
            step=turn.next_step(),
        )
    )


def _await(turn: Turn[ScaleState]) -> Decision:
    order, state, facts = turn.order, turn.state, turn.facts
    broken = next((copy for copy in facts.copies(order.new.version) if copy.state is CopyState.FAILED), None)
    if broken:
        return turn.end(Phase.FAILED, broken.reason or "CopyFailed", f"copy {broken.id}: {broken.message}")
    if state.ready_by and turn.now >= state.ready_by:
        message = (
            f"{facts.ready(order.new.version)} of {state.wanted} copies were ready within "
            f"{order.spec.rollout.deadline:g} s: see longshore logs {order.deployment}, or scale back"
        )
        return turn.end(Phase.FAILED, "DeadlineExceeded", message)
    return turn.look()


def _request(turn: Turn[ScaleState]) -> ReservationRequest:
    order = turn.order
    serving = turn.facts.serving(order.new.version)
    return ReservationRequest(
        target=order.target,
        deployment=order.deployment,
        model=order.model,
        version=order.new.version,
        operation=order.id,
        resources=order.new.resources,
        batch=order.spec.copies - serving,
        settled=serving,
    )


def _done(turn: Turn[ScaleState]) -> Decision:
    order = turn.order
    if not turn.facts.fresh:
        return turn.look()
    copies = order.spec.copies
    message = f"{copies} {'copy' if copies == 1 else 'copies'} of version {order.new.version}"
    turn.emit(EventType.SCALED, message, actor=order.actor, copies=copies)
    return turn.end(Phase.SUCCEEDED, None, message)


def _obey(turn: Turn[ScaleState]) -> None:
    for command in turn.facts.commands:
        if command.verb in {"abort", "retire"}:
            word = "aborted" if command.verb == "abort" else "ended by retire"
            reason = "AbortedByUser" if command.verb == "abort" else "Retired"
            turn.become(ended=Phase.ABORTED, reason=reason, message=f"scale {word} by {command.actor}: copies stay")
            turn.answer(command, word)
        else:
            turn.refuse(command, "Scaling", f"a scale cannot {command.verb}: wait for it, or abort it")
