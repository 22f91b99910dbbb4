"""How a deployment moves from one version to another, batch by batch, and how it is onboarded.

`advance` is the whole decision. DESIGN.md, "The rules", numbers what is done here: sizes (1), a batch (2), room (3),
losses (13), onboarding (15). The bake is in `baking`, the way back in `rollback`, what people ask for in `controls`.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from longshore.planning import baking, controls, rollback
from longshore.planning.checks import may_end_bake
from longshore.planning.observed import CopyState
from longshore.planning.operation import Decision, Ensure, Facts, Measure, OperationOrder, Reserve, Smoke, Verify
from longshore.planning.rollback import ROOM_POLL, turn_round
from longshore.planning.rollout_state import Bake, RolloutState, Stage
from longshore.planning.room import ReservationRequest
from longshore.planning.turn import Turn
from longshore.planning.words import BatchProgress, EventType, Phase, Progress

EXITS_ALLOWED = 3
"""Exits of one copy after which its batch has failed (rule 13)."""
STAGES_AT_ONCE = 40
"""More stages than one decision can go through without an action: a planner that loops is a bug, not a hang."""


def begin(order: OperationOrder) -> RolloutState:
    """The state of a rollout that has not begun."""
    weights = {order.old.version: 100} if order.old else {}
    return RolloutState(weights=weights, published=weights, ladder=batches(order))


def batches(order: OperationOrder) -> tuple[BatchProgress, ...]:
    """The batches of a rollout that finds room for each: what to add, what to remove, and the weight after it."""
    copies = order.spec.copies
    if order.old is None:
        return (BatchProgress(number=1, add=copies, remove=0, weight=100, state="waiting"),)
    size, done = order.spec.rollout.batch_copies(copies), 0
    ladder: list[BatchProgress] = []
    while done < copies:
        add = min(size, copies - done)
        done += add
        weight = share(done, copies)
        ladder.append(BatchProgress(number=len(ladder) + 1, add=add, remove=add, weight=weight, state="waiting"))
    return tuple(ladder)


def share(new: int, copies: int) -> int:
    """The new version's weight once it has `new` of the desired copies (rule 2)."""
    return round(100 * new / copies) if copies else 100


def advance(order: OperationOrder, state: RolloutState, facts: Facts) -> Decision:
    """Decide what a rollout, an undo or an onboarding does now."""
    turn = RolloutTurn(order, state, facts)
    if not state.started:
        turn.become(started=True)
        turn.emit(EventType.ROLLOUT_STARTED, _started(order), actor=order.actor)
    controls.obey(turn)
    _mind_trouble(turn)
    _mind_deadline(turn)
    if decision := turn.owed():
        return decision
    for _ in range(STAGES_AT_ONCE):
        if decision := STAGES[turn.state.stage](turn):
            return decision
    raise AssertionError(f"the rollout does not come out of stage {turn.state.stage}")


class RolloutTurn(Turn[RolloutState]):
    """A turn of a rollout: it knows the ladder."""

    def progress(self) -> Progress:
        """What people watch, with the ladder and the checks."""
        bake = self.state.bake
        return (
            super()
            .progress()
            .model_copy(
                update={
                    "batches": self.state.ladder,
                    "checks": baking.watched(self),
                    "bake_ends": bake.ends if bake and not self.state.pause else None,
                }
            )
        )

    def rung(self, state: str, **changes: int) -> None:
        """Change the rung of the batch under way."""
        self.become(
            ladder=tuple(
                step.model_copy(update={"state": state, **changes}) if step.number == self.state.batch else step
                for step in self.state.ladder
            )
        )


def _verify(turn: RolloutTurn) -> Decision | None:
    if turn.facts.verified:
        turn.become(stage=Stage.RESERVE)
        return None
    return turn.act(Verify())


