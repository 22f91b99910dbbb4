"""`python -m longshore.api`: the API's process."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog
import uvicorn

from longshore.api.app import create_app
from longshore.api.bootstrap import build
from longshore.api.dependencies import Dependencies
from longshore.logs import configure_logs
from longshore.settings import Settings
from longshore.store.errors import StoreUnavailableError
from longshore.traffic.addresses import split_address
from longshore.traffic.server import DiscoveryServer

GRACE_SECONDS = 5
"""Requests under way may finish for this long once the process was told to end."""

log = structlog.get_logger("longshore.api")


class Server(uvicorn.Server):
    """Ends endless answers when the process is told to end; they would hold it up for the whole grace."""

    def __init__(self, config: uvicorn.Config, dependencies: Dependencies) -> None:
        super().__init__(config)
        self._dependencies = dependencies

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals without sending them to this process again at the end: to end as told is success."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM and SIGINT."""
        self._dependencies.closing.set()
        super().handle_exit(sig, frame)


async def serve(dependencies: Dependencies, listen: tuple[str, int]) -> None:
    """Serve the API, and discovery for the gateways, until told to end.

    Raises:
        OSError: discovery's address cannot be bound.
    """
    host, port = listen
    config = uvicorn.Config(
        create_app(dependencies),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    try:
        async with DiscoveryServer(dependencies.store.traffic, dependencies.settings.discovery_listen):
            await Server(config, dependencies).serve()
    finally:
        await dependencies.store.database.dispose()


def main() -> int:
    """Serve until told to end.

    Returns:
        The exit code: 0; 1 when an address cannot be bound; 2 when the settings do not suffice.
    """
    configure_logs("api")
    settings = Settings.from_environment()
    if settings.database_url is None:
        log.error("LONGSHORE_DATABASE_URL is not set: `longshore up` starts a database, or give the address of one")
        return 2
    try:
        listen, _ = split_address(settings.api_listen), split_address(settings.discovery_listen)
        dependencies = build(settings, settings.database_url)
    except (StoreUnavailableError, ValueError) as error:
        log.error("the settings make no sense", error=str(error))  # noqa: TRY400 - one line, not a traceback
        return 2
    try:
        asyncio.run(serve(dependencies, listen))
    except OSError as error:
        log.error("an address cannot be bound", error=str(error))  # noqa: TRY400 - the same
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    # The Temporal SDK's runtime can crash a finished process at exit, so it leaves without a farewell.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
