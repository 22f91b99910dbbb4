"""Resting the serving copies of this machine: what `down` does before it stops the agent that watches them."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from longshore.backends.local.backend import LocalBackend
from longshore.backends.port import BackendError

log = structlog.get_logger(__name__)


def agent_of(socket: Path) -> LocalBackend:
    """The agent behind a socket. What is asked of it here is asked for the machine, of no target in particular."""
    return LocalBackend("machine", socket)


def rest_copies(socket: Path) -> Callable[[], Awaitable[None]]:
    """Ask the agent to end every copy and to start none; its levels stay, and its next start brings them back."""

    async def rest() -> None:
        try:
            log.info("copies rest", running=await agent_of(socket).rest())
        except BackendError as error:  # the rest of the stack must stop all the same
            log.warning("the agent could not end its copies", reason=error.message)

    return rest
