"""One decision in the making: what the operations' planners share."""

from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from longshore.planning.operation import (
    Acked,
    Acknowledged,
    Action,
    Command,
    Decision,
    Drained,
    Draining,
    Ensure,
    Facts,
    Hindrance,
    Observe,
    OperationOrder,
    OperationResult,
    Publish,
    Shares,
    State,
    Warm,
    Withdraw,
)
from longshore.planning.words import Event, EventType, Phase, Progress
from longshore.spec.deployment import DeploymentSpec

POLL = timedelta(seconds=1)
"""Between two looks at copies that start or drain, or at a route that is not acked: both answer in milliseconds."""
TROUBLE_POLL = timedelta(seconds=3)
"""Before an action is asked again that could not be carried out; the activity's own retries came before."""
END_LIMIT = timedelta(minutes=5)
"""A copy that was told to end and is still there by then needs a person."""

S = TypeVar("S", bound=State)


class Turn(Generic[S]):
    """The order, the facts and the state as it changes; collects events and answers until a decision is made."""

    def __init__(self, order: OperationOrder, state: S, facts: Facts) -> None:
        self.order = order
        self.facts = facts
        self.state = state
        self.events: list[Event] = []
        self.acknowledged: list[Acknowledged] = []
        self.shares: Shares | None = None
        self.become(peak_accelerators=max(state.peak_accelerators, facts.accelerators))
        if facts.answered:
            self.become(pending=(), hindrance=None)

    @property
    def now(self) -> datetime:
        """The instant of this decision."""
        return self.facts.now

    @property
    def spec(self) -> DeploymentSpec:
        """What is desired; planners whose order can be revised on the way know better."""
        return self.order.spec

    @property
    def warm(self) -> Warm | None:
        """What is kept warm now; planners that release or keep some know better."""
        return self.order.warm

    def become(self, **changes: Any) -> None:
        """Change the state."""
        self.state = self.state.model_copy(update=changes)

    def say(self, phase: Phase, reason: str | None = None, message: str | None = None) -> None:
        """Change what people are told of the operation."""
        self.become(phase=phase, reason=reason, message=message, hindrance=None)

    def held_up(self, reason: str | None, message: str | None) -> None:
        """Tell what holds the operation up, until an action succeeds; its own reason comes back then."""
        self.become(hindrance=Hindrance(reason=reason, message=message))

    def emit(self, type: EventType, message: str, *, actor: str | None = None, **evidence: Any) -> None:
        """Add an event; `batch` in the evidence becomes the event's own."""
        self.events.append(
            Event(
                at=self.now,
                deployment=self.order.deployment,
                type=type,
                revision=self.order.revision,
                batch=evidence.pop("batch", None),
                actor=actor,
                message=message,
                evidence=evidence,
            )
        )

    def next_step(self) -> int:
        """The number of the next write on the outside."""
        self.become(step=self.state.step + 1)
        return self.state.step

    def answer(self, command: Command, message: str) -> None:
        """Accept a command."""
        self.acknowledged.append(Acknowledged(sequence=command.sequence, accepted=True, message=message))

    def refuse(self, command: Command, reason: str, message: str) -> None:
        """Refuse a command; it changes nothing."""
        self.acknowledged.append(
            Acknowledged(sequence=command.sequence, accepted=False, reason=reason, message=message)
        )

    # -- the three ways a decision ends ----------------------------------------------------------------------------

    def act(self, *actions: Action) -> Decision:
        """Carry these out, then ask again."""
        actions = tuple(self._completed(action) for action in actions)
        levels = {action.version: action.copies for action in actions if isinstance(action, Ensure)}
        self.become(pending=actions, levels={**self.state.levels, **levels})
        return self._decision(actions=actions)

    def takes(self, version: str) -> bool:
        """Whether levels of this version undo what somebody else changed of it."""
        return any(one.version == version for one in self.state.taken)

    def _completed(self, action: Action) -> Action:
        """A level with what holds for every level of the operation."""
        if not isinstance(action, Ensure):
            return action
        lasting = self.spec.rollout.delegate is not None
        return action.model_copy(update={"take": self.takes(action.version), "lasting": lasting})

    def wait(self, until: datetime | None) -> Decision:
        """Nothing to do until then, or until a command comes."""
        self.become(pending=())
        return self._decision(wait_until=until)

    def poll(self, after: timedelta = POLL) -> Decision:
        """Look again a little later."""
        return self.wait(self.now + after)

    def end(self, phase: Phase, reason: str | None = None, message: str | None = None) -> Decision:
        """The operation is over."""
        return self.close(OperationResult(phase=phase, reason=reason, message=message, warm=self.warm))

    def close(self, result: OperationResult) -> Decision:
        """The operation is over, with this result."""
        self.say(result.phase, result.reason, result.message)
        self.become(pending=())
        return self._decision(result=result)

    def fail(self, reason: str, message: str, **evidence: Any) -> Decision:
        """The operation is over, and a person is needed."""
        self.emit(EventType.ROLLOUT_FAILED, message, reason=reason, **evidence)
        return self.end(Phase.FAILED, reason, message)

    def _decision(self, **how: Any) -> Decision:
        state = self.state
        # A paused operation waits for a person first of all, whatever else is in its way.
        told = state if state.hindrance is None or state.phase is Phase.PAUSED else state.hindrance
        return Decision(
            state=state.model_dump(mode="json"),
            phase=state.phase,
            reason=told.reason,
            message=told.message,
            events=tuple(self.events),
            shares=self.shares,
            acknowledged=tuple(self.acknowledged),
            progress=self.progress(),
            **how,
        )

    def progress(self) -> Progress:
        """What people watch: copies as observed, traffic as acked. Planners with a ladder say more."""
        copies: dict[str, int] = {}
        ready: dict[str, int] = {}
        for copy in self.facts.observation.copies if self.facts.observation else ():
            copies[copy.version] = copies.get(copy.version, 0) + 1
            ready[copy.version] = ready.get(copy.version, 0) + (copy.state == "ready")
        return Progress(
            copies=copies,
            ready={version: count for version, count in ready.items() if count},
            traffic=self.state.weights,
            peak_accelerators=self.state.peak_accelerators,
        )

    # -- pieces that several planners need -------------------------------------------------------------------------

    def owed(self) -> Decision | None:
        """Ask again, a little later, for actions that could not be carried out. None when none are owed."""
        trouble = self.facts.trouble
        if trouble is not None and trouble.retryable:
            self.held_up(trouble.reason, trouble.message)
            return self._decision(wait_until=self.now + TROUBLE_POLL)
        if self.state.pending and not self.facts.answered:
            return self._decision(actions=self.state.pending)
        return None

    def look(self) -> Decision:
        """Read the copies, now or after the poll interval when they were just read."""
        return self.poll() if self.facts.fresh else self.act(Observe())

    def drain_to(self, version: str, level: int) -> Decision | None:
        """Bring a version down to `level` copies: no new requests, then wait for theirs, then end them.

        Returns:
            The decision to make; None once no more than `level` copies are there.
        """
        facts, work = self.facts, self.state.draining
        if facts.observation is None:
            return self.look()
        if work is None or (work.version, work.level) != (version, level):
            if facts.count(version) <= level and not facts.draining(version):
                if self.state.levels.get(version, level) <= level:
                    return None
                # Lost copies that found no room would start as soon as there is some, were as many still asked for.
                return self.end_down_to(version, level)
            until = self.now + timedelta(seconds=self.spec.rollout.drain_timeout)
            self.become(draining=Draining(version=version, level=level, until=until))
            return self.act(Ensure(version=version, copies=level, surplus="drain", step=self.next_step()))
        if not work.ending:
            asked = self._still_asked(version, level)
            done = facts.drain is not None and facts.drain.acked and facts.drain.in_flight == 0
            if asked and not done and self.now < work.until:
                if facts.drain is None:
                    return self.act(asked)
                return self.poll()
            limit = self.now + END_LIMIT
            self.become(draining=work.model_copy(update={"ending": True, "until": limit}))
            return self.end_down_to(version, level)
        if facts.count(version) <= level:
            self.become(draining=None)
            return None
        if self.now >= work.until:
            stuck = ", ".join(copy.id for copy in facts.copies(version)[level:])
            message = f"copies of version {version} do not end: {stuck}; see longshore logs {self.order.deployment}"
            return self.fail("CopiesDoNotEnd", message)
        return self.look()

    def end_down_to(self, version: str, level: int) -> Decision:
        """End what a version has above `level`, at once."""
        return self.act(Ensure(version=version, copies=level, surplus="end", step=self.next_step()))

    def _still_asked(self, version: str, level: int) -> Drained | None:
        """Where draining copies may have requests; None where there is nothing to wait for.

        Of copies behind one service nobody out here knows which of them a request is at, so those of a version are
        waited for once none of it is to stay. The service itself spares a copy that it ends on our word.
        """
        draining = self.facts.draining(version)
        addresses = tuple(copy.address for copy in draining if copy.address)
        observed = self.facts.observation
        behind = {upstream.version for upstream in observed.upstreams} if observed else set()
        versions = (version,) if draining and not level and version in behind else ()
        return Drained(addresses=addresses, versions=versions) if addresses or versions else None

    def shift(
        self, weights: dict[str, int], standby: tuple[str, ...], cause: str, batch: int | None
    ) -> Decision | None:
        """Publish weights and wait until every gateway acked them; then say so.

        Returns:
            The decision to make; None once the weights are live.
        """
        acked = self.facts.acked
        # An acknowledgement that came back just now may be of another route, when the stage changed in between.
        if acked is None or (self.state.published, self.state.standby) != (weights, standby):
            self.become(published=weights, standby=standby)
            idempotent = self.spec.idempotent
            return self.act(Publish(weights=weights, standby=standby, idempotent=idempotent, step=self.next_step()))
        if not acked.acked:
            return self._wait_for_gateways(acked)
        if weights != self.state.weights:
            self.shares = Shares(at=acked.at, weights=weights, cause=cause)
            self.become(weights=weights)
            self.emit(EventType.TRAFFIC_SHIFTED, cause, batch=batch, weights=weights)
        return None

    def unroute(self, cause: str) -> Decision | None:
        """Withdraw the route and wait until every gateway acked that.

        Returns:
            The decision to make; None once no request is routed.
        """
        acked = self.facts.acked
        if acked is None:
            self.become(published={}, standby=())
            return self.act(Withdraw(step=self.next_step()))
        if not acked.acked:
            return self._wait_for_gateways(acked)
        if self.state.weights:
            self.shares = Shares(at=acked.at, weights={}, cause=cause)
            self.become(weights={})
        return None

    def _wait_for_gateways(self, acked: Acked) -> Decision:
        if acked.rejected:
            self.held_up("RouteRejected", f"a gateway refused the route: {acked.rejected}")
        elif not acked.gateways:
            self.held_up("NoGateway", "no gateway is connected: see longshore doctor")
        return self.poll()
