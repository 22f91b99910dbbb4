"""A batch: room, copies, traffic, and the old copies it replaces (DESIGN, rules 2, 3 and 13)."""

from collections import Counter
from datetime import timedelta

from longshore.planning import baking
from longshore.planning.batches import batch_size, dip_allowed, ladder, old_left, share
from longshore.planning.operation import Decision, Ensure, Measure, Reserve
from longshore.planning.rollback import ROOM_POLL, fail_if_broken
from longshore.planning.rollout_state import Stage
from longshore.planning.rollout_turn import RolloutTurn
from longshore.planning.room import Grant, ReservationRequest
from longshore.planning.words import EventType, Phase


def reserve(turn: RolloutTurn) -> Decision | None:
    """Hold room for the next batch, or wait for it; after the last one, finish."""
    order, state, facts = turn.order, turn.state, turn.facts
    if state.pause:
        return turn.wait(None)
    if state.settled >= order.spec.copies:
        # Only a rollout to no copies at all comes here while the old version still has the traffic.
        unshifted = order.old is not None and order.old.version in state.weights
        turn.become(stage=Stage.SHIFT if unshifted else Stage.FINISH, asked=False)
        return None
    if facts.grant is None:
        return turn.act(Reserve(request=_request(turn)))
    if facts.grant.granted:
        _begin(turn, facts.grant)
        return None
    if not state.blocked:
        message = facts.grant.message or "no room"
        turn.emit(EventType.ROLLOUT_BLOCKED, message, reason=facts.grant.reason, batch=state.batch + 1)
        turn.become(blocked=True)
    turn.held_up(facts.grant.reason, facts.grant.message)
    return turn.poll(ROOM_POLL)


def _begin(turn: RolloutTurn, grant: Grant) -> None:
    order, state, size = turn.order, turn.state, grant.surge + grant.dip
    turn.become(
        batch=state.batch + 1,
        surge=grant.surge,
        dip=grant.dip,
        placement=dict(grant.placement),
        widest=max(state.widest, grant.surge),
        blocked=False,
        ready_by=turn.now + timedelta(seconds=order.spec.rollout.deadline),
        host_lost=False,
        stage=Stage.DIP if grant.dip else Stage.START,
        asked=False,
        ladder=ladder(order, state.ladder[: state.batch], state.settled, size),
    )
    turn.say(Phase.PROGRESSING)
    drained = f", {grant.dip} of them after draining as many old ones" if grant.dip else ""
    message = f"{size} {'copy' if size == 1 else 'copies'} of version {turn.new}{drained}"
    turn.emit(EventType.BATCH_STARTED, message, batch=turn.state.batch, add=size, drainFirst=grant.dip)
    turn.rung("draining first" if grant.dip else "starting")


def _request(turn: RolloutTurn) -> ReservationRequest:
    order, state = turn.order, turn.state
    copies, onboarding = order.spec.copies, order.old is None
    size = min(batch_size(order), copies - state.settled)
    return ReservationRequest(
        target=order.target,
        deployment=order.deployment,
        model=order.model,
        version=turn.new,
        operation=order.id,
        resources=order.new.resources,
        batch=size,
        dip=0 if onboarding else min(dip_allowed(order, state.settled), size),
        whole=onboarding,
        old_version=order.old.version if order.old else None,
        settled=state.settled,
    )


def dip(turn: RolloutTurn) -> Decision | None:
    """End old copies first, on whose accelerators the new ones will start."""
    order, state, facts = turn.order, turn.state, turn.facts
    left = max(0, old_left(order, state.settled) - state.dip)
    # Before the last old copies go, what they carry goes to the new ones, which are ready, and not to nobody.
    unshifted = left == 0 and state.settled and turn.old in state.weights
    if unshifted and (decision := turn.shift({turn.new: 100}, (turn.old,), f"100% to version {turn.new}", state.batch)):
        return decision
    freed = facts.draining(turn.old)
    if freed and not state.asked:
        placement = Counter(state.placement)
        placement.update(copy.host for copy in freed)
        turn.become(placement=dict(placement), asked=True)
    if decision := turn.drain_to(turn.old, left):
        return decision
    turn.become(stage=Stage.START, asked=False)
    turn.rung("starting")
    return None


def start(turn: RolloutTurn) -> Decision | None:
    """Start the batch's copies, and wait until all of the new version are ready."""
    order, state, facts = turn.order, turn.state, turn.facts
    if not state.asked:
        turn.become(asked=True)
        placement = state.placement if sum(state.placement.values()) == turn.wanted else {}
        ensure = Ensure(
            version=turn.new, copies=turn.wanted, surplus="drain", placement=placement, step=turn.next_step()
        )
        return turn.act(ensure, *_first_look(turn))
    if fail_if_broken(turn):
        return None
    if facts.ready(turn.new) < turn.wanted:
        return turn.look()
    turn.emit(EventType.BATCH_READY, f"{turn.wanted} of {order.spec.copies} copies are ready", batch=state.batch)
    onboarding = Stage.SMOKE if order.new.smoke else Stage.GOLDEN
    turn.become(stage=onboarding if order.old is None else Stage.SHIFT, asked=False)
    return None


def _first_look(turn: RolloutTurn) -> tuple[Measure, ...]:
    """A reading of the counters before the shift, when a check compares with the old version."""
    compared = turn.order.old is not None and any(check.compare for check in baking.checks(turn))
    first = Measure(
        checks=(), watched=baking.checks(turn), batch=turn.state.batch, not_before=turn.now, bake_ended=False
    )
    return (first,) if compared else ()


def shift(turn: RolloutTurn) -> Decision | None:
    """Give the new version the share of the copies it has, seen ready just now; a shift that began is finished."""
    order, state, facts = turn.order, turn.state, turn.facts
    new = share(turn.wanted, order.spec.copies)
    if order.old and facts.observation and not facts.serving(turn.old):
        new = 100  # nothing of the old version is there to carry the rest
    shares = ((order.old.version, 100 - new),) if order.old else ()
    weights = {version: weight for version, weight in (*shares, (turn.new, new)) if weight}
    if state.published != weights:
        if state.pause:
            return turn.wait(None)
        if fail_if_broken(turn):
            return None
        if not facts.fresh or facts.ready(turn.new) < turn.wanted:
            return turn.look()
    turn.rung("shifting")
    standby = tuple(version for version in (turn.new, *(version for version, _ in shares)) if version not in weights)
    cause = f"{new}% to version {turn.new}"
    if decision := turn.shift(weights, standby, cause, state.batch or None):
        return decision
    live = facts.acked.at if facts.acked else turn.now
    if order.old is None or not state.size:
        turn.become(stage=Stage.DRAIN, bake=None)
    else:
        turn.become(stage=Stage.BAKE, bake=baking.begin(turn, live))
        turn.rung("baking")
    return None


def drain(turn: RolloutTurn) -> Decision | None:
    """End the old copies that the batch replaces."""
    order, state, settled = turn.order, turn.state, turn.wanted
    if order.old is not None and (decision := turn.drain_to(turn.old, max(0, order.spec.copies - settled))):
        return decision
    if state.size:
        turn.emit(EventType.BATCH_DONE, f"{settled} of {order.spec.copies} copies are new", batch=state.batch)
        turn.rung("done")
    turn.become(stage=Stage.RESERVE, settled=settled, surge=0, dip=0, bake=None, ready_by=None)
    return None
