"""Whatever is asked of a deployment with a scaling policy, its autoscaler ends with what serves and what is desired."""

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
from wished import Wish

from longshore.planning.operation import VersionFacts
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

BOUNDS = {"min": 1, "max": 5, "goal": 4}
policies = st.sampled_from([BOUNDS, {**BOUNDS, "min": 0}, {**BOUNDS, "max": 3}, {**BOUNDS, "min": 3}, None])
seconds = st.sampled_from([0.0, 0.0, 1.0, 3.0, 8.0, 15.0, 25.0, 60.0])
numbers = st.sets(st.integers(min_value=1, max_value=120), max_size=4)
VERBS = (
    *("apply", "apply", "apply", "apply", "apply", "scale", "abort", "abort", "undo", "undo"),
    *("retry", "pause", "resume", "promote", "retire"),
)


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    """One thing that somebody asks, some seconds after the one before."""
    at, verb = draw(seconds), draw(st.sampled_from(VERBS))
    changes: dict[str, Any] = {"copies": draw(st.integers(0, 4))} if verb == "scale" else {}
    if verb == "apply":
        if version := draw(st.sampled_from(["2", "3", "1", None])):
            changes["version"] = version
        if draw(st.booleans()):
            changes["scaling"] = draw(policies)
        if draw(st.sampled_from([False, False, True])):
            changes["copies"] = draw(st.integers(0, 4))
    return Wish(at, verb, changes, True if verb == "promote" else None)


def life_of(scaling: dict[str, Any] | None, there: int, accelerators: int, story: Story, asked: list[Wish]) -> Life:
    spec = DeploymentSpec.model_validate(
        {
            "target": "here",
            "model": "digits",
            "version": "1",
            "copies": there if scaling is None else 2,
            "scaling": scaling,
            "rollout": {"batch": 1, "bake": "3s", "deadline": "30s", "drainTimeout": "0s"},
        }
    )
    facts = {version: VersionFacts(version=version, resources=Resources(accelerators=1)) for version in ("1", "2", "3")}
    fleet = Fleet(accelerators, {version: Behaviour(startup=2.0) for version in facts})
    for _ in range(there):
        fleet.add("1", START.replace(year=2025))
    return Life(spec, facts, fleet, story, asked)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    scaling = draw(policies)
    there = draw(st.integers(scaling["min"], scaling["max"])) if scaling else draw(st.integers(1, 4))
    asked = draw(st.lists(wishes(), min_size=1, max_size=6))
    instants = accumulate(wish.at for wish in asked)
    timed = [wish._replace(at=at) for wish, at in zip(asked, instants, strict=True)]
    story = Story(
        troubles=draw(numbers),
        slow_acks=draw(st.sets(st.integers(1, 12), max_size=3)),
        anew=draw(numbers),
        chosen=draw(st.lists(st.tuples(st.floats(0, 120), st.integers(0, 6)), max_size=4)),
    )
    life = life_of(scaling, there, draw(st.sampled_from([6, 7, 12])), story, timed)
    if draw(st.booleans()):
        life.fleet.behaviours["3"] = Behaviour(never_ready=True)
    return life


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
@given(lives())
def test_a_deployment_with_a_policy_comes_to_rest_with_its_autoscaler_at_work(life: Life) -> None:
    holds(life.run())


def test_a_number_of_copies_is_refused_while_an_autoscaler_chooses_them() -> None:
    life = life_of(BOUNDS, 3, 8, Story(), [Wish(1, "scale", {"copies": 4}), Wish(2, "apply", {"copies": 4})])

    life.run()

    ((wish, refusal),) = life.refused
    assert wish.verb == "scale"
    assert refusal.reason == "Autoscaled"
    assert life.fleet.count() == {"1": 3}
    assert life.ended == []


@pytest.mark.parametrize("wanted", [{**BOUNDS, "max": 8}, None])
def test_another_policy_is_an_operation_of_its_own(wanted: dict[str, Any] | None) -> None:
    life = life_of(BOUNDS, 3, 8, Story(), [Wish(1, "apply", {"scaling": wanted, "copies": 2})])

    holds(life.run())

    assert [order.kind for order, _ in life.ended] == ["scale"]
    assert life.fleet.count() == {"1": 3 if wanted else 2}
