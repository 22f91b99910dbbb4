"""The way back: the old version gets its share and its copies again, safely for capacity (DESIGN, rule 4)."""

from datetime import timedelta
from typing import NamedTuple

from longshore.planning import refusals
from longshore.planning.observed import CopyState
from longshore.planning.operation import Decision, Ensure, Reserve
from longshore.planning.rollout import refused
from longshore.planning.rollout.legs import copies_for, share
from longshore.planning.rollout.state import Stage, WayBack
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.room import ReservationRequest
from longshore.planning.steering import chooses
from longshore.planning.words import EventType, Phase

ROOM_POLL = timedelta(seconds=2)
"""Between two askings for room: whoever waits goes on so soon after it appears, which is as exact as a rehearsal is."""


EXITS_ALLOWED = 3
"""Exits of one copy after which its batch has failed (rule 13)."""


def turn_round(turn: RolloutTurn, phase: Phase, reason: str, message: str) -> None:
    """Begin the way back. `phase` is what its end will be called."""
    order, state = turn.order, turn.state
    scaled = turn.before != order.copies_before and not chooses(turn)
    let_go = state.let_go and chooses(turn)  # all that had begun was taken back again
    touched = (state.step > 0 and not let_go) or scaled or order.doubt is not None
    if touched:
        turn.emit(EventType.ROLLBACK_STARTED, message, batch=state.batch or None, reason=reason)
    way = Stage.RETURN if order.old else Stage.UNROUTE
    peak = max(turn.copies, turn.before) + state.widest
    turn.become(
        stage=way if touched else Stage.END,
        way_back=WayBack(phase=phase, reason=reason, message=message, peak=peak),
        pause=None,
        draining=None,
        pending=(),
        asked=False,
        ready_by=None,
        stands_until=None,
        rescale=None,
        vigil=None,
        ladder=tuple(
            step.model_copy(update={"state": "undone"}) if step.state != "waiting" else step for step in state.ladder
        ),
    )
    turn.say(Phase.ROLLING_BACK, reason, message)


def fail_if_broken(turn: RolloutTurn) -> bool:
    """A copy of the new version that exited three times fails its batch before the deadline (rule 13)."""
    for copy in turn.facts.copies(turn.new):
        if copy.state is CopyState.FAILED or copy.restarts >= EXITS_ALLOWED:
            turn_round(
                turn, turn.failed, copy.reason or "CopyFailed", f"copy {copy.id}: {copy.message or 'keeps exiting'}"
            )
            return True
    return False


class Return(NamedTuple):
    """Where a rollout stands when it turns round, or after a step of its way back."""

    copies: int
    """Desired copies of the new version."""
    before: int
    """Copies of the old version that are restored."""
    peak: int
    ready_old: int
    serving_old: int
    """Old copies that serve or are meant to."""
    ready_new: int
    weight_new: int
    coming: int
    """Old copies that shall be started next."""


def step_back(at: Return) -> tuple[int, int]:
    """The new version's next weight, and how many of its copies stay.

    The old version gets what its ready copies can carry, never less than it has, and everything once no copy of the
    new one serves. Copies of the new one stay for what it keeps, but leave room for the old ones that come next.
    """
    if at.weight_new == 0 or at.ready_new == 0:
        return 0, 0
    carried = share(at.ready_old, at.before) if at.before else 100
    weight = min(at.weight_new, max(0, 100 - carried))
    if at.ready_old == 0 and at.before:
        weight = 100
    kept = max(0, min(copies_for(weight, at.copies), at.peak - at.serving_old - at.coming))
    if weight < 100 or kept == 0:
        weight = min(weight, share(kept, at.copies))
    return weight, kept


def coming_next(turn: RolloutTurn) -> int:
    """Old copies that start next: as many as may be missing beside the room that the rollout had, at least one.

    Those on their way already are among them: where old copies do not start, new ones that serve are not given up.
    """
    state, serving = turn.state, turn.facts.serving(turn.old)
    missing, coming = turn.before - serving, serving - turn.facts.ready(turn.old)
    spare = state.widest + turn.policy.unavailable_copies(turn.copies)
    together = min(turn.policy.rollback_copies(turn.before), max(1, spare))
    return max(0, min(missing, together - coming))


def returning(turn: RolloutTurn) -> Decision | None:
    """Call draining old copies back, then give the old version the share that its ready copies can carry."""
    state, facts = turn.state, turn.facts
    back = _back(turn)
    if not state.asked:
        if not facts.fresh:
            return turn.look()
        serving, draining = facts.serving(turn.old), len(facts.draining(turn.old))
        if draining and serving < turn.before:
            level = min(turn.before, serving + draining)
            return turn.act(Ensure(version=turn.old, copies=level, surplus="drain", step=turn.next_step()))
        weight, kept = step_back(
            Return(
                copies=turn.copies,
                before=turn.before,
                peak=back.peak,
                ready_old=facts.ready(turn.old),
                serving_old=facts.serving(turn.old),
                ready_new=facts.ready(turn.new),
                weight_new=state.weights.get(turn.new, 0),
                coming=coming_next(turn),
            )
        )
        back = back.model_copy(update={"weight": weight, "kept": kept})
        turn.become(asked=True, way_back=back)
    weights = {version: share for version, share in ((turn.old, 100 - back.weight), (turn.new, back.weight)) if share}
    if not weights == turn.state.published == turn.state.weights:
        standby = tuple(version for version in (turn.old, turn.new) if version not in weights)
        cause = f"rollback: {100 - back.weight}% to version {turn.old}"
        if decision := turn.shift(weights, standby, cause, state.batch or None):
            return decision
    turn.become(stage=Stage.TRIM, asked=False)
    return None


