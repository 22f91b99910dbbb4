"""Room that was granted and then refused: taken back, asked for again, and gone on with what is really there."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from lived import Life
from lived_well import holds, serving
from played import START, Behaviour, Fleet, Play, Story
from test_deployments_live import LIVES
from wished import Wish

from longshore.planning import refusals, scale
from longshore.planning.granting import decide, hold
from longshore.planning.observed import Copy, CopyState, Observation, ObservedHost
from longshore.planning.operation import Facts, OperationOrder, VersionFacts
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import RolloutState
from longshore.planning.rollout.turn import RolloutTurn
from longshore.planning.room import Grant, Reservation, ReservationRequest, TargetRoom
from longshore.planning.scale import ScaleState
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

ONE = Resources(accelerators=1)
REFUSED = refusals.INSUFFICIENT_CAPACITY
FOR_LONG = [(0.0, 300.0)]


def facts(version: str) -> VersionFacts:
    return VersionFacts(version=version, resources=ONE)


def played(kind: OperationKind, fleet: Fleet, *, copies: int, before: int | None, **policy: Any) -> Play:
    """An operation on `before` copies that serve, on a fleet whose other host is not to be had for a while."""
    given_policy = {"batch": 2, "bake": "5s", "deadline": "30s", "drainTimeout": "0s", **policy}
    spec = DeploymentSpec.model_validate(
        {"target": "here", "model": "digits", "version": "2", "copies": copies, "rollout": given_policy}
    )
    scales = kind is OperationKind.SCALE
    order = OperationOrder(
        id=f"digits/{kind}-2", deployment="digits", number=2, kind=kind, target="here", model="digits", actor="ada",
        revision=2, spec=spec, new=facts("1" if scales else "2"), old=None if before is None or scales else facts("1"),
        old_copies=before, versions=("1", "2"),
    )  # fmt: skip
    for _ in range(before or 0):
        fleet.add("1", START.replace(year=2025))
    module, state = (scale, ScaleState) if scales else (rollout, RolloutState)
    return Play(module, state, order, fleet, Story(), route={} if before is None else {"1": 100})


def fleet_of(accelerators: int, obtainable: int, withheld: list[tuple[float, float]] = FOR_LONG) -> Fleet:
    behaviours = {version: Behaviour(startup=4.0) for version in ("1", "2")}
    return Fleet(accelerators, behaviours, obtainable=obtainable, withheld=withheld)


def told(play: Play, type_: EventType) -> list[str]:
    return [event.message for event in play.events if event.type is type_]


def test_a_batch_goes_on_smaller_when_a_part_of_its_room_is_refused() -> None:
    play = played(OperationKind.ROLLOUT, fleet_of(5, 1), copies=4, before=4).run()
    assert play.result is not None
    assert (play.result.phase, play.fleet.count()) == (Phase.SUCCEEDED, {"2": 4})
    assert told(play, EventType.BATCH_STARTED)[0] == "2 copies of version 2"
    # The refused copy shows at once, and nobody waits for it: four batches of one, with 4 s to start and a bake of 5 s.
    assert len(told(play, EventType.BATCH_DONE)) == 4
    assert play.now - START < timedelta(seconds=50)
    assert (told(play, EventType.ROLLOUT_BLOCKED), play.least_ready) == ([], 4)


def test_it_drains_first_where_that_is_allowed() -> None:
    play = played(OperationKind.ROLLOUT, fleet_of(4, 2), copies=4, before=4, maxUnavailable=1).run()
    assert play.result is not None
    assert (play.result.phase, play.fleet.count()) == (Phase.SUCCEEDED, {"2": 4})
    assert (told(play, EventType.ROLLOUT_BLOCKED), play.least_ready) == ([], 3)
    assert play.now - START < timedelta(seconds=60)


def test_else_it_is_blocked_once_with_the_targets_words_and_goes_on_by_itself() -> None:
    play = played(OperationKind.ROLLOUT, fleet_of(4, 2, [(0.0, 60.0)]), copies=4, before=4).run()
    assert play.result is not None
    assert (play.result.phase, play.fleet.count(), play.least_ready) == (Phase.SUCCEEDED, {"2": 4}, 4)
    (blocked,) = told(play, EventType.ROLLOUT_BLOCKED)
    assert "maxUnavailable: 1 would do" in blocked
    assert refusals.INSUFFICIENT_CAPACITY in blocked
    shifted = next(event.at for event in play.events if event.type is EventType.TRAFFIC_SHIFTED)
    assert timedelta(seconds=60) < shifted - START < timedelta(seconds=70)


def test_while_it_is_blocked_nothing_is_left_of_what_was_refused() -> None:
    play = played(OperationKind.ROLLOUT, fleet_of(4, 2), copies=4, before=4)
    for _ in range(50):
        decision = play.ask()
        play.obey(decision)
        if told(play, EventType.ROLLOUT_BLOCKED):
            break
        if not decision.actions:
            play.pass_until(decision.wait_until or play.now)
    assert play.decision is not None
    assert (play.fleet.count(), play.decision.phase, play.route) == ({"1": 4}, Phase.PENDING, {"1": 100})


def test_an_onboarding_holds_nothing_while_the_rest_of_it_is_refused() -> None:
    play = played(OperationKind.ONBOARD, fleet_of(2, 2, [(0.0, 60.0)]), copies=3, before=None)
    counts: list[int] = []
    play.watch = lambda: counts.append(len(play.fleet.copies)) if play.now > START else None
    play.run()
    assert play.result is not None
    assert (play.result.phase, play.fleet.count()) == (Phase.SUCCEEDED, {"2": 3})
    assert 0 in counts[counts.index(3) :]


def test_a_scale_takes_what_there_is_and_waits_for_the_rest() -> None:
    play = played(OperationKind.SCALE, fleet_of(3, 2, [(0.0, 60.0)]), copies=5, before=2).run()
    assert play.result is not None
    assert (play.result.phase, play.fleet.count()) == (Phase.SUCCEEDED, {"1": 5})
    assert len(told(play, EventType.ROLLOUT_BLOCKED)) == 1


def test_a_way_back_that_is_refused_room_waits_for_it_and_does_not_fail() -> None:
    # Both hosts are full of the new version as it goes bad, and what it frees on the other is not to be had again.
    play = played(
        OperationKind.ROLLOUT,
        fleet_of(3, 2, [(12.0, 120.0)]),
        copies=4,
        before=3,
        checks=[{"name": "errors", "metric": "error-rate", "max": 0.01}],
    )
    play.fleet.behaviours["1"].startup = 1.0
    play.story.outcomes = {}
    play.story.bad = False
    play.story.commands = [(18.0, "abort")]
    play.run()
    assert play.result is not None
    assert (play.result.phase, play.fleet.count()) == (Phase.ABORTED, {"1": 3})


# -- room ----------------------------------------------------------------------------------------------------------


def request(**changes: Any) -> ReservationRequest:
    fields = {"target": "here", "deployment": "digits", "model": "m", "version": "2", "operation": "it", "batch": 2}
    return ReservationRequest.model_validate({**fields, "resources": ONE, **changes})


HERE = ObservedHost(name="a", accelerators=2)
GONE = ObservedHost(name="b", accelerators=4, up=False, obtainable=True)


def test_nothing_is_placed_on_a_host_that_refused_a_copy_lately() -> None:
    room = TargetRoom("here", (HERE, ObservedHost(name="b", accelerators=4)), ())
    assert decide(request(batch=6), room).placement == {"a": 2, "b": 4}
    assert decide(request(batch=6, without=("b",)), room).placement == {"a": 2}
    assert hold(request(without=("b",)), room, Grant(granted=True, placement={"a": 2})) == {"a": 2}


def test_what_was_reserved_on_a_host_that_is_not_to_be_had_is_nobodys() -> None:
    held = Reservation(deployment="chat", operation="other", ticket=1, request=request(), held={"b": 4})
    there = GONE.model_copy(update={"up": True})
    assert decide(request(batch=1), TargetRoom("here", (there,), (), (held,))).granted is False
    assert TargetRoom("here", (GONE,), (), (held,)).held == {}
    down = GONE.model_copy(update={"obtainable": False})
    assert TargetRoom("here", (down,), (), (held,)).held == {"b": 4}


@pytest.mark.parametrize(
    ("state", "reason", "found"),
    [
        (CopyState.STARTING, refusals.INSUFFICIENT_CAPACITY, True),
        (CopyState.STARTING, None, False),
        (CopyState.DRAINING, refusals.INSUFFICIENT_CAPACITY, False),
        (CopyState.UNREADY, refusals.INSUFFICIENT_CAPACITY, False),
    ],
)
def test_a_copy_is_refused_while_it_starts_and_says_so(
    state: CopyState,
    reason: str | None,
    found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    copy = Copy(id="x", deployment="digits", model="m", version="2", host="b", state=state, reason=reason)
    play = played(OperationKind.ROLLOUT, fleet_of(4, 2), copies=4, before=4)
    seen = play.fleet.observe(START).model_copy(update={"copies": (copy,)})
    assert bool(refusals.refused(Facts(now=START, observation=seen), "2")) is found


@pytest.mark.parametrize(
    ("host", "shut"),
    [("a", ("a",)), ("b", ("b",)), ("gone", ()), ("unplaced", ("a", "b"))],
    ids=["the one it was to be on", "or the other", "none that shows as gone", "all, where the target names none"],
)
def test_a_host_that_is_there_and_refused_a_copy_is_not_asked_again_at_once(host: str, shut: tuple[str, ...]) -> None:
    hosts = (HERE, GONE.model_copy(update={"up": True}), GONE.model_copy(update={"name": "gone"}))
    state = CopyState.STARTING
    copy = Copy(
        id="x", deployment="digits", model="m", version="2", host=host, state=state, message="no", reason=REFUSED
    )
    seen = Observation(target="here", sequence=1, at=START, hosts=hosts, copies=(copy,))
    made = played(OperationKind.ROLLOUT, fleet_of(4, 2), copies=4, before=4).order
    turn = RolloutTurn(made, rollout.begin(made), Facts(now=START, observation=seen))
    refusals.remember(turn, (copy,))
    assert (refusals.shut(turn), turn.state.refusal) == (shut, "no")
    later = RolloutTurn(made, turn.state, Facts(now=START + refusals.SHUT_FOR))
    assert refusals.shut(later) == ()


# -- whole lives -----------------------------------------------------------------------------------------------------

spans = st.lists(
    st.tuples(st.integers(0, 100), st.integers(1, 120)).map(lambda one: (float(one[0]), float(sum(one)))), max_size=3
)
VERBS: list[tuple[str, dict[str, Any]]] = [
    *(("apply", {"version": version}) for version in "123"),
    *(("scale", {"copies": copies}) for copies in (2, 5)),
    *((verb, {}) for verb in ("abort", "undo", "retry", "retire")),
]
asked = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 3.0, 8.0, 25.0, 60.0]), st.sampled_from(VERBS)), min_size=1, max_size=5
)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    desired = draw(st.integers(1, 4))
    policy = {
        "strategy": draw(st.sampled_from(["rolling", "blueGreen"])),
        "batch": draw(st.sampled_from([1, 2, "50%"])),
        "maxUnavailable": draw(st.sampled_from([0, 0, 1])),
        "bake": "5s",
        "deadline": "30s",
        "drainTimeout": "0s",
    }
    spec = {"target": "here", "model": "digits", "version": "1", "copies": desired, "rollout": policy}
    behaviours = {version: Behaviour(startup=draw(st.sampled_from([0.0, 4.0]))) for version in "123"}
    fleet = Fleet(desired + draw(st.integers(0, 2)), behaviours, obtainable=8, withheld=draw(spans))
    for _ in range(desired):
        fleet.add("1", START.replace(year=2025))
    at, wishes = 0.0, []
    for after, (verb, changes) in draw(asked):
        at += after
        wishes.append(Wish(at, verb, changes))
    versions = {version: facts(version) for version in "123"}
    return Life(DeploymentSpec.model_validate(spec), versions, fleet, Story(), wishes)


@LIVES
@given(lives())
def test_a_deployment_whose_target_refuses_room_now_and_then_comes_to_rest_all_the_same(life: Life) -> None:
    holds(life.run())
    assert not any("starting" in state for state in serving(life))
