"""Resting the serving copies of this machine: what `down` does before it stops the agent that watches them."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import structlog

REST_WITHIN = 40.0
"""Seconds for copies to finish their requests and end; the agent kills what is left by then."""

log = structlog.get_logger()


def rest_copies(socket: Path) -> Callable[[], Awaitable[None]]:
    """Ask the agent to end every copy and to start none; its levels stay, and its next start brings them back."""

    async def rest() -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(socket))
        try:
            async with httpx.AsyncClient(transport=transport, timeout=REST_WITHIN + 5, trust_env=False) as client:
                answer = await client.post("http://agent/v1/rest", params={"seconds": REST_WITHIN})
                log.info("copies rest", running=answer.raise_for_status().json()["running"])
        except httpx.HTTPError as error:  # the rest of the stack must stop all the same
            log.warning("the agent could not end its copies", error=str(error))

    return rest
