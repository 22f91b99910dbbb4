"""Carries a rehearsal's first apply out on the simulated backend, second by second, by the planners alone.

What a plan is compared with: no look is left out, checks are asked and pass, room is granted as the store grants it.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from longshore.backends.port import CopiesLevel
from longshore.backends.simulated.fleet import Behaviour, SimulatedFleet
from longshore.planning.checks import Measurement, Outcome
from longshore.planning.deployment.decisions import decide_apply
from longshore.planning.fence import Fence
from longshore.planning.granting import serve
from longshore.planning.operation import (
    Acked,
    Command,
    Drained,
    DrainReport,
    Ensure,
    Facts,
    Measure,
    OperationOrder,
    OperationResult,
    Publish,
    Reserve,
    Verify,
)
from longshore.planning.plans.playing import PLANNERS
from longshore.planning.plans.rehearsed import START, _request, _state
from longshore.planning.requests import Refusal
from longshore.planning.room import Grant, Reservation, ReservationRequest, TargetRoom
from longshore.planning.shortage import INSUFFICIENT
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.model_version import Artifact, ModelVersionSpec, Server
from longshore.spec.rehearsal import TARGET, Apply, RehearsalSpec

MOST_DECISIONS = 3000


@dataclass
class Executed:
    """What came of it; numbers as a plan has them."""

    refused: str | None = None
    blocked: str | None = None
    result: OperationResult | None = None
    batches: list[tuple[int, int, int]] = field(default_factory=list)
    peak: int = 0
    before: int = 0
    lowest: int | None = None
    extra: float = 0.0
    seconds: float = 0.0


class Execution:
    """`Execution(spec).run()` carries out the first apply of the timeline."""

    def __init__(self, spec: RehearsalSpec) -> None:
        self.spec = spec
        self.now = START
        self.fleet = SimulatedFleet(TARGET, spec.hosts, lambda: self.now)
        for version, behaviour in spec.versions.items():
            self.fleet.behave(version, Behaviour(startup=behaviour.startup, resources=behaviour.resources))
        for name, given in spec.given.items():
            self._bring(name, Ensure(version=given.version, copies=given.copies, surplus="end", step=1), 1)
        for copy in self.fleet.copies:
            copy.ready_at = START
        self.apply = next(event for event in spec.timeline if isinstance(event, Apply))
        self.name = self.apply.deployment
        self.done = Executed()
        self._counts: list[Counter[str]] = []
        self._weights: list[int] = []
        self._weight = 0
        self._reservation: Reservation | None = None

    def _bring(self, name: str, action: Ensure, operation: int) -> None:
        version = ModelVersionSpec(
            artifact=Artifact(uri="simulated://m", digest=f"sha256:{0:064}"), server=Server(command=("simulated",))
        )
        level = CopiesLevel(
            deployment=name,
            model="m",
            version=action.version,
            copies=action.copies,
            surplus=action.surplus,
            placement=action.placement,
            spec=version,
            fence=Fence(operation=operation, step=action.step),
        )
        self.fleet.bring(level)

    def run(self) -> Executed:
        """Carry it out until it ends, or waits for room that never comes."""
        accepted = decide_apply(_state(self.name, self.spec), _request(self.apply, self.spec))
        if isinstance(accepted, Refusal):
            self.done.refused = accepted.message
            return self.done
        order = accepted.state.operation
        assert order
        self.order, self.done.before = order, self._held()
        self._weight = 100 if order.kind is OperationKind.SCALE else 0
        self._wanted = order.spec.copies if order.old is None else 0
        self._look(0)
        self._mark()
        self._drive(order)
        self.done.seconds = (self.now - START).total_seconds()
        self._keep_warm()
        self._mark()
        if len(self._counts) > 2:
            del self._counts[0], self._weights[0]  # the first batch began later
        self.done.batches = [
            (after[order.new.version] - before[order.new.version], self._old(before) - self._old(after), weight)
            for before, after, weight in zip(self._counts, self._counts[1:], self._weights[1:], strict=False)
        ]
        if order.kind is OperationKind.SCALE:
            ((grown, _, weight),) = self.done.batches
            self.done.batches = [(max(0, grown), max(0, -grown), weight)]
        if len(self.done.batches) == 1 and not any(self.done.batches[0][:2]):
            self.done.batches = []
        return self.done

    def _drive(self, order: OperationOrder) -> None:
        kind = PLANNERS[order.kind]
        state, given, kept = kind.planner.begin(order), dict[str, Any](), None
        for _ in range(MOST_DECISIONS):
            kept = given.pop("observation", kept)
            decision = kind.planner.advance(order, state, Facts(now=self.now, observation=kept, **given))
            state = kind.state.model_validate(json.loads(json.dumps(decision.state)))
            if any(event.type is EventType.BATCH_STARTED for event in decision.events):
                self._mark()
            if decision.result:
                self.done.result = decision.result
                return
            if decision.actions:
                given = {"answered": True}
                for action in decision.actions:
                    given |= self._act(action)
                    self._look(0)
                continue
            if decision.reason == INSUFFICIENT:
                self.done.blocked = decision.message
                return
            given = {}
            if decision.phase is Phase.PAUSED or decision.wait_until is None:
                verb = "approve" if decision.reason == "ApprovalNeeded" else "promote"
                given = {"commands": (Command(sequence=1, verb=verb, actor="ada", roles=("approver",)),)}
            else:
                self._pass_until(decision.wait_until)
        raise AssertionError(f"no end within {MOST_DECISIONS} decisions: {state!r}")

    def _pass_until(self, instant: datetime) -> None:
        while self.now < instant:
            step = min(1.0, (instant - self.now).total_seconds())
            self.now += timedelta(seconds=step)
            self._look(step)

    def _act(self, action: Any) -> dict[str, Any]:
        match action:
            case Verify():
                return {"verified": True}
            case Reserve():
                return {"grant": self._reserve(action.request)}
            case Publish():
                self._weight = action.weights.get(self.order.new.version, 0)
                return {"acked": Acked(acked=True, at=self.now, gateways=1)}
            case Drained():
                return {"drain": DrainReport(acked=True, in_flight=0)}
            case Measure():
                passed = tuple(_passed(check.name, self.now) for check in action.checks)
                return {"measurements": passed, **self._seen()}
            case Ensure():
                self._bring(self.name, action, self.order.number)
                return self._seen()
        return {"thawed": True} if action.kind == "freeze" else self._seen()

    def _seen(self) -> dict[str, Any]:
        return {"observation": self.fleet.observe(self.name), "fresh": True}

    def _reserve(self, request: ReservationRequest) -> Grant:
        """As the store does it, for one deployment."""
        own, seen = self._reservation, self.fleet.observe(None)
        held = own.held if own else {}
        asking = Reservation(deployment=self.name, operation="it", ticket=1, request=request, held=held)
        (self._reservation,) = serve(TargetRoom(TARGET, seen.hosts, seen.copies, (asking,))).reservations
        assert self._reservation.answer
        return self._reservation.answer

    def _keep_warm(self) -> None:
        """Let time pass until the warm copies are due, and end them."""
        warm = self.done.result.warm if self.done.result else None
        if warm is not None:
            self._pass_until(warm.until)
            self._bring(self.name, Ensure(version=warm.version, copies=0, surplus="end", step=1), 99)

    # -- what is compared ----------------------------------------------------------------------------------------

    def _mark(self) -> None:
        """A batch begins, or it is over."""
        self._counts.append(Counter(copy.level.version for copy in self._ours()))
        self._weights.append(self._weight)

    def _ours(self) -> list[Any]:
        return [copy for copy in self.fleet.copies if copy.level.deployment == self.name]

    def _held(self) -> int:
        return sum(len(copy.accelerators) for copy in self._ours())

    def _old(self, counts: Counter[str]) -> int:
        return sum(count for version, count in counts.items() if version != self.order.new.version)

    def _look(self, passed: float) -> None:
        done, held, ready = self.done, self._held(), self.fleet.ready(self.name).total()
        done.peak = max(done.peak, held)
        done.extra += passed * max(0, held - done.before)
        if done.lowest is not None or ready >= self._wanted:
            done.lowest = ready if done.lowest is None else min(done.lowest, ready)


def _passed(check: str, now: datetime) -> Measurement:
    return Measurement(check=check, outcome=Outcome.PASSED, at=now)
