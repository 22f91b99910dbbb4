"""Connections to one copy's process, kept between calls.

httpx's pool looks at each of its connections for every request, which costs more than the request; here one is taken
and put back. Only what the container is to see is sent: no header is added but those of HTTP itself.
"""

from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import httpcore

TIMED_OUT = httpcore.TimeoutException
FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, TIMED_OUT)
"""What a call may end in that gets no answer, or half of one."""

_CONNECT_SECONDS = 5.0


class Reply:
    """The beginning of an answer, and the rest as it comes. To be closed."""

    def __init__(
        self, channel: "Channel", connection: httpcore.AsyncHTTPConnection, response: httpcore.Response
    ) -> None:
        self.status = response.status
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        self._channel = channel
        self._connection = connection
        self._response = response

    @property
    def content_type(self) -> str:
        """What it is."""
        return self.headers.get("content-type", "application/octet-stream")

    async def parts(self) -> AsyncIterator[bytes]:
        """What the container sends, part by part.

        Raises:
            FAILURES: it stops in between.
        """
        async for part in self._response.aiter_stream():
            yield part

    async def read(self) -> bytes:
        """All of it.

        Raises:
            FAILURES: it stops in between.
        """
        return b"".join([part async for part in self.parts()])

    async def close(self) -> None:
        """Let go of the connection."""
        await self._response.aclose()
        await self._channel.put_back(self._connection)


class Channel:
    """The way to one process. Belongs to one event loop."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._origin = httpcore.Origin(b"http", (parts.hostname or "").encode(), parts.port or 80)
        self.url = url
        self._target = httpcore.URL(f"{url}/invocations")
        self._host = parts.netloc
        self._idle: list[httpcore.AsyncHTTPConnection] = []
        self._closed = False

    async def post(self, body: bytes, headers: Mapping[str, str], seconds: float) -> Reply:
        """Ask the process.

        Raises:
            FAILURES: it does not answer.
        """
        timeout = {"connect": _CONNECT_SECONDS, "read": seconds, "write": seconds}
        sent = [("Host", self._host), ("Content-Length", str(len(body))), *headers.items()]
        request = httpcore.Request("POST", self._target, headers=sent, content=body, extensions={"timeout": timeout})
        connection = await self._take()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        return Reply(self, connection, response)

    async def put_back(self, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection for the next call, if it can have one."""
        if connection.is_idle() and not self._closed:
            self._idle.append(connection)
        else:
            await connection.aclose()

    async def close(self) -> None:
        """Keep no more connections; those that are in use are closed after their calls."""
        self._closed = True
        while self._idle:
            await self._idle.pop().aclose()

    async def _take(self) -> httpcore.AsyncHTTPConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(self._origin)
