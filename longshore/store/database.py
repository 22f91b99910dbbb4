"""The way to the database: pooled connections, transactions, and errors that people can read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Self

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from longshore.store.errors import StoreUnavailableError
from longshore.store.notices import Notices, Watch
from longshore.store.tables import metadata

CONNECT_TIMEOUT_S: Final = 5
"""A database on the same machine or network answers in milliseconds, or is not there."""
POOL_TIMEOUT_S: Final = 10.0
"""Waiting longer for a free connection than this means that something holds them all."""
SQLITE_LOCK_S: Final = 30.0
"""Several processes of a rehearsal write in turns; one that was killed lets go at once."""
POOL_SIZE: Final = 20
"""Opened as they are needed, and kept: a fleet that rolls at once would otherwise open them anew again and again."""
STATEMENT_TIMEOUT_MS: Final = 15_000
"""No statement of ours takes a second; one that takes this long waits for a lock that will not come."""
SESSIONS: Final = POOL_SIZE // 2
"""Most sessions at once: who holds one needs another connection to get on."""
IDLE_IN_TRANSACTION_MS: Final = 30_000
"""A process that died inside a transaction must not hold its locks for ever."""


class Database:
    """One database: PostgreSQL, or an SQLite in memory or in a file, which need not outlive a crash of the machine.

    | call | what it does |
    |---|---|
    | `Database.connect(url)` | makes the pool; nothing is sent yet |
    | `async with database.transaction() as connection` | commits at the end, rolls back on an error |
    | `await database.notify(connection, channel)` | wakes the watchers of a channel once the transaction commits |
    | `async with database.watch(channel) as watch` | `await watch.wait(timeout)` until it was notified |
    | `await database.dispose()` | closes every connection |
    """

    def __init__(self, engine: AsyncEngine, url: URL) -> None:
        self._engine = engine
        self._url = url
        self._notices = Notices(native_url(url) if self.is_postgres else None)
        # SQLite is one connection: transactions take turns.
        self._turn = None if self.is_postgres else asyncio.Lock()
        self._sessions = asyncio.Semaphore(SESSIONS)

    @classmethod
    def connect(cls, url: str) -> Self:
        """A database by its address: `postgresql://…` as psycopg understands it, or `sqlite+aiosqlite://` (`///file`).

        Raises:
            StoreUnavailableError: the address makes no sense.
        """
        parsed = parse_url(url)
        if parsed.get_backend_name() == "sqlite":
            engine = create_async_engine(
                parsed, poolclass=StaticPool, connect_args={"timeout": SQLITE_LOCK_S, "isolation_level": None}
            )
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
            return cls(engine, parsed)
        engine = create_async_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_pre_ping=True,
            connect_args={
                "application_name": "longshore",
                "connect_timeout": CONNECT_TIMEOUT_S,
                "options": session_options(
                    parsed,
                    statement_timeout=STATEMENT_TIMEOUT_MS,
                    idle_in_transaction_session_timeout=IDLE_IN_TRANSACTION_MS,
                ),
            },
        )
        return cls(engine, parsed)

    @property
    def is_postgres(self) -> bool:
        """Whether this is PostgreSQL; else it is SQLite."""
        return self._url.get_backend_name() == "postgresql"

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed when the block ends, rolled back when it raises. Never nest two.

        Args:
            snapshot: every statement sees the database as it was at the first one; for reading only.

        Raises:
            StoreUnavailableError: the database cannot be reached, or did not answer in time.
        """
        if self._turn is None:
            async with self._begin(snapshot=snapshot) as connection:
                yield connection
            return
        async with self._turn:
            committed = False
            try:
                async with self._begin(snapshot=False) as connection:
                    yield connection
                committed = True
            finally:
                self._notices.flush(committed=committed)

    @asynccontextmanager
    async def _begin(self, *, snapshot: bool) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                if snapshot:
                    await connection.execution_options(isolation_level="REPEATABLE READ")
                async with connection.begin():
                    yield connection
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise StoreUnavailableError(_sentence(error)) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise StoreUnavailableError(_sentence(error)) from error
            raise

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """A PostgreSQL connection without a transaction: for locks of a session, which end with it.

        Raises:
            StoreUnavailableError: the database cannot be reached, or did not answer in time.
        """
        try:
            async with self._sessions, self._engine.connect() as connection:
                yield await connection.execution_options(isolation_level="AUTOCOMMIT")
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise StoreUnavailableError(_sentence(error)) from error

    async def notify(self, connection: AsyncConnection, channel: str) -> None:
        """Wake the watchers of a channel, in every process, once this connection's transaction commits."""
        if self.is_postgres:
            await connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": channel})
        else:
            self._notices.remember(channel)

    @asynccontextmanager
    async def watch(self, channel: str) -> AsyncIterator[Watch]:
        """Watch a channel. A notice may be missed while the database is away, so read again now and then."""
        async with self._notices.watch(channel) as watch:
            yield watch

    async def create_all(self) -> None:
        """Make the tables without migrations: for an SQLite in memory."""
        async with self.transaction() as connection:
            await connection.run_sync(metadata.create_all)

    async def dispose(self) -> None:
        """Close every connection."""
        await self._notices.close()
        await self._engine.dispose()


def parse_url(url: str) -> URL:
    """A database address.

    Raises:
        StoreUnavailableError: it is of neither PostgreSQL nor SQLite. It is not repeated: it may hold a password.
    """
    try:
        parsed = make_url(url)
        known = parsed.get_backend_name() in {"postgresql", "sqlite"}
    except (ArgumentError, ValueError):
        known = False
    if not known:
        raise StoreUnavailableError("LONGSHORE_DATABASE_URL is not a database address: write postgresql://…")
    return parsed


def native_url(url: URL) -> str:
    """The address as libpq understands it, password included: never log it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def session_options(url: URL, **settings: int) -> str:
    """Server settings of a session as libpq's `options`, after those that the address itself has."""
    given = url.query.get("options", "")
    own = [f"-c {name}={value}" for name, value in {"timezone": "UTC", **settings}.items()]
    return " ".join([*([given] if isinstance(given, str) else given), *own]).strip()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("foreign_keys=ON", "journal_mode=WAL", "synchronous=OFF"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the lock for writing at once: one who read first would be refused it when another process wrote since."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _sentence(error: Exception) -> str:
    """One line of what the driver said. Drivers never repeat the password."""
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    first = next((line.strip() for line in said.splitlines() if line.strip()), type(error).__name__)
    return f"the database did not answer: {first}"
