"""Whatever befalls an operation, it comes to rest, and then everything is as its phase says."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from played import START, Behaviour, Fleet, Play, Story, serving

from longshore.planning import retire, scale
from longshore.planning.checks import Outcome
from longshore.planning.operation import OperationOrder, VersionFacts
from longshore.planning.retire import RetireState
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import RolloutState
from longshore.planning.scale import ScaleState
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

PLAYS = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
DEADLINE = 30.0
seconds = st.floats(min_value=0, max_value=60).map(lambda number: round(number, 1))
numbers = st.sets(st.integers(min_value=1, max_value=60), max_size=5)


def facts(version: str, *, smoke: bool = False) -> VersionFacts:
    return VersionFacts(version=version, resources=Resources(accelerators=1), smoke=smoke)


def order(kind: OperationKind, copies: int, before: int | None, **policy: object) -> OperationOrder:
    spec = DeploymentSpec.model_validate(
        {"target": "here", "model": "digits", "version": "2", "copies": copies, "rollout": {"batch": 1, **policy}}
    )
    new = "1" if kind in {OperationKind.SCALE, OperationKind.RETIRE} else "2"
    return OperationOrder(
        id=f"digits/{kind}-2", deployment="digits", number=2, kind=kind, target="here", model="digits", actor="ada",
        revision=2, spec=spec, new=facts(new), old=None if before is None else facts("1"), old_copies=before,
        versions=("1", "2"),
    )  # fmt: skip


@st.composite
def stories(draw: st.DrawFn, verbs: tuple[str, ...]) -> Story:
    """Anything may befall an operation, but for what only a person can mend."""
    outcomes = st.sampled_from([Outcome.FAILED, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.NOT_YET])
    return Story(
        commands=draw(st.lists(st.tuples(seconds, st.sampled_from(verbs)), max_size=4)),
        losses=draw(st.lists(st.tuples(seconds, st.sampled_from(["1", "2"]), st.integers(1, 12)), max_size=2)),
        troubles=draw(numbers),
        slow_acks=draw(st.sets(st.integers(min_value=1, max_value=8), max_size=3)),
        anew=draw(numbers),
        outcomes=draw(st.dictionaries(st.integers(min_value=1, max_value=20), outcomes, max_size=3)),
        bad=draw(st.booleans()),
    )


behaviours = st.builds(
    Behaviour,
    startup=st.sampled_from([0.0, 0.5, 3.0, 20.0]),
    ending=st.sampled_from([0.0, 2.0, 8.0]),
    busy=st.sampled_from([0.0, 0.3, 5.0]),
)
faulty = st.sampled_from([Behaviour(never_ready=True), Behaviour(crashes=True)])
policies = st.fixed_dictionaries(
    {
        "batch": st.one_of(st.integers(1, 5), st.sampled_from(["25%", "50%", "100%"])),
        "maxUnavailable": st.sampled_from([0, 0, 1, 2, "50%", 5]),
        "rollbackBatch": st.sampled_from([None, 1, 2, 5]),
        "bake": st.sampled_from([0.0, 2.0, 9.0]),
        "deadline": st.just(DEADLINE),
        "drainTimeout": st.sampled_from([0.0, 1.0, 10.0]),
        "checks": st.sampled_from([(), ({"name": "errors", "metric": "error-rate", "max": 0.01},)]),
    }
)
withheld = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 90)), max_size=2).map(
    lambda spans: [(float(begins), float(begins + lasts)) for begins, lasts in spans]
)
"""Spans in which the host that is started when it is needed is not to be had."""


@st.composite
def fleets(draw: st.DrawFn, accelerators: int, behaviours: dict[str, Behaviour]) -> Fleet:
    """All accelerators on one host, or some of them on one that is not always to be had."""
    spare = draw(st.one_of(st.just(0), st.integers(0, 5)))
    return Fleet(accelerators, behaviours, obtainable=spare, withheld=draw(withheld) if spare else [])


ROLLOUT_VERBS = ("pause", "resume", "resume", "promote", "promote full", "abort", "retire")


@st.composite
def rollouts(draw: st.DrawFn) -> Play:
    copies, before = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    if draw(st.booleans()):
        before = copies
    made = order(OperationKind.ROLLOUT, copies, before, **draw(policies))
    new = draw(st.one_of(behaviours, behaviours, faulty))
    fleet = draw(fleets(max(copies, before) + draw(st.integers(0, 5)), {"1": draw(behaviours), "2": new}))
    for _ in range(before):
        fleet.add("1", START.replace(year=2025))
    return Play(rollout, RolloutState, made, fleet, draw(stories(ROLLOUT_VERBS)), route={"1": 100})


def moved_as_promised(play: Play) -> None:
    made, policy = play.order, play.order.spec.rollout
    copies, before = made.spec.copies, made.copies_before
    missing = policy.unavailable_copies(copies)
    assert play.most <= max(copies, before) + min(policy.batch_copies(copies), copies)
    if not play.story.lossy:
        assert play.least_ready >= min(before, copies - missing)
        if min(before, copies - missing) > 0:
            assert play.to_nobody == []


@PLAYS
@given(rollouts())
def test_a_rollout_comes_to_rest_as_its_phase_says_and_never_below_what_it_promised(play: Play) -> None:
    play.run()
    made = play.order
    moved_as_promised(play)
    started = [event.batch for event in play.events if event.type is EventType.BATCH_STARTED]
    done = [event.batch for event in play.events if event.type is EventType.BATCH_DONE]
    assert started == list(range(1, len(started) + 1))
    assert done == started[: len(done)]
    assert len(started) - len(done) <= 1
    assert play.result is not None
    wanted = {
        Phase.SUCCEEDED: ({"2": made.spec.copies}, {"2": 100}),
        Phase.ROLLED_BACK: ({"1": made.copies_before}, {"1": 100}),
        Phase.ABORTED: ({"1": made.copies_before}, {"1": 100}),
    }
    if play.result.reason == "Retired" or (play.story.lossy and play.result.reason == "RollbackDeadlineExceeded"):
        return
    assert play.result.phase in wanted, play.result
    copies, route = wanted[play.result.phase]
    assert play.route == route
    if not play.story.lossy:
        assert serving(play) == {version: number for version, number in copies.items() if number}
    assert play.fleet.count() == {version: number for version, number in copies.items() if number}


weights = st.lists(st.sampled_from([1, 5, 10, 25, 50, 75, 100]), min_size=1, max_size=3, unique=True).map(sorted)
between = st.sampled_from([{"pause": "3s"}, {"pause": {}}, {"approval": {"roles": ["approver"]}}, None])


@st.composite
def steps(draw: st.DrawFn) -> list[object]:
    """Weights that grow, with anything between them."""
    laid: list[object] = []
    for weight in draw(weights):
        laid.append({"weight": weight, **({"copies": 2} if draw(st.integers(0, 5)) == 0 else {})})
        laid += [step for step in (draw(between),) if step]
    return laid


@st.composite
def moves(draw: st.DrawFn) -> Play:
    """Rollouts by every strategy, scaled and superseded on the way."""
    copies = draw(st.integers(1, 5))
    policy = {**draw(policies), "strategy": draw(st.sampled_from(["rolling", "canary", "blueGreen"]))}
    if policy["strategy"] == "canary":
        policy["steps"] = draw(steps())
    if policy["strategy"] == "blueGreen":
        policy["keepWarm"] = draw(st.sampled_from(["0s", "1m"]))
    made = order(OperationKind.ROLLOUT, copies, copies, **policy).model_copy(update={"old_revision": 1})
    behave = {"1": draw(behaviours), "2": draw(st.one_of(behaviours, faulty))}
    room, here = 12 + draw(st.integers(0, 8)), draw(st.sampled_from([20, 20, copies + 1]))
    fleet = Fleet(min(room, here), behave, obtainable=max(0, room - here), withheld=draw(withheld))
    for _ in range(copies):
        fleet.add("1", START.replace(year=2025))
    verbs = (*ROLLOUT_VERBS, "approve", "supersede", "scale 1", "scale 2", "scale 4", "scale 6")
    return Play(rollout, RolloutState, made, fleet, draw(stories(verbs)), route={"1": 100})


def desired(play: Play) -> int:
    """Copies that were asked for last, as far as the rollout accepted it."""
    accepted = {one.sequence for one in play.acknowledged if one.accepted}
    asked = [verb for _, verb in sorted(play.asked_verbs)]
    scales = [verb for number, verb in enumerate(asked, start=1) if number in accepted and verb.startswith("scale")]
    return int(scales[-1].split()[1]) if scales else play.order.spec.copies


@settings(PLAYS, max_examples=150)
@given(moves())
def test_whatever_the_strategy_a_rollout_ends_as_its_phase_says(play: Play) -> None:
    play.asked_verbs = list(play.story.commands)
    play.run()
    assert play.result is not None
    started = [event.batch for event in play.events if event.type is EventType.BATCH_STARTED]
    assert started == list(range(1, len(started) + 1))
    if play.result.reason == "Retired" or (play.story.lossy and play.result.reason == "RollbackDeadlineExceeded"):
        return
    copies = desired(play)
    scaled = copies != play.order.spec.copies
    if not play.story.lossy:
        assert play.to_nobody == []
    if play.result.phase is Phase.SUCCEEDED:
        assert play.route == {"2": 100}
        warm = play.result.warm
        counted = play.fleet.count()
        assert counted.pop("2") == copies
        assert (counted != {}) == (warm is not None)
    else:
        assert play.result.phase in {Phase.ROLLED_BACK, Phase.ABORTED, Phase.SUPERSEDED}, play.result
        assert play.route == {"1": 100}
        assert play.fleet.count() == {"1": copies if scaled else play.order.copies_before}


@st.composite
def onboardings(draw: st.DrawFn) -> Play:
    copies = draw(st.integers(0, 4))
    golden = {"name": "right", "metric": "accuracy", "min": 0.9, "source": {"golden": "file:///golden.jsonl"}}
    made = order(OperationKind.ONBOARD, copies, None, deadline=DEADLINE, checks=draw(st.sampled_from([(), (golden,)])))
    made = made.model_copy(update={"new": facts("2", smoke=draw(st.booleans()))})
    fleet = draw(fleets(draw(st.integers(1, 5)), {"2": draw(st.one_of(behaviours, behaviours, faulty))}))
    return Play(rollout, RolloutState, made, fleet, draw(stories(ROLLOUT_VERBS)))


@PLAYS
@given(onboardings())
def test_an_onboarding_serves_with_all_its_copies_or_leaves_nothing_behind(play: Play) -> None:
    play.run()
    assert play.result is not None
    assert play.most <= play.order.spec.copies
    if play.result.phase is Phase.SUCCEEDED:
        assert serving(play) == ({"2": play.order.spec.copies} if play.order.spec.copies else {})
        assert play.route == {"2": 100}
    elif play.result.reason != "Retired":
        assert (play.fleet.count(), play.route) == ({}, {})
    if not play.story.lossy and play.order.spec.copies:
        assert play.to_nobody == []


@st.composite
def scales(draw: st.DrawFn) -> Play:
    copies, before = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    made = order(OperationKind.SCALE, copies, before, **draw(policies))
    fleet = draw(fleets(max(1, before) + draw(st.integers(0, 5)), {"1": draw(behaviours)}))
    for _ in range(before):
        fleet.add("1", START.replace(year=2025))
    return Play(scale, ScaleState, made, fleet, draw(stories(("pause", "abort", "abort", "retire"))), route={"1": 100})


@PLAYS
@given(scales())
def test_a_scale_comes_to_its_number_or_goes_back_to_the_one_before(play: Play) -> None:
    play.run()
    copies, before = play.order.spec.copies, play.order.copies_before
    assert play.result is not None
    assert play.most <= max(copies, before)
    if not play.story.lossy:
        assert play.least_ready >= min(copies, before)
    ends = {Phase.SUCCEEDED: copies, Phase.ABORTED: before}
    if play.result.reason == "Retired" or (play.story.lossy and play.result.reason == "DeadlineExceeded"):
        return
    number = ends[play.result.phase]
    assert serving(play) == ({"1": number} if number else {})
    assert play.result.copies == (before if play.result.phase is Phase.ABORTED else None)


@st.composite
def retirements(draw: st.DrawFn) -> Play:
    made = order(OperationKind.RETIRE, 3, 3, **draw(policies))
    fleet = Fleet(6, {"1": draw(behaviours), "2": draw(st.one_of(behaviours, faulty))})
    for version in draw(st.lists(st.sampled_from(["1", "2"]), max_size=6)):
        fleet.add(version, START.replace(year=2025))
    return Play(retire, RetireState, made, fleet, draw(stories(("pause", "abort"))), route={"1": 60, "2": 40})


@PLAYS
@given(retirements())
def test_a_retirement_leaves_neither_route_nor_copy_whatever_is_asked_of_it(play: Play) -> None:
    play.run()
    assert play.result is not None
    assert (play.result.phase, play.route, play.fleet.count()) == (Phase.SUCCEEDED, {}, {})
    assert not any(one.accepted for one in play.acknowledged)
