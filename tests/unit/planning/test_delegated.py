"""Updates handed to the platform: what is asked of it, what people may ask meanwhile, and the truth about their end."""

import json
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from played import START

from longshore.planning.delegated import planner
from longshore.planning.delegated.policy import is_delegated, native_policy
from longshore.planning.delegated.state import DelegatedState
from longshore.planning.delegated.verdict import Verdict, judged
from longshore.planning.moving import mover_of
from longshore.planning.native import NativeStatus, Portion
from longshore.planning.observed import Copy, CopyState, Observation
from longshore.planning.operation import (
    Acked,
    Acknowledged,
    Action,
    Command,
    Decision,
    Delegate,
    Facts,
    Frozen,
    OperationOrder,
    OperationResult,
    Publish,
    Shares,
    Steer,
    Trouble,
    VersionFacts,
)
from longshore.planning.room import Grant
from longshore.planning.words import Event, EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

A_WHILE = 3000


def order(kind: OperationKind = OperationKind.ROLLOUT, copies: int = 4, **changes: Any) -> OperationOrder:
    rollout = {
        "delegate": "sagemaker",
        "batch": "25%",
        "bake": "30s",
        "alarms": ["errors"],
        **changes.pop("rollout", {}),
    }
    spec = {"target": "fleet", "model": "digits", "version": "2", "copies": copies, "rollout": rollout}
    facts = {version: VersionFacts(version=version, resources=Resources(accelerators=1)) for version in "12"}
    return OperationOrder(
        id="digits/rollout-2", deployment="digits", number=2, kind=kind, target="fleet", model="digits", actor="ada",
        revision=2, spec=DeploymentSpec.model_validate(spec), new=facts["2"],
        **{"old": facts["1"], "old_revision": 1, "old_copies": copies, **changes},
    )  # fmt: skip


# -- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "copies", "batch", "wait", "limit"),
    [
        ({}, 4, Portion(percent=25), 30, 4 * 630),
        ({"batch": 2}, 8, Portion(copies=2), 30, 4 * 630),
        ({"batch": "50%", "rollbackBatch": "100%"}, 4, Portion(percent=50), 30, 2 * 630),
        ({"batch": 1}, 1, Portion(percent=50), 30, 630),
        ({"bake": "0s", "deadline": "1m"}, 1, Portion(percent=50), 0, 600),
        ({"batch": "5%", "bake": "1h"}, 40, Portion(percent=5), 3600, 28_800),
    ],
)
def test_a_policy_is_put_into_the_platforms_numbers(
    policy: dict[str, Any], copies: int, batch: Portion, wait: int, limit: int
) -> None:
    asked = native_policy(order(copies=copies, rollout=policy).spec.rollout, copies)
    back = Portion(percent=100) if "rollbackBatch" in policy else batch
    assert (asked.batch, asked.rollback_batch, asked.wait_s, asked.limit_s) == (batch, back, wait, limit)
    assert asked.alarms == ("errors",)


def test_strategies_become_the_shifts_of_an_endpoint_of_one_model() -> None:
    def asked(**rollout: Any) -> tuple[str, int, int, int]:
        made = native_policy(order(rollout={"bake": "1m", "deadline": "10m", **rollout}).spec.rollout, 4)
        return made.shift, made.step, made.keep_s, made.limit_s

    assert asked(strategy="blueGreen", keepWarm="5m") == ("allAtOnce", 0, 300, 960)
    assert asked(strategy="canary", steps=[{"weight": 10}]) == ("canary", 10, 0, 1320)
    assert asked(strategy="canary", steps=[{"weight": 25}, {"weight": 50}, {"weight": 75}]) == ("linear", 25, 0, 2640)
    assert asked() == ("rolling", 0, 0, 2640)


