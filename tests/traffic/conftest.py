"""The traffic plane is tested with real Envoys, and with the store that it has in production.

One event loop for all tests of a process, as in production: gRPC's completion queue belongs to the process, and may
wait for ever on a loop that came after another.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest_asyncio
from traffic_rig import ModelServer, Rig, rig_of

from longshore.store.database import Database
from longshore.store.store import Store


@pytest_asyncio.fixture(loop_scope="session")
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store in a file: one in memory would be lost with a statement that is cancelled."""
    database = Database.connect(f"sqlite+aiosqlite:///{tmp_path}/store.db")
    await database.create_all()
    yield Store(database)
    await database.dispose()


@pytest_asyncio.fixture(loop_scope="session")
async def rig(store: Store, tmp_path: Path) -> AsyncIterator[Rig]:
    """One Envoy that runs, with nothing to serve yet."""
    async with rig_of(store, tmp_path, "gateway-1") as rig:
        yield rig


@pytest_asyncio.fixture(loop_scope="session")
async def copies() -> AsyncIterator[list[ModelServer]]:
    """Two copies of version 1 and two of version 2."""
    async with AsyncExitStack() as stack:
        named = [("a1", "1"), ("a2", "1"), ("b1", "2"), ("b2", "2")]
        yield [await stack.enter_async_context(ModelServer(name, version)) for name, version in named]
