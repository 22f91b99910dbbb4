"""Whatever is asked of a deployment, and whatever befalls it, it comes to rest as its revisions say."""

import sys
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from lived import Life
from lived_well import holds
from played import START, Behaviour, Fleet, Story
from wished import Change, Wish

from longshore.planning.checks import Outcome
from longshore.planning.operation import VersionFacts
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

LIVES = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
CHECK = {"name": "errors", "metric": "error-rate", "max": 0.01}
seconds = st.integers(0, 120).map(float)
numbers = st.sets(st.integers(min_value=1, max_value=120), max_size=4)
copies = st.sampled_from([3, 2, 4, 1, 5, 0])
VERBS = (
    *("apply", "apply", "apply", "apply", "apply", "apply", "scale", "scale", "abort", "abort", "undo", "undo"),
    *("retry", "pause", "resume", "promote", "approve", "retire", "warm"),
)
behaviours = st.builds(
    Behaviour,
    startup=st.sampled_from([0.0, 3.0, 20.0]),
    ending=st.sampled_from([0.0, 2.0]),
    busy=st.sampled_from([0.0, 5.0]),
)
faulty = st.sampled_from([Behaviour(never_ready=True), Behaviour(crashes=True)])
changes = st.builds(Change, seconds, st.sampled_from("1123"), st.one_of(behaviours, faulty))
between = st.sampled_from([{"pause": "3s"}, {"pause": {}}, {"approval": {"roles": ["approver"]}}, None])


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """Every strategy, in small numbers."""
    strategy = draw(st.sampled_from(["auto", "rolling", "canary", "blueGreen"]))
    policy: dict[str, Any] = {
        "strategy": strategy,
        "batch": draw(st.sampled_from([1, 2, "50%", "100%"])),
        "maxUnavailable": draw(st.sampled_from([0, 0, 1, "50%"])),
        "bake": draw(st.sampled_from(["0s", "9s"])),
        "deadline": "30s",
        "drainTimeout": draw(st.sampled_from(["0s", "10s"])),
        "checks": draw(st.sampled_from([[], [CHECK], [{**CHECK, "during": "rollout"}]])),
    }
    if strategy == "canary":
        laid: list[object] = []
        for weight in sorted(draw(st.sets(st.sampled_from([5, 25, 50, 100]), min_size=1, max_size=2))):
            laid.append({"weight": weight, **draw(st.sampled_from([{}, {}, {"copies": 2}]))})
            laid += [step for step in (draw(between),) if step]
        policy["steps"] = laid
    if strategy == "blueGreen":
        policy["keepWarm"] = draw(st.sampled_from(["0s", "20s", "5m"]))
    return policy


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    """One thing that somebody asks, some seconds after the one before."""
    at = draw(st.sampled_from([0.0, 0.0, 1.0, 3.0, 8.0, 15.0, 25.0, 60.0]))
    verb = draw(st.sampled_from(VERBS))
    changes: dict[str, Any] = {}
    option = None
    if verb == "scale":
        changes = {"copies": draw(copies)}
    if verb == "apply":
        if version := draw(st.sampled_from(["2", "3", "2", "3", "1", None])):
            changes["version"] = version
        if draw(st.sampled_from([False, False, True])):
            changes["copies"] = draw(copies)
        if draw(st.sampled_from([False, False, True])):
            changes["rollout"] = draw(policies())
    if verb == "promote":
        option = draw(st.booleans())
    if verb == "undo":
        option = draw(st.sampled_from([None, None, 1, 2]))
    return Wish(at, verb, changes, option)


