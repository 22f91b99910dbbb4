"""What somebody else changed: as the newest reading says that covers a deployment, and told once."""

import asyncio

import pytest
from examples import copy, deployment, difference, observation
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.planning.observed import Observation
from longshore.planning.words import EventType
from longshore.spec.target import TargetSpec
from longshore.store.database import Database
from longshore.store.records import Record
from longshore.store.store import Store

MORE, FEWER = difference(found="3"), difference(found="1")
OTHERS = difference("x", what="deleted", wanted="", found="")
DRIFTED, ENDED = EventType.DRIFTED, EventType.DRIFT_ENDED


@pytest.fixture
async def fleet(store: Store) -> Store:
    await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
    return store


async def told(store: Store) -> list[tuple[str, EventType]]:
    return [(event.deployment, event.type) for event in await store.events.list()]


async def seen(store: Store, name: str = "d") -> tuple[str, ...]:
    """What is found where something else is wanted, as a view of the deployment has it."""
    await store.record(Record(source=f"deployment/{name}", step=1, deployment=deployment(name=name)))
    view = await store.deployments.view(name)
    assert view is not None
    return tuple(one.found for one in view.differences)


async def test_a_difference_is_in_the_view_of_its_deployment_alone(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(1, copy("c1"), differences=(MORE,)))
    assert await seen(fleet) == ("3",)
    assert await seen(fleet, "x") == ()


async def test_a_newer_reading_of_the_deployment_says_what_is_different(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(1, copy("c1"), differences=(MORE, OTHERS)))
    await fleet.fleet.save_observation(observation(2, copy("c1"), deployment="d"))
    assert await seen(fleet) == ()
    now = await fleet.fleet.observation("fleet")
    assert now is not None
    assert now.differences == (OTHERS,)


async def test_an_older_whole_reading_does_not_bring_back_what_a_newer_one_of_the_deployment_denies(
    fleet: Store,
) -> None:
    await fleet.fleet.save_observation(observation(9, copy("c1"), deployment="d"))
    await fleet.fleet.save_observation(observation(8, copy("c1"), differences=(MORE, OTHERS)))
    assert await seen(fleet) == ()
    assert await told(fleet) == [("x", DRIFTED)]


async def test_a_difference_is_told_once_however_often_it_is_read(fleet: Store) -> None:
    for sequence in range(1, 5):
        await fleet.fleet.save_observation(observation(sequence, copy("c1"), differences=(MORE,)))
    await fleet.fleet.save_observation(observation(9, copy("c1"), deployment="d", differences=(MORE,)))
    assert await told(fleet) == [("d", DRIFTED)]


async def test_another_difference_is_told_anew_and_so_is_the_end_of_all(fleet: Store) -> None:
    for sequence, found in enumerate([(MORE,), (FEWER,), (), (), (MORE,)], start=1):
        await fleet.fleet.save_observation(observation(sequence, copy("c1"), differences=found))
    assert [which for _, which in await told(fleet)] == [DRIFTED, DRIFTED, ENDED, DRIFTED]
    first = (await fleet.events.list())[0]
    assert first.message == "changed by somebody else: CopyCount of version 1 is 3, not 2"
    assert first.evidence["differences"] == [{"version": "1", "what": "CopyCount", "wanted": "2", "found": "3"}]


async def test_the_end_is_told_by_whoever_reads_it_first(fleet: Store) -> None:
    await fleet.fleet.save_observation(observation(1, copy("c1"), differences=(MORE, OTHERS)))
    await fleet.fleet.save_observation(observation(2, copy("c1"), deployment="d"))
    await fleet.fleet.save_observation(observation(3, copy("c1"), differences=(OTHERS,)))
    assert await told(fleet) == [("d", DRIFTED), ("x", DRIFTED), ("d", ENDED)]


async def test_two_observers_at_once_tell_it_once(fleet: Store) -> None:
    readings: list[Observation] = [observation(sequence, copy("c1"), differences=(MORE,)) for sequence in range(1, 7)]
    await asyncio.gather(*(fleet.fleet.save_observation(one) for one in readings))
    assert await told(fleet) == [("d", DRIFTED)]


Reading = tuple[str | None, bool, bool]
READINGS = st.lists(
    st.tuples(st.sampled_from([None, "d", "x"]), st.booleans(), st.booleans()), min_size=1, max_size=8
).flatmap(lambda readings: st.permutations(list(enumerate(readings, start=1))))


@settings(max_examples=40, deadline=None)
@given(READINGS)
def test_whoever_reads_what_in_whatever_order_the_last_event_says_what_the_view_says(
    arriving: list[tuple[int, Reading]],
) -> None:
    async def check() -> None:
        database = Database.connect("sqlite+aiosqlite://")
        await database.create_all()
        store = Store(database)
        await store.targets.put("fleet", TargetSpec(backend="local"), "ada")
        for sequence, (scope, ours, theirs) in arriving:
            there = ((MORE, ours), (OTHERS, theirs))
            found = tuple(one for one, is_there in there if is_there and scope in {None, one.deployment})
            await store.fleet.save_observation(observation(sequence, deployment=scope, differences=found))
        for name in ("d", "x"):
            last = [which for deployment, which in await told(store) if deployment == name][-1:]
            assert (last == [DRIFTED]) == bool(await seen(store, name))
        await database.dispose()

    asyncio.run(check())
