"""Requests through Envoy against requests straight to the same copy, from one client, by turns.

Closed loop: sixteen connections, each sends its next request as soon as it has its answer; says how many go through.
Open loop: a request every 5 ms whatever becomes of the others, its latency counted from the instant it was due; says
what a request pays for the way through Envoy while there is no crowd.
"""

import asyncio
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from measured import Spread, ratios, table
from serving import NAME, served

from longshore.client import Client

CONNECTIONS = 16
SECONDS = 2.0
RATE = 200.0
"""Requests a second of the open loop."""
RUNS = 7
"""After one of each that warms up."""
DRAINED_WITHIN = 5.0


@dataclass(frozen=True)
class Way:
    """A way to the copy."""

    host: str
    port: int
    path: str

    @property
    def request(self) -> bytes:
        """A whole request without a body."""
        return f"GET {self.path} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\n\r\n".encode()


@dataclass(frozen=True)
class Load:
    """What one round saw."""

    rate: float
    """Answers a second."""
    p50: float
    p99: float
    """Seconds."""

    @classmethod
    def of(cls, latencies: list[float], seconds: float) -> "Load":
        """Of all latencies of a round."""
        cuts = statistics.quantiles(latencies, n=100)
        return cls(len(latencies) / seconds, cuts[49], cuts[98])


class Connection(asyncio.Protocol):
    """One connection that is kept alive, with at most one request on it."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[None] | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to send."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take in an answer, and say so when it is whole."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) >= length:
            assert head.startswith(b"HTTP/1.1 200 "), head
            self._received = b""
            assert self._answer
            self._answer.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """A request on a connection that broke must not be waited for."""
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the connection was closed"))

    async def ask(self, request: bytes) -> None:
        """Send a request and wait for its answer."""
        assert self._transport
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._answer

    def close(self) -> None:
        """End it."""
        assert self._transport
        self._transport.close()


async def closed_loop(way: Way, connections: list[Connection]) -> Load:
    """Every connection asks again as soon as it has its answer."""
    latencies: list[float] = []
    until = time.perf_counter() + SECONDS

    async def ask(connection: Connection) -> None:
        while (began := time.perf_counter()) < until:
            await connection.ask(way.request)
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(ask(connection) for connection in connections))
    return Load.of(latencies, SECONDS)


async def open_loop(way: Way, connections: list[Connection]) -> Load:
    """A request at every instant it is due; one that finds no idle connection waits, and its wait counts."""
    latencies: list[float] = []
    idle = asyncio.Queue[Connection]()
    for connection in connections:
        idle.put_nowait(connection)

    async def ask(due: float) -> None:
        connection = await idle.get()
        await connection.ask(way.request)
        latencies.append(time.perf_counter() - due)
        idle.put_nowait(connection)

    began = time.perf_counter()
    async with asyncio.timeout(SECONDS + DRAINED_WITHIN), asyncio.TaskGroup() as asking:
        for number in range(int(SECONDS * RATE)):
            due = began + number / RATE
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asking.create_task(ask(due))
    return Load.of(latencies, time.perf_counter() - began)


async def measure(direct: Way, gateway: Way) -> list[list[str]]:
    """Both loops both ways, by turns."""
    loop = asyncio.get_running_loop()
    connections = {
        way: [(await loop.create_connection(Connection, way.host, way.port))[1] for _ in range(CONNECTIONS)]
        for way in (direct, gateway)
    }
    rows = []
    for name, load in (("closed", closed_loop), ("open", open_loop)):
        rounds = []
        for turn in range(RUNS + 1):
            both = [await load(way, connections[way]) for way in (direct, gateway)]
            if turn:
                rounds.append(both)
        rows += _rows(name, [one for one, _ in rounds], [other for _, other in rounds])
    for connection in (*connections[direct], *connections[gateway]):
        connection.close()
    return rows


def _rows(name: str, direct: list[Load], gateway: list[Load]) -> list[list[str]]:
    def figures(loads: list[Load]) -> list[str]:
        rate = Spread.of([load.rate for load in loads]).show()
        return [rate, *(Spread.of([getattr(load, cut) for load in loads]).show(2, 1000) for cut in ("p50", "p99"))]

    def ratio(figure: str) -> str:
        return ratios([getattr(load, figure) for load in gateway], [getattr(load, figure) for load in direct]).show(2)

    return [
        [name, "straight", *figures(direct)],
        [name, "through Envoy", *figures(gateway)],
        [name, "ratio", *map(ratio, ("rate", "p50", "p99"))],
    ]


def main() -> None:
    """Measure, and print the table."""
    with served() as settings:
        (copy,) = Client.from_environment().items(f"/v1/deployments/{NAME}/copies")
        host, _, port = copy["address"].partition(":")
        gateway = urlsplit(settings.gateway_url or "")
        assert gateway.hostname
        assert gateway.port
        ways = Way(host, int(port), "/"), Way(gateway.hostname, gateway.port, f"/v1/models/{NAME}/")
        rows = asyncio.run(measure(*ways))
    print(table(["loop", "way", "requests/s", "p50 ms", "p99 ms"], rows))


if __name__ == "__main__":
    main()
