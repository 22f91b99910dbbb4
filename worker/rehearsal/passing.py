"""How time passes: the test server skips to an instant, through whatever its workflows do on the way."""

import asyncio
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, SleepRequest, UnlockTimeSkippingRequest
from temporalio.client import Client
from temporalio.service import RPCError

from worker.rehearsal.clock import Clock

STUCK = 0.02
"""Real seconds after which a server that nobody works for is held up by a task that nobody takes."""
SLEEP_LIMIT = 300.0
"""Real seconds for the time between two looks of the engine; on any machine that works it takes a few at most."""


class StuckError(Exception):
    """Time does not pass."""


async def server_time(client: Client) -> datetime:
    """The server's present time."""
    answer = await client.test_service.get_current_time(Empty())
    return answer.time.ToDatetime(tzinfo=UTC)


class Time:
    """Lets the server's time pass."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def skip_to(self, second: float) -> None:
        """Skip to an instant. Time stands while somebody works, so all work of earlier instants is done by then.

        Raises:
            StuckError: somebody works for ever.
        """
        left = self._clock.server(second) - await server_time(self._client)
        if left <= timedelta(0):
            return
        try:
            async with asyncio.timeout(SLEEP_LIMIT):
                await self._sleep(left)
        except TimeoutError:
            raise StuckError(f"time stood still before {second:.0f}s of the rehearsal") from None

    async def skip_without_workers(self, second: float) -> None:
        """Skip to an instant while there is no worker: time does not wait for the tasks that pile up.

        Raises:
            StuckError: time does not pass.
        """
        sleeping = asyncio.ensure_future(self.skip_to(second))
        unlocked = 0
        while not (await asyncio.wait({sleeping}, timeout=STUCK))[0]:
            try:
                await self._client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
            except RPCError:
                continue  # it was not held up: nothing was unlocked
            unlocked += 1
        for _ in range(unlocked):
            await self._client.test_service.lock_time_skipping(LockTimeSkippingRequest())
        await sleeping

    async def _sleep(self, left: timedelta) -> None:
        duration = Duration()
        duration.FromTimedelta(left)
        sleep = SleepRequest(duration=duration)
        limit = timedelta(seconds=2 * SLEEP_LIMIT)  # ours is the one that tells; the client's own is half a minute
        await self._client.test_service.unlock_time_skipping_with_sleep(sleep, timeout=limit)
