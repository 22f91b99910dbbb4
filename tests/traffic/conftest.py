"""The traffic plane is tested with real Envoys, and with the store that it has in production."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from traffic_rig import ModelServer, Rig, rig_of

from longshore.store.database import Database
from longshore.store.store import Store


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """An empty store in memory."""
    database = Database.connect("sqlite+aiosqlite://")
    await database.create_all()
    yield Store(database)
    await database.dispose()


@pytest.fixture
async def rig(store: Store, tmp_path: Path) -> AsyncIterator[Rig]:
    """One Envoy that runs, with nothing to serve yet."""
    async with rig_of(store, tmp_path, "gateway-1") as rig:
        yield rig


@pytest.fixture
async def copies() -> AsyncIterator[list[ModelServer]]:
    """Two copies of version 1 and two of version 2."""
    async with AsyncExitStack() as stack:
        named = [("a1", "1"), ("a2", "1"), ("b1", "2"), ("b2", "2")]
        yield [await stack.enter_async_context(ModelServer(name, version)) for name, version in named]
