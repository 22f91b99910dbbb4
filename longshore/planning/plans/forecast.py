"""What applying a desired state would do, before it is done (DESIGN, sections 7 and 8)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from longshore.planning.deployment.decisions import decide_apply
from longshore.planning.deployment.revisions import Accepted, DeploymentState
from longshore.planning.deployment.settling import settle
from longshore.planning.deployment.superseding import proceed
from longshore.planning.observed import Copy, CopyState
from longshore.planning.operation import OperationOrder, OperationResult
from longshore.planning.plans.costing import Bill, CostPerHour, Instances, Rented, Stay, bill, fleet
from longshore.planning.plans.idealised import IdealTarget
from longshore.planning.plans.playing import Play, Trace
from longshore.planning.requests import ApplyRequest, Refusal
from longshore.planning.rollout.strategy import Taken, choose
from longshore.planning.room import Reservation, TargetRoom
from longshore.planning.steering import bounded
from longshore.planning.words import OperationKind, Phase
from longshore.spec.base import Value
from longshore.spec.model_version import Resources

MOVES = {OperationKind.ONBOARD, OperationKind.ROLLOUT, OperationKind.ROLLBACK}
"""Operations that bring another version, by a strategy."""


class PlannedBatch(Value):
    """What one batch starts, what it ends, and the new version's share of the traffic after it, in percent."""

    add: int
    remove: int
    weight: int


class Plan(Value):
    """What applying would do to one deployment. Numbers of room and time are of it alone, instances of its target."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)

    deployment: str
    changed: bool
    """Whether applying changes anything at all."""
    operation: OperationKind | None = None
    """What would carry it out; None when nothing is to be done on the target."""
    version: str
    """The version that serves in the end."""
    strategy: Taken | None = None
    """How copies are replaced; None when none are."""
    reason: str
    """Why this strategy; or what is in the way."""
    batches: tuple[PlannedBatch, ...] = ()
    peak_accelerators: int
    """Most that it holds on the way, its copies in any state."""
    extra_accelerators: int
    """How many of these are beyond what it holds now."""
    lowest_ready: int
    """Fewest copies ready at any instant; of a first version from when all are ready."""
    dip: int = 0
    """How many fewer that is than are ready now and are to be in the end."""
    fits: bool
    """Whether there is room now; if not, the rest of the plan is what it would be with room."""
    unplaced: int = 0
    """Copies of the first batch that does not fit which find no host."""
    frozen: str | None = None
    """Which freeze holds it up now, and until when; nothing begins before, and the time is counted from then."""
    placement: dict[str, int] = {}
    """Host → copies of the version in the end."""
    extra_accelerator_seconds: float | None = None
    """What it holds beyond what it holds now, summed over time; None while start-up times are not known."""
    estimated_seconds: float | None = None
    """From its start to its end; None while start-up times are not known."""
    instances: Instances | None = None
    """Instances before, at the peak and after; None where they are not rented, or nothing is known of them."""
    cost_per_hour: CostPerHour | None = None
    """What those cost; None while a price is not known."""
    extra_cost: float | None = None
    """What it costs beyond what is paid now, from its start to its end; None while start-up times are not known."""
    unpriced: str | None = None
    """Why there is no cost, where instances are rented."""


@dataclass(frozen=True)
class Present:
    """What a plan begins with."""

    room: TargetRoom
    needs: Mapping[str, Resources]
    """Version of the model → what one copy takes."""
    startups: Mapping[str, float]
    """Version of the model → seconds from start to ready, where known."""
    now: datetime
    frozen: str | None = None
    """Which freeze holds the deployment now."""
    short: str | None = None
    """Why nothing is known of the target's room, if that is so."""
    rented: Rented | None = None
    """What the target's instances cost, where they are rented."""


