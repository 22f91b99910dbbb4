"""The aggregated discovery service: tells every Envoy its routes, and the store what each Envoy runs.

It holds no truth. Routes and copies are the store's, and followed; acks are the store's, and written. It may be
restarted at any time: Envoys go on with what they have and come back within seconds.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final, Self

import grpc
import structlog
from envoy.service.discovery.v3.ads_pb2_grpc import (
    AggregatedDiscoveryServiceServicer,
    add_AggregatedDiscoveryServiceServicer_to_server,
)
from google.protobuf import json_format

from longshore.planning.route import RefusedRoute
from longshore.traffic.addresses import joined, split_address
from longshore.traffic.bootstrap import ADMIN_KEY, LISTEN_KEY
from longshore.traffic.conversation import Conversation, RefusedError, SilentGatewayError
from longshore.traffic.gateway import Gateway
from longshore.traffic.port import RouteStore
from longshore.traffic.resources import listener
from longshore.traffic.world import Follower

HEARTBEAT_S: Final = 10.0
"""How often a connected gateway is said to be so; it is waited for for a minute after the last time."""
STORE_RETRY_S: Final = 1.0
STOP_S: Final = 1.0
"""Streams never end by themselves, so stopping does not wait for them longer than this."""

logger = structlog.get_logger(__name__)


class DiscoveryServer:
    """The service on one address, and the task that follows the store.

    | do | by |
    |---|---|
    | serve while a block runs | `async with DiscoveryServer(store.traffic, "127.0.0.1:8472"):` |
    | serve until told otherwise | `await server.start()` … `await server.stop()` |
    """

    def __init__(self, store: RouteStore, listen: str) -> None:
        self._store = store
        self._listen = listen
        self._follower = Follower(store)
        self._tasks: list[asyncio.Task[None]] = []
        self._server: Any = None
        self.address = listen
        """Where it listens; once started, with the port that was chosen for port 0."""

    async def start(self) -> None:
        """Bind and begin to serve. The store need not be there yet.

        Raises:
            OSError: the address cannot be bound.
            ValueError: it is not `host:port`.
        """
        host, _ = split_address(self._listen)
        # Without this, gRPC lets a second server share the port, and Envoys would find either.
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        service = _Service(self._store, self._follower)
        add_AggregatedDiscoveryServiceServicer_to_server(service, self._server)
        try:
            port = self._server.add_insecure_port(self._listen)
        except RuntimeError as error:
            raise OSError(f"the discovery service cannot listen on {self._listen}: is the address in use?") from error
        self.address = joined(host, port)
        await self._server.start()
        self._tasks = [
            asyncio.create_task(self._follower.run(), name="longshore-traffic-follower"),
            asyncio.create_task(service.forget_lost(), name="longshore-traffic-forget"),
        ]

    async def stop(self) -> None:
        """End the streams and stop. Envoys go on with what they have."""
        await self._server.stop(STOP_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()


class _Service(AggregatedDiscoveryServiceServicer):  # type: ignore[misc]
    """The gRPC service: one `_Session` a stream."""

    def __init__(self, store: RouteStore, follower: Follower) -> None:
        self._store = store
        self._follower = follower
        self._sessions: dict[str, _Session] = {}

    async def StreamAggregatedResources(self, requests: Any, context: Any) -> None:  # noqa: N802 gRPC's name
        """Serve one gateway until its stream ends."""
        first = await anext(aiter(requests), None)
        if first is None:
            return
        try:
            session = _Session(first, context, self._store, self._follower)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        self._sessions[session.node] = session
        try:
            await session.run(first, requests)
        finally:
            if self._sessions.get(session.node) is session:
                del self._sessions[session.node]
                await session.left()

    async def forget_lost(self) -> None:
        """Correct what a server that crashed left behind: gateways that it said were connected, and are not."""
        while True:
            try:
                for gateway in await self._store.gateways():
                    if gateway.connected and gateway.node not in self._sessions:
                        await self._store.gateway_seen(gateway.node, gateway.admin, connected=False)
            except Exception as error:  # noqa: BLE001 whatever ails the store, gateways are served on
                logger.warning("cannot read gateways", error=str(error))
                await asyncio.sleep(STORE_RETRY_S)
            else:
                return


class _Session:
    """One gateway's stream: brings it to every new world, and tells the store."""

    def __init__(self, first: Any, context: Any, store: RouteStore, follower: Follower) -> None:
        metadata = json_format.MessageToDict(first.node.metadata)
        self.node: str = first.node.id
        if not self.node or LISTEN_KEY not in metadata:
            raise ValueError("not a gateway of Longshore: start Envoy with the bootstrap that Longshore writes")
        self._admin: str | None = metadata.get(ADMIN_KEY)
        self._began_anew = not first.version_info
        self._store = store
        self._follower = follower
        self._conversation = Conversation(context.write)
        self._gateway = Gateway(self.node, listener(metadata[LISTEN_KEY]), self._conversation)
        self._log = logger.bind(gateway=self.node)
        self._acked: tuple[int, tuple[RefusedRoute, ...]] | None = (0, ()) if self._began_anew else None
        self._rejected: tuple[int, str] | None = None
        self._news = asyncio.Event()

    async def run(self, first: Any, requests: Any) -> None:
        """Serve until the stream ends or the gateway cannot be served on it."""
        await self._conversation.hear(first)
        self._log.info("gateway connected", admin=self._admin, began_anew=self._began_anew)
        tasks = [
            asyncio.create_task(self._conversation.listen(requests)),
            asyncio.create_task(self._bring()),
            asyncio.create_task(self._report()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def left(self) -> None:
        """Tell the store that the gateway is no longer connected, and what it last refused."""
        self._log.info("gateway left")
        with suppress(Exception):  # the store is away; once back, the next server to start corrects it
            await self._write()
            await self._store.gateway_seen(self.node, self._admin, connected=False)

    async def _bring(self) -> None:
        """Bring the gateway to every new world; the end of this ends the stream, and the gateway begins a new one."""
        world = None
        while True:
            world = await self._follower.after(world)
            try:
                refused = await self._gateway.bring_to(world)
            except RefusedError as error:
                self._rejected = world.revision, error.message
                self._log.error("gateway refused its configuration", revision=world.revision, reason=error.message)
                return
            except SilentGatewayError as error:
                self._log.warning("gateway is silent", error=str(error))
                return
            self._acked, self._rejected = (world.revision, refused), None
            self._news.set()

    async def _report(self) -> None:
        """Tell the store what the gateway runs: at once when that changes, and as a heartbeat."""
        known = False
        while True:
            try:
                if not (known and self._news.is_set()):
                    await self._store.gateway_seen(self.node, self._admin, connected=True)
                    known = True
                self._news.clear()
                await self._write()
                pause = HEARTBEAT_S
            except Exception as error:  # noqa: BLE001 whatever ails the store, gateways are served on
                self._log.warning("cannot save what a gateway runs", error=str(error))
                known, pause = False, STORE_RETRY_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), pause)

    async def _write(self) -> None:
        """Save what was said and is not saved yet."""
        if rejected := self._rejected:
            await self._store.gateway_rejected(self.node, *rejected)
        elif acked := self._acked:
            await self._store.gateway_acked(self.node, *acked)
            if self._acked is acked:
                self._acked = None
