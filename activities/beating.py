"""Signs of life, so that an activity whose worker was killed is soon tried again."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import TypeVar

from temporalio import activity

from activities.limits import BEAT

T = TypeVar("T")


async def beating(work: Awaitable[T]) -> T:
    """Await work, telling Temporal now and then that it lives. Work of an instant tells nothing and costs nothing."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT.total_seconds())
            activity.heartbeat()

    task = asyncio.create_task(beat())
    try:
        return await work
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
