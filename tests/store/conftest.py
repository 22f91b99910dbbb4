"""Every repository is tested on SQLite in memory and on a real Postgres."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from longshore.store.database import Database
from longshore.store.store import Store


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """An empty store, of both kinds in turn."""
    if request.param == "sqlite":
        database = Database.connect("sqlite+aiosqlite://")
        await database.create_all()
    else:
        url: Any = request.getfixturevalue("postgres_url")
        database = Database.connect(url)
    yield Store(database)
    await database.dispose()


@pytest.fixture
async def postgres_store(postgres_url: str) -> AsyncIterator[Store]:
    """An empty store on Postgres, for what only several connections can show."""
    database = Database.connect(postgres_url)
    yield Store(database)
    await database.dispose()
