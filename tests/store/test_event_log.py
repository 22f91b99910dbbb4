"""The event log can be followed with a cursor, whoever writes."""

import asyncio

import psycopg
from examples import event, shares

from longshore.planning.words import EventType
from longshore.store.notices import EVENTS
from longshore.store.records import Record
from longshore.store.store import Store

WRITERS, RECORDS = 8, 12
DEADLINE_S = 60


async def test_events_are_listed_by_deployment_type_and_cursor(store: Store) -> None:
    await store.record(Record(source="d/rollout-1", step=1, events=(event(EventType.BATCH_STARTED), event())))
    await store.record(Record(source="e/rollout-1", step=1, events=(event(deployment="e"),)))

    assert [it.sequence for it in await store.events.list()] == [1, 2, 3]
    assert [it.sequence for it in await store.events.list("d")] == [1, 2]
    assert [it.sequence for it in await store.events.list(after=1, limit=1)] == [2]
    assert [it.sequence for it in await store.events.list(types=[EventType.ROLLOUT_STARTED])] == [2, 3]
    assert await store.events.newest() == 3


async def test_what_operations_wrote_is_found_however_much_there_is(store: Store) -> None:
    many = tuple(event(EventType.CHECK_PASSED, batch=batch) for batch in range(1, 151))
    for source in ("d/rollout-1", "d/rollout-2", "d/scale-3"):
        await store.record(Record(source=source, step=1, events=(*many, event(EventType.BATCH_DONE))))
    await store.record(Record(source="e/rollout-1", step=1, events=(event(EventType.CHECK_PASSED, deployment="e"),)))

    found = await store.events.of_operations("d", {"d/rollout-1", "d/scale-3"}, {EventType.CHECK_PASSED})

    assert [(it.operation, it.batch) for it in found] == [
        (source, batch) for source in ("d/rollout-1", "d/scale-3") for batch in range(1, 151)
    ]
    assert await store.events.of_operations("d", set(), {EventType.CHECK_PASSED}) == []


async def test_no_event_ever_appears_behind_a_cursor(postgres_store: Store) -> None:
    store = postgres_store

    async def write(writer: int) -> None:
        for step in range(RECORDS):
            name = f"d{writer}"
            happened = tuple(event(deployment=name, batch=step) for _ in range(1 + writer % 3))
            await store.record(Record(source=f"{name}/rollout-1", step=step, events=happened))

    async def follow() -> list[int]:
        seen: list[int] = []
        expected = sum(RECORDS * (1 + writer % 3) for writer in range(WRITERS))
        while len(seen) < expected:
            found = await store.events.list(after=seen[-1] if seen else 0, limit=7)
            seen += [it.sequence for it in found]
        return seen

    async with asyncio.timeout(DEADLINE_S):
        follower = asyncio.create_task(follow())
        await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
        seen = await follower
    assert seen == list(range(1, len(seen) + 1))


async def test_a_later_event_waits_for_an_earlier_one_that_is_slow_to_commit(
    postgres_store: Store, postgres_url: str
) -> None:
    store = postgres_store
    slow = Record(source="slow/rollout-1", step=1, events=(event(deployment="slow"),), ledger=shares(0, "slow", v1=100))
    quick = Record(source="quick/rollout-1", step=1, events=(event(deployment="quick"),))
    async with (
        asyncio.timeout(DEADLINE_S),
        await psycopg.AsyncConnection.connect(postgres_url) as other,
        asyncio.TaskGroup() as tasks,
    ):
        await other.execute("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
        tasks.create_task(store.record(slow))
        await _until_waiting(postgres_url, 1)  # it has its sequence, and waits for the ledger
        second = tasks.create_task(store.record(quick))
        while not second.done() and await _waiting(postgres_url) < 2:
            pass
        assert await store.events.list() == []
        await other.rollback()
    assert [it.deployment for it in await store.events.list()] == ["slow", "quick"]


async def _until_waiting(url: str, sessions: int) -> None:
    while await _waiting(url) < sessions:
        pass


async def _waiting(url: str) -> int:
    """Sessions of this database that wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with await psycopg.AsyncConnection.connect(url) as connection:
        (count,) = await (await connection.execute(query)).fetchone() or (0,)
    return int(count)


async def test_attempts_of_one_step_at_once_write_it_once(postgres_store: Store) -> None:
    record = Record(source="d/rollout-1", step=1, events=(event(),))
    written = await asyncio.gather(*(postgres_store.record(record) for _ in range(6)))
    assert sorted(written) == [False] * 5 + [True]
    assert len(await postgres_store.events.list()) == 1


async def test_whoever_watches_is_woken_by_a_record(store: Store) -> None:
    async with store.database.watch(EVENTS) as watch:
        if store.database.is_postgres:
            assert await watch.wait(DEADLINE_S)  # it listens now
        await store.record(Record(source="d/rollout-1", step=1, events=(event(),)))
        assert await watch.wait(DEADLINE_S)
