"""Plays the life of a deployment in pure Python: whatever is asked of it when, one operation after the other.

What the deployment's workflow does between its decisions is done here in a few lines: requests that wait for an
operation to make way, revisions that it must acknowledge, warm copies that are due. What must hold at every instant is
looked at whenever something may have changed; what must hold at rest is for the tests to ask.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, Final

from played import START, Fleet, Play, Story
from promised import MOVES, Promise
from wished import Change, Wish, decided

from longshore.planning import release, retire, scale
from longshore.planning.deployment import decisions as planner
from longshore.planning.deployment import settling, superseding
from longshore.planning.deployment.revisions import Accepted, DeploymentState, Revision
from longshore.planning.operation import (
    Acknowledged,
    Command,
    OperationOrder,
    OperationResult,
    State,
    Steer,
    VersionFacts,
)
from longshore.planning.release import KeepsWarm
from longshore.planning.requests import (
    Refusal,
)
from longshore.planning.retire import RetireState
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import RolloutState
from longshore.planning.scale import ScaleState
from longshore.planning.shortage import INSUFFICIENT
from longshore.planning.words import Event, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec

PLANNERS: Final[dict[OperationKind, tuple[ModuleType, type[State]]]] = {
    OperationKind.ONBOARD: (rollout, RolloutState),
    OperationKind.ROLLOUT: (rollout, RolloutState),
    OperationKind.ROLLBACK: (rollout, RolloutState),
    OperationKind.SCALE: (scale, ScaleState),
    OperationKind.RETIRE: (retire, RetireState),
    OperationKind.RELEASE: (release, KeepsWarm),
}
A_LIFETIME: Final = 6000
"""Decisions after which a deployment that has not come to rest never will."""
MENDED_ENOUGH: Final = 3
"""Times that a person mends a deployment before it is said to be beyond that."""
PATIENCE: Final = 40
"""Looks at what stands still, or finds no room, after which a person does something about it."""


@dataclass
class Pending:
    """A wish that waits for the operation under way: for its word, or for its end."""

    wish: Wish
    number: int
    """Of the operation."""
    sequence: int | None = None
    """Of the command that it must acknowledge; None waits for its end."""
    then: Callable[[DeploymentState], DeploymentState] | None = None


@dataclass
class Life:
    """`Life(…).run()` plays until all is at rest."""

    given: DeploymentSpec
    versions: dict[str, VersionFacts]
    fleet: Fleet
    story: Story
    wishes: list[Wish]
    changes: list[Change] = field(default_factory=list)
    now: datetime = START
    events: list[tuple[int | None, Event]] = field(default_factory=list)
    """With the number of the operation that told it."""
    ended: list[tuple[OperationOrder, OperationResult]] = field(default_factory=list)
    refused: list[tuple[Wish, Refusal]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What was seen that must never be."""
    helped: int = 0
    """Times that a person had to help the last operation on."""
    mended: int = 0
    """Times that a person had to mend it: to try a way back again, or a scale."""
    route: dict[str, int] = field(init=False)
    """Weights as they are."""
    shares: dict[str, int] = field(init=False)
    """Weights as they were last told to the ledger."""
    state: DeploymentState = field(init=False)
    autoscaler: Steer | None = field(init=False)
    """What the target's autoscaler was told before the first operation."""
    _play: Play | None = None
    _inbox: list[Command] = field(default_factory=list)
    _pending: list[Pending] = field(default_factory=list)
    _later: list[Wish] = field(default_factory=list)
    """Wait until warm copies are given up, or another revision was acknowledged."""
    _promise: Promise = field(default_factory=Promise)
    _stood: int = 0

    def __post_init__(self) -> None:
        facts = self.versions[self.given.version]
        before = self.given.model_copy(update={"version": "2"})
        revisions = (
            Revision(number=1, facts=self.versions["2"], spec=before, phase=Phase.SUCCEEDED, actor="ada"),
            Revision(number=2, facts=facts, spec=self.given, phase=Phase.SUCCEEDED, actor="ada"),
        )
        self.state = DeploymentState(name="digits", spec=self.given, revisions=revisions, stable=2)
        self.route = self.shares = {self.given.version: 100}
        scaling = self.given.scaling
        told = Steer(version=self.given.version, scaling=scaling, step=0) if scaling else None
        self.state = self.state.model_copy(update={"autoscaled": scaling is not None})
        self.autoscaler = told
        self.wishes = sorted(self.wishes, key=lambda wish: wish.at)
        self.changes = sorted(self.changes, key=lambda change: change.at)

    def run(self) -> "Life":
        """Ask, decide, carry out, wait; until nothing more happens by itself."""
        for _ in range(A_LIFETIME):
            self._take_due()
            if self.state.operation is not None:
                self._go_on(self.state.operation)
            elif settling.release_due(self.state, self.now):
                self.state = settling.begin_release(self.state)
            elif (instant := self._next_instant()) is not None:
                self._pass_until(instant)
            elif not self._mend():
                return self
        raise AssertionError(f"no rest: {self.state.operation} {self._play and self._play._state!r}")

    # -- what is asked ---------------------------------------------------------------------------------------------

    def _take_due(self) -> None:
        while self.changes and self._at(self.changes[0].at) <= self.now:
            change = self.changes.pop(0)
            self.fleet.behave(change.version, change.behaviour, self.now)
        again, self._later = self._later, []
        for wish in again:
            self._take(wish)
        while self.wishes and self._at(self.wishes[0].at) <= self.now:
            self._take(self.wishes.pop(0))
        self.state = DeploymentState.model_validate(json.loads(self.state.model_dump_json()))

    def _take(self, wish: Wish) -> None:
        match wish.verb:
            case "warm":
                self.state = settling.give_up_warm(self.state, self.now)
            case "retire":
                self._retire(wish)
            case "apply" | "scale" | "undo" | "retry":
                self._accept(wish)
            case "abort" if self.state.under_way is None:
                self._accept(wish)
            case _:
                self._control(wish)

    def _accept(self, wish: Wish) -> None:
        """As the workflow accepts what may start an operation."""
        if self.state.releasing:
            self._later.append(wish)
            return
        decision = decided(self.state, wish, self.versions)
        if isinstance(decision, Refusal):
            self.refused.append((wish, decision))
            return
        order = self.state.operation
        if decision.ask is not None and decision.ask.spec is not None and order is not None:
            self._revise(wish, order, decision)
            return
        self._keep(decision.state, decision.unstarted)
        if decision.ask is not None and order is not None:
            self._send(decision.ask.verb)

    def _revise(self, wish: Wish, order: OperationOrder, decision: Accepted) -> None:
        if any(one.then for one in self._pending):
            self._later.append(wish)
            return
        assert decision.ask
        spec, labels = decision.ask.spec, decision.state.labels
        assert spec

        def then(state: DeploymentState) -> DeploymentState:
            return superseding.revised(state.model_copy(update={"labels": labels}), order.number, spec)

        self._pending.append(Pending(wish, order.number, self._send("revise", spec=spec), then))

    def _control(self, wish: Wish) -> None:
        refusal = planner.decide_control(self.state, wish.verb)
        order = self.state.operation
        if refusal is not None or order is None:
            self.refused.append((wish, refusal or Refusal(reason="Ended", message="")))
            return
        if wish.verb == "abort" and self.state.waiting is not None:
            self._keep(*superseding.drop_waiting(self.state, Phase.ABORTED, "AbortedByUser"))
        self._send(wish.verb, full=bool(wish.option), roles=("approver",))

    def _retire(self, wish: Wish) -> None:
        order = self.state.operation
        if order is not None and order.kind is not OperationKind.RETIRE:
            self._keep(*superseding.drop_waiting(self.state, Phase.ABORTED, "Retired"))
            self._send("retire")
            self._pending.append(Pending(wish, order.number))
            return
        self._accept(wish)

    def _send(self, verb: str, **more: Any) -> int:
        sequence = self.state.signals + 1
        self.state = self.state.model_copy(update={"signals": sequence})
        self._inbox.append(Command.model_validate({"sequence": sequence, "verb": verb, "actor": "ada", **more}))
        return sequence

    def _keep(self, state: DeploymentState, unstarted: tuple[Revision, ...]) -> None:
        self.state = state
        for revision in unstarted:
            self.events.append((None, superseding.unstarted_event(state, revision, "ada", self.now)))

    @property
    def steered(self) -> Steer | None:
        """What the target's autoscaler was last told."""
        return self._play.autoscaler if self._play else self.autoscaler

    def _mend(self) -> bool:
        """At rest: what failed is mended by a person, if anything did."""
        state = self.state
        coming = list(self.fleet.coming(self.now))
        if coming:
            self._pass_until(max(coming))
        if state.retired or not (state.doubt or state.off_scale):
            return bool(coming)
        for behaviour in self.fleet.behaviours.values():
            behaviour.never_ready = behaviour.crashes = False
        self.mended += 1
        if self.mended > MENDED_ENOUGH:
            return False
        copies = state.spec.copies if state.spec else 0
        again = Wish(0, "apply") if state.spec and state.spec.scaling else Wish(0, "scale", {"copies": copies})
        self._take(Wish(0, "abort") if state.doubt else again)
        return True

    # -- operations ------------------------------------------------------------------------------------------------

    def _go_on(self, order: OperationOrder) -> None:
        if self._play is None or self._play.order.number != order.number:
            self._begin(order)
        assert self._play
        play, self._inbox, commands = self._play, [], tuple(self._inbox)
        told = len(play.events)
        heard = len(play.acknowledged)
        decision = play.ask(commands)
        self.events += [(order.number, event) for event in play.events[told:]]
        if decision.shares is not None:
            self.shares = decision.shares.weights
            if sum(self.shares.values()) != 100 and self.shares:
                self.wrong.append(f"shares {self.shares}")
        for acknowledged in play.acknowledged[heard:]:
            self._hear(acknowledged)
        self._promise.renew(play.order, self.state.operation or order, play._state)
        if decision.result is not None:
            self._settle(decision.result)
        elif decision.actions or play.anew:
            play.obey(decision)
            self.now = play.now
        else:
            self._wait(decision.wait_until, stands=decision.phase is Phase.PAUSED, reason=decision.reason)

    def _begin(self, order: OperationOrder) -> None:
        module, state_type = PLANNERS[order.kind]
        before = self._play
        self._play = Play(
            module, state_type, order, self.fleet, self.story, now=self.now, route=dict(self.route), watch=self._watch
        )
        self._play.autoscaler = before.autoscaler if before else self.autoscaler
        if before is not None:
            counted = {name: getattr(before, name) for name in ("_acts", "_publishes", "_measured", "_decisions")}
            vars(self._play).update(counted)
        self._stood = self.helped = 0
        self._promise = Promise.of(order, self.fleet, self.now)

    def _hear(self, acknowledged: Acknowledged) -> None:
        for one in [one for one in self._pending if one.sequence == acknowledged.sequence]:
            self._pending.remove(one)
            if acknowledged.accepted and one.then is not None:
                self.state = one.then(self.state)

    def _settle(self, result: OperationResult) -> None:
        order = self.state.operation
        assert order
        assert self._play
        self.route = self._play.route
        self._inbox = []
        self.ended.append((order, result))
        if result.phase is Phase.SUCCEEDED and order.kind in {*MOVES, OperationKind.ONBOARD}:
            there = self.fleet.ready(order.new.version, self.now)
            if there != order.spec.copies and order.spec.scaling is None:
                self.wrong.append(f"{order.id} succeeded with {there} of {order.spec.copies} copies ready")
        self._keep(*superseding.go_on(self.state, order, result))
        over = [one for one in self._pending if one.number == order.number]
        self._pending = [one for one in self._pending if one.number != order.number]
        self._later += [one.wish for one in over]

    def _wait(self, until: datetime | None, *, stands: bool, reason: str | None) -> None:
        """Let time pass; a person helps what would stand still for ever."""
        instant = self._next_instant()
        self._stood += stands or reason == INSUFFICIENT
        if self._stood >= PATIENCE and instant is None:
            self._help(stands=stands, reason=reason)
            return
        instants = [one for one in (until, instant) if one is not None]
        if not instants:
            self._stood += 1
            self._pass_until(self.now + timedelta(seconds=1))
            return
        self._pass_until(min(instants))

    def _help(self, *, stands: bool, reason: str | None) -> None:
        self._stood = 0
        self.helped += 1
        if reason == "ApprovalNeeded":
            self._send("approve", roles=("approver",))
        elif stands and self.helped < 5:
            self._send("resume")
        elif stands and self.helped < 9:
            self._send("promote", full=True)
        elif self.helped < 12:
            self._control(Wish(0, "abort"))
        else:
            # Not even the way back finds room, or goes on: a person makes some.
            self.fleet.accelerators += 2

    # -- time ------------------------------------------------------------------------------------------------------

    def _at(self, seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    def _next_instant(self) -> datetime | None:
        """When something is next asked, changed or due."""
        instants = [self._at(self.wishes[0].at)] if self.wishes else []
        instants += [self._at(self.changes[0].at)] if self.changes else []
        if self.state.operation is None and self.state.warm is not None:
            instants.append(self.state.warm.until)
        return min(instants, default=None)

    def _pass_until(self, instant: datetime) -> None:
        if self._play is None or self._play.result is not None:
            self.now = max(self.now, instant)
            self.fleet.forget_gone(self.now)
            if self._play is not None:
                self._play.now = self.now
            return
        self._play.pass_until(max(self.now, instant))
        self.now = self._play.now

    # -- what must hold at every instant ---------------------------------------------------------------------------

    def _watch(self) -> None:
        play = self._play
        assert play
        self.now = play.now
        at = f"at {(self.now - START).total_seconds():g}s in {play.order.id}"
        counted = self.fleet.count()
        if len(counted) > 2:
            self.wrong.append(f"three versions {counted} {at}")
        order = self.state.operation or play.order
        if order.autoscaled or order.spec.scaling:
            return  # promised are the copies that it finds
        lossy = self.story.lossy
        self.wrong += [
            f"{broken} {at}" for broken in self._promise.broken(self.fleet, play.route, self.now, lossy=lossy)
        ]
