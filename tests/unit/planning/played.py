"""Plays a planner's decisions in pure Python: a fleet of a few lines, a route, room as the store grants it, a clock."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from longshore.planning.checks import Measurement, Outcome
from longshore.planning.granting import serve
from longshore.planning.observed import Copy, CopyState, Observation, ObservedHost
from longshore.planning.operation import (
    Acked,
    Acknowledged,
    Action,
    Command,
    Decision,
    Drained,
    DrainReport,
    Ensure,
    Facts,
    Measure,
    OperationOrder,
    OperationResult,
    Publish,
    Reserve,
    State,
    Steer,
    Trouble,
    Withdraw,
)
from longshore.planning.refusals import INSUFFICIENT_CAPACITY
from longshore.planning.room import Grant, Reservation, ReservationRequest, TargetRoom
from longshore.planning.shortage import INSUFFICIENT
from longshore.planning.words import Event, Phase

START = datetime(2026, 3, 1, tzinfo=UTC)
A_WHILE = 1500
"""Decisions after which an operation that has not come to rest never will."""
PATIENCE = 40
"""Looks at what finds no room, or stands still, after which a person aborts the one and resumes the other."""
AN_ACTION = timedelta(milliseconds=100)


@dataclass
class Behaviour:
    """How the copies of a version behave."""

    startup: float = 0.0
    never_ready: bool = False
    crashes: bool = False
    ending: float = 0.0
    """Seconds from being told to end to being gone."""
    busy: float = 0.0
    """Seconds from draining until the last request is done."""


@dataclass
class PlayedCopy:
    number: int
    version: str
    born: datetime
    broken: bool = False
    proven: bool = False
    """It was ready before its version was found out to be bad, and stays so."""
    draining_since: datetime | None = None
    gone_at: datetime | None = None
    down_until: datetime | None = None
    host: str = "a"
    refused: bool = False
    """It waits on a host that is not to be had."""


@dataclass
class Fleet:
    """Copies on one host of whole accelerators, one each, and maybe on another that is started when it is needed."""

    accelerators: int
    behaviours: dict[str, Behaviour]
    copies: list[PlayedCopy] = field(default_factory=list)
    started: int = 0
    sequence: int = 0
    obtainable: int = 0
    """Accelerators of the other host."""
    withheld: list[tuple[float, float]] = field(default_factory=list)
    """Spans, in seconds since the beginning, in which nothing starts there; that shows once a copy is to start."""
    found_out: datetime | None = None
    """When it was last tried in vain."""

    def add(self, version: str, born: datetime, *, broken: bool = False) -> None:
        self.started += 1
        here = sum(copy.host == "a" for copy in self.copies)
        copy = PlayedCopy(self.started, version, born, broken, host="a" if here < self.accelerators else "b")
        if copy.host == "b" and self.span(born):
            copy.refused, self.found_out = True, born
        self.copies.append(copy)

    def span(self, now: datetime) -> tuple[float, float] | None:
        """The span in which nothing starts on the other host now."""
        seconds = (now - START).total_seconds()
        return next((span for span in self.withheld if span[0] <= seconds < span[1]), None)

    def coming(self, now: datetime) -> Iterator[datetime]:
        """When copies that are lost, or on their way, go on by themselves."""
        for copy in self.copies:
            behaviour, span = self.behaviours[copy.version], self.span(now)
            if copy.down_until and copy.down_until > now:
                yield copy.down_until
            elif copy.refused and span:
                yield START + timedelta(seconds=span[1])
            elif self.state_of(copy, now) is CopyState.STARTING and not behaviour.never_ready:
                yield copy.born + timedelta(seconds=behaviour.startup)

    def restore(self, now: datetime) -> None:
        """What waited for the other host starts once it is to be had again."""
        if self.span(now) is None:
            self.found_out = None
            for copy in self.copies:
                if copy.refused:
                    copy.refused, copy.born = False, now

    def state_of(self, copy: PlayedCopy, now: datetime) -> CopyState:
        behaviour = self.behaviours[copy.version]
        if copy.gone_at:
            return CopyState.ENDING
        if copy.draining_since:
            return CopyState.DRAINING
        if copy.refused:
            return CopyState.STARTING
        if copy.broken or (copy.down_until and now < copy.down_until):
            return CopyState.UNREADY
        if copy.proven:
            return CopyState.READY
        if behaviour.crashes:
            return CopyState.FAILED
        up = now >= copy.born + timedelta(seconds=behaviour.startup)
        return CopyState.READY if up and not behaviour.never_ready else CopyState.STARTING

    def behave(self, version: str, behaviour: Behaviour, now: datetime) -> None:
        """From now on its copies behave otherwise; those that are ready stay so."""
        for copy in self.copies:
            if copy.version == version and self.state_of(copy, now) is CopyState.READY:
                copy.proven = True
        self.behaviours[version] = behaviour

    def ready(self, version: str, now: datetime) -> int:
        return sum(one.version == version and self.state_of(one, now) is CopyState.READY for one in self.copies)

    def count(self) -> dict[str, int]:
        return dict(Counter(copy.version for copy in self.copies))

    def ensure(self, action: Ensure, now: datetime) -> None:
        """What the port asks of a backend: recall, drain, end, start."""
        theirs = [copy for copy in self.copies if copy.version == action.version and not copy.gone_at]
        serving = [copy for copy in theirs if not copy.draining_since]
        draining = [copy for copy in theirs if copy.draining_since]
        for copy in draining[: max(0, action.copies - len(serving))]:
            copy.draining_since = None
        # the least missed go first: without room, not ready, then the newest
        by_worth = sorted(
            serving, key=lambda one: (one.refused, self.state_of(one, now) is not CopyState.READY, one.number)
        )
        for copy in by_worth[action.copies :]:
            copy.draining_since = now
        if action.surplus == "end":
            for copy in theirs:
                if copy.draining_since:
                    copy.gone_at = now + timedelta(seconds=self.behaviours[copy.version].ending)
        for _ in range(action.copies - len(serving) - len(draining)):
            most = self.accelerators + self.obtainable
            assert len(self.copies) < most, "copies were started where there is no room"
            self.add(action.version, now)
        self.forget_gone(now)

    def forget_gone(self, now: datetime) -> None:
        self.copies = [copy for copy in self.copies if not copy.gone_at or now < copy.gone_at]

    def in_flight(self, now: datetime) -> int:
        return sum(
            bool(copy.draining_since)
            and now < copy.draining_since + timedelta(seconds=self.behaviours[copy.version].busy)
            for copy in self.copies
        )

    def observe(self, now: datetime) -> Observation:
        self.sequence += 1
        copies = tuple(
            Copy(
                id=f"copy-{copy.number}",
                deployment="digits",
                model="digits",
                version=copy.version,
                host=copy.host,
                accelerators=() if copy.refused else (index,),
                address=f"a:{copy.number}",
                state=self.state_of(copy, now),
                reason=self._why(copy, now),
            )
            for index, copy in enumerate(self.copies)
        )
        there = any(copy.host == "b" and not copy.refused for copy in self.copies)
        missing = self.found_out is not None and not there
        other = ObservedHost(name="b", accelerators=self.obtainable, up=not missing, obtainable=not there)
        hosts = (ObservedHost(name="a", accelerators=self.accelerators), *([other] if self.obtainable else []))
        return Observation(
            target="here", sequence=self.sequence, at=now, hosts=hosts, copies=copies, deployment="digits"
        )

    def _why(self, copy: PlayedCopy, now: datetime) -> str | None:
        state = self.state_of(copy, now)
        if copy.refused and state is CopyState.STARTING:
            return INSUFFICIENT_CAPACITY
        return "ExitedAtStart" if state is CopyState.FAILED else None


@dataclass
class Story:
    """What befalls an operation, by the seconds since it began or by the number of an action or decision."""

    commands: list[tuple[float, str]] = field(default_factory=list)
    losses: list[tuple[float, str, float]] = field(default_factory=list)
    """(when, version, seconds until it is ready again)."""
    troubles: set[int] = field(default_factory=set)
    """Actions that fail for now."""
    slow_acks: set[int] = field(default_factory=set)
    """Routes published that are not acked at once."""
    anew: set[int] = field(default_factory=set)
    """Decisions after which the operation continues as new."""
    chosen: list[tuple[float, int]] = field(default_factory=list)
    """(when, copies that the target's autoscaler chooses, where it may)."""
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """What measurements say; the others pass, unless `bad`."""
    bad: bool = False
    lossy: bool = field(init=False)

    def __post_init__(self) -> None:
        self.lossy = bool(self.losses)


@dataclass
class Play:
    """One operation played to its end: a person resumes what stands still, and gives up what finds no room."""

    planner: ModuleType
    state_type: type[State]
    order: OperationOrder
    fleet: Fleet
    story: Story
    now: datetime = START
    route: dict[str, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    result: OperationResult | None = None
    decision: Decision | None = None
    most: int = 0
    least_ready: int = 10**6
    to_nobody: list[str] = field(default_factory=list)
    """Weights on a version without a ready copy."""
    blocked: int = 0
    """Decisions that waited for room."""
    stood: int = 0
    """Decisions that stood still."""
    asked_verbs: list[tuple[float, str]] = field(default_factory=list)
    warm: dict[str, str] = field(default_factory=dict)
    """Deployment → version kept warm, as the store knows it."""
    autoscaler: Steer | None = None
    """What the target's autoscaler was last told."""
    watch: Callable[[], None] = lambda: None
    """Called whenever something may have changed."""
    anew: bool = False
    """Whether it has just continued as new: it forgot what it was about to do, and is asked again."""
    _decisions: int = 0
    _acts: int = 0
    _publishes: int = 0
    _measured: int = 0
    _reservation: Reservation | None = None
    _steps: list[int] = field(default_factory=list)
    _state: State = field(init=False)
    _given: dict[str, Any] = field(default_factory=dict)
    _kept: Observation | None = None

    def __post_init__(self) -> None:
        self._state = self.planner.begin(self.order)

    def run(self) -> "Play":
        """Ask, carry out, wait; until it ended."""
        waiting = [
            (START + timedelta(seconds=at), self._asked(number, verb))
            for number, (at, verb) in enumerate(sorted(self.story.commands), start=1)
        ]
        person = iter(("resume",) * 6 + ("promote full",) * 3)
        for number in range(A_WHILE):
            due = tuple(command for at, command in waiting if at <= self.now)
            waiting = [(at, command) for at, command in waiting if at > self.now]
            decision = self.ask(due)
            if self.result:
                return self
            self.obey(decision)
            if not (decision.actions or self.anew):
                self.blocked += decision.reason == INSUFFICIENT
                self.stood += decision.phase is Phase.PAUSED
                if self.blocked == PATIENCE:
                    waiting.append((self.now, self._asked(number + 100, "abort")))
                if not waiting and self.stood >= PATIENCE:
                    self.stood = 0
                    waiting.append((self.now, self._asked(number + 100, self._next(person))))
                instants = [at for at, _ in waiting] + ([decision.wait_until] if decision.wait_until else [])
                if not instants:
                    waiting.append((self.now, self._asked(number + 100, self._next(person))))
                self.pass_until(max(self.now, min(instants, default=self.now)))
        raise AssertionError(f"no rest after {A_WHILE} decisions: {self._state!r}")

    def ask(self, commands: tuple[Command, ...] = ()) -> Decision:
        """One decision."""
        given, self._given = self._given, {}
        self._kept = given.pop("observation", self._kept)
        facts = Facts(now=self.now, observation=self._kept, commands=commands, **given)
        self.decision = decision = self.planner.advance(self.order, self._state, facts)
        self._state = self.state_type.model_validate(json.loads(json.dumps(decision.state)))
        assert self._state.model_dump(mode="json") == decision.state
        self.events += decision.events
        self.acknowledged += decision.acknowledged
        self.result = decision.result
        self.anew = self._decisions in self.story.anew
        self._decisions += 1
        return decision

    def obey(self, decision: Decision) -> None:
        """Carry a decision out. One to wait is the caller's to wait for."""
        if decision.actions and not self.anew:
            self._given = self._carry_out(decision.actions)

    def _next(self, person: Iterator[str]) -> str:
        """What a person does about an operation that stands still."""
        waits = self.decision is not None and self.decision.reason == "ApprovalNeeded"
        return "approve" if waits else next(person)

    def _asked(self, number: int, verb: str) -> Command:
        """A verb; `scale 3` is the order's own spec with other copies."""
        word, _, copies = verb.partition(" ")
        if word != "scale":
            return _command(number, verb)
        spec = self.order.spec.model_copy(update={"copies": int(copies)})
        return Command(sequence=number, verb="revise", actor="ada", spec=spec)

    def pass_until(self, instant: datetime) -> None:
        """Let time pass; what changes by itself on the way is looked at, too."""
        moments = {instant}
        for copy in self.fleet.copies:
            behaviour = self.fleet.behaviours[copy.version]
            moments |= {copy.born + timedelta(seconds=behaviour.startup), copy.gone_at, copy.down_until} - {None}
        moments |= {START + timedelta(seconds=at) for at, _, _ in self.story.losses}
        moments |= {START + timedelta(seconds=at) for at, _ in self.story.chosen}
        moments |= {START + timedelta(seconds=until) for _, until in self.fleet.withheld}
        for moment in sorted(one for one in moments if self.now < one <= instant):
            self.now = moment
            self._befall()
            self._look()

    def _befall(self) -> None:
        self.fleet.forget_gone(self.now)
        self.fleet.restore(self.now)
        for chosen in list(self.story.chosen):
            if START + timedelta(seconds=chosen[0]) <= self.now:
                self.story.chosen.remove(chosen)
                self._autoscale(chosen[1])
        for loss in list(self.story.losses):
            at, version, seconds = loss
            if START + timedelta(seconds=at) <= self.now:
                self.story.losses.remove(loss)
                ready = [one for one in self.fleet.copies if one.version == version]
                if ready:
                    ready[0].down_until = self.now + timedelta(seconds=seconds)

    def _autoscale(self, copies: int) -> None:
        """The autoscaler chooses, within its bounds and the room that there is."""
        told = self.autoscaler
        if told is None or told.version is None or told.scaling is None or told.suspended:
            return
        room = self.fleet.accelerators - sum(copy.version != told.version for copy in self.fleet.copies)
        chosen = min(told.scaling.within(copies), room)
        self.fleet.ensure(Ensure(version=told.version, copies=chosen, surplus="end", step=0), self.now)

    def _look(self) -> None:
        """What must hold at every instant is gathered here."""
        self.most = max(self.most, len(self.fleet.copies))
        ready = sum(self.fleet.ready(version, self.now) for version in self.fleet.behaviours)
        self.least_ready = min(self.least_ready, ready)
        for version, weight in self.route.items():
            if weight and not self.fleet.ready(version, self.now):
                self.to_nobody.append(f"{version} has {weight}% at {self.now - START}")
        self.watch()

    def _carry_out(self, actions: tuple[Action, ...]) -> dict[str, Any]:
        given: dict[str, Any] = {"answered": True}
        for action in actions:
            self.pass_until(self.now + AN_ACTION)
            self._acts += 1
            if self._acts in self.story.troubles:
                return {"trouble": Trouble(action=action.kind, reason="Busy", message="busy", retryable=True)}
            given |= self._act(action)
            self._look()
        return given

    def _act(self, action: Action) -> dict[str, Any]:
        told: dict[str, dict[str, Any]] = {
            "freeze": {"thawed": True},
            "route": {"route": dict(self.route)},
            "giveUpWarm": {},
            "verify": {"verified": True},
            "smoke": {"smoke": ""},
        }
        if action.kind in told:
            return told[action.kind]
        match action:
            case Reserve():
                return {"grant": self._reserve(action.request)}
            case Steer():
                self._fence(action.step)
                self.autoscaler = action
            case Ensure():
                self._fence(action.step)
                rests = self.autoscaler is None or self.autoscaler.version is None or self.autoscaler.suspended
                assert rests, "copies were changed while the autoscaler may change them too"
                self.fleet.ensure(action, self.now)
            case Publish():
                self._fence(action.step)
                assert sum(action.weights.values()) == 100, action.weights
                self.route = dict(action.weights)
                return {"acked": self._ack()}
            case Withdraw():
                self._fence(action.step)
                self.route = {}
                return {"acked": self._ack()}
            case Drained():
                return {"drain": DrainReport(acked=True, in_flight=self.fleet.in_flight(self.now))}
            case Measure():
                observation = self.fleet.observe(self.now)
                measured = tuple(self._measure(check.name) for check in action.checks)
                return {"measurements": measured, "observation": observation, "fresh": True}
        return {"observation": self.fleet.observe(self.now), "fresh": True}

    def _measure(self, name: str) -> Measurement:
        self._measured += 1
        outcome = self.story.outcomes.get(self._measured, Outcome.FAILED if self.story.bad else Outcome.PASSED)
        return Measurement(check=name, outcome=outcome, at=self.now)

    def _fence(self, step: int) -> None:
        assert not self._steps or step >= self._steps[-1], "a step went back behind the fence"
        self._steps.append(step)

    def _ack(self) -> Acked:
        self._publishes += 1
        return Acked(acked=self._publishes not in self.story.slow_acks, at=self.now, gateways=1)

    def _reserve(self, request: ReservationRequest) -> Grant:
        """As the store does it, for one deployment."""
        own, seen = self._reservation, self.fleet.observe(self.now)
        up = {host.name for host in seen.hosts if host.up}
        if own and own.answer and own.answer.granted and own.request == request and set(own.answer.placement) <= up:
            return own.answer
        asking = Reservation(
            deployment="digits", operation=request.operation, ticket=1, request=request, held=own.held if own else {}
        )
        (self._reservation,) = serve(TargetRoom("here", seen.hosts, seen.copies, (asking,), self.warm)).reservations
        assert self._reservation.answer
        return self._reservation.answer


def _command(number: int, verb: str) -> Command:
    """A verb, with its option where it has one: `promote full`."""
    word, _, option = verb.partition(" ")
    return Command.model_validate(
        {"sequence": number, "verb": word, "actor": "ada", "full": option == "full", "roles": ("approver",)}
    )


def serving(play: Play) -> dict[str, int]:
    """Copies by version that are ready, all others counted under their state."""
    counted: Counter[str] = Counter()
    for copy in play.fleet.observe(play.now).copies:
        counted[copy.version if copy.state is CopyState.READY else f"{copy.version} {copy.state}"] += 1
    return dict(counted)
