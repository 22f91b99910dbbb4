"""Other copies on the way: both versions come to their part of the new number at once (DESIGN, rule 9).

What grows grows first, then the traffic follows, then what shrinks is drained; the rollout goes on where it was.
"""

from datetime import timedelta

from longshore.planning import refusals, steering
from longshore.planning.operation import Decision, Ensure, Reserve
from longshore.planning.rollout.batch import blocked
from longshore.planning.rollout.legs import Leg, next_leg, old_after, share, weight_after
from longshore.planning.rollout.rollback import fail_if_broken, turn_round
from longshore.planning.rollout.state import Rescale, RolloutState, Stage
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.room import Grant, ReservationRequest
from longshore.planning.words import EventType
from longshore.spec.deployment import DeploymentSpec

ON_THE_WAY = {Stage.DIP, Stage.START, Stage.TAKE_BACK, Stage.LET_GO, Stage.SMOKE, Stage.GOLDEN}
"""Stages of a batch whose copies have no traffic yet."""


def scaled(new: int, before: int, after: int) -> int:
    """What `new` of `before` copies become when `after` are desired: `ceil(new · after / before)`."""
    if before and new < before:
        return -(-new * after // before)
    return after if new or before else 0


def begin(turn: RolloutTurn, spec: DeploymentSpec, actor: str) -> None:
    """Divide the new number between the versions, keeping the progress; `rescale` then brings them there."""
    state = turn.state
    stage = state.rescale.back if state.rescale else state.stage
    before, after, live = turn.copies, spec.copies, _is_live(turn, stage)
    turn.become(spec=spec.model_copy(update={"rollout": turn.policy}), stage=Stage.RESCALE, pending=(), draining=None)
    settled = scaled(state.settled, before, after)
    if stage in {Stage.FINISH, Stage.CONFIRM}:
        settled = after
    unfinished = state.leg is not None and not live
    turn.become(settled=settled)
    if live:
        _keep_batch(turn, scaled(state.settled + state.size, before, after))
    elif unfinished:
        _begin_batch_anew(turn)
    new = turn.wanted
    counted = new if live else settled
    weight = _weight(turn, state, counted=counted)
    old = _old_level(turn, state, after, counted=counted, weight=weight)
    turn.become(
        level=old,
        restores=after,
        weight=weight if live and weight else turn.state.weight,
        vigil=(state.bake or state.vigil) if stage is Stage.BAKE else state.vigil,
        bake=state.bake if stage is not Stage.BAKE else None,
        rescale=Rescale(new=new, old=old, back=_back(stage, after), actor=actor, weights=_weights(turn, weight)),
        ready_by=None,
        blocked=False,
        warm_asked=False,
    )
    if turn.state.leg is None:
        turn.become(ladder=turn.laid(state.ladder[: state.batch]))
    else:
        turn.become(ladder=turn.laid(state.ladder[: state.batch - 1], turn.state.size))
        turn.rung("scaling")


def rescale(turn: RolloutTurn) -> Decision | None:
    """Grow, shift, shrink; then go on where the rollout was."""
    if actions := steering.hold(turn):
        return turn.act(*actions)
    work = _work(turn)
    if not work.grown:
        if decision := _grown(turn, work):
            return decision
        if turn.state.way_back:
            return None
        turn.become(rescale=work.model_copy(update={"grown": True}))
    if work.weights and work.weights != turn.state.weights:
        standby = tuple(version for version in (turn.new, turn.old) if version not in work.weights)
        cause = f"{work.weights.get(turn.new, 0)}% to version {turn.new}, of {turn.copies} copies"
        batch = None if work.back is Stage.START else turn.state.batch or None  # it is not yet about its traffic
        if decision := turn.shift(work.weights, standby, cause, batch):
            return decision
    if turn.order.old and (decision := turn.drain_to(turn.old, work.old)):
        return decision
    if decision := turn.drain_to(turn.new, work.new):
        return decision
    _go_on(turn, work)
    return None


def _grown(turn: RolloutTurn, work: Rescale) -> Decision | None:
    """Start what is missing of both versions, and wait for it; None when all is there, or the rollout turned round."""
    facts, going = turn.facts, turn.state.draining
    if going and (decision := turn.drain_to(going.version, going.level)):
        return decision
    if not (facts.fresh or (facts.grant and work.reserving)):
        return turn.look()
    if decision := _without_refused(turn):
        return decision
    if facts.serving(turn.new) < work.new:
        return _grow(turn, turn.new, work.new)
    if turn.order.old and facts.serving(turn.old) < work.old:
        return _grow(turn, turn.old, work.old)
    return None if fail_if_broken(turn) else _await_ready(turn, work)


def _without_refused(turn: RolloutTurn) -> Decision | None:
    """Take back the copies that the target refused their room; None when there are none."""
    for version in (turn.new, turn.old) if turn.order.old else (turn.new,):
        if copies := refusals.refused(turn.facts, version):
            refusals.remember(turn, copies)
            turn.become(rescale=_work(turn).model_copy(update={"reserving": None}), ready_by=None)
            return refusals.take_back(turn, version, turn.facts.serving(version) - len(copies))
    return None


def _go_on(turn: RolloutTurn, work: Rescale) -> None:
    state = turn.state
    parts = [f"{work.new} of version {turn.new}"] + ([f"{work.old} of version {turn.old}"] if turn.order.old else [])
    turn.emit(
        EventType.SCALED,
        f"{turn.copies} copies desired: {', '.join(parts)}",
        actor=work.actor,
        batch=state.batch or None,
        copies=turn.copies,
    )
    limit = turn.now + timedelta(seconds=turn.policy.deadline)
    baking = work.back is Stage.BAKE
    turn.become(
        stage=work.back,
        rescale=None,
        bake=state.vigil if baking else state.bake,
        vigil=None if baking else state.vigil,
        asked=False,
        old_well=turn.facts.ready(turn.old) if turn.order.old else None,
        ready_by=limit if work.back in {Stage.START, Stage.SHIFT} else None,
    )


def _grow(turn: RolloutTurn, version: str, level: int) -> Decision | None:
    """Call draining copies back, which still hold their room; else reserve, and start."""
    order, facts = turn.order, turn.facts
    serving, draining = facts.serving(version), len(facts.draining(version))
    if draining:
        return _ensure(turn, version, min(level, serving + draining))
    work = _work(turn)
    if facts.grant is None or work.reserving != version:
        turn.become(rescale=work.model_copy(update={"reserving": version}))
        resources = order.old.resources if order.old and version == order.old.version else order.new.resources
        request = ReservationRequest(
            target=order.target,
            deployment=order.deployment,
            model=order.model,
            version=version,
            operation=order.id,
            resources=resources,
            batch=level - serving,
            settled=serving,
            without=refusals.shut(turn),
        )
        return turn.act(Reserve(request=request))
    if not facts.grant.granted:
        return _without_room(turn, version, facts.grant)
    turn.become(blocked=False, warm_asked=False, refusal=None)
    return _ensure(turn, version, serving + facts.grant.surge, dict(facts.grant.placement))


def _without_room(turn: RolloutTurn, version: str, grant: Grant) -> Decision | None:
    """What was draining leaves its room first; then old copies that may be missing are done without, as in a batch."""
    work, facts = _work(turn), turn.facts
    if turn.order.old is not None:
        other = turn.new if version == turn.old else turn.old
        if facts.draining(other):
            return turn.drain_to(other, facts.serving(other))
        there = facts.serving(turn.old)
        least = turn.copies - turn.policy.unavailable_copies(turn.copies)
        if version == turn.old and not turn.course.whole and work.new + there >= least:
            turn.become(level=there, rescale=work.model_copy(update={"old": there}))
            return _grown(turn, _work(turn))
    return blocked(turn, grant, turn.state.batch or None)


def _ensure(turn: RolloutTurn, version: str, copies: int, placement: dict[str, int] | None = None) -> Decision:
    turn.become(ready_by=turn.now + timedelta(seconds=turn.policy.deadline))
    chosen = placement if placement and sum(placement.values()) == copies else {}
    step = turn.next_step()
    return turn.act(Ensure(version=version, copies=copies, surplus="drain", placement=chosen, step=step))


def _await_ready(turn: RolloutTurn, work: Rescale) -> Decision | None:
    """Until every copy is ready; past the deadline one of the new version fails the rollout, an old one does not."""
    state, facts = turn.state, turn.facts
    new_short = facts.ready(turn.new) < work.new
    old_short = turn.order.old is not None and facts.ready(turn.old) < work.old
    ready_by = state.ready_by or turn.now + timedelta(seconds=turn.policy.deadline)
    turn.become(ready_by=ready_by)
    late = state.pause is None and turn.now >= ready_by
    if new_short and late:
        message = f"{facts.ready(turn.new)} of {work.new} copies were ready within {turn.policy.deadline:g} s"
        turn_round(turn, turn.failed, "DeadlineExceeded", message)
        return None
    return turn.look() if new_short or (old_short and not late) else None


def _is_live(turn: RolloutTurn, stage: Stage) -> bool:
    """Whether the copies of the batch under way have their traffic, or are being given it."""
    if stage in {Stage.BAKE, Stage.DRAIN}:
        return True
    return stage is Stage.SHIFT and turn.state.published.get(turn.new) == turn.state.weight


def _keep_batch(turn: RolloutTurn, new: int) -> None:
    """The batch under way has its traffic: it goes on with as many copies as its part of the new number is."""
    settled = min(turn.state.settled, new)
    turn.become(settled=settled, surge=new - settled, dip=0, placement={})
    if turn.state.leg is not None:
        turn.become(leg=turn.state.leg._replace(add=new - settled))


def _begin_batch_anew(turn: RolloutTurn) -> None:
    """The batch under way has no traffic yet: it takes the size that it has in the new number."""
    state = turn.state
    leg = next_leg(turn.course, state.settled, state.steps_done)
    if leg is None:  # to no copies at all: it ends as a batch of none
        leg = Leg(add=0, weight=100, step=state.steps_done - 1)
    weight = weight_after(leg, leg.add, state.settled, turn.copies)
    turn.become(leg=leg, weight=weight, surge=leg.add, dip=0, placement={}, widest=max(state.widest, leg.add))


def _old_level(turn: RolloutTurn, before: RolloutState, after: int, *, counted: int, weight: int) -> int:
    """The rest; blue/green keeps its whole old set as the way back, for as long as it is there."""
    if turn.order.old is None:
        return 0
    if turn.course.whole:
        return min(before.level, after) if weight else after
    return old_after(turn.course, after, counted, weight)


def _weight(turn: RolloutTurn, before: RolloutState, *, counted: int) -> int:
    """The new version's share from now on: a canary and blue/green keep theirs; 0 while it has none."""
    present = before.weights.get(turn.new, 0)
    follows = present and not turn.course.whole and not turn.course.steps
    return share(counted, turn.copies) if follows else present


def _weights(turn: RolloutTurn, weight: int) -> dict[str, int]:
    """The shares of both; none while the new version has no traffic."""
    if turn.order.old is None or not weight:
        return {}
    return {version: part for version, part in ((turn.old, 100 - weight), (turn.new, weight)) if part}


def _back(stage: Stage, copies: int) -> Stage:
    if stage in ON_THE_WAY:
        return Stage.START
    if stage is Stage.BAKE and not copies:
        return Stage.DRAIN  # nothing serves any more that could be measured
    return Stage.FINISH if stage is Stage.CONFIRM else stage


def _work(turn: RolloutTurn) -> Rescale:
    if turn.state.rescale is None:
        raise AssertionError("this stage rescales")
    return turn.state.rescale
