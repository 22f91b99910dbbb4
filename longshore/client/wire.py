"""One HTTP/1.1 request and its answer over a socket of its own.

Not `http.client`: importing it costs 28 ms (its email parser alone 19) where `longshore get` has 60 in all. Besides,
an answer here may time out and be read on, which following a stream of events needs.
"""

import socket
from typing import NamedTuple
from urllib.parse import urlsplit

MOST_HEAD = 64 * 1024
"""Bytes of a status line with its headers."""
_READ = 64 * 1024
_ENDLESS = 1 << 62


class Request(NamedTuple):
    """What is asked."""

    method: str
    path: str
    """Quoted, with its query."""
    headers: dict[str, str]
    body: bytes | None = None


class WireError(OSError):
    """What came back is not HTTP, or ended too early."""


class Answer:
    """An answer as it comes in. The body can be read on after a `TimeoutError`: nothing is lost."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = bytearray()
        self.status, self.headers = self._head()
        self._chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self._until_closed = not self._chunked and "content-length" not in self.headers
        self._left = 0 if self._chunked else int(self.headers.get("content-length", _ENDLESS))
        self._ended = self.status in {204, 304}

    def set_timeout(self, seconds: float) -> None:
        """The longest that one read may wait."""
        self._socket.settimeout(max(seconds, 0.001))

    def some(self) -> bytes:
        """The next bytes of the body, as soon as there are any; nothing at its end.

        Raises:
            TimeoutError: none came in time; the next call goes on where this one began.
            OSError: the connection broke.
        """
        if self._chunked and self._left == 0 and not self._ended:
            # The line that ends the chunk before is empty.
            while not (size := self._line()):
                pass
            self._left = _hexadecimal(size)
            self._ended = self._left == 0
        if self._ended or self._left == 0:
            return b""
        if not self._buffer and not self._fill():
            if not self._until_closed:
                raise WireError("the answer ended before its end")
            return b""
        taken = bytes(self._buffer[: self._left])
        del self._buffer[: len(taken)]
        self._left -= len(taken)
        return taken

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(iter(self.some, b""))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _head(self) -> tuple[int, dict[str, str]]:
        status = 100
        headers: dict[str, str] = {}
        while status < 200:  # answers of 1xx come before the answer
            version, _, rest = self._line().decode("latin-1").partition(" ")
            if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
                raise WireError("the answer is not HTTP")
            status, headers = int(rest[:3]), {}
            while line := self._line().decode("latin-1"):
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
        return status, headers

    def _line(self) -> bytes:
        """One line, without its end. It stays in the buffer until it is whole."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MOST_HEAD:
                raise WireError("the answer is not HTTP")
            if not self._fill():
                raise WireError("the connection was closed without an answer")
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        return line

    def _fill(self) -> bool:
        received = self._socket.recv(_READ)
        self._buffer += received
        return bool(received)


def _hexadecimal(size: bytes) -> int:
    try:
        return int(size.split(b";")[0], 16)
    except ValueError as error:
        raise WireError("the answer is not HTTP") from error


def connect(url: str, timeout: float) -> socket.socket:
    """Open a connection to the server of a URL, with TLS for https.

    Raises:
        ValueError: the URL is none.
        OSError: it cannot be reached.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is not where an API can be: write http://HOST:PORT in LONGSHORE_API_URL")
    secure = parts.scheme == "https"
    address = (parts.hostname, parts.port or (443 if secure else 80))
    connection = socket.create_connection(address, timeout=timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not secure:
        return connection
    import ssl

    return ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname)


def ask(connection: socket.socket, url: str, request: Request) -> Answer:
    """Send a request over a fresh connection, and read the head of its answer.

    Raises:
        ValueError: a header would break the request in two.
        OSError: the connection broke, or the answer did not begin in time.
    """
    parts = urlsplit(url)
    lines = [f"{request.method} {parts.path.rstrip('/')}{request.path} HTTP/1.1"]
    lines += [f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    if request.body is not None:
        lines.append(f"Content-Length: {len(request.body)}")
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or not head.isascii():
        raise ValueError("a header holds a line break, or is not ASCII: check LONGSHORE_API_KEY")
    connection.sendall(head.encode("ascii") + b"\r\n\r\n" + (request.body or b""))
    return Answer(connection)