@given(st.integers(0, 100), st.one_of(st.integers(1, 50), st.floats(5, 50).map(lambda share: f"{share:.1f}%")))
def test_whatever_the_spec_lets_through_is_within_the_platforms_bounds(copies: int, batch: int | str) -> None:
    spec = {"target": "t", "model": "m", "version": "1", "copies": copies}
    try:
        policy = DeploymentSpec.model_validate({**spec, "rollout": {"delegate": "sagemaker", "batch": batch}}).rollout
    except ValueError:
        return
    asked = native_policy(policy, copies).batch
    if asked.copies is not None:
        assert 5 <= 100 * asked.copies / copies <= 50
    else:
        assert asked.percent is not None
        assert 5 <= asked.percent <= 50
    assert 1 <= asked.count(copies) <= max(1, (copies + 1) // 2)


@pytest.mark.parametrize(
    ("rollout", "told"),
    [
        ({"batch": 3}, "batch: 3 of 4 copies"),
        ({"batch": "60%"}, "5% to 50%"),
        ({"bake": "2h"}, "at most 1h each"),
        ({"maxUnavailable": 1}, "maxUnavailable"),
        ({"keepWarm": "2h"}, "at most 1h each"),
        ({"strategy": "canary", "steps": [{"weight": 60}]}, "at most 50"),
        ({"strategy": "canary", "steps": [{"weight": 20}, {"weight": 50}]}, "equal ones"),
        ({"strategy": "canary", "steps": [{"weight": 20}, {"pause": "5m"}]}, "pauses and approvals"),
        ({"checks": [{"name": "errors", "metric": "error-rate", "max": 0.1}]}, "name them in alarms"),
        ({"delegate": None}, "set delegate: sagemaker"),
    ],
)
def test_what_the_platform_cannot_do_is_refused_early(rollout: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        order(rollout=rollout)


@pytest.mark.parametrize(
    ("kind", "changes", "handed"),
    [
        (OperationKind.ROLLOUT, {}, True),
        (OperationKind.ROLLBACK, {}, True),
        (OperationKind.ONBOARD, {"old": None}, False),
        (OperationKind.SCALE, {}, False),
        (OperationKind.ROLLOUT, {"rollout": {"delegate": None, "alarms": []}}, False),
    ],
)
def test_only_the_way_from_one_version_to_another_is_handed_over(
    kind: OperationKind,
    changes: dict[str, Any],
    handed: bool,  # noqa: FBT001 - a column of the table
) -> None:
    made = order(kind, **changes)
    assert is_delegated(made) is handed
    assert (mover_of(made).planner is planner) is handed


# -- the truth -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        ({"under_way": True, "version": "1"}, Verdict.UNDER_WAY),
        ({"version": "2", "copies": 4, "ready": 4}, Verdict.REACHED),
        ({"version": "2", "copies": 4, "ready": 3}, Verdict.UNDER_WAY),
        ({"version": "2", "copies": 3, "ready": 3}, Verdict.UNDER_WAY),
        ({"version": "1", "copies": 4, "ready": 4}, Verdict.RETURNED),
        ({"version": None, "copies": 4, "ready": 4}, Verdict.BROKEN),
        ({"version": "2", "copies": 4, "ready": 4, "broken": True}, Verdict.BROKEN),
    ],
)
def test_an_update_is_judged_by_what_is_there(status: dict[str, Any], verdict: Verdict) -> None:
    seen = NativeStatus.model_validate({"resource": "c", "under_way": False, **status})
    assert judged(seen, goal="2", before="1", copies=4) is verdict