def lived(desired: int, accelerators: int, policy: dict[str, Any], asked: list[Wish]) -> Life:
    """Copies that start within 20 seconds, on a fleet that nothing befalls."""
    spec = {"target": "here", "model": "digits", "version": "1", "copies": desired, "rollout": policy}
    facts = {version: VersionFacts(version=version, resources=Resources(accelerators=1)) for version in ("1", "2", "3")}
    fleet = Fleet(accelerators, {version: Behaviour(startup=20.0) for version in facts})
    for _ in range(desired):
        fleet.add("1", START.replace(year=2025))
    return Life(DeploymentSpec.model_validate(spec), facts, fleet, Story(), asked)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    desired = draw(st.integers(1, 4))
    spec = DeploymentSpec.model_validate(
        {"target": "here", "model": "digits", "version": "1", "copies": desired, "rollout": draw(policies())}
    )
    facts = {
        version: VersionFacts(
            version=version,
            resources=Resources(accelerators=1),
            smoke=draw(st.booleans()),
            side_by_side=draw(st.sampled_from([True, True, True, True, False])),
        )
        for version in ("1", "2", "3")
    }
    fleet = Fleet(
        desired + draw(st.sampled_from([0, 1, 2, 6, 8, 20])),
        {"1": draw(behaviours), "2": draw(behaviours), "3": draw(st.one_of(behaviours, behaviours, faulty))},
    )
    for _ in range(desired):
        fleet.add("1", START.replace(year=2025))
    outcomes = st.sampled_from([Outcome.FAILED, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.NOT_YET])
    story = Story(
        losses=draw(
            st.one_of(st.just([]), st.lists(st.tuples(seconds, st.sampled_from("123"), st.integers(1, 12)), max_size=2))
        ),
        troubles=draw(numbers),
        slow_acks=draw(st.sets(st.integers(1, 12), max_size=3)),
        anew=draw(numbers),
        outcomes=draw(st.dictionaries(st.integers(1, 30), outcomes, max_size=3)),
    )
    asked = draw(st.lists(wishes(), min_size=2, max_size=7))
    instants = accumulate(wish.at for wish in asked)
    timed = [wish._replace(at=at) for wish, at in zip(asked, instants, strict=True)]
    return Life(spec, facts, fleet, story, timed, draw(st.one_of(st.just([]), st.lists(changes, max_size=3))))


@LIVES
@given(lives())
def test_a_deployment_comes_to_rest_as_its_revisions_say(life: Life) -> None:
    holds(life.run())


BARE = {"batch": 2, "bake": "0s", "drainTimeout": "0s"}
# Stories that once went wrong: copies, accelerators, policy, and what was asked.
FOUND: dict[str, tuple[int, int, dict[str, Any], list[Wish]]] = {
    "more copies by draining first, where a batch before did so too": (
        3,
        4,
        {**BARE, "strategy": "canary", "maxUnavailable": "50%", "steps": [{"weight": 5}, {"weight": 25, "copies": 2}]},
        [Wish(1, "apply", {"version": "2", "copies": 4})],
    ),
    "fewer copies while a batch that drains first has begun": (
        4,
        4,
        {**BARE, "maxUnavailable": "50%"},
        [Wish(1, "apply", {"version": "2"}), Wish(1.5, "scale", {"copies": 2})],
    ),
    "no copies at all while a batch is starting": (
        2,
        4,
        {**BARE, "checks": [CHECK]},
        [Wish(1, "apply", {"version": "2"}), Wish(4, "scale", {"copies": 0}), Wish(60, "scale", {"copies": 2})],
    ),
    "no copies at all, and then some, while a batch is starting": (
        1,
        4,
        {**BARE, "strategy": "blueGreen"},
        [Wish(1, "apply", {"version": "2"}), Wish(4, "scale", {"copies": 0}), Wish(5, "scale", {"copies": 3})],
    ),
    "no copies at all while it waits for an approval": (
        2,
        4,
        {**BARE, "strategy": "canary", "steps": [{"weight": 50}, {"approval": {}}]},
        [Wish(1, "apply", {"version": "2"}), Wish(60, "scale", {"copies": 0}), Wish(90, "approve")],
    ),
    "fewer copies without room while some are missing": (
        4,
        4,
        {**BARE, "maxUnavailable": 2},
        [Wish(1, "apply", {"version": "2"}), Wish(4, "scale", {"copies": 3})],
    ),
}


@pytest.mark.parametrize("story", FOUND)
def test_it_does_so_where_it_once_did_not(story: str) -> None:
    desired, accelerators, policy, wishes = FOUND[story]
    life = lived(desired, accelerators, policy, wishes)

    holds(life.run())

    assert life.mended == 0
    assert life.helped == 0
