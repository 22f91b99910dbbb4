"""One observer per target: declares it, reads everything in one call, saves what changed, tells of copies lost.

What is wrong with the target is kept in the store, where people see it, and logged when the words change.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from longshore.backends.port import Backend, BackendError
from longshore.planning.losses import losses
from longshore.planning.observed import Observation
from longshore.spec.target import Host
from longshore.store.errors import StoreError
from longshore.store.records import Record
from longshore.store.store import Store

INTERVAL: Final = 1.0
"""Seconds between two readings: how long a dead copy may stay in the route before its gateway ejects it anyway."""
LONGEST: Final = 30.0
"""Seconds between two attempts at the most: whoever mends the target waits no longer for it to be seen."""

log = structlog.get_logger(__name__)


class BackOff:
    """When something that failed is tried again: at once, after a second, and each time after twice as long."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wait = INTERVAL
        self._not_before = clock()

    @property
    def due(self) -> bool:
        """Whether it may be tried now."""
        return self._clock() >= self._not_before

    def failed(self) -> None:
        """Wait for the next attempt, longer than for the one before."""
        self._not_before = self._clock() + self._wait
        self._wait = min(self._wait * 2, LONGEST)

    def went_well(self) -> None:
        """Begin anew."""
        self._wait, self._not_before = INTERVAL, self._clock()


class Observer:
    """Watches one target until cancelled. Several at once do no harm: readings are ordered and events written once."""

    def __init__(
        self,
        target: str,
        backend: Backend,
        store: Store,
        hosts: tuple[Host, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._backend = backend
        self._store = store
        self._hosts = hosts
        self._declaring = BackOff(clock)
        self._reading = BackOff(clock)
        self._undeclared: str | None = "not declared yet"
        """Why the target is not as its manifest says; None once it is."""
        self._unread: str | None = None
        self._before: Observation | None = None
        self._told: tuple[str | None] | None = None
        """The trouble that the store has of us; None while we told nothing."""

    async def run(self) -> None:
        """Observe for ever."""
        while True:
            await self.turn()
            await asyncio.sleep(INTERVAL)

    async def turn(self) -> None:
        """Declare and read what is due, and tell what is wrong."""
        try:
            if self._undeclared is not None and self._declaring.due:
                await self.declare()
            if self._reading.due:
                await self._read()
            await self._tell(self._undeclared or self._unread)
        except StoreError as error:
            log.warning("cannot keep what was observed", target=self._target, reason=str(error))

    async def declare(self) -> None:
        """Bring the target to what its manifest says; what fails is tried again when it is due."""
        try:
            await self._backend.declare(self._hosts)
        except BackendError as error:
            self._undeclared = error.message
            self._declaring.failed()
        else:
            self._undeclared = None

    async def _read(self) -> None:
        """Read the target; for the first time only once it is as its manifest says: it may not be ours."""
        self._before = self._before or await self._store.fleet.observation(self._target)
        if self._before is None and self._undeclared is not None:
            return
        try:
            self._before = await self._look(self._before)
        except BackendError as error:
            self._unread = error.message
            self._reading.failed()
            return
        self._reading.went_well()
        self._unread = self._before.trouble
        if self._unread is None and self._undeclared is None:
            self._declaring.went_well()
        elif self._unread is not None and self._undeclared is None:
            # Mended as it was made; the next attempt only when this one had its time.
            self._undeclared = self._unread
            self._declaring.failed()

    async def _look(self, before: Observation | None) -> Observation:
        now = await self._backend.observe()
        await self._store.fleet.save_observation(now)
        for loss in losses(before, now):
            await self._store.record(Record(source=loss.source, step=loss.step, events=(loss.event,)))
        return now

    async def _tell(self, trouble: str | None) -> None:
        if self._told == (trouble,):
            return
        await self._store.targets.tell_trouble(self._target, trouble)
        if trouble is not None:
            log.warning("something is wrong with the target", target=self._target, reason=trouble)
        elif self._told is not None:
            log.info("nothing is wrong with the target any more", target=self._target)
        self._told = (trouble,)
