"""The way back: the old version gets its share and its copies again, safely for capacity (DESIGN, rule 4)."""

import math
from datetime import timedelta

from longshore.planning.operation import Decision, Ensure, Reserve
from longshore.planning.rollout_state import RolloutState, Stage, WayBack
from longshore.planning.room import ReservationRequest
from longshore.planning.turn import Turn
from longshore.planning.words import EventType, Phase

ROOM_POLL = timedelta(seconds=5)
"""Between two askings for room: it comes when another deployment shrinks, which is rare."""


def turn_round(turn: Turn[RolloutState], phase: Phase, reason: str, message: str) -> None:
    """Begin the way back. `phase` is what its end will be called."""
    state, copies = turn.state, turn.order.spec.copies
    if state.batch:
        turn.emit(EventType.ROLLBACK_STARTED, message, batch=state.batch, reason=reason)
        stage = Stage.RETURN if turn.order.old else Stage.UNROUTE
    else:
        stage = Stage.END
    turn.become(
        stage=stage,
        way_back=WayBack(phase=phase, reason=reason, message=message, peak=copies + state.widest),
        pause=None,
        draining=None,
        pending=(),
        asked=False,
        ladder=tuple(
            step.model_copy(update={"state": "undone"}) if step.state != "waiting" else step for step in state.ladder
        ),
    )
    turn.say(Phase.ROLLING_BACK, reason, message)


def old_share(copies: int, ready_old: int, ready_new: int, weight_new: int) -> int:
    """The old version's weight on the way back: what its ready copies can carry, and never less than it has.

    The new version keeps the rest only as long as it has ready copies to serve it.
    """
    if ready_new == 0 or weight_new == 0:
        return 100
    by_capacity = 100 if copies == 0 else min(100, round(100 * ready_old / copies))
    return max(by_capacity, 100 - weight_new)


def new_copies_kept(copies: int, weight_new: int, ready_old: int, batch: int, peak: int) -> int:
    """Copies of the new version that stay: enough for its weight, and leaving room for the old ones to come back."""
    wanted = math.ceil(weight_new * copies / 100)
    coming = min(batch, max(0, copies - ready_old))
    return max(0, min(wanted, peak - ready_old - coming))


def returning(turn: Turn[RolloutState]) -> Decision | None:
    """Give the old version the share that its ready copies can carry."""
    order, state, facts = turn.order, turn.state, turn.facts
    old, new = _versions(turn)
    if facts.observation is None:
        return turn.look()
    weight_new = state.weights.get(new, 0)
    share = old_share(order.spec.copies, facts.ready(old), facts.ready(new), weight_new)
    batch = order.spec.rollout.rollback_copies(order.spec.copies)
    peak = state.way_back.peak if state.way_back else order.spec.copies
    if new_copies_kept(order.spec.copies, 100 - share, facts.ready(old), batch, peak) == 0:
        share = 100
    weights = {version: weight for version, weight in ((old, share), (new, 100 - share)) if weight}
    if not weights == state.published == state.weights:
        cause = f"rollback: {share}% to version {old}"
        if decision := turn.shift(weights, (old, new), cause, state.batch or None):
            return decision
    turn.become(stage=Stage.TRIM, asked=False)
    return None


def trimming(turn: Turn[RolloutState]) -> Decision | None:
    """End the copies of the new version that its weight does not need."""
    order, state, facts = turn.order, turn.state, turn.facts
    old, new = _versions(turn)
    batch = order.spec.rollout.rollback_copies(order.spec.copies)
    peak = state.way_back.peak if state.way_back else order.spec.copies
    level = (
        state.draining.level
        if state.draining and state.draining.version == new
        else new_copies_kept(order.spec.copies, state.weights.get(new, 0), facts.ready(old), batch, peak)
    )
    if decision := turn.drain_to(new, level):
        return decision
    restored = facts.ready(old) >= order.spec.copies and facts.count(old) <= order.spec.copies
    turn.become(stage=Stage.CLEAR if restored and level == 0 else Stage.RESTORE_ROOM, asked=False)
    return None


