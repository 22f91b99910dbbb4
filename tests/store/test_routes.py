"""Routes are fenced, snapshots are whole, and people see as traffic what gateways run."""

import asyncio
from typing import Any

import pytest
from examples import copy, deployment, observation
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from longshore.planning.fence import Fence, FenceRefusedError
from longshore.planning.observed import CopyState, Upstream
from longshore.planning.route import RefusedRoute, Route
from longshore.spec.target import TargetSpec
from longshore.store.database import Database
from longshore.store.records import Record
from longshore.store.store import Store
from longshore.store.tables import gateways

DEADLINE_S = 60


def route(name: str = "d", **weights: int) -> Route:
    return Route(deployment=name, model="m", weights=weights or {"1": 100})


def fence(step: int, operation: int = 1) -> Fence:
    return Fence(operation=operation, step=step)


async def test_the_same_route_again_is_the_same_revision(store: Store) -> None:
    first = await store.traffic.publish_route(route(v1=100), fence(1))
    assert await store.traffic.publish_route(route(v1=100), fence(1)) == first
    assert await store.traffic.publish_route(route(v1=75, v2=25), fence(2)) == first + 1
    assert await store.traffic.revision() == first + 1


@pytest.mark.parametrize("late", [fence(4), fence(9, operation=1)], ids=["step", "operation"])
async def test_a_write_of_an_older_step_is_refused_and_changes_nothing(store: Store, late: Fence) -> None:
    await store.traffic.publish_route(route(v2=100), fence(5, operation=2))
    before = await store.traffic.snapshot()
    with pytest.raises(FenceRefusedError, match="comes too late"):
        await store.traffic.publish_route(route(v1=100), late)
    with pytest.raises(FenceRefusedError):
        await store.traffic.withdraw_route("d", late)
    assert await store.traffic.snapshot() == before


FENCES = st.builds(Fence, operation=st.integers(1, 3), step=st.integers(1, 3))


@settings(max_examples=30, deadline=None)
@given(st.lists(FENCES, min_size=1, max_size=8))
def test_a_fence_passes_exactly_what_is_not_lower_than_any_before(order: list[Fence]) -> None:
    async def check() -> None:
        database = Database.connect("sqlite+aiosqlite://")
        await database.create_all()
        highest = order[0]
        for number, one in enumerate(order):
            expected = not one < highest
            try:
                await Store(database).traffic.publish_route(route(v1=number, v2=100 - number), one)
                passed = True
            except FenceRefusedError:
                passed = False
            assert passed == expected
            highest = one if passed else highest
        await database.dispose()

    asyncio.run(check())


async def test_upstreams_are_those_of_the_target_that_the_deployment_is_on(store: Store) -> None:
    asked = Upstream(deployment="d", version="1", address="a.example:443", host="a.example", path="/endpoints/a")
    elsewhere = asked.model_copy(update={"path": "/endpoints/b"})
    await store.traffic.publish_route(route(v1=100), fence(1))
    for step, (target, upstream) in enumerate((("fleet", asked), ("other", elsewhere))):
        await store.targets.put(target, TargetSpec(backend="local"), "test")
        seen = observation(1).model_copy(update={"target": target, "upstreams": (upstream,)})
        await store.fleet.save_observation(seen)
        record = Record(source="deployment/d", step=step, deployment=deployment(step + 1, target=target))
        await store.record(record)
        assert (await store.traffic.snapshot()).upstreams == await store.traffic.upstreams("d") == (upstream,)


async def test_a_withdrawn_route_is_gone_and_withdrawing_it_again_is_no_change(store: Store) -> None:
    published = await store.traffic.publish_route(route(), fence(1))
    withdrawn = await store.traffic.withdraw_route("d", fence(2))
    assert withdrawn == published + 1
    assert await store.traffic.withdraw_route("d", fence(2)) == withdrawn
    assert (await store.traffic.snapshot()).routes == ()


async def test_a_snapshot_holds_routes_and_the_copies_of_routed_deployments(store: Store) -> None:
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    draining = copy("c2", state=CopyState.DRAINING)
    await store.fleet.save_observation(observation(1, copy("c1"), draining, copy("x1", "unrouted")))
    revision = await store.traffic.publish_route(route(), fence(1))
    snapshot = await store.traffic.snapshot()
    assert (snapshot.revision, snapshot.routes) == (revision, (route(),))
    assert snapshot.copies == (copy("c1"), draining)
    assert snapshot.route_revisions == {"d": revision}


