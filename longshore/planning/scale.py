"""How a deployment gets another number of copies of the version it serves, and goes back when that is aborted."""

from datetime import datetime, timedelta
from enum import StrEnum

from longshore.planning import refusals
from longshore.planning.meddling import minds_others
from longshore.planning.observed import CopyState
from longshore.planning.operation import (
    Command,
    Decision,
    Ensure,
    Facts,
    GiveUpWarm,
    OperationOrder,
    OperationResult,
    Reserve,
    Steer,
    Warm,
)
from longshore.planning.release import KeepsWarm, give_up
from longshore.planning.rollout.rollback import ROOM_POLL
from longshore.planning.room import Grant, ReservationRequest
from longshore.planning.steering import aimed_at, chooses, hold, steered
from longshore.planning.turn import Turn
from longshore.planning.words import EventType, Phase
from longshore.spec.deployment import DeploymentSpec


class ScaleStage(StrEnum):
    """Where a scale is."""

    LOOK = "look"
    HOLD = "hold"
    GROW = "grow"
    SHRINK = "shrink"
    TAKE_BACK = "take-back"


class ScaleState(KeepsWarm):
    """A scale under way."""

    stage: ScaleStage = ScaleStage.LOOK
    spec: DeploymentSpec | None = None
    """What it was revised to on the way."""
    found: int | None = None
    """Copies that the target's autoscaler had chosen, where it did."""
    wanted: int = 0
    """Copies of the batch under way, all in all."""
    ready_by: datetime | None = None
    blocked: bool = False
    aborted: str | None = None
    """Who aborted it: it goes back to the copies there were before."""
    yields: bool = False
    """Whether its own warm copies make way."""
    asked_others: bool = False
    """Whether other deployments were asked for the room of their warm copies."""


class ScaleTurn(Turn[ScaleState]):
    """One decision of a scale in the making."""

    @property
    def version(self) -> str:
        """The version that serves."""
        return self.order.new.version

    @property
    def spec(self) -> DeploymentSpec:
        """What is desired, as it was last revised."""
        return self.state.spec or self.order.spec

    @property
    def warm(self) -> Warm | None:
        """What is kept warm now."""
        return self.state.warm

    @property
    def copies(self) -> int:
        """The number to come to."""
        before = self.order.copies_before if self.state.found is None else self.state.found
        if self.state.aborted:
            return before
        return self.spec.copies if self.spec.scaling is None else self.spec.scaling.within(before)

    def begin_anew(self, **changes: object) -> None:
        """Look again at what is there; room that was granted for another number is not taken."""
        again = {"stage": ScaleStage.LOOK, "wanted": 0, "ready_by": None, "draining": None, "pending": ()}
        self.become(**again, **changes)
        self.facts = self.facts.model_copy(update={"grant": None})


def begin(order: OperationOrder) -> ScaleState:
    """The state of a scale that has not begun."""
    alone = {order.new.version: 100}
    levels = {order.new.version: order.copies_before}
    return ScaleState(weights=alone, published=alone, levels=levels, warm=order.warm)


def aim(order: OperationOrder, state: ScaleState, result: OperationResult) -> Steer | None:
    """The policy that is desired by now, whether the copies came to their number or not."""
    spec = state.spec or order.spec
    if result.reason == "Retired" or (spec.scaling is None and not order.autoscaled):
        return None
    return aimed_at(order.new.version, spec.scaling, state.step + 1)


