"""Following the events: as they are recorded, from any place in the log, without missing one."""

from collections.abc import AsyncGenerator

import structlog

from longshore.api.metrics import Metrics
from longshore.store.errors import StoreUnavailableError
from longshore.store.notices import EVENTS
from longshore.store.records import StoredEvent
from longshore.store.store import Store

POLL_SECONDS = 1.0
"""A notice can be lost while Postgres restarts; the log is read again at least this often."""
READ_AT_ONCE = 500
"""Events read in one go."""

log = structlog.get_logger("longshore.api")


async def follow(store: Store, after: int, deployment: str | None = None) -> AsyncGenerator[StoredEvent | None, None]:
    """Every event after a sequence, in order, and then each as it comes; None whenever there was nothing for a while.

    It goes on through an outage of the store, and never ends by itself.
    """
    async with store.database.watch(EVENTS) as watch:
        while True:
            try:
                events = await store.events.list(deployment=deployment, after=after, limit=READ_AT_ONCE)
            except StoreUnavailableError as error:
                log.warning("events cannot be read", error=str(error))
                events = []
            for event in events:
                after = event.sequence
                yield event
            if not events:
                await watch.wait(POLL_SECONDS)
                yield None


async def count_events(store: Store, metrics: Metrics) -> None:
    """Count every event from now on, for /metrics. Never ends by itself."""
    newest: int | None = None
    async with store.database.watch(EVENTS) as watch:
        while newest is None:
            try:
                newest = await store.events.newest()
            except StoreUnavailableError:
                await watch.wait(POLL_SECONDS)
    async for event in follow(store, newest):
        if event is not None:
            metrics.event(event.type)
