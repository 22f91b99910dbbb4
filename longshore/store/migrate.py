"""Bring a database to the schema of this release. One process at a time, and it never waits for long.

The habit of pypi/warehouse: statement and lock timeouts, an advisory lock, one transaction a migration.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from longshore.store.database import CONNECT_TIMEOUT_S, parse_url, session_options
from longshore.store.errors import StoreUnavailableError

LOCK_TIMEOUT_MS: Final = 4_000
"""A migration that waits for a table's lock makes everyone behind it wait: better to give up and try again."""
STATEMENT_TIMEOUT_MS: Final = 60_000
TURN_TIMEOUT_S: Final = 90.0
"""Another process migrates: its statements take at most a minute each, and there are few."""
TURN_POLL_S: Final = 0.1
ADVISORY_LOCK: Final = 0x6C6F6E67_73686F72
"""`longshor` in ASCII."""


def migrate(url: str) -> None:
    """Run every migration that this database has not had. Safe to call from many processes at once.

    Raises:
        StoreUnavailableError: the database cannot be reached, or something else holds its locks.
    """
    with _connection(url) as connection, _turn(connection), _configuration(connection) as config:
        command.upgrade(config, "head")


def current(url: str) -> tuple[str | None, str | None]:
    """The migration the database has had last (None before the first), and the one this release wants.

    Raises:
        StoreUnavailableError: the database cannot be reached.
    """
    with _connection(url) as connection, _configuration(connection) as config:
        have = MigrationContext.configure(connection).get_current_revision()
        return have, ScriptDirectory.from_config(config).get_current_head()


@contextmanager
def _connection(url: str) -> Iterator[Connection]:
    parsed = parse_url(url)
    options = session_options(parsed, lock_timeout=LOCK_TIMEOUT_MS, statement_timeout=STATEMENT_TIMEOUT_MS)
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={
            "application_name": "longshore-migrate",
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": options,
        },
    )
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        said = next(iter(str(error.orig).splitlines()), type(error).__name__)
        raise StoreUnavailableError(f"the database could not be migrated: {said.strip()}") from error
    finally:
        engine.dispose()


@contextmanager
def _turn(connection: Connection) -> Iterator[None]:
    """Hold the advisory lock: of the session, for each migration commits its own transaction."""
    deadline = time.monotonic() + TURN_TIMEOUT_S
    key = {"key": ADVISORY_LOCK}
    while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar_one():
        connection.rollback()
        if time.monotonic() > deadline:
            raise StoreUnavailableError(
                f"another process has been migrating the database for {TURN_TIMEOUT_S:g} s: look for it, then try again"
            )
        time.sleep(TURN_POLL_S)
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        connection.commit()


@contextmanager
def _configuration(connection: Connection) -> Iterator[Config]:
    """Alembic's configuration, made here: the migrations are wherever this package was installed."""
    with as_file(files("migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        yield config
