"""Whether a part is ready: each probe asks once, waits a moment at most, and never raises."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

Probe = Callable[[], Awaitable[bool]]

ANSWER_WITHIN = 2.0
"""Seconds; a part that needs longer for its own health is not ready."""


def answers_http(url: str) -> Probe:
    """A GET of the address is answered with a 2xx."""

    async def probe() -> bool:
        import httpx

        try:
            async with httpx.AsyncClient(timeout=ANSWER_WITHIN, trust_env=False) as client:
                return (await client.get(url)).is_success
        except httpx.HTTPError:
            return False

    return probe


def accepts_unix(socket: Path) -> Probe:
    """Somebody listens on the Unix socket."""

    async def probe() -> bool:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                _, writer = await asyncio.open_unix_connection(str(socket))
        except (OSError, TimeoutError):
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    return probe


def answers_sql(url: str) -> Probe:
    """The database answers a statement."""

    async def probe() -> bool:
        import psycopg

        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                async with await psycopg.AsyncConnection.connect(url) as connection:
                    await connection.execute("SELECT 1")
        except (psycopg.Error, OSError, TimeoutError):
            return False
        return True

    return probe


async def runs() -> bool:
    """The part has nothing to ask: that its process lives is all that can be known."""
    return True
