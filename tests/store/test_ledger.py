"""The serving ledger answers for any past instant, without gaps and without overlaps."""

import asyncio
from datetime import datetime
from itertools import pairwise

from examples import after, shares
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.store.database import Database
from longshore.store.records import LedgerEntry, Record
from longshore.store.store import Store


async def write(store: Store, *changes: Record) -> list[LedgerEntry]:
    for change in changes:
        await store.record(change)
    return list(await store.ledger.list("d"))


def change(step: int, seconds: float, **weights: int) -> Record:
    return Record(source="d/rollout-1", step=step, ledger=shares(seconds, **weights))


def told(entries: list[LedgerEntry]) -> list[tuple[str, int, datetime, datetime | None]]:
    return [(it.version, it.share, it.since, it.until) for it in entries]


async def test_a_change_closes_what_was_open_and_opens_what_holds_now(store: Store) -> None:
    entries = await write(store, change(1, 0, v1=100), change(2, 10, v1=75, v2=25), change(3, 20, v2=100))
    assert told(entries) == [
        ("v1", 100, after(0), after(10)),
        ("v1", 75, after(10), after(20)),
        ("v2", 25, after(10), after(20)),
        ("v2", 100, after(20), None),
    ]
    assert {it.operation for it in entries} == {"d/rollout-1"}
    assert entries[0].cause == "because"


async def test_a_share_that_stays_is_left_open(store: Store) -> None:
    entries = await write(store, change(1, 0, v1=50, v2=50), change(2, 10, v1=50, v3=50))
    assert told(entries) == [
        ("v1", 50, after(0), None),
        ("v2", 50, after(0), after(10)),
        ("v3", 50, after(10), None),
    ]


async def test_at_the_instant_of_a_change_the_new_shares_hold(store: Store) -> None:
    await write(store, change(1, 0, v1=100), change(2, 10, v2=100))
    held = {seconds: [it.version for it in await store.ledger.list("d", after(seconds))] for seconds in (-1, 0, 9, 10)}
    assert held == {-1: [], 0: ["v1"], 9: ["v1"], 10: ["v2"]}


async def test_nobody_holds_a_share_after_the_end(store: Store) -> None:
    await write(store, change(1, 0, v1=100), change(2, 10))
    assert await store.ledger.list("d", after(10)) == []
    assert told(list(await store.ledger.list("d"))) == [("v1", 100, after(0), after(10))]


async def test_a_share_that_lasted_no_time_is_not_kept(store: Store) -> None:
    entries = await write(store, change(1, 0, v1=100), change(2, 5, v2=100), change(3, 5, v3=100))
    assert told(entries) == [("v1", 100, after(0), after(5)), ("v3", 100, after(5), None)]


async def test_a_clock_that_is_behind_opens_no_gap_and_no_overlap(store: Store) -> None:
    entries = await write(store, change(1, 10, v1=100), change(2, 7, v2=100), change(3, 20, v3=100))
    assert told(entries) == [("v2", 100, after(10), after(20)), ("v3", 100, after(20), None)]


async def test_changes_at_once_take_turns(postgres_store: Store) -> None:
    changes = [
        Record(source=f"d/rollout-{number}", step=1, ledger=shares(number, v1=number, v2=100 - number))
        for number in range(1, 9)
    ]
    await asyncio.gather(*(postgres_store.record(one) for one in changes))
    for seconds in (8, 100):
        assert sum(it.share for it in await postgres_store.ledger.list("d", after(seconds))) == 100


SHARES = st.one_of(
    st.just({}),
    st.sampled_from(["v1", "v2", "v3"]).map(lambda version: {version: 100}),
    st.integers(0, 100).map(lambda share: {"v1": share, "v2": 100 - share}),
)
CHANGES = st.lists(st.tuples(st.integers(0, 20), SHARES), min_size=1, max_size=8)


async def written(changes: list[tuple[int, dict[str, int]]]) -> list[LedgerEntry]:
    database = Database.connect("sqlite+aiosqlite://")
    try:
        await database.create_all()
        return await write(Store(database), *(change(step, at, **held) for step, (at, held) in enumerate(changes)))
    finally:
        await database.dispose()


def holders(entries: list[LedgerEntry], at: datetime) -> dict[str, int]:
    return {it.version: it.share for it in entries if it.since <= at and (it.until is None or at < it.until)}


@settings(max_examples=30, deadline=None)
@given(CHANGES.map(lambda changes: sorted(changes, key=lambda one: one[0])))
def test_at_every_instant_the_ledger_says_what_the_last_change_before_it_said(
    changes: list[tuple[int, dict[str, int]]],
) -> None:
    entries = asyncio.run(written(changes))
    for seconds in range(-1, 22):
        said = [held for at, held in changes if at <= seconds]
        expected = {version: share for version, share in said[-1].items() if share} if said else {}
        assert holders(entries, after(seconds)) == expected


@settings(max_examples=30, deadline=None)
@given(CHANGES)
def test_in_whatever_order_instants_come_there_is_no_gap_and_no_overlap(
    changes: list[tuple[int, dict[str, int]]],
) -> None:
    entries = asyncio.run(written(changes))
    for seconds in range(-1, 22):
        assert sum(holders(entries, after(seconds)).values()) in {0, 100}
    assert holders(entries, after(99)) == {version: share for version, share in changes[-1][1].items() if share}
    for version in {it.version for it in entries}:
        own = [it for it in entries if it.version == version]
        assert all(one.until is not None and one.until <= other.since for one, other in pairwise(own))
        assert all(it.until is None or it.since < it.until for it in own)
