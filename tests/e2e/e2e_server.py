"""A serving process of the standard library alone: starts at once, and is as good or as bad as its artifact says.

The artifact is JSON: `startup` (seconds until it is ready), `errors` (share of requests answered 500) and `worse`
(`errors` once the file of that name exists); all may be left out. It answers `/quick` at once, `/slow` after 2 s and
`/stream` by ten parts within 1 s. Every start is a line in the file named by `LIVES`. On SIGTERM it is gone at once,
requests in flight and all: whoever ends it must have waited for them.
"""

import asyncio
import json
import os
import time
from pathlib import Path

COPY = os.environ["LONGSHORE_COPY_ID"]
VERSION = os.environ["MODEL_VERSION"]
SLOW_S = 2.0
PARTS, PART, PAUSE_S = 10, b"5\r\npart \r\n", 0.1


class Model:
    """What the artifact says, and how many requests were asked of it."""

    def __init__(self, artifact: Path) -> None:
        said = json.loads(artifact.read_text())
        self._ready_at = time.monotonic() + said.get("startup", 0.0)
        self._errors = said.get("errors", 0.0)
        self._worse = said.get("worse")
        self._asked = 0

    @property
    def ready(self) -> bool:
        """Whether the start-up is over."""
        return time.monotonic() >= self._ready_at

    def fails(self) -> bool:
        """Whether the next request is answered 500: evenly spread, so that the share holds in every window."""
        share = self._worse["errors"] if self._worse and Path(self._worse["when"]).exists() else self._errors
        self._asked += 1
        return int(self._asked * share) > int((self._asked - 1) * share)


async def serve(model: Model, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            await answer(model, head.split(" ")[1], writer)
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


async def answer(model: Model, path: str, writer: asyncio.StreamWriter) -> None:
    """Answer one request."""
    if path == "/ready":
        say(writer, "200 OK" if model.ready else "503 Service Unavailable")
    elif model.fails():
        say(writer, "500 Internal Server Error")
    elif path == "/stream":
        writer.write(f"HTTP/1.1 200 OK\r\nx-copy: {COPY}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        for _ in range(PARTS):
            writer.write(PART)
            await writer.drain()
            await asyncio.sleep(PAUSE_S)
        writer.write(b"0\r\n\r\n")
    else:
        await asyncio.sleep(SLOW_S if path == "/slow" else 0)
        say(writer, "200 OK")
    await writer.drain()


def say(writer: asyncio.StreamWriter, status: str) -> None:
    """A whole answer."""
    body = f"version {VERSION}\n"
    writer.write(f"HTTP/1.1 {status}\r\nx-copy: {COPY}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())


async def main() -> None:
    """Serve until ended."""
    model = Model(Path(os.environ["MODEL_PATH"]))
    server = await asyncio.start_server(lambda *both: serve(model, *both), "127.0.0.1", int(os.environ["PORT"]))
    await server.serve_forever()


def tell_of_the_start() -> None:
    """A line for those who count."""
    life = {"copy": COPY, "version": VERSION, "pid": os.getpid(), "at": time.time()}
    with Path(os.environ["LIVES"]).open("a") as lives:
        lives.write(json.dumps(life) + "\n")  # one write of a short line: no other process's gets into it


if __name__ == "__main__":
    tell_of_the_start()
    asyncio.run(main())
