"""How a deployment gets another number of copies of the version it serves, and goes back when that is aborted."""

from datetime import datetime, timedelta
from enum import StrEnum

from longshore.planning.observed import CopyState
from longshore.planning.operation import Decision, Ensure, Facts, OperationOrder, OperationResult, Reserve, State
from longshore.planning.rollback import ROOM_POLL
from longshore.planning.room import ReservationRequest
from longshore.planning.turn import Turn
from longshore.planning.words import EventType, Phase


class ScaleStage(StrEnum):
    """Where a scale is."""

    LOOK = "look"
    GROW = "grow"
    SHRINK = "shrink"


class ScaleState(State):
    """A scale under way."""

    stage: ScaleStage = ScaleStage.LOOK
    wanted: int = 0
    """Copies of the batch under way, all in all."""
    ready_by: datetime | None = None
    blocked: bool = False
    aborted: str | None = None
    """Who aborted it: it goes back to the copies there were before."""
    retired: bool = False


class ScaleTurn(Turn[ScaleState]):
    """One decision of a scale in the making."""

    @property
    def version(self) -> str:
        """The version that serves."""
        return self.order.new.version

    @property
    def copies(self) -> int:
        """The number to come to."""
        return self.order.copies_before if self.state.aborted else self.order.spec.copies


def begin(order: OperationOrder) -> ScaleState:
    """The state of a scale that has not begun."""
    return ScaleState(weights={order.new.version: 100}, published={order.new.version: 100})


def advance(order: OperationOrder, state: ScaleState, facts: Facts) -> Decision:
    """Decide what a scale does now."""
    turn = ScaleTurn(order, state, facts)
    turn.become(started=True)
    if facts.trouble and not facts.trouble.retryable:
        return turn.fail(facts.trouble.reason, facts.trouble.message)
    _obey(turn)
    if turn.state.retired:
        return turn.end(Phase.ABORTED, "Retired", "ended by retire: copies stay for it to drain")
    if decision := _mind_copies(turn) or turn.owed():
        return decision
    if facts.observation is None:
        return turn.look()
    if turn.state.stage is ScaleStage.LOOK:
        serving, draining = facts.serving(turn.version), len(facts.draining(turn.version))
        shrinks = serving > turn.copies or (serving == turn.copies and draining > 0)
        turn.become(stage=ScaleStage.SHRINK if shrinks else ScaleStage.GROW)
        if shrinks and not turn.state.aborted:
            turn.say(Phase.PROGRESSING)
    if turn.state.stage is ScaleStage.SHRINK:
        if decision := turn.drain_to(turn.version, turn.copies):
            return decision
        turn.become(stage=ScaleStage.GROW)
    return _grow(turn)


def _mind_copies(turn: ScaleTurn) -> Decision | None:
    """Copies that cannot start, or did not in time, need a person; what is there stays."""
    order, state, facts = turn.order, turn.state, turn.facts
    if not state.wanted or facts.ready(turn.version) >= state.wanted:
        return None
    broken = next((copy for copy in facts.copies(turn.version) if copy.state is CopyState.FAILED), None)
    if broken:
        return turn.fail(broken.reason or "CopyFailed", f"copy {broken.id}: {broken.message or 'keeps exiting'}")
    if state.ready_by and turn.now >= state.ready_by:
        message = (
            f"{facts.ready(turn.version)} of {state.wanted} copies were ready within "
            f"{order.spec.rollout.deadline:g} s: see longshore logs {order.deployment}, or scale back"
        )
        return turn.fail("DeadlineExceeded", message)
    return None


def _grow(turn: ScaleTurn) -> Decision:
    state, facts, copies = turn.state, turn.facts, turn.copies
    serving, draining = facts.serving(turn.version), len(facts.draining(turn.version))
    if facts.ready(turn.version) == facts.count(turn.version) == copies:
        return _done(turn)
    if state.wanted and facts.ready(turn.version) < state.wanted:
        return turn.look()
    if draining and serving < copies:
        return _start(turn, min(copies, serving + draining))  # called back, they need no room: they still hold theirs
    if serving >= copies:
        return _await(turn, copies)
    if decision := turn.drain_to(turn.version, serving):
        return decision  # those that were ending when it was aborted leave their room first
    if facts.grant is None:
        return turn.act(Reserve(request=_request(turn)))
    if facts.grant.granted:
        if not state.aborted:
            turn.say(Phase.PROGRESSING)
        return _start(turn, serving + facts.grant.surge, dict(facts.grant.placement))
    if not state.blocked:
        turn.emit(EventType.ROLLOUT_BLOCKED, facts.grant.message or "no room", reason=facts.grant.reason)
        turn.become(blocked=True)
    turn.held_up(facts.grant.reason, facts.grant.message)
    return turn.poll(ROOM_POLL)


def _start(turn: ScaleTurn, wanted: int, placement: dict[str, int] | None = None) -> Decision:
    chosen = placement if placement and sum(placement.values()) == wanted else {}
    limit = turn.now + timedelta(seconds=turn.order.spec.rollout.deadline)
    turn.become(wanted=wanted, blocked=False, ready_by=limit)
    step = turn.next_step()
    return turn.act(Ensure(version=turn.version, copies=wanted, surplus="drain", placement=chosen, step=step))


def _await(turn: ScaleTurn, copies: int) -> Decision:
    """All are there, or on their way: the level says so again, so that nothing short of it was missed."""
    if turn.state.wanted == copies:
        return turn.look()
    return _start(turn, copies)


def _request(turn: ScaleTurn) -> ReservationRequest:
    order = turn.order
    serving = turn.facts.serving(turn.version)
    return ReservationRequest(
        target=order.target,
        deployment=order.deployment,
        model=order.model,
        version=turn.version,
        operation=order.id,
        resources=order.new.resources,
        batch=turn.copies - serving,
        settled=serving,
    )


def _done(turn: ScaleTurn) -> Decision:
    if not turn.facts.fresh:
        return turn.look()
    copies, state = turn.copies, turn.state
    message = f"{copies} {'copy' if copies == 1 else 'copies'} of version {turn.version}"
    if state.aborted:
        message = f"scale aborted by {state.aborted}: {message} again"
        turn.emit(EventType.ROLLOUT_ABORTED, message, actor=state.aborted, reason="AbortedByUser", copies=copies)
        return _ended_with(turn.end(Phase.ABORTED, "AbortedByUser", message), copies)
    turn.emit(EventType.SCALED, message, actor=turn.order.actor, copies=copies)
    return turn.end(Phase.SUCCEEDED, None, message)


def _ended_with(decision: Decision, copies: int) -> Decision:
    result: OperationResult | None = decision.result and decision.result.model_copy(update={"copies": copies})
    return decision.model_copy(update={"result": result})


def _obey(turn: ScaleTurn) -> None:
    for command in turn.facts.commands:
        if command.verb == "retire":
            turn.become(retired=True)
            turn.answer(command, "ended without restoring: the deployment is being retired")
        elif command.verb == "abort" and turn.state.aborted is None:
            turn.become(
                aborted=command.actor, stage=ScaleStage.LOOK, wanted=0, ready_by=None, draining=None, pending=()
            )
            turn.say(Phase.ROLLING_BACK, "AbortedByUser", f"aborted by {command.actor}")
            turn.answer(command, f"aborting: back to {turn.copies} copies")
        elif command.verb == "abort":
            turn.refuse(command, "RollingBack", "is going back already")
        else:
            turn.refuse(command, "Scaling", f"a scale cannot {command.verb}: wait for it, or abort it")