def _reserve(turn: RolloutTurn) -> Decision | None:
    order, state, facts = turn.order, turn.state, turn.facts
    copies = order.spec.copies
    if state.settled >= copies:
        turn.become(stage=Stage.FINISH, asked=False)
        return None
    if state.pause:
        return turn.wait(None)
    if facts.grant is None:
        return turn.act(Reserve(request=_request(turn)))
    grant = facts.grant
    if not grant.granted:
        if not state.blocked:
            turn.emit(EventType.ROLLOUT_BLOCKED, grant.message or "no room", reason=grant.reason, batch=state.batch + 1)
        turn.become(blocked=True)
        turn.say(Phase.PROGRESSING if state.batch else Phase.PENDING, grant.reason, grant.message)
        return turn.poll(ROOM_POLL)
    turn.become(
        batch=state.batch + 1,
        surge=grant.surge,
        dip=grant.dip,
        placement=dict(grant.placement),
        widest=max(state.widest, grant.surge),
        blocked=False,
        ready_by=turn.now + timedelta(seconds=order.spec.rollout.deadline),
        stage=Stage.DIP if grant.dip else Stage.START,
        asked=False,
        ladder=relaid(turn, grant.surge + grant.dip),
    )
    turn.say(Phase.PROGRESSING)
    size = turn.state.size
    drained = f", {grant.dip} of them after draining as many old ones" if grant.dip else ""
    message = f"{size} {'copy' if size == 1 else 'copies'} of version {order.new.version}{drained}"
    turn.emit(EventType.BATCH_STARTED, message, batch=turn.state.batch, add=size, drainFirst=grant.dip)
    turn.rung("draining first" if grant.dip else "starting")
    return None


def _request(turn: RolloutTurn) -> ReservationRequest:
    order, state = turn.order, turn.state
    copies, policy = order.spec.copies, order.spec.rollout
    onboarding = order.old is None
    size = copies if onboarding else min(policy.batch_copies(copies), copies - state.settled)
    return ReservationRequest(
        target=order.target,
        deployment=order.deployment,
        model=order.model,
        version=order.new.version,
        operation=order.id,
        resources=order.new.resources,
        batch=size,
        dip=0 if onboarding else min(policy.unavailable_copies(copies), size),
        whole=onboarding,
        old_version=order.old.version if order.old else None,
        settled=state.settled,
    )


def relaid(turn: RolloutTurn, size: int) -> tuple[BatchProgress, ...]:
    """The ladder with this batch at its true size, and the rest laid anew behind it."""
    state, order = turn.state, turn.order
    copies = order.spec.copies
    full = copies if order.old is None else order.spec.rollout.batch_copies(copies)
    ladder = list(state.ladder[: state.batch])
    done, add = state.settled, size
    while done < copies:
        add = min(add, copies - done)
        done += add
        remove = add if order.old else 0
        ladder.append(
            BatchProgress(number=len(ladder) + 1, add=add, remove=remove, weight=share(done, copies), state="waiting")
        )
        add = full
    return tuple(ladder)


def _dip(turn: RolloutTurn) -> Decision | None:
    """End old copies first, on whose accelerators the new ones will start."""
    order, state = turn.order, turn.state
    old = _old_version(turn)
    freed = turn.facts.draining(old)
    if freed and not state.asked:
        placement = Counter(state.placement)
        placement.update(copy.host for copy in freed)
        turn.become(placement=dict(placement), asked=True)
    if decision := turn.drain_to(old, max(0, order.spec.copies - state.settled - state.dip)):
        return decision
    turn.become(stage=Stage.START, asked=False)
    turn.rung("starting")
    return None


def _start(turn: RolloutTurn) -> Decision | None:
    order, state, facts = turn.order, turn.state, turn.facts
    version, wanted = order.new.version, state.settled + state.size
    if not state.asked:
        turn.become(asked=True)
        placement = state.placement if sum(state.placement.values()) == wanted else {}
        ensure = Ensure(version=version, copies=wanted, surplus="drain", placement=placement, step=turn.next_step())
        return turn.act(ensure, *_first_look(turn))
    if _mind_broken(turn):
        return None
    if facts.ready(version) < wanted:
        return turn.look()
    turn.emit(EventType.BATCH_READY, f"{wanted} of {order.spec.copies} copies are ready", batch=state.batch)
    if order.old is None:
        turn.become(stage=Stage.SMOKE if order.new.smoke else Stage.GOLDEN, asked=False)
    else:
        turn.become(stage=Stage.SHIFT, asked=False)
    return None