@steered(aim)
@minds_others
def advance(order: OperationOrder, state: ScaleState, facts: Facts) -> Decision:
    """Decide what a scale does now."""
    turn = ScaleTurn(order, state, facts)
    turn.become(started=True)
    if facts.trouble and not facts.trouble.retryable:
        return turn.fail(facts.trouble.reason, facts.trouble.message)
    if decision := _obey(turn) or _mind_copies(turn) or turn.owed():
        return decision
    if facts.observation is None:
        return turn.look()
    if turn.state.yields and (decision := give_up(turn)):
        return decision
    if turn.state.stage is ScaleStage.HOLD and (decision := _hold(turn)):
        return decision
    if turn.state.stage is ScaleStage.LOOK:
        serving, draining = facts.serving(turn.version), len(facts.draining(turn.version))
        if chooses(turn):
            turn.become(found=serving, levels={**turn.state.levels, turn.version: serving})
        fewer = turn.state.levels.get(turn.version, 0) > turn.copies
        shrinks = serving > turn.copies or (serving == turn.copies and (draining > 0 or fewer))
        turn.become(stage=ScaleStage.SHRINK if shrinks else ScaleStage.GROW)
        if shrinks and not turn.state.aborted:
            turn.say(Phase.PROGRESSING)
    return _shrink(turn) or _grow(turn)


def _begin_to_hold(turn: ScaleTurn) -> Decision:
    """Copies are to change: the autoscaler holds still from now on, and what it chose is looked at once more."""
    turn.become(stage=ScaleStage.HOLD)
    return turn.act(*hold(turn))


def _hold(turn: ScaleTurn) -> Decision | None:
    if not turn.facts.fresh:
        return turn.look()
    chosen = turn.facts.serving(turn.version)
    turn.begin_anew(found=chosen, levels={**turn.state.levels, turn.version: chosen})
    return None


def _mind_copies(turn: ScaleTurn) -> Decision | None:
    """Copies that cannot start, or did not in time, need a person; what is there stays."""
    order, state, facts = turn.order, turn.state, turn.facts
    if not state.wanted or facts.ready(turn.version) >= state.wanted:
        return None
    if _refused(turn):
        return None
    broken = next((copy for copy in facts.copies(turn.version) if copy.state is CopyState.FAILED), None)
    if broken:
        return turn.fail(broken.reason or "CopyFailed", f"copy {broken.id}: {broken.message or 'keeps exiting'}")
    if state.ready_by and turn.now >= state.ready_by:
        message = (
            f"{facts.ready(turn.version)} of {state.wanted} copies were ready within "
            f"{turn.spec.rollout.deadline:g} s: see longshore logs {order.deployment}, or scale back"
        )
        return turn.fail("DeadlineExceeded", message)
    return None


def _shrink(turn: ScaleTurn) -> Decision | None:
    """End what is too much, or was refused its room; None once that is gone."""
    stage, decision = turn.state.stage, None
    if stage is ScaleStage.SHRINK:
        decision = _begin_to_hold(turn) if chooses(turn) else turn.drain_to(turn.version, turn.copies)
    elif stage is ScaleStage.TAKE_BACK:
        decision = refusals.take_back(turn, turn.version, turn.state.wanted)
    if decision is None:
        turn.become(stage=ScaleStage.GROW)
    return decision


def _refused(turn: ScaleTurn) -> bool:
    """Whether copies are refused their room: they are taken back, and room is asked for again for all that lack."""
    copies = refusals.refused(turn.facts, turn.version)
    if copies and turn.state.stage is ScaleStage.GROW:
        refusals.remember(turn, copies)
        wanted = turn.facts.serving(turn.version) - len(copies)
        turn.become(stage=ScaleStage.TAKE_BACK, wanted=wanted, ready_by=None, pending=())
    return bool(copies)


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
    grant = turn.facts.grant
    if grant is None:
        return turn.act(Reserve(request=_request(turn)))
    if grant.granted:
        if not state.aborted:
            turn.say(Phase.PROGRESSING)
        # A grant of before it was revised may be for more than is wanted now.
        turn.become(refusal=None)
        return _start(turn, min(copies, serving + grant.surge), dict(grant.placement))
    return _wait_for_room(turn, grant)


