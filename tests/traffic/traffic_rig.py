"""Real parts to test the traffic plane with: Envoys, model servers of a few lines, and clients that count losses."""

import asyncio
import json
import os
import socket
import sysconfig
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from ssl import SSLContext
from typing import Any, Self

from longshore.planning.fence import Fence
from longshore.planning.observed import Copy, CopyState, Observation, Upstream
from longshore.planning.route import Gateway, Route
from longshore.spec.target import TargetSpec
from longshore.store.store import Store
from longshore.traffic.bootstrap import Machine, bootstrap
from longshore.traffic.plane import EnvoyTrafficPlane
from longshore.traffic.port import RouteStatus
from longshore.traffic.server import DiscoveryServer

ENVOY = Path(sysconfig.get_path("scripts")) / "envoy"
WAIT_S = 30.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(condition: Any, what: str, within: float = WAIT_S) -> Any:
    """Ask an async condition until it holds, and give what it gave."""
    deadline = asyncio.get_running_loop().time() + within
    while not (held := await condition()):
        assert asyncio.get_running_loop().time() < deadline, f"not within {within:g} s: {what}"
        await asyncio.sleep(0.02)
    return held


STATUSES = {"/fail": b"500 Internal Server Error", "/throttled": b"429 Too Many Requests"}


class ModelServer:
    """A copy: answers with what it was asked.

    `/slow` takes 2 s, `/ms/N` N ms, `/stream` sends ten parts in 1 s, `/fail` is a 500, `/throttled` a 429, `/cut`
    breaks the connection, `/half` does so in the middle of its answer.
    """

    def __init__(self, name: str, version: str, tls: SSLContext | None = None) -> None:
        self.name = name
        self.version = version
        self.tls = tls
        self.state = CopyState.READY
        self.answered = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.address = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.kill()

    async def kill(self) -> None:
        """Die as a process does: no port, and every connection cut."""
        if self._server:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def copy(self) -> Copy:
        """This copy as a backend observes it."""
        return Copy(
            id=self.name,
            deployment="digits",
            model="digits",
            version=self.version,
            host="here",
            address=self.address,
            state=self.state,
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        path = head[0].split(" ")[1]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name}
        body = await body_of(reader, headers)
        if path == "/cut":
            writer.transport.abort()
            return False
        if path == "/half":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            await writer.drain()
            return False
        if path == "/stream":
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(10):
                writer.write(b"5\r\npart \r\n")
                await writer.drain()
                await asyncio.sleep(0.1)
            writer.write(b"0\r\n\r\n")
        else:
            if path == "/slow":
                await asyncio.sleep(2)
            elif path.startswith("/ms/"):
                await asyncio.sleep(int(path.removeprefix("/ms/")) / 1000)
            said = json.dumps({"copy": self.name, "path": path, "headers": headers, "body": len(body)}).encode()
            status = STATUSES.get(path, b"200 OK")
            writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(said), said))
        await writer.drain()
        self.answered += 1
        return True