async def test_a_snapshot_never_mixes_two_revisions(postgres_store: Store) -> None:
    store = postgres_store
    published: dict[int, dict[str, int]] = {}

    async def publish() -> None:
        for step in range(40):
            weights = {"v1": step, "v2": 100 - step}
            published[await store.traffic.publish_route(route(**weights), fence(step))] = weights

    async with asyncio.timeout(DEADLINE_S):
        publishing = asyncio.create_task(publish())
        taken = []
        while not publishing.done():
            taken.append(await store.traffic.snapshot())
        await publishing
    for snapshot in taken:
        weights = [one.weights for one in snapshot.routes]
        assert weights == ([published[snapshot.revision]] if snapshot.revision else [])


async def test_publishers_at_once_get_revisions_of_their_own(postgres_store: Store) -> None:
    names = [f"d{number}" for number in range(8)]
    revisions = await asyncio.gather(*(postgres_store.traffic.publish_route(route(name), fence(1)) for name in names))
    assert sorted(revisions) == list(range(1, 9))


# -- gateways ------------------------------------------------------------------------------------------------------


async def traffic(store: Store) -> dict[str, int]:
    view = await store.deployments.view("d")
    assert view is not None
    return view.traffic


async def published(store: Store, *steps: dict[str, int]) -> list[int]:
    await store.record(Record(source="deployment/d", step=1, deployment=deployment()))
    return [await store.traffic.publish_route(route(**weights), fence(step)) for step, weights in enumerate(steps)]


async def test_traffic_is_what_every_gateway_acked(store: Store) -> None:
    (first,) = await published(store, {"v1": 100})
    for node in ("one", "two"):
        await store.traffic.gateway_seen(node, "127.0.0.1:1", connected=True)
    await store.traffic.gateway_acked("one", first)
    assert await traffic(store) == {}
    await store.traffic.gateway_acked("two", first)
    assert await traffic(store) == {"v1": 100}

    second = await store.traffic.publish_route(route(v1=75, v2=25), fence(9))
    await store.traffic.gateway_acked("one", second)
    assert await traffic(store) == {"v1": 100}
    await store.traffic.gateway_acked("two", second)
    assert await traffic(store) == {"v1": 75, "v2": 25}


async def test_a_gateway_gone_for_a_minute_is_no_longer_waited_for(store: Store) -> None:
    (first,) = await published(store, {"v1": 100})
    for node in ("stays", "left"):
        await store.traffic.gateway_seen(node, None, connected=True)
    await store.traffic.gateway_acked("stays", first)
    await store.traffic.gateway_seen("left", None, connected=False)
    assert await traffic(store) == {}

    (left,) = [one for one in await store.traffic.gateways() if one.node == "left"]
    async with store.database.transaction() as connection:
        long_ago = left.seen_at.replace(year=2020)
        await connection.execute(update(gateways).where(gateways.c.node == "left").values(seen_at=long_ago))
    await store.traffic.gateway_seen("stays", None, connected=True)
    assert await traffic(store) == {"v1": 100}


async def test_a_route_that_a_gateway_refused_is_not_what_it_runs(store: Store) -> None:
    (first,) = await published(store, {"v1": 100})
    await store.traffic.gateway_seen("one", None, connected=True)
    await store.traffic.gateway_acked("one", first)
    second = await store.traffic.publish_route(route(v2=100), fence(9))
    refused = RefusedRoute(deployment="d", revision=second, message="no such cluster")
    await store.traffic.gateway_acked("one", second, (refused,))
    assert await traffic(store) == {"v1": 100}
    assert (await store.traffic.gateways())[0].refused == (refused,)


async def test_what_a_gateway_said_is_kept(store: Store) -> None:
    await store.traffic.gateway_seen("one", "127.0.0.1:1", connected=True)
    await store.traffic.gateway_acked("one", 3)
    await store.traffic.gateway_rejected("one", 4, "weights add up to 0")

    async def told() -> dict[str, Any]:
        (one,) = await store.traffic.gateways()
        return one.model_dump(include={"node", "admin", "connected", "acked", "rejected", "rejection"})

    refused = {"acked": 3, "rejected": 4, "rejection": "weights add up to 0"}
    assert await told() == {"node": "one", "admin": "127.0.0.1:1", "connected": True, **refused}
    await store.traffic.gateway_seen("one", "127.0.0.1:2", connected=True)
    assert await told() == {"node": "one", "admin": "127.0.0.1:2", "connected": True, **refused}
    await store.traffic.gateway_acked("one", 3)
    assert (await told())["rejected"] == 4
    await store.traffic.gateway_acked("one", 5)
    assert (await told())["rejected"] is None


async def test_those_who_wait_for_acks_are_woken_by_one(store: Store) -> None:
    await store.traffic.gateway_seen("one", None, connected=True)
    async with store.traffic.watch_acks() as watch:
        if store.database.is_postgres:
            assert await watch.wait(DEADLINE_S)  # it listens now
        await store.traffic.gateway_acked("one", 1)
        assert await watch.wait(DEADLINE_S)
