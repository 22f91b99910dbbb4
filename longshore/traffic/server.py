"""The aggregated discovery service: tells every Envoy its routes, and the store what each Envoy runs.

It holds no truth. Routes and copies are the store's, and followed; acks are the store's, and written. It may be
restarted at any time: Envoys go on with what they have and come back within seconds.
"""

import asyncio
from typing import Any, Final, Self

import grpc
import structlog
from envoy.service.discovery.v3.ads_pb2_grpc import (
    AggregatedDiscoveryServiceServicer,
    add_AggregatedDiscoveryServiceServicer_to_server,
)
from google.protobuf import json_format

from longshore.traffic.addresses import joined, split_address
from longshore.traffic.bootstrap import ADMIN_KEY, LISTEN_KEY
from longshore.traffic.conversation import Conversation, RefusedError, SilentGatewayError
from longshore.traffic.gateway import Gateway
from longshore.traffic.listener import listener
from longshore.traffic.port import RouteStore
from longshore.traffic.reporter import Reporter
from longshore.traffic.world import Follower

STOP_S: Final = 5.0
"""Streams are ended by us within milliseconds; those that are not by then are cut."""

_OPTIONS: Final = [
    ("grpc.so_reuseport", 0),  # otherwise a second server could share the port, and Envoys would find either
    ("grpc.keepalive_time_ms", 10_000),  # an Envoy that froze is given up, so that it begins anew once it wakes
    ("grpc.keepalive_timeout_ms", 10_000),
]

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
        self._service = _Service(store, self._follower)
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
        self._server = grpc.aio.server(options=_OPTIONS)
        add_AggregatedDiscoveryServiceServicer_to_server(self._service, self._server)
        try:
            port = self._server.add_insecure_port(self._listen)
        except RuntimeError as error:
            raise OSError(f"the discovery service cannot listen on {self._listen}: is the address in use?") from error
        self.address = joined(host, port)
        await self._server.start()
        self._follower.start()

    async def stop(self) -> None:
        """End the streams and stop. Envoys go on with what they have."""
        await asyncio.gather(self._server.stop(STOP_S), self._service.end())
        await self._follower.stop()

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
        self._running: set[asyncio.Task[Any]] = set()

    async def StreamAggregatedResources(self, requests: Any, context: Any) -> None:  # noqa: N802 gRPC's name
        """Serve one gateway until its stream ends."""
        first = await anext(aiter(requests), None)
        if first is None:
            return
        try:
            session = _Session(first, context, self._store, self._follower)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        serving = asyncio.create_task(self._serve(session, first, requests), name=f"longshore-gateway-{session.node}")
        self._running.add(serving)
        serving.add_done_callback(self._running.discard)
        try:
            # gRPC cancels this handler when the gateway goes; what is being saved of it then is still saved.
            await asyncio.shield(serving)
        finally:
            session.end()

    async def _serve(self, session: "_Session", first: Any, requests: Any) -> None:
        if before := self._sessions.get(session.node):
            before.end()
        self._sessions[session.node] = session
        try:
            await session.run(first, requests)
        finally:
            if self._sessions.get(session.node) is session:
                del self._sessions[session.node]
                await session.say_left()

    async def end(self) -> None:
        """End every stream, and wait until that is done or takes too long."""
        for session in self._sessions.values():
            session.end()
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_S)


class _Session:
    """One gateway's stream: brings it to every new world, and tells the store."""

    def __init__(self, first: Any, context: Any, store: RouteStore, follower: Follower) -> None:
        metadata = json_format.MessageToDict(first.node.metadata)
        self.node: str = first.node.id
        if not self.node or LISTEN_KEY not in metadata:
            raise ValueError("not a gateway of Longshore: start Envoy with the bootstrap that Longshore writes")
        self._follower = follower
        self._conversation = Conversation(context.write)
        self._gateway = Gateway(self.node, listener(metadata[LISTEN_KEY]), self._conversation)
        began_anew = not first.version_info
        self._reporter = Reporter(store, self.node, metadata.get(ADMIN_KEY), began_anew=began_anew)
        self._ended = asyncio.Event()
        self._log = logger.bind(gateway=self.node)
        self._log.info("gateway connected", began_anew=began_anew)

    async def run(self, first: Any, requests: Any) -> None:
        """Serve until the stream ends or the gateway cannot be served on it."""
        await self._conversation.hear(first)
        self._reporter.start()
        tasks = [
            asyncio.create_task(self._conversation.listen(requests)),
            asyncio.create_task(self._bring()),
            asyncio.create_task(self._ended.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._reporter.stop()

    def end(self) -> None:
        """Let `run` return."""
        self._ended.set()

    async def say_left(self) -> None:
        """Tell the store that the gateway is no longer connected."""
        self._log.info("gateway left")
        await self._reporter.say_left()

    async def _bring(self) -> None:
        """Bring the gateway to every new world; the end of this ends the stream, and the gateway begins a new one."""
        world = None
        while True:
            world = await self._follower.after(world)
            try:
                refused = await self._gateway.bring_to(world)
            except RefusedError as error:
                self._log.error("gateway refused its configuration", revision=world.revision, reason=error.message)
                self._reporter.rejected(world.revision, error.message)
                return
            except SilentGatewayError as error:
                self._log.warning("gateway is silent", error=str(error))
                return
            self._reporter.acked(world.revision, refused)