@dataclass(frozen=True)
class Forecast:
    """A plan, and the room that it leaves to others."""

    plan: Plan
    reserved: tuple[Reservation, ...] = ()
    """What its operation reserves, or waits for, until its end."""
    copies: tuple[Copy, ...] = ()
    """The deployment's copies in the end."""

    def under_way(self, room: TargetRoom) -> TargetRoom:
        """The room while it is carried out."""
        return replace(room, reservations=(*room.reservations, *self.reserved))

    def over(self, room: TargetRoom) -> TargetRoom:
        """The room once it is over."""
        others = (copy for copy in room.copies if copy.deployment != self.plan.deployment)
        return replace(room, copies=(*others, *self.copies))


class _Coming(NamedTuple):
    """The operation that will come of applying."""

    order: OperationOrder
    first: str | None = None
    """What happens before it, to what is under way now."""


def forecast(state: DeploymentState, request: ApplyRequest, present: Present) -> Forecast | Refusal:
    """What applying `request` to a deployment in `state` would do; refused where applying is."""
    accepted = decide_apply(state, request)
    if isinstance(accepted, Refusal):
        return accepted
    coming = _coming(state, accepted)
    if coming is None:
        answer = accepted.answer
        return _standing(request, present, changed=answer.changed, reason=answer.message)
    order = coming.order
    target = IdealTarget(
        room=present.room,
        deployment=order.deployment,
        model=order.model,
        needs=_needs(order, present),
        startup=timedelta(seconds=present.startups.get(order.new.version, 0)),
        now=present.now,
    )
    if coming.first is not None:
        target.stand(order.old.version if order.old else None, _gone_back(order, target))
    there = target.count(order.old.version) if order.old else 0
    trace = Play(order, target).run()
    reserved = trace.waiting if trace.short else target.reservations
    return Forecast(
        plan=_plan(coming, trace, target, present, there),
        reserved=tuple(one for one in reserved if one.operation == order.id),
        copies=target.observe().copies,
    )


def _coming(state: DeploymentState, accepted: Accepted) -> _Coming | None:
    """The operation that carries out what was accepted; None when no copy will move.

    What is under way is taken to have made way: gone back where it is superseded or aborted, not yet begun where it
    is revised, for how far it is only it knows.
    """
    under_way, after = state.under_way, accepted.state
    if under_way is None:
        begun = after.operation
        return _Coming(begun) if begun is not None and begun.number > state.operations else None
    first = accepted.answer.message
    if accepted.ask is not None and accepted.ask.spec is not None:
        stable = state.stable_revision
        known = {"old": stable.facts, "old_copies": stable.spec.copies} if stable else {"old": None}
        return _Coming(under_way.model_copy(update={**known, "spec": accepted.ask.spec, "state": None}), first)
    if after.waiting is None:
        return None
    copies = state.spec.copies if under_way.kind is OperationKind.SCALE and state.spec else None
    result = OperationResult(phase=Phase.SUPERSEDED, copies=copies)
    begun = proceed(settle(after, under_way, result))[0].operation
    return _Coming(begun, first) if begun else None


def _gone_back(order: OperationOrder, target: IdealTarget) -> int:
    """Copies of the stable version once what is under way has made way."""
    if order.old is None or not order.autoscaled or order.old_scaling is None:
        return order.copies_before
    versions = {order.old.version, *order.versions}
    return order.old_scaling.within(sum(target.count(version) for version in versions))