@dataclass
class Platform:
    """A platform that takes its time, and a world of a few lines around it."""

    order: OperationOrder
    lasts: float = 90.0
    ends: str = "new"
    """What comes of the first update: new, old, broken, stranger or never. Later ones end as they should."""
    commands: list[tuple[float, str]] = field(default_factory=list)
    troubles: set[int] = field(default_factory=set)
    """Actions that fail for now, the work done or not."""
    anew: set[int] = field(default_factory=set)
    """Decisions after which the operation continues as new."""
    no_room: int = 0
    """Times that there is no room."""
    frozen: int = 0
    version: str | None = "1"
    now: datetime = START
    begun: list[str] = field(default_factory=list)
    steered: list[Steer] = field(default_factory=list)
    route: dict[str, int] = field(default_factory=lambda: {"1": 100})
    events: list[Event] = field(default_factory=list)
    shares: list[Shares] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    result: OperationResult | None = None
    _fence: int = 0
    _until: datetime | None = None
    _acts: int = 0
    _broken: bool = False

    def run(self) -> "Platform":
        """Play it to its end."""
        state, given = planner.begin(self.order), dict[str, Any]()
        kept: Observation | None = None
        due = sorted(self.commands)
        for number in range(A_WHILE):
            now = [verb for at, verb in due if START + timedelta(seconds=at) <= self.now]
            due = due[len(now) :]
            commands = tuple(
                Command.model_validate({"sequence": number * 10 + one, "verb": verb, "actor": "ada"})
                for one, verb in enumerate(now)
            )
            kept = given.pop("observation", kept)
            decision = planner.advance(
                self.order, state, Facts(now=self.now, observation=kept, commands=commands, **given)
            )
            state = DelegatedState.model_validate(json.loads(json.dumps(decision.state)))
            self._hear(decision)
            if decision.result:
                self.result = decision.result
                return self
            given = {}
            if decision.actions and number not in self.anew:
                given = self._carry_out(decision.actions)
            elif decision.wait_until:
                self.waits.append((decision.wait_until - self.now).total_seconds())
                self.now = max(self.now, decision.wait_until)
        raise AssertionError(f"no end: {state!r}")

    def _hear(self, decision: Decision) -> None:
        self.events += decision.events
        self.acknowledged += decision.acknowledged
        self.shares += [decision.shares] if decision.shares else []

    def _carry_out(self, actions: tuple[Action, ...]) -> dict[str, Any]:
        given: dict[str, Any] = {"answered": True}
        for action in actions:
            self._acts += 1
            self.now += timedelta(milliseconds=100)
            self._settle()
            done = self._act(action)
            if self._acts in self.troubles:
                return {"trouble": Trouble(action=action.kind, reason="Busy", message="busy", retryable=True)}
            given |= done
        return given

    def _act(self, action: Action) -> dict[str, Any]:
        match action:
            case Delegate():
                self._begin(action)
                return {}
            case Steer():
                self.steered.append(action)
                return {}
            case Publish():
                self.route = dict(action.weights)
                return {"acked": Acked(acked=True, at=self.now, gateways=1)}
        if action.kind == "freeze" and self.frozen:
            self.frozen -= 1
            frozen = Frozen(name="night", until=self.now + timedelta(seconds=9), message="held by night")
            return {"frozen": frozen}
        if action.kind == "reserve":
            self.no_room -= 1
            return {"grant": Grant(granted=self.no_room < 0, reason="InsufficientAccelerators", message="no room")}
        told: dict[str, dict[str, Any]] = {"freeze": {"thawed": True}, "verify": {"verified": True}}
        if action.kind == "follow":
            return {"native": self._status()}
        return told.get(action.kind) or {"observation": self._seen(), "fresh": True}

    def _begin(self, action: Delegate) -> None:
        if action.step == self._fence:
            return  # asked before
        assert action.step > self._fence, "a step went back behind the fence"
        assert action.copies == (None if self.order.spec.scaling else self.order.spec.copies)
        self._fence = action.step
        self.begun.append(action.version)
        self._until = self.now + timedelta(seconds=self.lasts)

    def _settle(self) -> None:
        if self._until is None or self.now < self._until:
            return
        ends = self.ends if len(self.begun) == 1 else "new"
        if ends == "never":
            return
        self._until, self._broken = None, ends == "broken"
        self.version = {"new": self.begun[-1], "old": self.version, "broken": None, "stranger": "9"}[ends]

    def _status(self) -> NativeStatus:
        copies = self.order.spec.copies
        return NativeStatus(
            resource="component",
            under_way=self._until is not None,
            version=self.version,
            copies=copies,
            ready=copies,
            broken=self._broken,
            words="alarm errors" if self.ends == "old" else None,
        )

    def _seen(self) -> Observation:
        copies = tuple(
            Copy(id=f"c#{n}", deployment="digits", model="digits", version=self.version or "9", host="a",
                 state=CopyState.READY) for n in range(self.order.spec.copies)
        )  # fmt: skip
        return Observation(target="fleet", sequence=1, at=self.now, hosts=(), copies=copies, deployment="digits")

    def types(self) -> list[EventType]:
        """Of the events, in order."""
        return [event.type for event in self.events]


def test_an_update_that_reached_its_version_succeeded_and_the_ledger_says_what_is_known() -> None:
    played = Platform(order()).run()
    assert played.result == OperationResult(phase=Phase.SUCCEEDED, message="version 2 serves with 4 copies")
    assert (played.begun, played.route) == (["2"], {"2": 100})
    assert played.types() == [EventType.ROLLOUT_STARTED, EventType.TRAFFIC_SHIFTED, EventType.ROLLOUT_SUCCEEDED]
    assert "handed to SageMaker: batches of 25% (1 of 4), 30 s apart, back on alarm errors" in played.events[0].message
    assert "only SageMaker knows" in played.shares[0].cause


def test_looks_grow_rarer_but_never_too_rare() -> None:
    played = Platform(order(), lasts=1200).run()
    assert played.waits[0] == 2
    assert played.waits == sorted(played.waits)
    assert max(played.waits) == 30


def test_a_silent_rollback_is_none_of_a_success() -> None:
    played = Platform(order(), ends="old").run()
    assert played.result is not None
    assert (played.result.phase, played.result.reason) == (Phase.ROLLED_BACK, "RolledBackByPlatform")
    assert played.result.message == "SageMaker rolled component back to version 1: alarm errors"
    assert (played.route, played.shares) == ({"1": 100}, [])


@pytest.mark.parametrize(
    ("ends", "reason"),
    [("broken", "NativeUpdateFailed"), ("stranger", "NativeUpdateFailed"), ("never", "StillUpdating")],
)
def test_what_the_platform_cannot_mend_needs_a_person_who_is_told_what_to_do(ends: str, reason: str) -> None:
    played = Platform(order(), ends=ends).run()
    assert played.result is not None
    assert (played.result.phase, played.result.reason) == (Phase.FAILED, reason)
    assert "longshore rollout abort digits asks SageMaker for version 1 again" in (played.result.message or "")


