"""One observer per target: reads everything in one call, saves what changed, and tells of copies lost and replaced."""

import asyncio

import structlog

from longshore.backends.port import Backend, BackendError
from longshore.planning.losses import losses
from longshore.planning.observed import Observation
from longshore.store.errors import StoreError
from longshore.store.records import Record
from longshore.store.store import Store

INTERVAL = 1.0
"""Seconds between two readings: how long a dead copy may stay in the route before its gateway ejects it anyway."""
TROUBLE_INTERVAL = 5.0
"""Seconds after a reading that failed."""

log = structlog.get_logger(__name__)


class Observer:
    """Watches one target until cancelled. Several at once do no harm: readings are ordered and events written once."""

    def __init__(self, target: str, backend: Backend, store: Store) -> None:
        self._target = target
        self._backend = backend
        self._store = store

    async def run(self) -> None:
        """Observe for ever."""
        before: Observation | None = None
        trouble = False
        while True:
            try:
                before = before or await self._store.fleet.observation(self._target)
                before = await self._look(before)
                if trouble:
                    log.info("observing again", target=self._target)
                trouble = False
            except (BackendError, StoreError) as error:
                if not trouble:
                    log.warning("cannot observe", target=self._target, reason=str(error))
                trouble = True
            await asyncio.sleep(TROUBLE_INTERVAL if trouble else INTERVAL)

    async def _look(self, before: Observation | None) -> Observation:
        now = await self._backend.observe()
        await self._store.fleet.save_observation(now)
        for loss in losses(before, now):
            await self._store.record(Record(source=loss.source, step=loss.step, events=(loss.event,)))
        return now