def _plan(coming: _Coming, trace: Trace, target: IdealTarget, present: Present, there: int) -> Plan:
    order = coming.order
    desired = bounded(order.spec, there if order.old else order.spec.copies).copies
    known = order.new.version in present.startups or not target.started
    strategy, reason = _strategy(order, there)
    unplaced, short = _unplaced(trace)
    if trace.ended is None or trace.result is None:
        raise AssertionError("a trace ends")
    if trace.result.phase is not Phase.SUCCEEDED:
        reason = f"would end {trace.result.phase}: {trace.result.message or trace.result.reason}"
    told = present.short or short or reason
    return Plan(
        deployment=order.deployment,
        changed=True,
        operation=order.kind,
        version=order.new.version,
        strategy=strategy,
        reason=f"{told}; {coming.first}" if coming.first else told,
        batches=tuple(PlannedBatch(add=leg.add, remove=leg.remove, weight=leg.weight) for leg in trace.legs),
        peak_accelerators=trace.peak,
        extra_accelerators=trace.peak - trace.held_before,
        lowest_ready=trace.lowest_ready or 0,
        dip=max(0, min(trace.ready_before, desired) - (trace.lowest_ready or 0)),
        fits=present.short is None and short is None,
        unplaced=unplaced,
        frozen=present.frozen if trace.minds_freezes else None,
        placement=target.placement(order.new.version),
        extra_accelerator_seconds=trace.extra if known else None,
        estimated_seconds=(trace.ended - trace.began).total_seconds() if known else None,
        **_bill(trace, target, present, timed=known)._asdict(),
    )


def _bill(trace: Trace, target: IdealTarget, present: Present, *, timed: bool) -> Bill:
    if present.short is not None or present.rented is None:
        return Bill()
    return bill(trace.fleets, target.settled(present.rented.least), present.rented, timed=timed)


def _standing(request: ApplyRequest, present: Present, *, changed: bool, reason: str) -> Forecast:
    """The forecast of what moves no copy."""
    ours = tuple(copy for copy in present.room.copies if copy.deployment == request.name)
    now = fleet(present.room.hosts, {copy.host for copy in present.room.copies})
    plan = Plan(
        deployment=request.name,
        changed=changed,
        version=request.spec.version,
        reason=reason,
        peak_accelerators=sum(len(copy.accelerators) for copy in ours),
        extra_accelerators=0,
        lowest_ready=sum(copy.state is CopyState.READY for copy in ours),
        fits=True,
        extra_accelerator_seconds=0.0,
        estimated_seconds=0.0,
        **bill([Stay(now, 0.0)], now, present.rented, timed=True)._asdict(),
    )
    return Forecast(plan, copies=ours)


def _strategy(order: OperationOrder, there: int) -> tuple[Taken | None, str]:
    scaling = order.spec.scaling
    if order.kind not in MOVES:
        serves = f"version {order.new.version} serves already"
        if scaling is None:
            return None, f"{serves}: {there if order.autoscaled else order.copies_before} → {order.spec.copies} copies"
        bounds = f"from {scaling.min} to {scaling.max}"
        return None, f"{serves} with {there} copies: from now on autoscaling chooses {bounds}"
    chosen = choose(order.spec.rollout, order.new, order.old)
    if isinstance(chosen, Refusal):
        return None, chosen.message
    why = chosen.reason if order.old else "nothing serves yet: all copies are one batch"
    return chosen.strategy, f"{why}{_suspended(order, there)}"


def _suspended(order: OperationOrder, there: int) -> str:
    """What becomes of autoscaling on the way, where the copies of what serves are chosen by it."""
    if order.old is None or order.old_scaling is None or not order.autoscaled:
        return ""
    held = "autoscaling is suspended from the first copy to the end"
    if order.spec.scaling is None:
        return f"; {held}, and then removed"
    return f"; {held}, begun with the {there} it has chosen" if there else f"; {held}, begun with 1, for it sleeps"


def _unplaced(trace: Trace) -> tuple[int, str | None]:
    """Copies that find no host, and what is short; nothing when all find one."""
    if trace.short is None:
        return 0, None
    request, grant = trace.short
    need = request.resources.accelerators
    missing = grant.short // need if request.whole and grant.short and need else request.batch
    return missing, grant.message or grant.reason


def _needs(order: OperationOrder, present: Present) -> Mapping[str, Resources]:
    ordered = {facts.version: facts.resources for facts in (order.old, order.new) if facts is not None}
    return {**present.needs, **ordered}