@pytest.mark.parametrize("doubt", ["return", "again"])
@pytest.mark.parametrize("there", ["1", "2", None])
def test_after_a_doubtful_end_it_goes_back_from_whatever_is_there(doubt: str, there: str | None) -> None:
    played = Platform(order(doubt=doubt), version=there).run()
    assert played.result is not None
    back = [] if there == "1" else ["1"]
    again = doubt == "again"
    assert played.begun == ([*back, "2"] if again else back)
    assert played.result.phase is (Phase.SUCCEEDED if again else Phase.ABORTED)
    assert played.version == ("2" if again else "1")


def test_it_waits_for_the_room_of_one_batch_and_says_so_once() -> None:
    played = Platform(order(), no_room=9).run()
    assert played.result is not None
    assert played.result.phase is Phase.SUCCEEDED
    assert played.types().count(EventType.ROLLOUT_BLOCKED) == 1


@pytest.mark.parametrize(
    ("verb", "at", "accepted", "phase"),
    [
        ("pause", 20, False, Phase.SUCCEEDED),
        ("resume", 20, False, Phase.SUCCEEDED),
        ("promote", 20, False, Phase.SUCCEEDED),
        ("revise", 20, False, Phase.SUCCEEDED),
        ("abort", 20, False, Phase.SUCCEEDED),
        ("supersede", 20, True, Phase.SUCCEEDED),
        ("retire", 20, True, Phase.ABORTED),
        ("abort", 0, True, Phase.ABORTED),
        ("supersede", 0, True, Phase.SUPERSEDED),
        ("override", 0, True, Phase.SUCCEEDED),
    ],
)
def test_what_people_may_ask_of_it(verb: str, at: float, accepted: bool, phase: Phase) -> None:  # noqa: FBT001
    played = Platform(order(), commands=[(at, verb)], frozen=0 if at else 3).run()
    (answer,) = played.acknowledged
    assert (answer.accepted, played.result and played.result.phase) == (accepted, phase)
    assert "\n" not in answer.message
    assert answer.accepted or "SageMaker" in answer.message


def test_the_copies_of_an_autoscaler_are_left_as_they_are_and_it_goes_on_with_the_new_version() -> None:
    scaling = {"min": 1, "max": 8, "goal": 4}
    made = order()
    spec = DeploymentSpec.model_validate({**made.spec.model_dump(mode="json", by_alias=True), "scaling": scaling})
    made = made.model_copy(update={"spec": spec, "autoscaled": True, "old_scaling": spec.scaling})
    played = Platform(made).run()
    assert played.result is not None
    assert played.result.phase is Phase.SUCCEEDED
    assert [(told.version, told.suspended) for told in played.steered] == [("1", True), ("2", False)]


seconds = st.floats(0, 200).map(lambda number: round(number, 1))
verbs = st.sampled_from(["pause", "resume", "promote", "abort", "abort", "supersede", "retire", "override", "approve"])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.builds(
        Platform,
        st.builds(
            order,
            st.sampled_from([OperationKind.ROLLOUT, OperationKind.ROLLBACK]),
            copies=st.integers(1, 5),
            doubt=st.sampled_from([None, None, None, "return", "again"]),
            rollout=st.just({"batch": "50%"}),
        ),
        lasts=st.sampled_from([0.0, 5.0, 60.0, 400.0]),
        ends=st.sampled_from(["new", "new", "new", "old", "broken", "stranger"]),
        commands=st.lists(st.tuples(seconds, verbs), max_size=4),
        troubles=st.sets(st.integers(1, 30), max_size=6),
        anew=st.sets(st.integers(1, 40), max_size=6),
        no_room=st.sampled_from([0, 0, 3]),
        frozen=st.sampled_from([0, 0, 2]),
        version=st.sampled_from(["1", "1", "2"]),
    )
)
def test_whatever_befalls_it_its_end_says_what_is_there_and_nothing_is_begun_twice(played: Platform) -> None:
    if played.order.doubt is None:
        played.version = "1"
    played.run()
    result, told = played.result, played.types()
    assert result is not None
    assert told[0] is EventType.ROLLOUT_STARTED
    assert len(played.begun) <= (2 if played.order.doubt == "again" else 1) + (
        "abort" in dict(map(reversed, played.commands))
    )
    if result.phase is Phase.SUCCEEDED:
        assert (played.version, played.route, played.shares[-1].weights) == ("2", {"2": 100}, {"2": 100})
    elif result.phase is Phase.ROLLED_BACK:
        assert (played.version, played.route) == ("1", {"1": 100})
    elif result.phase in {Phase.ABORTED, Phase.SUPERSEDED} and result.reason != "Retired":
        assert played.version == "1"
    elif result.phase is Phase.FAILED:
        assert "longshore rollout" in (result.message or "")
