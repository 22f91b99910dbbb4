"""What goes wrong with the database is one line, and passes."""

import asyncio
import socket
from datetime import datetime

import psycopg
import pytest
from examples import NOON, event, shares
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from longshore.store.database import Database, native_url, parse_url
from longshore.store.errors import StoreUnavailableError
from longshore.store.notices import EVENTS
from longshore.store.records import Record
from longshore.store.store import Store

DEADLINE_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_database_that_is_not_there_is_one_line_without_the_password() -> None:
    database = Database.connect(f"postgresql://ada:hunter2@127.0.0.1:{free_port()}/longshore")
    with pytest.raises(StoreUnavailableError) as caught:
        await Store(database).targets.list()
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    await database.dispose()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://ada:hunter2@x/y", "postgresql://ada:hunter2@x:port/y"])
def test_an_address_that_makes_no_sense_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StoreUnavailableError, match=r"write postgresql://…") as caught:
        Database.connect(url)
    assert "hunter2" not in str(caught.value)


def test_the_address_of_a_unix_socket_survives() -> None:
    url = parse_url("postgresql://postgres:@/longshore?host=/run/ls-x")
    assert psycopg.conninfo.conninfo_to_dict(native_url(url))["host"] == "/run/ls-x"


async def test_a_transaction_that_raises_writes_nothing_and_wakes_nobody(store: Store) -> None:
    async def fail() -> None:
        async with store.database.transaction() as connection:
            await connection.execute(text("INSERT INTO event_clock (id, sequence) VALUES (1, 7)"))
            await store.database.notify(connection, EVENTS)
            raise KeyError

    async with store.database.watch(EVENTS) as watch:
        with pytest.raises(KeyError):
            await fail()
        assert await store.events.newest() == 0
        if not store.database.is_postgres:
            assert not await watch.wait(0)


async def test_an_instant_without_a_timezone_is_refused(store: Store) -> None:
    naive = datetime(2026, 1, 2, 12)  # noqa: DTZ001
    with pytest.raises(StatementError, match="has no timezone"):
        await store.record(Record(source="d/rollout-1", step=1, events=(event().model_copy(update={"at": naive}),)))


async def test_instants_come_back_as_they_went(store: Store) -> None:
    await store.record(Record(source="d/rollout-1", step=1, events=(event(),), ledger=shares(0, v1=100)))
    assert (await store.events.list())[0].at == NOON
    assert (await store.ledger.list("d"))[0].since == NOON


async def test_watching_goes_on_after_the_database_dropped_the_connection(
    postgres_store: Store, postgres_url: str
) -> None:
    async with postgres_store.database.watch(EVENTS) as watch:
        assert await watch.wait(DEADLINE_S)
        async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as other:
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'longshore-notices' AND datname = current_database()"
            )
        assert await watch.wait(DEADLINE_S)  # it listens again, and says that something may have been missed
        await postgres_store.record(Record(source="d/rollout-1", step=1, events=(event(),)))
        assert await watch.wait(DEADLINE_S)


async def test_a_lock_that_never_comes_is_an_error_that_can_be_tried_again(
    postgres_store: Store, postgres_url: str
) -> None:
    async def read_impatiently() -> None:
        async with postgres_store.database.transaction() as connection:
            await connection.execute(text("SET LOCAL statement_timeout = '50ms'"))
            await connection.execute(text("SELECT * FROM targets"))

    async with await psycopg.AsyncConnection.connect(postgres_url) as other:
        await other.execute("LOCK TABLE targets IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailableError, match="statement timeout"):
            await read_impatiently()
    assert await postgres_store.targets.list() == []


async def test_transactions_on_sqlite_take_turns() -> None:
    database = Database.connect("sqlite+aiosqlite://")
    await database.create_all()
    store = Store(database)
    records = [Record(source=f"d/rollout-{number}", step=1, events=(event(),)) for number in range(20)]
    await asyncio.gather(*(store.record(one) for one in records))
    assert [one.sequence for one in await store.events.list()] == list(range(1, 21))
    await database.dispose()