def _wait_for_room(turn: ScaleTurn, grant: Grant) -> Decision:
    """Warm copies make way, those of others and its own; where that does not help, it is blocked."""
    state, ours = turn.state, turn.order.deployment
    turn.held_up(grant.reason, refusals.told(turn, grant))
    if ours in grant.warm:
        turn.become(yields=True)
    others = tuple(name for name in grant.warm if name != ours)
    if others and not state.asked_others:
        turn.become(asked_others=True)
        return turn.act(GiveUpWarm(deployments=others))
    if turn.state.yields and (decision := give_up(turn)):
        return decision
    if not grant.warm and not state.blocked:
        turn.emit(EventType.ROLLOUT_BLOCKED, refusals.told(turn, grant), reason=grant.reason)
        turn.become(blocked=True)
    return turn.poll(ROOM_POLL)


def _start(turn: ScaleTurn, wanted: int, placement: dict[str, int] | None = None) -> Decision:
    if chooses(turn):
        return _begin_to_hold(turn)
    chosen = placement if placement and sum(placement.values()) == wanted else {}
    limit = turn.now + timedelta(seconds=turn.spec.rollout.deadline)
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
        without=refusals.shut(turn),
    )


def _done(turn: ScaleTurn) -> Decision:
    if not turn.facts.fresh:
        return turn.look()
    copies, state = turn.copies, turn.state
    message = f"{copies} {'copy' if copies == 1 else 'copies'} of version {turn.version}"
    if state.aborted:
        message = f"scale aborted by {state.aborted}: {message} again"
        turn.emit(EventType.ROLLOUT_ABORTED, message, actor=state.aborted, reason="AbortedByUser", copies=copies)
        return _ended_with(turn, turn.end(Phase.ABORTED, "AbortedByUser", message), copies)
    turn.emit(EventType.SCALED, message, actor=turn.order.actor, copies=copies)
    return turn.end(Phase.SUCCEEDED, None, message)


def _ended_with(turn: ScaleTurn, decision: Decision, copies: int) -> Decision:
    """Desired are the copies that it came to; where an autoscaler chooses them, those that were written stay so."""
    if turn.spec.scaling is not None:
        return decision
    result: OperationResult | None = decision.result and decision.result.model_copy(update={"copies": copies})
    return decision.model_copy(update={"result": result})


def _obey(turn: ScaleTurn) -> Decision | None:
    for command in turn.facts.commands:
        if command.verb == "retire":
            turn.answer(command, "ended without restoring: the deployment is being retired")
            return turn.end(Phase.ABORTED, "Retired", "ended by retire: copies stay for it to drain")
        if command.verb == "supersede":
            turn.answer(command, "ended: a newer revision takes over")
            return _superseded(turn, command)
        if turn.state.aborted is not None:
            turn.refuse(command, "RollingBack", "is going back already: wait for it, then scale again")
        elif command.verb == "abort":
            turn.begin_anew(aborted=command.actor)
            turn.say(Phase.ROLLING_BACK, "AbortedByUser", f"aborted by {command.actor}")
            turn.answer(command, f"aborting: back to {turn.copies} copies")
        elif command.verb == "revise":
            turn.begin_anew(spec=command.spec)
            turn.answer(command, f"goes on to {turn.copies} copies")
        else:
            turn.refuse(command, "Scaling", f"a scale cannot {command.verb}: wait for it, or abort it")
    return None


def _superseded(turn: ScaleTurn, command: Command) -> Decision:
    """It ends where it is: the rollout to come goes on from the copies that serve or are on their way."""
    seen = turn.facts.observation is not None
    copies = turn.facts.serving(turn.version) if seen else turn.order.copies_before
    message = f"a newer revision takes over, with {copies} {'copy' if copies == 1 else 'copies'} of {turn.version}"
    turn.emit(EventType.ROLLOUT_SUPERSEDED, message, actor=command.actor, copies=copies)
    return _ended_with(turn, turn.end(Phase.SUPERSEDED, "Superseded", message), copies)
