"""A model server that does next to nothing: every request is answered at once with the same 64 bytes."""

import asyncio
import os

BODY = b"x" * 64
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 64\r\n\r\n" + BODY
END = b"\r\n\r\n"


class Upstream(asyncio.Protocol):
    """Answers requests without a body, on connections that are kept alive."""

    def __init__(self) -> None:
        self._unread = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember whom to answer."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole by now."""
        assert self._transport
        *whole, self._unread = (self._unread + data).split(END)
        self._transport.write(ANSWER * len(whole))


async def main() -> None:
    """Serve where Longshore says."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, os.environ["HOST"], int(os.environ["PORT"]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
