"""One target's notebook: what an adapter noted of resources on somebody else's platform, and whose turn it is.

It has the shape of `longshore.backends.notebook.Notebook`. A turn is an advisory lock of a connection of its own, for
it outlives transactions: what is written in it must be durable before the platform is asked for it.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import delete, select, text

from longshore.planning.fence import Fence, FenceRefusedError
from longshore.store.database import Database
from longshore.store.errors import StoreError
from longshore.store.statements import advance, insert_once, not_newer, upsert
from longshore.store.tables import installation, note_fences, notes, reading_clocks

Page = dict[str, Any]

TURN_POLL_S: Final = 0.1
TURN_LIMIT_S: Final = 15.0
"""A turn lasts as long as some calls to the platform. Who waits longer gives up, and is tried again."""
LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""Letters and digits that nobody takes for one another; no capitals, for some platforms know none."""


class TurnTakenError(StoreError):
    """Somebody else is changing the same deployment's resources; trying again helps."""


class NoteTurn:
    """See `longshore.backends.notebook.Turn`."""

    def __init__(self, database: Database, target: str, deployment: str, pages: dict[str, Page]) -> None:
        self._database = database
        self._key = {"target": target, "deployment": deployment}
        self._pages = pages

    @property
    def pages(self) -> dict[str, Page]:
        """Version → what was noted of it."""
        return dict(self._pages)

    async def write(self, version: str, page: Page) -> None:
        """Note it durably, at once."""
        async with self._database.transaction() as connection:
            await upsert(connection, notes, {**self._key, "version": version, "page": page})
        self._pages[version] = page

    async def tear_out(self, version: str) -> None:
        """Forget a version whose resources are gone."""
        ours = (notes.c[name] == value for name, value in (*self._key.items(), ("version", version)))
        async with self._database.transaction() as connection:
            await connection.execute(delete(notes).where(*ours))
        self._pages.pop(version, None)


class Notes:
    """The notebook of one target. Raises `StoreUnavailableError` when the database does not answer."""

    def __init__(self, database: Database, target: str) -> None:
        self._database = database
        self._target = target
        self._local_turns: dict[str, asyncio.Lock] = {}
        """Of an SQLite, which is one process's own."""

    async def begin_reading(self) -> int:
        """The sequence of a reading that begins now."""
        async with self._database.transaction() as connection:
            return await advance(connection, reading_clocks, "sequence")

    async def pages(self, deployment: str | None = None) -> dict[tuple[str, str], Page]:
        """(deployment, version) → what was noted of it."""
        query = select(notes).where(notes.c.target == self._target)
        if deployment is not None:
            query = query.where(notes.c.deployment == deployment)
        async with self._database.transaction() as connection:
            return {(row.deployment, row.version): row.page for row in (await connection.execute(query)).all()}

    @asynccontextmanager
    async def turn(self, deployment: str, fence: Fence | None) -> AsyncIterator[NoteTurn]:
        """Wait for the deployment's turn, and pass its fence; without one, to tidy up what is over.

        Raises:
            FenceRefusedError: a later step had its turn already.
            TurnTakenError: another's turn did not end in time.
        """
        async with self._lock(deployment):
            if fence is not None:
                await self._pass_fence(deployment, fence)
            pages = await self.pages(deployment)
            yield NoteTurn(
                self._database, self._target, deployment, {version: page for (_, version), page in pages.items()}
            )

    async def installation(self) -> str:
        """What tells this Longshore's resources from another's."""
        drawn = "".join(secrets.choice(LETTERS) for _ in range(10))
        async with self._database.transaction() as connection:
            await insert_once(connection, installation, {"id": 1, "name": drawn})
            return str((await connection.execute(select(installation.c.name))).scalar_one())

    async def _pass_fence(self, deployment: str, fence: Fence) -> None:
        row = {"target": self._target, "deployment": deployment, "operation": fence.operation, "step": fence.step}
        passed = not_newer((note_fences.c.operation, fence.operation), (note_fences.c.step, fence.step))
        async with self._database.transaction() as connection:
            if not await upsert(connection, note_fences, row, where=passed):
                raise FenceRefusedError(
                    f"step {fence.step} of operation {fence.operation} of {deployment} comes too late: "
                    "a later step has already changed its copies"
                )

    @asynccontextmanager
    async def _lock(self, deployment: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(TURN_LIMIT_S) as limit:
                async with self._held(deployment):
                    limit.reschedule(None)
                    yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise TurnTakenError(f"the copies of {deployment} are being changed by somebody else; try again") from None

    @asynccontextmanager
    async def _held(self, deployment: str) -> AsyncIterator[None]:
        if not self._database.is_postgres:
            async with self._local_turns.setdefault(deployment, asyncio.Lock()):
                yield
            return
        async with self._database.session() as connection:
            key = {"key": _lock_key(self._target, deployment)}
            taken = text("SELECT pg_try_advisory_lock(:key)")
            while not (await connection.execute(taken, key)).scalar_one():  # noqa: ASYNC110 - another process's lock
                await asyncio.sleep(TURN_POLL_S)
            try:
                yield
            finally:
                await connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)


def _lock_key(target: str, deployment: str) -> int:
    """A key of Postgres' advisory locks, 64 bits, signed. Two deployments of one key would only wait for each other."""
    digest = hashlib.sha256(f"notes\0{target}\0{deployment}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)
