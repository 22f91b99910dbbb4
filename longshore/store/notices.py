"""Notices between processes: Postgres LISTEN and NOTIFY, one connection for all watchers of a process."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import psycopg
import structlog
from psycopg import sql

EVENTS: Final = "longshore_events"
"""Notified when events were recorded."""
TRAFFIC: Final = "longshore_traffic"
"""Notified when the traffic plane must learn something."""
ACKS: Final = "longshore_acks"
"""Notified when a gateway acked or refused."""
CHANNELS: Final = (EVENTS, TRAFFIC, ACKS)

RECONNECT_FIRST_S: Final = 0.2
RECONNECT_MOST_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 5

logger = structlog.get_logger(__name__)


class Watch:
    """One watcher of a channel."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    async def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for a notice; several since the last call count as one."""
        try:
            async with asyncio.timeout(timeout):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def wake(self) -> None:
        """Let `wait` return."""
        self._woken.set()


class Notices:
    """The watchers of this process, and the one connection that listens for them."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._watches: dict[str, set[Watch]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._pending: set[str] = set()

    @asynccontextmanager
    async def watch(self, channel: str) -> AsyncIterator[Watch]:
        """Watch a channel while the block runs."""
        watch = Watch()
        self._watches[channel].add(watch)
        if self._url and (self._listener is None or self._listener.done()):
            self._listener = asyncio.create_task(self._listen(self._url), name="longshore-notices")
        try:
            yield watch
        finally:
            self._watches[channel].discard(watch)

    def remember(self, channel: str) -> None:
        """Notify this channel at the next `flush`; for a database without NOTIFY, where transactions take turns."""
        self._pending.add(channel)

    def flush(self, *, committed: bool) -> None:
        """The transaction ended: its notices go out if it was committed, and are forgotten if not."""
        pending, self._pending = self._pending, set()
        if committed:
            for channel in pending:
                self._wake(channel)

    async def close(self) -> None:
        """Stop listening."""
        if self._listener:
            self._listener.cancel()
            with suppress(asyncio.CancelledError):
                await self._listener
            self._listener = None

    def _wake(self, channel: str) -> None:
        for watch in self._watches[channel]:
            watch.wake()

    async def _listen(self, url: str) -> None:
        """Listen until cancelled; connect again, ever more slowly, while the database is away."""
        pause = RECONNECT_FIRST_S
        while True:
            try:
                async with await _connect(url) as connection:
                    for channel in CHANNELS:
                        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                        self._wake(channel)  # whatever was said before is read now
                    pause = RECONNECT_FIRST_S
                    async for notice in connection.notifies():
                        self._wake(notice.channel)
            except (psycopg.Error, OSError) as error:
                logger.warning("listening to the database failed", error=type(error).__name__, again_in=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, RECONNECT_MOST_S)


async def _connect(url: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        url, autocommit=True, application_name="longshore-notices", connect_timeout=CONNECT_TIMEOUT_S
    )