def trimming(turn: RolloutTurn) -> Decision | None:
    """End the copies of the new version that its weight does not need, and old ones beyond what is desired by now."""
    kept, facts = _back(turn).kept, turn.facts
    if decision := turn.drain_to(turn.new, kept):
        return decision
    surplus = facts.count(turn.old) > turn.before
    if surplus and (decision := turn.drain_to(turn.old, turn.before)):
        return decision
    restored = facts.ready(turn.old) >= turn.before
    turn.become(stage=Stage.CLEAR if restored and kept == 0 else Stage.RESTORE_ROOM, asked=False)
    return None


def room_to_restore(turn: RolloutTurn) -> Decision | None:
    """Hold the room for the old copies that come back next, once those that were ending have left theirs."""
    order, facts = turn.order, turn.facts
    if decision := turn.drain_to(turn.old, facts.serving(turn.old)):
        return decision
    coming = coming_next(turn)
    if coming == 0:
        _restore(turn, surge=0, placement={})
        return None
    if facts.grant is None:
        request = ReservationRequest(
            target=order.target,
            deployment=order.deployment,
            model=order.model,
            version=turn.old,
            operation=order.id,
            resources=order.old.resources if order.old else order.new.resources,
            batch=coming,
            old_version=turn.new,
            settled=facts.serving(turn.old),
            without=refusals.shut(turn),
        )
        return turn.act(Reserve(request=request))
    if not facts.grant.granted:
        turn.held_up(facts.grant.reason, refusals.told(turn, facts.grant))
        return turn.poll(ROOM_POLL)
    _restore(turn, surge=facts.grant.surge, placement=facts.grant.placement)
    return None


def _restore(turn: RolloutTurn, *, surge: int, placement: dict[str, int]) -> None:
    limit = turn.now + timedelta(seconds=turn.policy.deadline)
    room = {"surge": surge, "dip": 0, "placement": placement, "refusal": None}
    turn.become(stage=Stage.RESTORE, asked=False, ready_by=limit, **room)


def restoring(turn: RolloutTurn) -> Decision | None:
    """Bring old copies back, on readiness alone."""
    state, facts = turn.state, turn.facts
    if not state.asked:
        wanted = min(turn.before, facts.serving(turn.old) + state.surge)
        turn.become(asked=True, restored=wanted)
        placement = state.placement if sum(state.placement.values()) == wanted else {}
        ensure = Ensure(version=turn.old, copies=wanted, surplus="drain", placement=placement, step=turn.next_step())
        return turn.act(ensure)
    if refused.found(turn, turn.old):
        return None
    if facts.ready(turn.old) < state.restored:
        return turn.look()
    turn.become(stage=Stage.RETURN, asked=False, ready_by=None)
    return None


def out_of_time(turn: RolloutTurn) -> Decision | None:
    """Old copies that did not come back within the deadline need a person (rule 4)."""
    order, ready, restored = turn.order, turn.facts.ready(turn.old), turn.state.restored
    if turn.state.asked and ready >= restored:
        return None
    message = (
        f"version {turn.old} did not come back within {turn.policy.deadline:g} s: {ready} of {restored} copies "
        f"are ready; both versions keep serving. longshore rollout abort {order.deployment} tries the way back again"
    )
    return turn.fail("RollbackDeadlineExceeded", message)


def clearing(turn: RolloutTurn) -> Decision | None:
    """Drop the new version's cluster, look once more, and end."""
    state, facts = turn.state, turn.facts
    if not state.asked:
        if decision := turn.shift({turn.old: 100}, (), f"rollback: 100% to version {turn.old}", None):
            return decision
        turn.become(asked=True)
    if not facts.fresh:
        return turn.look()
    if facts.count(turn.new) or facts.ready(turn.old) < turn.before or facts.count(turn.old) > turn.before:
        turn.become(stage=Stage.RETURN, asked=False)
        return None
    return ending(turn)


def unrouting(turn: RolloutTurn) -> Decision | None:
    """Onboarding failed: there is nothing to return to, so the route goes and the copies are drained (rule 15)."""
    order, state = turn.order, turn.state
    if (state.weights or state.published) and (decision := turn.unroute("onboarding failed")):
        return decision
    if decision := turn.drain_to(order.new.version, 0):
        return decision
    return ending(turn)


def ending(turn: RolloutTurn) -> Decision | None:
    """Say what was asked for or went wrong, and end as the way back is called; or begin anew."""
    back = _back(turn)
    if back.again:
        turn.become(stage=Stage.GATE, way_back=None, weights={turn.old: 100} if turn.order.old else {}, asked=False)
        turn.become(ladder=turn.laid(()))
        turn.say(Phase.PENDING)
        return None
    if back.phase is Phase.ABORTED:
        turn.emit(EventType.ROLLOUT_ABORTED, back.message, reason=back.reason)
    elif back.phase is Phase.SUPERSEDED:
        turn.emit(EventType.ROLLOUT_SUPERSEDED, back.message, reason=back.reason)
    elif turn.order.old is None:
        cure = f"fix it and longshore rollout retry {turn.order.deployment}"
        message = f"{back.message}; there is no earlier version to return to: {cure}"
        return turn.fail("NothingToReturnTo", message, cause=back.reason)
    else:
        turn.emit(EventType.ROLLED_BACK, back.message, reason=back.reason)
    return turn.end(back.phase, back.reason, back.message)


def _back(turn: RolloutTurn) -> WayBack:
    if turn.state.way_back is None:
        raise AssertionError("this stage is one of the way back")
    return turn.state.way_back