def room_to_restore(turn: Turn[RolloutState]) -> Decision | None:
    """Hold the room for the old copies that come back next."""
    order, facts = turn.order, turn.facts
    old, new = _versions(turn)
    missing = order.spec.copies - facts.serving(old)
    coming = min(missing, order.spec.rollout.rollback_copies(order.spec.copies))
    if coming <= 0:
        turn.become(stage=Stage.RESTORE, asked=False, surge=0, dip=0)
        return None
    if facts.grant is None:
        request = ReservationRequest(
            target=order.target,
            deployment=order.deployment,
            model=order.model,
            version=old,
            operation=order.id,
            resources=order.old.resources if order.old else order.new.resources,
            batch=coming,
            old_version=new,
            settled=facts.serving(old),
        )
        return turn.act(Reserve(request=request))
    if not facts.grant.granted:
        turn.say(Phase.ROLLING_BACK, facts.grant.reason, facts.grant.message)
        return turn.poll(ROOM_POLL)
    turn.become(stage=Stage.RESTORE, asked=False, surge=facts.grant.surge, placement=facts.grant.placement)
    return None


def restoring(turn: Turn[RolloutState]) -> Decision | None:
    """Bring old copies back, on readiness alone."""
    order, state, facts = turn.order, turn.state, turn.facts
    old, _ = _versions(turn)
    if not state.asked:
        wanted = min(order.spec.copies, facts.serving(old) + state.surge)
        turn.become(asked=True, restored=wanted, ready_by=turn.now + timedelta(seconds=order.spec.rollout.deadline))
        placement = state.placement if state.surge else {}
        return turn.act(Ensure(version=old, copies=wanted, surplus="drain", placement=placement, step=turn.next_step()))
    if facts.ready(old) >= state.restored:
        turn.become(stage=Stage.RETURN, asked=False)
        return None
    if state.ready_by and turn.now >= state.ready_by:
        message = (
            f"version {old} did not come back within {order.spec.rollout.deadline:g} s: "
            f"{facts.ready(old)} of {state.restored} copies are ready; both versions keep serving. "
            f"See longshore logs {order.deployment}"
        )
        turn.emit(EventType.ROLLOUT_FAILED, message, reason="RollbackDeadlineExceeded")
        return turn.end(Phase.FAILED, "RollbackDeadlineExceeded", message)
    return turn.look()


def clearing(turn: Turn[RolloutState]) -> Decision | None:
    """Drop the new version's cluster, look once more, and end."""
    order, state, facts = turn.order, turn.state, turn.facts
    old, new = _versions(turn)
    if state.weights and not state.asked:
        if decision := turn.shift({old: 100}, (), f"rollback: 100% to version {old}", None):
            return decision
        turn.become(asked=True)
    if not facts.fresh:
        return turn.look()
    if facts.count(new) or facts.ready(old) < order.spec.copies:
        turn.become(stage=Stage.TRIM, asked=False)
        return None
    return ending(turn)


def unrouting(turn: Turn[RolloutState]) -> Decision | None:
    """Onboarding failed: there is nothing to return to, so the route goes and the copies are drained (rule 15)."""
    order, state = turn.order, turn.state
    if (state.weights or state.published) and (decision := turn.unroute("onboarding failed")):
        return decision
    if decision := turn.drain_to(order.new.version, 0):
        return decision
    return ending(turn)


def ending(turn: Turn[RolloutState]) -> Decision:
    """Say what was asked for or went wrong, and end as the way back is called."""
    back = turn.state.way_back
    if back is None:
        raise AssertionError("a way back ends only after it began")
    if back.phase is Phase.ABORTED:
        turn.emit(EventType.ROLLOUT_ABORTED, back.message, reason=back.reason)
    elif turn.order.old is None:
        message = f"{back.message}; there is no earlier version to return to: fix it and longshore rollout retry"
        turn.emit(EventType.ROLLOUT_FAILED, message, reason="NothingToReturnTo", cause=back.reason)
        return turn.end(Phase.FAILED, "NothingToReturnTo", f"{message} {turn.order.deployment}")
    else:
        turn.emit(EventType.ROLLED_BACK, back.message, reason=back.reason)
    return turn.end(back.phase, back.reason, back.message)


def _versions(turn: Turn[RolloutState]) -> tuple[str, str]:
    if turn.order.old is None:
        raise AssertionError("only a rollout with an old version has a way back")
    return turn.order.old.version, turn.order.new.version
