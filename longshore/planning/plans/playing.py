"""Plays an operation on an idealised target by the very planner that will carry it out, and keeps what it did.

Every check passes, every route is acknowledged and every copy drained at once, every person says yes. So a plan needs
no rules of its own about batches: what a strategy does is what its planner decides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel

from longshore.planning import scale
from longshore.planning.observed import Observation
from longshore.planning.operation import (
    Acked,
    Action,
    AskFreeze,
    Command,
    Decision,
    Drained,
    DrainReport,
    Ensure,
    Facts,
    GiveUpWarm,
    Measure,
    Observe,
    OperationOrder,
    OperationResult,
    Publish,
    ReadRoute,
    Reserve,
    Smoke,
    State,
    Steer,
    Verify,
    Withdraw,
)
from longshore.planning.plans.costing import Fleet, Stay
from longshore.planning.plans.idealised import IdealTarget
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import RolloutState
from longshore.planning.room import Grant, Reservation, ReservationRequest
from longshore.planning.scale import ScaleState
from longshore.planning.steering import bounded
from longshore.planning.words import EventType, OperationKind, Phase

MOST_DECISIONS: Final = 200_000
"""A planner that has not come to an end by then never will; ten thousand copies one by one take half as many."""


class _Planner(NamedTuple):
    planner: ModuleType
    state: type[State]


PLANNERS: Final[Mapping[OperationKind, _Planner]] = {
    OperationKind.ONBOARD: _Planner(rollout, RolloutState),
    OperationKind.ROLLOUT: _Planner(rollout, RolloutState),
    OperationKind.ROLLBACK: _Planner(rollout, RolloutState),
    OperationKind.SCALE: _Planner(scale, ScaleState),
}

ALWAYS: Final[Mapping[type[BaseModel], dict[str, Any]]] = {
    Verify: {"verified": True},
    AskFreeze: {"thawed": True},
    ReadRoute: {"route": {}},
    Drained: {"drain": DrainReport(acked=True, in_flight=0)},
    Smoke: {"smoke": ""},
    Steer: {},
}
"""What the actions give that never find anything wrong."""


@dataclass
class Leg:
    """One batch as it was done."""

    weight: int
    """The new version's share of the traffic after it, in percent."""
    add: int = 0
    remove: int = 0


@dataclass
class Trace:
    """What an operation did."""

    began: datetime
    held_before: int
    """Accelerators that the deployment held before it."""
    ready_before: int
    """Copies that were ready before it, of all versions."""
    legs: list[Leg] = field(default_factory=list)
    peak: int = 0
    """Most accelerators that the deployment held, its copies in any state."""
    lowest_ready: int | None = None
    """Least ready copies, of all versions; None while there were never all that are desired."""
    extra: float = 0.0
    """Accelerator-seconds beyond `held_before`, those of copies that it leaves warm among them."""
    fleets: list[Stay] = field(default_factory=list)
    """The rented instances that ran, one after the other."""
    minds_freezes: bool = False
    """Whether a freeze would hold it up before it begins."""
    waiting: tuple[Reservation, ...] = ()
    """What was reserved, and what waited, when something first found no room."""
    short: tuple[ReservationRequest, Grant] | None = None
    """What first found no room, and what was said; the rest is played as if there were some."""
    ended: datetime | None = None
    result: OperationResult | None = None

    def ran(self, fleet: Fleet, seconds: float) -> None:
        """These instances ran for so long."""
        if self.fleets and self.fleets[-1].fleet == fleet:
            self.fleets[-1] = Stay(fleet, self.fleets[-1].seconds + seconds)
        else:
            self.fleets.append(Stay(fleet, seconds))


