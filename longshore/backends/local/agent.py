"""The agent that owns this machine's serving processes: `python -m longshore.backends.local.agent`.

It answers on a Unix socket that only its user may open. It may be killed at any instant: its copies go on, and the
next agent takes them back.
"""

import asyncio
import fcntl
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from longshore.backends.local.durable import StateError
from longshore.backends.local.fleet import Fleet
from longshore.backends.local.keeper import Keeper
from longshore.backends.local.machine import find_gpus, machine_name
from longshore.backends.local.routes import add_routes
from longshore.backends.local.starting import Starter
from longshore.settings import Settings

_LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107

logger = structlog.get_logger(__name__)


class AgentError(Exception):
    """The agent cannot run; one line for a person."""


def main() -> None:
    """Run the agent until SIGTERM or SIGINT. Its copies go on."""
    settings = Settings.from_environment()
    _log_json_lines()
    try:
        folder = (settings.home / "agent").resolve()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(folder), _listening(settings.agent_socket) as listener:
            application = _application(folder, settings.secrets)
            server = uvicorn.Server(uvicorn.Config(application, log_config=None, access_log=False))
            server.run(sockets=[listener])
    except (AgentError, StateError, OSError) as error:
        sys.exit(f"longshore agent: {error}")


def _application(folder: Path, secrets: Path) -> FastAPI:
    """The agent as an application, whose keeper works for as long as it serves."""
    fleet = Fleet(folder, machine_name(), find_gpus())
    starter = Starter(folder, secrets)
    keeper = Keeper(fleet, starter)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Before the first answer: nobody may hear of a copy that is dead, or not hear of one that lives.
        keeper.recover()
        keeping = asyncio.create_task(keeper.run())
        keeping.add_done_callback(_stop_unless_cancelled)
        yield
        keeping.cancel()
        await asyncio.wait([keeping])

    application = FastAPI(title="Longshore agent", lifespan=lifespan, openapi_url=None)
    add_routes(application, fleet, keeper, starter)
    return application


def _stop_unless_cancelled(keeping: asyncio.Task[None]) -> None:
    """An agent that answers but keeps nothing is worse than none, for none is started again."""
    if not keeping.cancelled():
        logger.critical("the keeper ended", exc_info=keeping.exception())
        signal.raise_signal(signal.SIGTERM)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; it goes with the process, however that ends."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AgentError(f"another agent runs on {folder}") from None
        yield


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """A socket that only this user may open. One left by a dead agent is replaced: the lock says it is dead."""
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise AgentError(f"{path} is too long for a Unix socket: set LONGSHORE_AGENT_SOCKET to a shorter path")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        yield listener


def _log_json_lines() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    main()
