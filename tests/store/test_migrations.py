"""The migrations make exactly the tables that the code uses."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from longshore.store import migrate as migrate_module
from longshore.store.errors import StoreUnavailableError
from longshore.store.migrate import ADVISORY_LOCK, current, migrate
from longshore.store.tables import metadata


def differences(url: str) -> list[Any]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_the_migrated_schema_is_the_one_the_code_uses(postgres_url: str) -> None:
    assert differences(postgres_url) == []


def test_an_empty_database_differs_from_it(empty_postgres_url: str) -> None:
    assert len(differences(empty_postgres_url)) >= len(metadata.tables)


def test_current_says_what_the_database_has_and_what_this_release_wants(empty_postgres_url: str) -> None:
    have, want = current(empty_postgres_url)
    assert have is None
    assert want is not None
    migrate(empty_postgres_url)
    assert current(empty_postgres_url) == (want, want)


def test_several_processes_may_migrate_at_once(empty_postgres_url: str) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        for done in [pool.submit(migrate, empty_postgres_url) for _ in range(4)]:
            done.result(timeout=60)
    assert differences(empty_postgres_url) == []


def test_a_migration_gives_up_when_another_one_never_ends(
    empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate_module, "TURN_TIMEOUT_S", 0.0)
    with psycopg.connect(empty_postgres_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [ADVISORY_LOCK])
        with pytest.raises(StoreUnavailableError, match="another process has been migrating"):
            migrate(empty_postgres_url)
    migrate(empty_postgres_url)


def test_a_database_that_is_not_there_is_one_line(postgres_server: str) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        migrate(postgres_server.replace("/postgres?", "/no_such_database?"))
    assert "\n" not in str(caught.value)
    assert "no_such_database" in str(caught.value)
