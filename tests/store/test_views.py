"""Deployments as people see them: filtered, in pages, and in a handful of queries."""

from typing import Any

import pytest
from examples import after, copy, deployment, observation, operation, spec
from sqlalchemy import event

from longshore.planning.fence import Fence
from longshore.planning.observed import ObservedHost
from longshore.planning.route import Route
from longshore.planning.words import Phase
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import TargetSpec
from longshore.store.records import Record, View
from longshore.store.store import Store

TAKES_TWO = {
    "artifact": {"uri": "file:///srv/m-1.joblib", "digest": f"sha256:{0:064}"},
    "server": {"command": ["serve"]},
    "resources": {"accelerators": 2},
}


async def say(store: Store, name: str, phase: Phase = Phase.SUCCEEDED, **more: Any) -> None:
    under_way = operation(deployment=name, phase=phase)
    row = deployment(name=name, operation=under_way.id, **more)
    await store.record(Record(source=f"deployment/{name}", step=1, operation=under_way, deployment=row))


async def names(store: Store, **filters: Any) -> list[str]:
    return [view.row.name for view in await store.deployments.views(**filters)]


@pytest.fixture
async def fleet(store: Store) -> Store:
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    await say(store, "a", labels={"team": "search", "tier": "1"})
    await say(store, "b", phase=Phase.PAUSED, labels={"team": "search"})
    await say(store, "c", target="elsewhere", labels={"team": "ads"})
    await say(store, "d", model="another")
    await say(store, "e", retired=True)
    return store


async def test_a_view_joins_what_was_said_observed_and_acked(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(1, copy("a1", "a"), copy("b1", "b")))
    await fleet.fleet.save_observation(observation(2, copy("a1", "a"), copy("a2", "a"), deployment="a"))
    route = Route(deployment="a", model="m", weights={"1": 100})
    revision = await fleet.traffic.publish_route(route, Fence(operation=1, step=1))
    await fleet.traffic.gateway_seen("one", None, connected=True)
    await fleet.traffic.gateway_acked("one", revision)

    view = await fleet.deployments.view("a")
    assert view == View(
        row=deployment(name="a", operation="a/rollout-1", labels={"team": "search", "tier": "1"}),
        operation=operation(deployment="a", phase=Phase.SUCCEEDED),
        copies=(copy("a1", "a"), copy("a2", "a")),
        traffic={"1": 100},
        hosts=observation(2).hosts,
        observed_at=after(2),
    )
    assert [one for one in await fleet.deployments.views() if one.row.name == "a"] == [view]
    other = await fleet.deployments.view("b")
    assert other is not None
    assert (other.copies, other.traffic, other.observed_at) == ((copy("b1", "b"),), {}, after(1))


async def test_what_was_never_observed_has_no_copies_and_no_instant(fleet: Store) -> None:
    view = await fleet.deployments.view("c")
    assert view is not None
    assert (view.copies, view.hosts, view.observed_at, view.traffic) == ((), (), None, {})
    assert await fleet.deployments.view("unknown") is None


FILTERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "all but the retired": ({}, ["a", "b", "c", "d"]),
    "retired ones too": ({"retired": True}, ["a", "b", "c", "d", "e"]),
    "by target": ({"target": "elsewhere"}, ["c"]),
    "by model": ({"model": "another"}, ["d"]),
    "by phase": ({"phase": Phase.PAUSED}, ["b"]),
    "by label": ({"labels": {"team": "search"}}, ["a", "b"]),
    "by several labels": ({"labels": {"team": "search", "tier": "1"}}, ["a"]),
    "by a label that nobody has": ({"labels": {"x": "y"}}, []),
    "the first page": ({"limit": 2}, ["a", "b"]),
    "the next page": ({"limit": 2, "after": "b"}, ["c", "d"]),
    "after the last": ({"after": "d"}, []),
}


@pytest.mark.parametrize(("filters", "expected"), FILTERS.values(), ids=FILTERS.keys())
async def test_views_are_filtered_and_paged(fleet: Store, filters: dict[str, Any], expected: list[str]) -> None:
    assert await names(fleet, **filters) == expected


async def test_views_take_as_many_queries_for_many_deployments_as_for_one(fleet: Store) -> None:
    statements: list[str] = []

    def count(*executed: Any) -> None:
        statements.append(executed[2])

    event.listen(fleet.database._engine.sync_engine, "before_cursor_execute", count)
    await fleet.deployments.views(limit=1)
    for_one = len(statements)
    await fleet.deployments.views()
    assert len(statements) - for_one == for_one


async def test_operations_and_revisions_are_listed_in_their_order(store: Store) -> None:
    for number in (1, 2, 3):
        one = operation(number, phase=Phase.SUCCEEDED)
        await store.record(Record(source=one.id, step=1, operation=one))
    assert [one.number for one in await store.deployments.operations("d")] == [3, 2, 1]
    assert await store.deployments.operation("d/rollout-9") is None
    assert await store.deployments.revisions("d") == []
    assert await store.deployments.deployment_record("d") is None


async def test_rows_are_those_of_the_names_that_are_known(fleet: Store) -> None:
    assert [row.name for row in await fleet.deployments.rows(["e", "a", "nobody"])] == ["a", "e"]
    assert await fleet.deployments.rows([]) == []


async def test_copies_that_are_missing_say_when_there_is_no_room_for_them(store: Store) -> None:
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    await store.models.put("m", "1", ModelVersionSpec.model_validate(TAKES_TWO), "ada")
    await say(store, "a", version="1", spec=spec(copies=3))

    said = []
    for free in (1, 2):
        hosts = (ObservedHost(name="up", accelerators=2 + free), ObservedHost(name="down", accelerators=8, up=False))
        holds = copy("a1", "a", host="up", accelerators=(0, 1))
        await store.fleet.save_observation(observation(free, holds).model_copy(update={"hosts": hosts}))
        view = await store.deployments.view("a")
        said.append(view and view.no_place)

    assert said == ["a copy needs 2 accelerators, at most 1 are free on one host of fleet", None]


async def test_a_view_says_what_is_wrong_with_its_target(fleet: Store) -> None:
    await fleet.targets.tell_trouble("fleet", "no such endpoint")
    assert {view.row.name: view.trouble for view in await fleet.deployments.views()} == {
        "a": "no such endpoint",
        "b": "no such endpoint",
        "c": None,
        "d": "no such endpoint",
    }