def _first_look(turn: RolloutTurn) -> tuple[Measure, ...]:
    """A reading of the counters before the shift, when a check compares with the old version."""
    compared = turn.order.old is not None and any(check.compare for check in baking.checks(turn))
    return (Measure(checks=(), batch=turn.state.batch, not_before=turn.now, bake_ended=False),) if compared else ()


def _smoke(turn: RolloutTurn) -> Decision | None:
    if turn.facts.smoke is None:
        return turn.act(Smoke(version=turn.order.new.version))
    if turn.facts.smoke:
        turn_round(turn, Phase.FAILED, "SmokeTestFailed", turn.facts.smoke)
        return None
    turn.become(stage=Stage.GOLDEN)
    return None


def _golden(turn: RolloutTurn) -> Decision | None:
    """Onboarding asks its golden requests once, before there is traffic."""
    golden = tuple(check for check in baking.checks(turn) if check.source is not None)
    bake = turn.state.bake or baking.begin(turn, turn.now)
    if golden and turn.facts.measurements is None:
        if turn.state.pause:
            return turn.wait(None)
        turn.become(bake=bake)
        names = tuple(check.name for check in golden)
        return turn.act(Measure(checks=names, batch=turn.state.batch, not_before=turn.now, bake_ended=True))
    if golden:
        bake, verdict = baking.count(turn, bake)
        turn.become(bake=bake)
        if verdict.action == "roll_back":
            turn_round(turn, Phase.FAILED, verdict.reason or "CheckFailed", verdict.message)
            return None
        if verdict.action == "pause":
            controls.pause(turn, baking.pause_reason(verdict), _ask(turn, verdict.message))
            return turn.wait(None)
        again = [check for check in golden if not may_end_bake(check, bake.latest[check.name])]
        if again:
            return turn.poll(timedelta(seconds=min(check.interval for check in again)))
        baking.say_passed(turn, bake)
    turn.become(stage=Stage.SHIFT, bake=None)
    return None


def _shift(turn: RolloutTurn) -> Decision | None:
    order, state = turn.order, turn.state
    if state.pause:
        return turn.wait(None)
    turn.rung("shifting")
    new = share(state.settled + state.size, order.spec.copies)
    versions = ((order.old.version, 100 - new),) if order.old else ()
    weights = {version: weight for version, weight in (*versions, (order.new.version, new)) if weight}
    standby = tuple(version for version in (order.new.version, *(v for v, _ in versions)) if version not in weights)
    cause = f"onboarded: version {order.new.version}" if order.old is None else f"batch {state.batch}: {new}%"
    if decision := turn.shift(weights, standby, cause, state.batch):
        return decision
    live = turn.facts.acked.at if turn.facts.acked else turn.now
    if order.old is None:
        turn.become(stage=Stage.DRAIN, bake=None)
    else:
        turn.become(stage=Stage.BAKE, bake=baking.begin(turn, live))
        turn.rung("baking")
    return None


def _bake(turn: RolloutTurn) -> Decision | None:
    if _mind_broken(turn):
        return None
    if decision := _mind_losses(turn):
        return decision
    bake, verdict = baking.count(turn, _present(turn.state.bake))
    turn.become(bake=bake)
    if verdict.action == "roll_back":
        turn_round(turn, Phase.ROLLED_BACK, verdict.reason or "CheckFailed", verdict.message)
        return None
    if verdict.action == "pause" and not turn.state.pause:
        controls.pause(turn, baking.pause_reason(verdict), _ask(turn, verdict.message))
    return _bake_on(turn) if turn.state.pause or turn.now < bake.ends else _bake_over(turn)