async def body_of(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """The body that follows these headers."""
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", 0)))
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(parts)


@dataclass(frozen=True)
class Answer:
    """What a client got; status 0 is a broken connection."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


async def ask(
    address: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    chunk: int | None = None,
) -> Answer:
    """One request on a connection of its own; with `chunk`, its body comes in parts of that size."""
    host, _, port = address.partition(":")
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", "host: gateway", "connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines += [f"content-length: {len(body)}" if chunk is None else "transfer-encoding: chunked"]
    if body is not None and chunk is not None:
        parts = (body[start : start + chunk] for start in range(0, len(body), chunk))
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write("\r\n".join([*lines, "", ""]).encode() + (body or b""))
        first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        got = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
        answered = await body_of(reader, got)
        writer.close()
        return Answer(int(first.split(" ")[1]), got, answered)
    except (OSError, asyncio.IncompleteReadError, ValueError):
        return Answer(0)


@dataclass(frozen=True)
class Surroundings:
    """What Envoys find on their machine."""

    machine: Machine = field(default_factory=Machine)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Besides what the tests have."""


class Envoy:
    """One Envoy process, started from our bootstrap."""

    def __init__(
        self, node: str, discovery: str, folder: Path, address: str | None, surroundings: "Surroundings"
    ) -> None:
        self.node = node
        self._environment = surroundings.environment
        self.address = address or f"127.0.0.1:{free_port()}"
        self.admin = f"127.0.0.1:{free_port()}"
        self._config = folder / f"{node}.json"
        self._log = folder / f"{node}.log"
        addresses = {"listen": self.address, "admin": self.admin, "discovery": discovery}
        config = bootstrap(node_id=node, machine=surroundings.machine, **addresses)
        self._config.write_text(json.dumps(config))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; it may still be without routes."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                ENVOY,
                *("-c", self._config, "--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
            )

    async def kill(self) -> None:
        """End it at once."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text()

    def config(self) -> str:
        """What it was started with."""
        return self._config.read_text()


class Rig:
    """A store, a discovery server, Envoys and copies, and the short words to play with them."""

    def __init__(self, store: Store, folder: Path, surroundings: Surroundings) -> None:
        self.store = store
        self._surroundings = surroundings
        self.plane = EnvoyTrafficPlane(store.traffic)
        self.server = DiscoveryServer(store.traffic, "127.0.0.1:0")
        self.envoys: list[Envoy] = []
        self._folder = folder
        self._sequence = 0

    @property
    def envoy(self) -> Envoy:
        """The first Envoy."""
        return self.envoys[0]

    async def add_envoy(self, node: str) -> Envoy:
        """Start another Envoy and wait until it runs the present routes."""
        envoy = await self.start_envoy(node)
        await self.serves(envoy)
        return envoy

    async def start_envoy(self, node: str, address: str | None = None) -> Envoy:
        """Start another Envoy."""
        envoy = Envoy(node, self.server.address, self._folder, address, self._surroundings)
        self.envoys.append(envoy)
        await envoy.start()
        return envoy

    async def start_server_anew(self) -> None:
        """Another discovery server in the place of the one that stopped, with nothing but the store to begin from."""
        self.server = DiscoveryServer(self.store.traffic, self.server.address)
        await self.server.start()

    async def observe(
        self, *servers: ModelServer, more: tuple[Copy, ...] = (), upstreams: tuple[Upstream, ...] = ()
    ) -> None:
        """Save what a backend sees now."""
        self._sequence += 1
        copies = (*(server.copy() for server in servers), *more)
        observation = Observation(
            target="here",
            sequence=self._sequence,
            at=datetime.now(UTC),
            hosts=(),
            copies=copies,
            upstreams=upstreams,
        )
        await self.store.fleet.save_observation(observation)

    async def send(
        self, weights: dict[str, int], *standby: str, deployment: str = "digits", idempotent: bool = False
    ) -> int:
        """Publish a route and say its revision."""
        self._sequence += 1
        route = Route(deployment=deployment, model="digits", weights=weights, standby=standby, idempotent=idempotent)
        return await self.plane.publish(route, Fence(operation=1, step=self._sequence))

    async def publish(
        self, weights: dict[str, int], *standby: str, deployment: str = "digits", idempotent: bool = False
    ) -> int:
        """Publish a route and wait until every Envoy runs it."""
        return await self.acked(await self.send(weights, *standby, deployment=deployment, idempotent=idempotent))

    async def acked(self, revision: int | None = None) -> int:
        """Wait until every Envoy runs a revision, or the newest."""
        revision = await self.plane.revision() if revision is None else revision
        status = await self.plane.status(revision, WAIT_S)
        assert status.acked, status
        return revision

    async def serves(self, envoy: Envoy) -> None:
        """Wait until an Envoy runs the newest revision and answers."""
        await self.acked_by(envoy.node)

        async def answers() -> bool:
            return (await ask(envoy.address, "/elsewhere")).status == 404

        await until(answers, f"{envoy.node} answers")

    async def acked_by(self, node: str) -> Gateway:
        """Wait until one gateway runs the newest revision."""

        async def acked() -> Gateway | None:
            newest = await self.plane.revision()
            known = {gateway.node: gateway for gateway in await self.store.traffic.gateways()}
            gateway = known.get(node)
            return gateway if gateway and gateway.connected and gateway.acked >= newest else None

        found: Gateway = await until(acked, f"{node} runs the newest revision")
        return found

    async def status(self, revision: int) -> RouteStatus:
        """The status of a revision as soon as there is something to say."""
        return await self.plane.status(revision, WAIT_S)

    async def get(self, path: str, *, envoy: Envoy | None = None, **headers: str) -> Answer:
        """A request to the deployment `digits`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask((envoy or self.envoy).address, f"/v1/models/digits{path}", named)

    @asynccontextmanager
    async def load(
        self, rate: float, paths: tuple[str, ...], get: Callable[[str], Awaitable[Answer]] | None = None
    ) -> AsyncIterator[Counter[int]]:
        """Requests at a steady rate while the block runs, the paths in turn; in the end, answers by status."""
        statuses: Counter[int] = Counter()
        asked: set[asyncio.Task[None]] = set()
        get = get or self.get

        async def one(path: str) -> None:
            answer = await get(path)
            statuses[answer.status if path != "/stream" or answer.body == b"part " * 10 else 0] += 1

        async def steadily() -> None:
            began, number = asyncio.get_running_loop().time(), 0
            while True:
                asked.add(asyncio.create_task(one(paths[number % len(paths)])))
                number += 1
                await asyncio.sleep(max(0.0, began + number / rate - asyncio.get_running_loop().time()))

        steady = asyncio.create_task(steadily())
        try:
            yield statuses
        finally:
            steady.cancel()
            with suppress(asyncio.CancelledError):
                await steady
            await asyncio.gather(*asked)


@asynccontextmanager
async def rig_of(
    store: Store, folder: Path, *nodes: str, surroundings: Surroundings | None = None
) -> AsyncIterator[Rig]:
    """A rig with Envoys that run; nothing is left behind."""
    await store.targets.put("here", TargetSpec(backend="local"), "test")
    rig = Rig(store, folder, surroundings or Surroundings())
    await rig.server.start()
    try:
        for node in nodes:
            await rig.add_envoy(node)
        yield rig
    finally:
        for envoy in rig.envoys:
            await envoy.kill()
        await rig.server.stop()
        await rig.plane.aclose()