@dataclass
class Play:
    """`Play(order, target).run()` is the trace of an operation on a target that is its alone to change."""

    order: OperationOrder
    target: IdealTarget
    _trace: Trace = field(init=False)
    _leg: Leg | None = None
    _weight: int = field(init=False)
    """The new version's present share of the traffic."""
    _refused: tuple[ReservationRequest, Grant] | None = None
    """Room that was asked for by the last decision, and refused."""
    _looked: datetime = field(init=False)
    _wanted: int = field(init=False)
    """Ready copies that must have been there before the fewest count."""

    def __post_init__(self) -> None:
        # All checks pass, and one that passes changes nothing: none is asked, so that a day's bake is one step.
        policy = self.order.spec.rollout.model_copy(update={"checks": ()})
        self.order = self.order.model_copy(
            update={"spec": self.order.spec.model_copy(update={"rollout": policy}), "state": None}
        )
        self._trace = Trace(self.target.now, held_before=self.target.held, ready_before=self.target.ready)
        self._looked = self.target.now
        spec = self.order.spec
        self._wanted = bounded(spec, spec.copies).copies if self.order.old is None else 0
        self._weight = 100 if self.order.kind is OperationKind.SCALE else 0
        self._look()

    def run(self) -> Trace:
        """Play it to its end."""
        kind = PLANNERS[self.order.kind]
        state = kind.planner.begin(self.order)
        given: dict[str, Any] = {}
        kept: Observation | None = None
        stood: dict[str, Any] | None = None
        for number in range(MOST_DECISIONS):
            kept = given.pop("observation", kept)
            decision: Decision = kind.planner.advance(
                self.order, state, Facts(now=self.target.now, observation=kept, **given)
            )
            state = kind.state.model_validate(decision.state)
            self._hear(decision)
            if decision.result is not None:
                return self._end(decision.result)
            if decision.actions:
                given = self._carry_out(decision.actions)
                continue
            stands = decision.phase is Phase.PAUSED
            given = {"commands": (self._yes(decision, number + 1),)} if stands else {}
            if not stands:
                self._wait(decision, state, again=decision.state == stood)
            stood = decision.state
        raise AssertionError(f"{self.order.id} does not come to an end: {state!r}")

    # -- waiting ---------------------------------------------------------------------------------------------------

    def _wait(self, decision: Decision, state: State, *, again: bool) -> None:
        """Let time pass; room for which it would wait for ever is made.

        An operation that decided the same twice goes on doing so until something changes: a copy, or that an instant
        it remembers has come. So it need not be asked at every look in between.
        """
        if self._refused is not None:
            if self._trace.short is None:
                self._trace.short, self._trace.waiting = self._refused, self.target.reservations
            self.target.make_room(self._refused[0])
            self._refused = None
            return
        if decision.wait_until is None:
            raise AssertionError(f"{self.order.id} waits for nobody: {state!r}")
        if decision.wait_until <= self.target.now:
            return
        now, step = self.target.now, decision.wait_until - self.target.now
        looks = 1
        if again:
            instants = [*_instants(state), self.target.next_change()]
            ahead = [instant for instant in instants if instant is not None and instant > now]
            looks = max(1, -((now - min(ahead)) // step)) if ahead else 1
        self.target.now += looks * step
        self._look()

    def _yes(self, decision: Decision, sequence: int) -> Command:
        """What a person says to an operation that waits for one."""
        asked = [step.approval.roles for step in self.order.spec.rollout.steps if step.approval]
        verb: Literal["approve", "promote"] = "approve" if decision.reason == "ApprovalNeeded" else "promote"
        return Command(
            sequence=sequence, verb=verb, actor="plan", roles=tuple({role for roles in asked for role in roles})
        )

    # -- acting ----------------------------------------------------------------------------------------------------

    def _carry_out(self, actions: tuple[Action, ...]) -> dict[str, Any]:
        given: dict[str, Any] = {"answered": True}
        self._refused = None
        for action in actions:
            given |= self._act(action)
            self._look()
        return given

    def _act(self, action: Action) -> dict[str, Any]:
        match action:
            case Reserve():
                return {"grant": self._reserve(action.request)}
            case Publish():
                self._publish(action)
                return self._acked()
            case Withdraw():
                return self._acked()
            case Measure():
                return {"measurements": (), **self._seen()}
            case Ensure():
                self._ensure(action)
                return self._seen()
            case Observe():
                return self._seen()
            case GiveUpWarm():
                self.target.give_up_warm(action.deployments)
                return {}
        self._trace.minds_freezes |= isinstance(action, AskFreeze)
        return ALWAYS[type(action)]

    def _publish(self, action: Publish) -> None:
        self._weight = action.weights.get(self.order.new.version, 0)
        if self._leg is not None:
            self._leg.weight = self._weight

    def _reserve(self, request: ReservationRequest) -> Grant:
        grant = self.target.reserve(request)
        self._refused = None if grant.granted else (request, grant)
        return grant

    def _ensure(self, action: Ensure) -> None:
        before, started = self.target.count(action.version), self.target.started
        self.target.ensure(action)
        added = self.target.started - started
        removed = before + added - self.target.count(action.version)
        if self._leg is None and self.order.warm and action.version == self.order.warm.version:
            return  # given up to make room, before the first batch
        if self.order.kind is not OperationKind.SCALE and action.version == self.order.new.version:
            removed = 0  # on a way back
        if added or removed:
            leg = self._leg or self._begin()
            leg.add += added
            leg.remove += removed

    def _seen(self) -> dict[str, Any]:
        return {"observation": self.target.observe(), "fresh": True}

    def _acked(self) -> dict[str, Any]:
        return {"acked": Acked(acked=True, at=self.target.now, gateways=1)}

    # -- keeping ---------------------------------------------------------------------------------------------------

    def _hear(self, decision: Decision) -> None:
        if any(event.type is EventType.BATCH_STARTED for event in decision.events):
            self._begin()

    def _begin(self) -> Leg:
        self._leg = Leg(weight=self._weight)
        self._trace.legs.append(self._leg)
        return self._leg

    def _look(self) -> None:
        """Take in how the target stands. What changed since the last look was one thing, or only became ready."""
        trace, target = self._trace, self.target
        passed = (target.now - self._looked).total_seconds()
        trace.extra += passed * max(0, target.held - trace.held_before)
        trace.peak = max(trace.peak, target.held)
        trace.ran(target.fleet, passed)
        self._looked = target.now
        if trace.lowest_ready is not None:
            trace.lowest_ready = min(trace.lowest_ready, target.ready)
        elif target.ready >= self._wanted:
            trace.lowest_ready = target.ready

    def _end(self, result: OperationResult) -> Trace:
        trace = self._trace
        trace.ended, trace.result = self.target.now, result
        if result.warm is not None:
            kept = (result.warm.until - self.target.now).total_seconds()
            trace.extra += kept * max(0, self.target.held - trace.held_before)
            trace.ran(self.target.fleet, kept)
            leg = self._leg or self._begin()
            leg.remove += self.target.count(result.warm.version)
        return trace


def _instants(value: object) -> Iterator[datetime]:
    """Every instant that a state remembers."""
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _instants(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _instants(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _instants(inner)
