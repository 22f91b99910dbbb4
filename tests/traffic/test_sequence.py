"""The lossless order: whatever the change, no request is ever sent where nobody is."""

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.planning.observed import Copy, CopyState, Upstream
from longshore.planning.route import Route
from longshore.traffic.resources import resources
from longshore.traffic.sequence import Kind, Step, Told, steps, told


def at(weights: dict[str, int], copies: Mapping[str, int], *standby: str, behind: Collection[str] = ()) -> Told:
    """What is told of one deployment with so many ready copies of each version; some are behind a service."""
    route = Route(deployment="d", model="m", weights=weights, standby=standby)
    ready = [
        Copy(
            id=f"{version}-{number}",
            deployment="d",
            model="m",
            version=version,
            host="h",
            address=f"127.0.0.{version}:{number + 1}",
            state=CopyState.READY,
        )
        for version, count in copies.items()
        for number in range(count)
    ]
    upstreams = [
        Upstream(deployment="d", version=version, address="127.0.0.9:443", host="a.example", path="/endpoints/a")
        for version in behind
    ]
    return told({"d": resources(route, ready, upstreams)}, "a listener")


NOTHING = told({}, "a listener")
ONE = at({"1": 100}, {"1": 2})
BOTH = at({"1": 100}, {"1": 2, "2": 1}, "2")
SHIFTED = at({"1": 50, "2": 50}, {"1": 2, "2": 1})
NEXT = at({"2": 100}, {"2": 2})
SERVICE = at({"1": 100}, {}, behind="1")
C, E, L, R = Kind.CLUSTERS, Kind.ENDPOINTS, Kind.LISTENERS, Kind.ROUTES


@pytest.mark.parametrize(
    ("now", "then", "kinds"),
    [
        pytest.param(Told(), NOTHING, [C, L, R], id="a gateway that starts hears of everything, be it nothing"),
        pytest.param(Told(), ONE, [C, L, R], id="new clusters bring their endpoints"),
        pytest.param(ONE, ONE, [], id="no change is not sent"),
        pytest.param(ONE, at({"1": 100}, {"1": 2}, "2"), [C, R], id="a standby is a cluster and a way to it"),
        pytest.param(ONE, BOTH, [C, R], id="a standby brings its copies"),
        pytest.param(BOTH, SHIFTED, [R], id="a shift is a route alone"),
        pytest.param(ONE, at({"1": 100}, {"1": 1}), [E], id="a lost copy is an endpoint alone"),
        pytest.param(ONE, at({"1": 100}, {}), [E], id="the last lost copy too"),
        pytest.param(SHIFTED, at({"2": 100}, {"2": 1}), [R, C], id="a cluster goes after its route"),
        pytest.param(ONE, NEXT, [C, R, C], id="a replacement is made before the other is broken"),
        pytest.param(SHIFTED, at({"2": 100}, {"2": 3}, "1"), [E, R, E], id="added first, taken away last"),
        pytest.param(ONE, NOTHING, [R, C], id="a withdrawn route before its cluster"),
        pytest.param(NOTHING, SERVICE, [C, R], id="a service brings its address"),
        pytest.param(SERVICE, at({"2": 100}, {}, behind="12"), [C, R, C], id="services are replaced like copies"),
        pytest.param(at({}, {}, "1"), at({}, {}, "1", behind="1"), [C, R], id="a version turns out to be a service"),
        pytest.param(SERVICE, ONE, [C, R], id="a version is at a service no more"),
    ],
)
def test_order(now: Told, then: Told, kinds: list[Kind]) -> None:
    assert [step.kind for step in steps(now, then)] == kinds


def worlds_of(behind: st.SearchStrategy[str]) -> st.SearchStrategy[Told]:
    return st.builds(
        lambda first, copies, standby, behind: at(
            {version: weight for version, weight in (("1", first), ("2", 100 - first)) if weight},
            copies,
            *standby,
            behind=behind,
        ),
        st.sampled_from([0, 1, 50, 100]),
        st.dictionaries(st.sampled_from(["1", "2", "3"]), st.integers(1, 2)),
        st.sets(st.sampled_from(["1", "2", "3"])),
        behind,
    )


SERVICES = st.sampled_from(["", "3", "12", "123"])
"""Versions that share requests are all behind a service, or none is."""
worlds = worlds_of(SERVICES)
alike = SERVICES.flatmap(lambda behind: st.tuples(*[worlds_of(st.just(behind))] * 2))
"""Two worlds in which the same versions are behind a service, as long as they are there."""


@settings(max_examples=50, deadline=None)
@given(worlds, worlds)
def test_the_last_step_is_what_was_wanted(now: Told, then: Told) -> None:
    taken = steps(now, then)
    assert (taken[-1].told if taken else now) == then


@settings(max_examples=50, deadline=None)
@given(worlds, worlds)
def test_each_step_changes_its_kind_alone(now: Told, then: Told) -> None:
    for last, step in pairwise([Step(C, now), *steps(now, then)]):
        before, after = last.told, step.told
        changed = {
            C: before.clusters != after.clusters,
            L: before.listener != after.listener,
            R: before.routes != after.routes,
        }
        assert [kind for kind, is_changed in changed.items() if is_changed] == ([] if step.kind is E else [step.kind])
        if step.kind in {L, R}:
            assert before.endpoints == after.endpoints


@settings(max_examples=50, deadline=None)
@given(worlds, worlds)
def test_no_route_leads_to_a_cluster_that_is_not_there(now: Told, then: Told) -> None:
    for step in steps(now, then):
        assert routed(step.told) <= set(step.told.clusters or {})
        assert set(step.told.endpoints) == {
            name for name, one in (step.told.clusters or {}).items() if one.type == Cluster.EDS
        }


@settings(max_examples=50, deadline=None)
@given(alike)
def test_a_version_keeps_copies_while_it_is_routed_to(both: tuple[Told, Told]) -> None:
    now, then = both
    served = {name for name in routed(now) & routed(then) if populated(now, name) and populated(then, name)}
    leaving = {name for name in routed(now) - routed(then) if populated(now, name)}
    coming = {name for name in routed(then) - routed(now) if populated(then, name)}
    for step in steps(now, then):
        still = routed(step.told)
        assert all(populated(step.told, name) for name in (served | leaving | coming) & still)


def routed(state: Told) -> set[str]:
    """Clusters that get requests by weight."""
    found: set[str] = set()
    for routes in (state.routes or {}).values():
        for route in routes:
            found |= {one.name for one in route.route.weighted_clusters.clusters}
    return found


def populated(state: Told, cluster: str) -> bool:
    """Whether somebody answers there: a service always does."""
    if (state.clusters or {})[cluster].type != Cluster.EDS:
        return True
    assignment: Any = state.endpoints.get(cluster)
    return assignment is not None and len(assignment.endpoints) > 0
