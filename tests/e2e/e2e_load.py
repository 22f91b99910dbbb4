"""Steady requests through the gateway, and what became of each."""

import asyncio
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

RATE = 80.0
"""Requests a second."""
MOST_AT_ONCE = 256
PATHS = ("/slow", *["/quick"] * 19, "/stream", *["/quick"] * 19)
"""Asked in turn: two of 2 s and two streams a second, the rest short."""
ANSWER_S = 30.0
STREAMED = b"part " * 10


@dataclass(frozen=True)
class Answer:
    """What a client got. Status 0 is a broken connection, or an answer that broke off."""

    path: str
    began: float
    """Seconds since 1970."""
    ended: float
    status: int
    headers: dict[str, str]

    @property
    def copy(self) -> str | None:
        """The copy that answered, if only the beginning; None for an answer of the gateway's own."""
        return self.headers.get("x-copy")

    @property
    def version(self) -> str | None:
        """The version that the gateway asked."""
        return self.headers.get("x-longshore-version")

    @property
    def good(self) -> bool:
        """Whether it is what was asked for."""
        return self.status == 200

    @property
    def models_own(self) -> bool:
        """Whether a copy gave the whole answer, good or bad."""
        return self.status != 0 and self.copy is not None


class Load:
    """An open loop of requests to one deployment on connections that are kept, in a thread of its own.

    ```
    with Load("127.0.0.1:8471", "digits") as load:
        …
    load.lost  # what the version asked did not answer itself
    ```
    """

    def __init__(self, gateway: str, deployment: str, rate: float = RATE) -> None:
        self._host, _, port = gateway.rpartition(":")
        self._port = int(port)
        self._prefix = f"/v1/models/{deployment}"
        self._rate = rate
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), name="load")
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join(ANSWER_S * 2)
        assert not self._thread.is_alive()

    @property
    def lost(self) -> list[Answer]:
        """Requests that no copy answered whole."""
        return [answer for answer in self.answers if not answer.models_own]

    def own_errors(self, version: str) -> list[Answer]:
        """Bad answers that copies of a version gave themselves."""
        return [
            answer for answer in self.answers if answer.models_own and not answer.good and answer.version == version
        ]

    def by_version(self) -> Counter[str]:
        """Good answers of each version."""
        return Counter(answer.version or "" for answer in self.answers if answer.good)

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        began, number = loop.time(), 0
        asked: set[asyncio.Task[None]] = set()
        while not self._stop.is_set():
            if len(asked) >= MOST_AT_ONCE:
                await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._one(PATHS[number % len(PATHS)]))
            asked.add(task)
            task.add_done_callback(asked.discard)
            number += 1
            await asyncio.sleep(max(0.0, began + number / self._rate - loop.time()))
        await asyncio.gather(*asked)
        for _, writer in self._idle:
            writer.close()

    async def _one(self, path: str) -> None:
        began = time.time()
        headers: dict[str, str] = {}
        status = 0
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                status = await self._ask(path, headers)
        self.answers.append(Answer(path, began, time.time(), status, headers))

    async def _ask(self, path: str, headers: dict[str, str]) -> int:
        reader, writer = await self._connection()
        try:
            writer.write(f"GET {self._prefix}{path} HTTP/1.1\r\nhost: gateway\r\n\r\n".encode())
            first, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers.update((name.lower(), value) for name, _, value in (line.partition(": ") for line in rest))
            body = await _body(reader, headers)
        except BaseException:
            writer.transport.abort()
            raise
        self._idle.append((reader, writer))
        status = int(first.split(" ")[1])
        return 0 if status == 200 and path == "/stream" and body != STREAMED else status

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
        return await asyncio.open_connection(self._host, self._port)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    parts = []
    while size := int(await reader.readuntil(b"\n"), 16):
        parts.append(await reader.readexactly(size))
        await reader.readuntil(b"\n")
    await reader.readuntil(b"\n")
    return b"".join(parts)
