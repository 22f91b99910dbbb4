"""What was observed: the newest reading of each deployment holds, and gateways hear only of what concerns them."""

import pytest
from examples import after, copy, observation
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.planning.observed import Copy, CopyState
from longshore.spec.target import TargetSpec
from longshore.store.database import Database
from longshore.store.errors import NotFoundError
from longshore.store.store import Store


@pytest.fixture
async def fleet(store: Store) -> Store:
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    return store


async def ids(store: Store, deployment: str = "d") -> list[str]:
    return [one.id for one in await store.fleet.copies(deployment)]


async def test_a_reading_is_read_back(fleet: Store) -> None:
    seen = observation(1, copy("c1", ready_at=after(1)), copy("c2", state=CopyState.STARTING, address=None))
    assert await fleet.fleet.save_observation(seen)
    assert await fleet.fleet.observation("fleet") == seen
    assert tuple(await fleet.fleet.copies("d")) == seen.copies


async def test_what_changed_is_written_and_what_is_gone_is_removed(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(1, copy("c1"), copy("c2"), copy("c3")))
    now = observation(2, copy("c1"), copy("c2", state=CopyState.UNREADY, reason="ProbeFailed"), copy("c4"))
    await fleet.fleet.save_observation(now)
    assert await fleet.fleet.observation("fleet") == now


async def test_a_stale_reading_is_ignored(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(5, copy("new")))
    assert not await fleet.fleet.save_observation(observation(4, copy("old")))
    assert not await fleet.fleet.save_observation(observation(5, copy("old")))
    assert await ids(fleet) == ["new"]


async def test_a_reading_of_one_deployment_touches_no_other(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(1, copy("c1"), copy("x1", "x")))
    await fleet.fleet.save_observation(observation(2, copy("c2"), deployment="d"))
    assert await ids(fleet) == ["c2"]
    assert await ids(fleet, "x") == ["x1"]


async def test_a_whole_reading_newer_than_that_of_one_deployment_replaces_both(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(2, copy("c2"), deployment="d"))
    assert await fleet.fleet.save_observation(observation(3, copy("c3"), copy("x3", "x")))
    assert await ids(fleet) == ["c3"]
    assert await ids(fleet, "x") == ["x3"]


async def test_a_whole_reading_older_than_that_of_one_deployment_still_counts_for_the_others(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(1, copy("c1"), copy("x1", "x")))
    await fleet.fleet.save_observation(observation(9, copy("c9"), deployment="d"))
    assert await fleet.fleet.save_observation(observation(8, copy("c8"), copy("x8", "x")))
    assert await ids(fleet) == ["c9"]
    assert await ids(fleet, "x") == ["x8"]


async def test_a_reading_of_one_deployment_older_than_a_whole_one_is_stale(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(5, copy("c5")))
    assert not await fleet.fleet.save_observation(observation(4, copy("c4"), deployment="d"))
    assert await ids(fleet) == ["c5"]


async def test_hosts_are_those_of_the_newest_reading_of_any_kind(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(1, copy("c1"), accelerators=8))
    await fleet.fleet.save_observation(observation(2, copy("c1"), accelerators=4, deployment="d"))
    seen = await fleet.fleet.observation("fleet")
    assert seen is not None
    assert [one.accelerators for one in seen.hosts] == [4]
    assert seen.sequence == 1


async def test_a_target_that_nobody_registered_has_no_readings(store: Store) -> None:
    with pytest.raises(NotFoundError, match="there is no target fleet"):
        await store.fleet.save_observation(observation(1, copy("c1")))


READY = copy("c1")
CONCERNS_GATEWAYS = {
    "a copy becomes ready": ((copy("c1", state=CopyState.STARTING),), (READY,), True),
    "a copy stops being ready": ((READY,), (copy("c1", state=CopyState.UNREADY),), True),
    "a copy drains": ((READY,), (copy("c1", state=CopyState.DRAINING),), True),
    "a draining copy ends": ((copy("c1", state=CopyState.DRAINING),), (), True),
    "a copy serves somewhere else": ((READY,), (copy("c1", address="c1:81"),), True),
    "a copy starts": ((READY,), (READY, copy("c2", state=CopyState.STARTING)), False),
    "a copy that never was ready fails": (
        (copy("c1", state=CopyState.STARTING),),
        (copy("c1", state=CopyState.FAILED),),
        False,
    ),
    "an ending copy is gone": ((copy("c1", state=CopyState.ENDING),), (), False),
    "a ready copy was restarted once more": ((READY,), (copy("c1", restarts=1),), False),
    "nothing changes": ((READY,), (READY,), False),
}


@pytest.mark.parametrize(("before", "now", "concerned"), CONCERNS_GATEWAYS.values(), ids=CONCERNS_GATEWAYS.keys())
async def test_the_traffic_clock_moves_only_for_what_gateways_must_hear_of(
    before: tuple[Copy, ...],
    now: tuple[Copy, ...],
    concerned: bool,  # noqa: FBT001
) -> None:
    database = Database.connect("sqlite+aiosqlite://")
    await database.create_all()
    store = Store(database)
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    await store.fleet.save_observation(observation(1, *before))
    revision = await store.traffic.revision()
    await store.fleet.save_observation(observation(2, *now))
    assert await store.traffic.revision() == revision + concerned
    await database.dispose()


READINGS = st.lists(st.sampled_from([None, "d", "x"]), min_size=1, max_size=6).flatmap(
    lambda scopes: st.permutations(list(enumerate(scopes, start=1)))
)


@settings(max_examples=40, deadline=None)
@given(READINGS)
def test_in_whatever_order_readings_arrive_each_deployment_has_its_newest(
    arriving: list[tuple[int, str | None]],
) -> None:
    import asyncio

    async def check() -> None:
        database = Database.connect("sqlite+aiosqlite://")
        await database.create_all()
        store = Store(database)
        await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
        for sequence, scope in arriving:
            copies = [copy(f"{name}-{sequence}", name) for name in ("d", "x") if scope in {None, name}]
            await store.fleet.save_observation(observation(sequence, *copies, deployment=scope))
        for name in ("d", "x"):
            covering = [sequence for sequence, scope in arriving if scope in {None, name}]
            assert await ids(store, name) == [f"{name}-{sequence}" for sequence in sorted(covering)[-1:]]
        await database.dispose()

    asyncio.run(check())