def _bake_on(turn: RolloutTurn) -> Decision:
    """Measure what is due, and wait for the next instant; a paused bake has checks but no end."""
    bake, due = baking.due_now(turn, _present(turn.state.bake))
    turn.become(bake=bake)
    return turn.act(due) if due else turn.wait(baking.next_instant(bake, paused=turn.state.pause is not None))


def _bake_over(turn: RolloutTurn) -> Decision | None:
    """Measure all checks a last time; one that could not be measured is asked again, for an error never promotes."""
    bake = _present(turn.state.bake)
    if baking.checks(turn) and (not bake.last_call or baking.unfinished(turn, bake)):
        soonest = min(bake.due.values())
        if bake.last_call and turn.now < soonest:
            return turn.wait(soonest)
        bake, last = baking.last_call(turn, bake)
        turn.become(bake=bake)
        return turn.act(last)
    if not turn.facts.fresh:
        return turn.look()
    baking.say_passed(turn, bake)
    turn.become(stage=Stage.DRAIN)
    turn.rung("draining")
    return None


def _mind_broken(turn: RolloutTurn) -> bool:
    """A copy of the new version that exited three times fails its batch before the deadline (rule 13)."""
    for copy in turn.facts.copies(turn.order.new.version):
        if copy.state is CopyState.FAILED or copy.restarts >= EXITS_ALLOWED:
            failed = Phase.ROLLED_BACK if turn.order.old else Phase.FAILED
            turn_round(turn, failed, copy.reason or "CopyFailed", f"copy {copy.id}: {copy.message or 'keeps exiting'}")
            return True
    return False


def _mind_losses(turn: RolloutTurn) -> Decision | None:
    """A lost copy is replaced before the rollout goes on, and the window in which it was lost is discarded."""
    order, state, facts, bake = turn.order, turn.state, turn.facts, _present(turn.state.bake)
    if not facts.fresh:
        return turn.look() if bake.recover_by else None
    old = _old_version(turn)
    if facts.ready(order.new.version) >= state.settled + state.size and facts.ready(old) >= facts.serving(old):
        if bake.recover_by:
            turn.become(bake=baking.begin(turn, turn.now))
        return None
    if bake.recover_by is None:
        limit = turn.now + timedelta(seconds=order.spec.rollout.deadline)
        turn.become(bake=bake.model_copy(update={"recover_by": limit}))
    elif turn.now >= bake.recover_by and turn.state.pause is None:
        message = f"a lost copy was not ready again within {order.spec.rollout.deadline:g} s"
        turn_round(turn, Phase.ROLLED_BACK, "CopyLost", message)
        return rollback.returning(turn)
    return turn.poll()


def _drain(turn: RolloutTurn) -> Decision | None:
    order, state = turn.order, turn.state
    settled = state.settled + state.size
    if order.old is not None and (decision := turn.drain_to(order.old.version, max(0, order.spec.copies - settled))):
        return decision
    turn.emit(EventType.BATCH_DONE, f"{settled} of {order.spec.copies} copies are new", batch=state.batch)
    turn.rung("done")
    turn.become(stage=Stage.RESERVE, settled=settled, surge=0, dip=0, bake=None, ready_by=None)
    return None


def _finish(turn: RolloutTurn) -> Decision | None:
    """Leave the new version alone in the route."""
    alone = {turn.order.new.version: 100}
    if turn.order.old or turn.state.weights != alone:
        cause = f"version {turn.order.new.version} alone"
        if decision := turn.shift(alone, (), cause, None):
            return decision
    limit = turn.now + timedelta(seconds=turn.order.spec.rollout.deadline)
    turn.become(stage=Stage.CONFIRM, ready_by=limit)
    return None


def _confirm(turn: RolloutTurn) -> Decision | None:
    """It succeeded only when what runs was observed to equal what was asked for."""
    order, facts = turn.order, turn.facts
    if not facts.fresh:
        return turn.look()
    new, copies = order.new.version, order.spec.copies
    others = sum(copy.version != new for copy in facts.observation.copies) if facts.observation else 0
    if facts.ready(new) == facts.count(new) == copies and not others:
        message = f"version {new} serves with {copies} {'copy' if copies == 1 else 'copies'}"
        turn.emit(EventType.ROLLOUT_SUCCEEDED, message)
        return turn.end(Phase.SUCCEEDED, None, message)
    return turn.poll()


