"""What a gateway runs, told to the store: when it changes, again when the store was away, and as a heartbeat."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from longshore.planning.route import RefusedRoute
from longshore.traffic.port import RouteStore

HEARTBEAT_S: Final = 10.0
"""How often a connected gateway is said to be so; it is waited for for a minute after the last time."""
RETRY_S: Final = 1.0

logger = structlog.get_logger(__name__)


class Reporter:
    """Writes one gateway's row. It is stopped between two writes: a cancelled one costs the store a connection."""

    def __init__(self, store: RouteStore, node: str, admin: str | None, *, began_anew: bool) -> None:
        self._store = store
        self._node = node
        self._admin = admin
        self._acked: tuple[int, tuple[RefusedRoute, ...]] | None = (0, ()) if began_anew else None
        self._rejected: tuple[int, str] | None = None
        self._news = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._log = logger.bind(gateway=node)

    def acked(self, revision: int, refused: tuple[RefusedRoute, ...]) -> None:
        """The gateway runs a revision, but for what it refused."""
        self._acked, self._rejected = (revision, refused), None
        self._news.set()

    def rejected(self, revision: int, message: str) -> None:
        """The gateway refused a revision as a whole."""
        self._rejected = revision, message
        self._news.set()

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._report(), name="longshore-traffic-reporter")

    async def stop(self) -> None:
        """Write what is new, if the store is there, and stop."""
        self._stopping = True
        self._news.set()
        if self._task:
            await self._task

    async def say_left(self) -> None:
        """Write that the gateway is no longer connected. While the store is away, its minute runs out instead."""
        with suppress(Exception):
            await self._store.gateway_seen(self._node, self._admin, connected=False)

    async def _report(self) -> None:
        known, pause = False, HEARTBEAT_S
        while True:
            fresh = self._news.is_set()
            self._news.clear()
            try:
                if not (known and fresh):
                    await self._store.gateway_seen(self._node, self._admin, connected=True)
                    known = True
                await self._write()
                pause = HEARTBEAT_S
            except Exception as error:  # noqa: BLE001 whatever ails the store, gateways are served on
                if known or pause != RETRY_S:
                    self._log.warning("cannot save what a gateway runs; trying again", error=str(error))
                known, pause = False, RETRY_S
            if self._stopping:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause)

    async def _write(self) -> None:
        """Save what was said and is not saved yet."""
        if acked := self._acked:
            await self._store.gateway_acked(self._node, *acked)
            if self._acked is acked:
                self._acked = None
        if rejected := self._rejected:
            await self._store.gateway_rejected(self._node, *rejected)
            if self._rejected is rejected:
                self._rejected = None
