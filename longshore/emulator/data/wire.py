"""Calls over HTTP: on a port of their own, quickly, and on the emulator's main port like everything else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import Future
from typing import Any

from werkzeug.wrappers import Request, Response

from longshore.emulator.data.asking import MOST_BYTES
from longshore.emulator.data.runtime import STREAM_SECONDS, Runtime
from longshore.emulator.data.signature import SignedRequest

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_ANSWER_SECONDS = 90.0
"""A model's time to answer, and some."""


class Application:
    """The runtime as an ASGI application."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        query = scope["query_string"]
        target = (scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1")
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        answer = await self._runtime.answer(SignedRequest(scope["method"], target, headers, await _body(receive)))
        sent = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        if isinstance(answer.body, bytes):
            sent.append((b"content-length", str(len(answer.body)).encode()))
            await send({"type": "http.response.start", "status": answer.status, "headers": sent})
            await send({"type": "http.response.body", "body": answer.body})
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": sent})
        async for part in answer.body:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _body(receive: Receive) -> bytes:
    """The whole body; of one that is too large, just enough to see that it is."""
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        if size <= MOST_BYTES:
            parts.append(part)
            size += len(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def respond(request: Request, runtime: Runtime, loop: asyncio.AbstractEventLoop) -> Response:
    """Answer a request that came to the main port, from the thread that has it."""
    target = request.environ.get("RAW_URI") or request.environ["REQUEST_URI"]
    signed = SignedRequest(request.method, target, tuple(request.headers.items()), request.get_data())
    answer = asyncio.run_coroutine_threadsafe(runtime.answer(signed), loop).result(_ANSWER_SECONDS)
    body = answer.body if isinstance(answer.body, bytes) else _parts(answer.body, loop)
    return Response(body, status=answer.status, headers=answer.headers)


def _parts(body: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> Iterator[bytes]:
    async def following() -> bytes | None:
        return await anext(body, None)

    while True:
        waiting: Future[bytes | None] = asyncio.run_coroutine_threadsafe(following(), loop)
        part = waiting.result(STREAM_SECONDS)
        if part is None:
            return
        yield part