def _retired(turn: RolloutTurn) -> Decision:
    turn.emit(EventType.ROLLOUT_ABORTED, "ended by retire, nothing restored", reason="Retired")
    return turn.end(Phase.ABORTED, "Retired", "ended by retire, nothing restored")


def _mind_trouble(turn: RolloutTurn) -> None:
    """What cannot be done by trying again turns the rollout round; on the way back it needs a person."""
    trouble = turn.facts.trouble
    if trouble is None or trouble.retryable:
        return
    if turn.state.way_back:
        message = f"the rollback cannot go on: {trouble.message}; both versions were left as they are"
        turn.emit(EventType.ROLLOUT_FAILED, message, reason=trouble.reason)
        turn.become(stage=Stage.STUCK, reason=trouble.reason, message=message)
        return
    failed = Phase.ROLLED_BACK if turn.order.old else Phase.FAILED
    turn_round(turn, failed, trouble.reason, trouble.message)


def _mind_deadline(turn: RolloutTurn) -> None:
    """A batch not ready by its deadline fails the rollout; a paused one has no deadline."""
    state, order = turn.state, turn.order
    waiting = {Stage.DIP, Stage.START, Stage.SMOKE, Stage.CONFIRM}
    if state.way_back or state.pause or state.stage not in waiting or not state.ready_by or turn.now < state.ready_by:
        return
    wanted = order.spec.copies if state.stage is Stage.CONFIRM else state.settled + state.size
    if state.stage is Stage.START and turn.facts.ready(order.new.version) >= wanted:
        return
    message = (
        f"{turn.facts.ready(order.new.version)} of {wanted} copies of version {order.new.version} were ready "
        f"within {order.spec.rollout.deadline:g} s: see longshore logs {order.deployment}"
    )
    turn_round(turn, Phase.ROLLED_BACK if order.old else Phase.FAILED, "DeadlineExceeded", message)


def _stuck(turn: RolloutTurn) -> Decision:
    return turn.end(Phase.FAILED, turn.state.reason, turn.state.message)


def _ask(turn: RolloutTurn, message: str) -> str:
    name = turn.order.deployment
    return f"{message}; longshore rollout resume {name} bakes again, promote {name} goes on, abort {name} returns"


def _started(order: OperationOrder) -> str:
    copies = f"{order.spec.copies} {'copy' if order.spec.copies == 1 else 'copies'}"
    if order.old is None:
        return f"onboard version {order.new.version} with {copies}"
    return f"from version {order.old.version} to {order.new.version}, {copies}"


def _old_version(turn: RolloutTurn) -> str:
    if turn.order.old is None:
        raise AssertionError("an onboarding has no old version")
    return turn.order.old.version


def _present(bake: Bake | None) -> Bake:
    if bake is None:
        raise AssertionError("a baking batch has a bake")
    return bake


STAGES: dict[Stage, Callable[[RolloutTurn], Decision | None]] = {
    Stage.VERIFY: _verify,
    Stage.RESERVE: _reserve,
    Stage.DIP: _dip,
    Stage.START: _start,
    Stage.SMOKE: _smoke,
    Stage.GOLDEN: _golden,
    Stage.SHIFT: _shift,
    Stage.BAKE: _bake,
    Stage.DRAIN: _drain,
    Stage.FINISH: _finish,
    Stage.CONFIRM: _confirm,
    Stage.RETURN: rollback.returning,
    Stage.TRIM: rollback.trimming,
    Stage.RESTORE_ROOM: rollback.room_to_restore,
    Stage.RESTORE: rollback.restoring,
    Stage.CLEAR: rollback.clearing,
    Stage.UNROUTE: rollback.unrouting,
    Stage.END: rollback.ending,
    Stage.RETIRED: _retired,
    Stage.STUCK: _stuck,
}
