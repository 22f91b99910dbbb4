"""A container as SageMaker runs them, of the standard library alone: as good or as bad as its artifact says.

It is what `e2e_server` is to the local backend, by SageMaker's contract: `GET /ping`, `POST /invocations`, on the port
and with the model that the environment names. The artifact is JSON: `startup` (seconds until it is ready) and `errors`
(share of requests answered 500).
"""

import asyncio
import json
import os
import time
from pathlib import Path


class Model:
    """What the artifact says, and how many requests were asked of it."""

    def __init__(self, folder: Path) -> None:
        (artifact,) = (path for path in folder.iterdir() if path.suffix == ".json")
        said = json.loads(artifact.read_text())
        self._ready_at = time.monotonic() + said["startup"]
        self._errors = said["errors"]
        self._asked = 0

    @property
    def ready(self) -> bool:
        """Whether the start-up is over."""
        return time.monotonic() >= self._ready_at

    def fails(self) -> bool:
        """Whether the next request is answered 500: evenly spread, so that the share holds in every window."""
        self._asked += 1
        return int(self._asked * self._errors) > int((self._asked - 1) * self._errors)


async def serve(model: Model, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next((line for line in head.splitlines() if line.startswith("content-length:")), ":0")
            await reader.readexactly(int(length.partition(":")[2]))
            if head.startswith("get /ping"):
                say(writer, "200 OK" if model.ready else "503 Service Unavailable")
            else:
                say(writer, "500 Internal Server Error" if model.fails() else "200 OK")
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


def say(writer: asyncio.StreamWriter, status: str) -> None:
    """A whole answer, which names the version and the process."""
    body = json.dumps({"version": os.environ["MODEL_VERSION"], "process": os.getpid()})
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(f"{head}{body}".encode())


async def main() -> None:
    """Serve until ended."""
    model = Model(Path(os.environ["SM_MODEL_DIR"]))
    port = int(os.environ["SAGEMAKER_BIND_TO_PORT"])
    server = await asyncio.start_server(lambda *both: serve(model, *both), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
