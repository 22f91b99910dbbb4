"""The target's autoscaler and an operation never change copies at once, and no end leaves the autoscaler held."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from played import START, Behaviour, Fleet, Play, Story, serving

from longshore.planning import retire, scale
from longshore.planning.operation import OperationOrder, OperationResult, Steer, VersionFacts
from longshore.planning.retire import RetireState
from longshore.planning.rollout import autoscaled
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import RolloutState
from longshore.planning.scale import ScaleState
from longshore.planning.steering import FAREWELL_LIMIT
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources
from longshore.spec.scaling import Scaling

PLAYS = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
BOUNDS = {"min": 1, "max": 6, "goal": 5}
CHECK = {"name": "errors", "metric": "error-rate", "max": 0.01}
seconds = st.floats(min_value=0, max_value=60).map(lambda number: round(number, 1))
numbers = st.sets(st.integers(min_value=1, max_value=60), max_size=5)


def facts(version: str) -> VersionFacts:
    return VersionFacts(version=version, resources=Resources(accelerators=1))


def order(
    kind: OperationKind,
    *,
    scaling: dict[str, Any] | None = BOUNDS,
    before: dict[str, Any] | None = BOUNDS,
    copies: int = 2,
    **policy: Any,
) -> OperationOrder:
    """From version 1 with the policy `before` to version 2 with the policy `scaling`; a scale stays at version 1."""
    spec = DeploymentSpec.model_validate(
        {
            "target": "here",
            "model": "digits",
            "version": "2",
            "copies": copies,
            "scaling": scaling,
            "rollout": {"batch": 1, "bake": 0, "deadline": 30, **policy},
        }
    )
    moves = kind in {OperationKind.ROLLOUT, OperationKind.ROLLBACK, OperationKind.ONBOARD}
    onboard = kind is OperationKind.ONBOARD
    return OperationOrder(
        id=f"digits/{kind}-2", deployment="digits", number=2, kind=kind, target="here", model="digits", actor="ada",
        revision=2, spec=spec, new=facts("2" if moves else "1"), old=None if onboard else facts("1"), old_copies=2,
        versions=("1", "2"), autoscaled=before is not None,
        old_scaling=None if before is None or onboard else Scaling.model_validate(before),
    )  # fmt: skip


def play(made: OperationOrder, there: int, story: Story | None = None, *, accelerators: int = 14, **new: Any) -> Play:
    """With `there` copies of version 1 as its autoscaler, or a person, chose them."""
    fleet = Fleet(accelerators, {"1": Behaviour(startup=2), "2": Behaviour(**{"startup": 2, **new})})
    for _ in range(there):
        fleet.add("1", START.replace(year=2025))
    kinds: dict[OperationKind, Any] = {
        OperationKind.SCALE: (scale, ScaleState),
        OperationKind.RETIRE: (retire, RetireState),
    }
    planner, state = kinds.get(made.kind, (rollout, RolloutState))
    told = Steer(version="1", scaling=made.old_scaling, step=0) if made.old_scaling else None
    route = {"1": 100} if made.old else {}
    return Play(planner, state, made, fleet, story or Story(), route=route, autoscaler=told)


def chooses(played: Play) -> tuple[str | None, Scaling | None, bool] | None:
    """Of which version the autoscaler chooses the copies in the end, by which policy, and whether it holds still."""
    told = played.autoscaler
    return told and (told.version, told.scaling, told.suspended)


def by(version: str, bounds: dict[str, Any] = BOUNDS) -> tuple[str, Scaling, bool]:
    return version, Scaling.model_validate(bounds), False


def test_a_rollout_moves_as_many_copies_as_the_autoscaler_had_chosen_and_hands_them_on() -> None:
    played = play(order(OperationKind.ROLLOUT, copies=2), there=5).run()

    assert played.result == OperationResult(phase=Phase.SUCCEEDED, message="version 2 serves with 5 copies")
    assert serving(played) == {"2": 5}
    assert chooses(played) == by("2")
    assert played.most == 6


def test_a_rollout_that_rolls_back_hands_the_copies_back_that_it_found() -> None:
    played = play(order(OperationKind.ROLLOUT, copies=2, bake=2, checks=[CHECK]), 5, Story(bad=True)).run()

    assert played.result is not None
    assert played.result.phase is Phase.ROLLED_BACK
    assert serving(played) == {"1": 5}
    assert chooses(played) == by("1")


def test_the_end_is_told_after_the_autoscaler_was() -> None:
    played = play(order(OperationKind.ROLLOUT), 2, Story(troubles={12, 13, 14, 15, 16, 17, 18, 19, 20, 21}))
    while played.result is None:
        decision = played.ask()
        ended = any(event.type is EventType.ROLLOUT_SUCCEEDED for event in decision.events)
        assert ended == (decision.result is not None) == decision.phase.ended
        assert not ended or chooses(played) == by("2")
        played.obey(decision)
        if decision.wait_until:
            played.pass_until(decision.wait_until)


def test_a_model_that_sleeps_is_updated_with_one_copy() -> None:
    sleeps = {**BOUNDS, "min": 0}
    played = play(order(OperationKind.ROLLOUT, scaling=sleeps, before=sleeps, copies=3), there=0).run()

    assert serving(played) == {"2": 1}
    assert chooses(played) == by("2", sleeps)


def test_a_rollout_that_waits_for_room_leaves_the_autoscaler_at_work() -> None:
    story = Story(commands=[(30, "abort")], chosen=[(10, 2)])
    played = play(order(OperationKind.ROLLOUT, copies=2), there=3, story=story, accelerators=3)
    played.fleet.behaviours["1"].never_ready = False
    at_work = []
    while played.now < START.replace(second=9):
        decision = played.ask()
        at_work.append(chooses(played))
        played.obey(decision)
        if decision.wait_until:
            played.pass_until(decision.wait_until)
    assert set(at_work) == {by("1")}

    played.run()  # the autoscaler gives a copy up, and there is room

    assert played.result is not None
    assert played.result.phase in {Phase.SUCCEEDED, Phase.ABORTED}
    assert chooses(played) in {by("1"), by("2")}


def test_a_rollout_whose_first_batch_is_refused_its_room_lets_the_autoscaler_go_on_until_there_is_some() -> None:
    played = play(order(OperationKind.ROLLOUT, copies=2), there=3, story=Story(chosen=[(60, 2)]), accelerators=3)
    played.fleet.obtainable, played.fleet.withheld = 1, [(0.0, 300.0)]
    while played.now < START.replace(second=50):
        decision = played.ask()
        played.obey(decision)
        if decision.wait_until:
            played.pass_until(decision.wait_until)
    assert EventType.BATCH_STARTED in {event.type for event in played.events}
    assert (chooses(played), serving(played)) == (by("1"), {"1": 3})

    played.run()  # the autoscaler gives a copy up, and there is room

    assert played.result == OperationResult(phase=Phase.SUCCEEDED, message="version 2 serves with 2 copies")
    assert (chooses(played), serving(played)) == (by("2"), {"2": 2})


def test_an_onboarding_begins_within_the_bounds() -> None:
    played = play(order(OperationKind.ONBOARD, scaling={**BOUNDS, "min": 3}, before=None, copies=1), there=0).run()

    assert serving(played) == {"2": 3}
    assert chooses(played) == by("2", {**BOUNDS, "min": 3})


def test_an_onboarding_that_fails_tells_the_autoscaler_nothing() -> None:
    made = order(OperationKind.ONBOARD, before=None)
    played = play(made, there=0, crashes=True).run()

    assert played.result is not None
    assert played.result.reason == "NothingToReturnTo"
    assert chooses(played) is None


SCALES: list[tuple[str, dict[str, Any] | None, dict[str, Any] | None, int, int]] = [
    ("copies that are within new bounds stay", BOUNDS, {**BOUNDS, "max": 8}, 5, 5),
    ("copies above new bounds are ended", BOUNDS, {**BOUNDS, "max": 3}, 5, 3),
    ("copies below new bounds are started", BOUNDS, {**BOUNDS, "min": 4}, 2, 4),
    ("a policy for copies that a person chose", None, BOUNDS, 5, 5),
    ("no policy any more: copies as written", BOUNDS, None, 5, 2),
]


@pytest.mark.parametrize(
    ("before", "after", "there", "then"), [row[1:] for row in SCALES], ids=[row[0] for row in SCALES]
)
def test_a_policy_is_changed_by_a_scale(
    before: dict[str, Any] | None, after: dict[str, Any] | None, there: int, then: int
) -> None:
    made = order(OperationKind.SCALE, scaling=after, before=before)
    played = play(made.model_copy(update={"old_copies": there}), there).run()

    assert played.result is not None
    assert played.result.phase is Phase.SUCCEEDED
    assert played.result.copies is None
    assert serving(played) == {"1": then}
    assert chooses(played) == (by("1", after) if after else (None, None, False))


def test_a_retirement_begins_by_taking_the_policy_away() -> None:
    played = play(order(OperationKind.RETIRE), there=4)
    first = played.ask()

    assert first.actions == (Steer(step=1),)
    played.obey(first)
    played.run()
    assert played.fleet.count() == {}
    assert chooses(played) == (None, None, False)


def test_after_a_failure_the_autoscaler_chooses_for_the_version_with_more_traffic() -> None:
    made = order(OperationKind.ROLLOUT)
    failed = OperationResult(phase=Phase.FAILED, reason="RollbackDeadlineExceeded")
    states = {share: RolloutState(held=True, step=7, weights={"1": 100 - share, "2": share}) for share in (25, 50, 75)}

    steers = {share: autoscaled.aim(made, state, failed) for share, state in states.items()}

    assert {share: steer and steer.version for share, steer in steers.items()} == {25: "1", 50: "1", 75: "2"}
    assert {steer and steer.step for steer in steers.values()} == {8}


def test_what_was_lost_on_the_way_is_brought_back_with_all_copies_that_serve() -> None:
    made = order(OperationKind.ROLLOUT).model_copy(update={"doubt": "return"})
    played = play(made, there=3)
    for _ in range(2):
        played.fleet.add("2", START.replace(year=2025))
    played.route = {"1": 60, "2": 40}
    played.autoscaler = Steer(version="1", scaling=made.old_scaling, suspended=True, step=0)

    played.run()

    assert serving(played) == {"1": 5}
    assert chooses(played) == by("1")


def until_its_end(played: Play) -> Play:
    """Play until nothing is left to do but to tell the autoscaler."""
    decision = played.ask()
    while not (decision.actions and isinstance(decision.actions[0], Steer) and not decision.actions[0].suspended):
        played.obey(decision)
        if decision.wait_until:
            played.pass_until(decision.wait_until)
        decision = played.ask()
    return played


def test_an_autoscaler_that_cannot_be_told_is_said_to_be_left_alone() -> None:
    played = until_its_end(play(order(OperationKind.ROLLOUT), there=1))
    played.story.troubles = set(range(1, 2000))
    near = played.now

    played.run()

    assert FAREWELL_LIMIT <= played.now - near < FAREWELL_LIMIT + timedelta(seconds=10)

    assert played.result is not None
    assert (played.result.phase, played.result.reason) == (Phase.SUCCEEDED, "AutoscalerNotSet")
    assert played.result.unsteered
    assert "longshore apply" in (played.result.message or "")
    assert [event.type for event in played.events][-1] is EventType.ROLLOUT_SUCCEEDED


@pytest.mark.parametrize(
    ("verb", "accepted"), [("retire", True), ("supersede", True), ("pause", False), ("abort", False)]
)
def test_who_waits_for_the_end_need_not_wait_for_the_autoscaler(verb: str, accepted: bool) -> None:  # noqa: FBT001
    played = until_its_end(play(order(OperationKind.ROLLOUT), there=1))

    decision = played.ask((played._asked(9, verb),))

    assert [one.accepted for one in decision.acknowledged] == [accepted]
    assert (decision.result is not None) == accepted
    assert decision.result is None or decision.result.unsteered


VERBS = ("pause", "resume", "resume", "promote", "promote full", "abort", "retire", "supersede")
bounds = st.sampled_from([BOUNDS, {**BOUNDS, "min": 0}, {**BOUNDS, "min": 2, "max": 4}])
behaviours = st.builds(dict, startup=st.sampled_from([0.0, 3.0, 20.0]), ending=st.sampled_from([0.0, 2.0]))
faulty = st.sampled_from([{"never_ready": True}, {"crashes": True}])


@st.composite
def plays(draw: st.DrawFn) -> Play:
    """Rollouts and scales of a deployment with a policy before, after, or both."""
    before, after = draw(st.one_of(bounds, st.none())), draw(st.one_of(bounds, st.none()))
    if before is None and after is None:
        before = BOUNDS
    kind = draw(st.sampled_from([OperationKind.ROLLOUT, OperationKind.ROLLOUT, OperationKind.SCALE]))
    strategy = draw(st.sampled_from(["rolling", "rolling", "blueGreen"]))
    batch = draw(st.sampled_from([1, 2, "50%"]))
    there, written = draw(st.integers(0, 5)), draw(st.integers(0, 4))
    made = order(kind, scaling=after, before=before, copies=written, strategy=strategy, batch=batch)
    if before is None:
        made = made.model_copy(update={"old_copies": there})
    story = Story(
        commands=draw(st.lists(st.tuples(seconds, st.sampled_from(VERBS)), max_size=3)),
        troubles=draw(numbers),
        slow_acks=draw(st.sets(st.integers(min_value=1, max_value=8), max_size=3)),
        anew=draw(numbers),
        chosen=draw(st.lists(st.tuples(seconds, st.integers(0, 7)), max_size=4)),
    )
    room = draw(st.sampled_from([0, 1, 4, 12]))
    new = draw(st.one_of(behaviours, behaviours, faulty))
    played = play(made, there, story, accelerators=max(there, 1) + room, **new)
    if draw(st.booleans()):
        played.fleet.obtainable, played.fleet.withheld = draw(st.integers(1, 4)), [(0.0, draw(seconds))]
    return played


@settings(PLAYS, max_examples=200)
@given(plays())
def test_no_end_leaves_the_autoscaler_held_or_with_the_wrong_version(played: Play) -> None:
    played.run()  # which asserts that no copy is changed while the autoscaler may change it

    made, result = played.order, played.result
    assert result is not None
    if result.reason == "Retired" or result.unsteered:
        return
    told = chooses(played)
    new = made.kind is OperationKind.SCALE or result.phase is Phase.SUCCEEDED
    version, scaling = (made.new.version, made.spec.scaling) if new else ("1", made.old_scaling)
    assert told is None or not told[2]
    if scaling is None:
        assert told is None or told[:2] == (None, None)
    else:
        assert told is not None
        assert told[:2] == (version, scaling)
    assert set(played.route) == {version}
