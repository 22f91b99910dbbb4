"""A batch: room, copies, traffic, and the old copies it replaces (DESIGN, rules 2, 3 and 13)."""

from collections import Counter
from datetime import timedelta

from longshore.planning import refusals
from longshore.planning.operation import Decision, Ensure, GiveUpWarm, Measure, Reserve
from longshore.planning.rollout import autoscaled, baking, refused
from longshore.planning.rollout.legs import Leg, dip_allowed, next_leg, old_after, weight_after
from longshore.planning.rollout.rollback import ROOM_POLL, fail_if_broken
from longshore.planning.rollout.state import Stage
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.room import Grant, ReservationRequest
from longshore.planning.steering import chooses
from longshore.planning.words import EventType, Phase


def reserve(turn: RolloutTurn) -> Decision | None:
    """Hold room for the next batch, or wait for it; after the last one, finish."""
    order, state, facts = turn.order, turn.state, turn.facts
    if state.pause:
        return turn.wait(None)
    if state.policy_next and state.leg is None:
        turn.become(spec=turn.spec.model_copy(update={"rollout": state.policy_next}), policy_next=None)
    if decision := autoscaled.follow(turn):
        return decision
    # A batch that was refused some of its room asks again for all of it.
    leg = state.leg or next_leg(turn.course, turn.state.settled, turn.state.steps_done)
    begins = leg is None or leg.add == 0 or (facts.grant is not None and facts.grant.granted)
    if begins and chooses(turn):
        turn.become(stage=Stage.HOLD)
        return None
    if leg is None:
        # Only a rollout to no copies at all comes here while the old version still has the traffic.
        unshifted = order.old is not None and order.old.version in state.weights
        turn.become(stage=Stage.SHIFT if unshifted else Stage.FINISH, asked=False, leg=None, weight=100)
        return None
    if leg.add == 0:
        _begin(turn, leg, Grant(granted=True, placement=state.placement))
        return None
    if facts.grant is None:
        return turn.act(Reserve(request=_request(turn, leg)))
    if facts.grant.granted:
        _begin(turn, leg, facts.grant)
        return None
    return blocked(turn, facts.grant, state.batch if state.leg else state.batch + 1)


def blocked(turn: RolloutTurn, grant: Grant, batch: int | None) -> Decision:
    """There is no room: warm copies of others make some; else it is said once, and asked again until there is."""
    others = tuple(name for name in grant.warm if name != turn.order.deployment)
    if others and not turn.state.warm_asked:
        turn.become(warm_asked=True)
        return turn.act(GiveUpWarm(deployments=others))
    if not grant.warm and not turn.state.blocked:
        turn.emit(EventType.ROLLOUT_BLOCKED, refusals.told(turn, grant), reason=grant.reason, batch=batch)
        turn.become(blocked=True)
    message = f"waits until the warm copies of {', '.join(others)} are gone" if others else refusals.told(turn, grant)
    turn.held_up(grant.reason, message)
    return turn.poll(ROOM_POLL)


def _begin(turn: RolloutTurn, leg: Leg, grant: Grant) -> None:
    """Begin a batch, or go on with one that was refused some of its room."""
    state, size, again = turn.state, grant.surge + grant.dip, turn.state.leg is not None
    number = state.batch if again else state.batch + 1
    laid = turn.laid(state.ladder[: number - 1], size)
    turn.become(
        batch=number,
        leg=leg,
        weight=weight_after(leg, size, state.settled, turn.copies),
        surge=grant.surge,
        dip=grant.dip,
        placement=dict(grant.placement),
        widest=max(state.widest, grant.surge),
        blocked=False,
        warm_asked=False,
        refusal=None,
        warm=None,
        ready_by=turn.now + timedelta(seconds=turn.policy.deadline),
        host_lost=False,
        stage=Stage.DIP if grant.dip else Stage.START,
        asked=False,
        ladder=laid,
    )
    turn.say(Phase.PROGRESSING)
    drained = f", {grant.dip} of them after draining as many old ones" if grant.dip else ""
    copies = f"{size} {'copy' if size == 1 else 'copies'} of version {turn.new}{drained}"
    message = copies if size else f"{turn.state.weight}% to the copies that version {turn.new} has"
    if again:
        turn.say(Phase.PROGRESSING, refusals.INSUFFICIENT_CAPACITY, f"goes on with {copies}: {state.refusal}")
    else:
        turn.emit(EventType.BATCH_STARTED, message, batch=number, add=size, drainFirst=grant.dip)
    turn.rung("draining first" if grant.dip else "starting")


def _request(turn: RolloutTurn, leg: Leg) -> ReservationRequest:
    order, state, course = turn.order, turn.state, turn.course
    return ReservationRequest(
        target=order.target,
        deployment=order.deployment,
        model=order.model,
        version=turn.new,
        operation=order.id,
        resources=order.new.resources,
        batch=leg.add,
        dip=0 if course.whole else min(dip_allowed(course, state.settled, state.level), leg.add),
        whole=course.whole,
        old_version=order.old.version if order.old else None,
        settled=state.settled,
        without=refusals.shut(turn),
    )


def dip(turn: RolloutTurn) -> Decision | None:
    """End old copies first, on whose accelerators the new ones will start."""
    state, facts = turn.state, turn.facts
    left = max(0, state.level - state.dip)
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
    if fail_if_broken(turn) or refused.found(turn, turn.new):
        return None
    if facts.ready(turn.new) < turn.wanted:
        return turn.look()
    turn.emit(EventType.BATCH_READY, f"{turn.wanted} of {turn.copies} copies are ready", batch=state.batch)
    shown = Stage.SMOKE if order.new.smoke else Stage.GOLDEN
    turn.become(stage=shown if turn.course.whole and not state.instant else Stage.SHIFT, asked=False)
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
    new = state.weight
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
    if order.old is None or state.leg is None or state.instant or not turn.copies:
        turn.become(stage=Stage.DRAIN, bake=None)
    else:
        turn.become(stage=Stage.BAKE, bake=baking.begin(turn, live), vigil=None)
        turn.rung("baking")
    return None


def drain(turn: RolloutTurn) -> Decision | None:
    """End the old copies that the batch replaces; blue/green may keep all of them warm."""
    state, new = turn.state, turn.wanted
    level = old_after(turn.course, state.level - state.dip, new, state.weight)
    if turn.order.old is not None and not turn.keeps and (decision := turn.drain_to(turn.old, level)):
        return decision
    if state.leg is not None:
        turn.emit(EventType.BATCH_DONE, f"{new} of {turn.copies} copies are new", batch=state.batch)
        turn.rung("done")
    whole_leg = state.leg is not None and state.size >= state.leg.add
    turn.become(
        stage=Stage.STAND,
        settled=new,
        level=level,
        steps_done=state.leg.step + 1 if state.leg and whole_leg else state.steps_done,
        vigil=baking.watch_on(turn),
        bake=None,
        leg=None,
        surge=0,
        dip=0,
        ready_by=None,
    )
    return None
