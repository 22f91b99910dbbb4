"""The client on the wire: against a server that plays bytes, so that every way an answer can break is tried."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from harbour import KEY, Harbour

from longshore.client import Client, ClientError, NotLongshoreError, UnreachableError
from longshore.client.stream import EventStream, _Parser
from longshore.client.wire import Answer, Request, ask, connect

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DONE = OK + b"Content-Length: 14\r\n\r\n" + b'{"done": true}'


class Player:
    """Plays an answer to each connection in turn, and keeps what was asked."""

    def __init__(self, answers: Sequence[bytes | Callable[[socket.socket], None]]) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[bytes] = []
        self.thread = threading.Thread(target=self._play)

    def _play(self) -> None:
        for answer in self._answers:
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(10)
                self.asked.append(connection.recv(65536))
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)

    def close(self) -> None:
        self.thread.join(timeout=10)
        self._listener.close()
        assert not self.thread.is_alive()


@contextmanager
def playing(*answers: bytes | Callable[[socket.socket], None]) -> Iterator[Player]:
    player = Player(answers)
    player.thread.start()
    try:
        yield player
    finally:
        player.close()


WHOLE = {
    "with a length": DONE,
    "until the connection closes": OK + b'\r\n{"done": true}',
    "in chunks": OK + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"don\r\n9;x=y\r\ne": true}\r\n0\r\n\r\n',
    "after an interim answer": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + DONE,
    "with bare line feeds": DONE.replace(b"\r\n", b"\n"),
    "as HTTP/1.0": DONE.replace(b"1.1", b"1.0"),
}
BROKEN = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nConte",
    "less than its length": DONE[:-1],
    "half a chunk": OK + b'Transfer-Encoding: chunked\r\n\r\nff\r\n{"done": ',
    "a chunk of no size": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "not HTTP": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"x" * 200_000,
}


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE)
def test_an_answer_is_read_however_it_is_framed(answer: bytes) -> None:
    with playing(answer) as player:
        assert Client(player.url, KEY).get("/v1/things") == {"done": True}


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE)
def test_an_answer_is_read_in_whatever_pieces_it_comes(answer: bytes) -> None:
    def byte_by_byte(connection: socket.socket) -> None:
        for byte in answer:
            connection.sendall(bytes([byte]))

    with playing(byte_by_byte) as player:
        assert Client(player.url, KEY).get("/v1/things") == {"done": True}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_asked_for_again(answer: bytes) -> None:
    with playing(answer, answer, DONE) as player:
        assert Client(player.url, KEY).get("/v1/things") == {"done": True}


def test_a_change_is_sent_again_with_the_same_key() -> None:
    with playing(b"", DONE) as player:
        Client(player.url, KEY).post("/v1/apply", {"documents": []})

    first, second = player.asked
    assert first == second
    assert b"Idempotency-Key: " in first
    assert first.endswith(b'\r\n\r\n{"documents": []}')
    assert b"Content-Length: 17\r\n" in first


def test_two_changes_have_two_keys() -> None:
    with playing(DONE, DONE) as player:
        client = Client(player.url, KEY)
        client.delete("/v1/targets/a")
        client.delete("/v1/targets/a")

    assert player.asked[0] != player.asked[1]


def test_a_server_that_stays_broken_is_unreachable() -> None:
    with playing(b"", b"", b"") as player, pytest.raises(UnreachableError, match="closed without an answer"):
        Client(player.url, KEY).get("/v1/things")


def test_a_timeout_loses_nothing_of_the_answer() -> None:
    go_on = threading.Event()

    def in_two_parts(connection: socket.socket) -> None:
        connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        go_on.wait(10)
        connection.sendall(b"2\r\nde\r\n0\r\n\r\n")

    with playing(in_two_parts) as player:
        connection = connect(player.url, 5)
        answer: Answer = ask(connection, player.url, Request("GET", "/", {}))
        assert answer.some() == b"abc"
        answer.set_timeout(0.05)
        with pytest.raises(TimeoutError):
            answer.some()
        go_on.set()
        answer.set_timeout(5)
        assert answer.read() == b"de"
        answer.close()


def test_another_program_on_the_port_is_not_taken_for_longshore() -> None:
    page = b"<html>hello</html>"
    html = b"HTTP/1.1 %s\r\nContent-Length: 18\r\n\r\n" + page
    for status in (b"200 OK", b"404 Not Found", b"500 Oops"):
        with playing(html % status) as player, pytest.raises(NotLongshoreError, match="check LONGSHORE_API_URL"):
            Client(player.url, KEY).get("/v1/things")


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("127.0.0.1:8470", "is not where an API can be: write http://HOST:PORT in LONGSHORE_API_URL"),
        ("ftp://127.0.0.1", "is not where an API can be"),
        ("http://", "is not where an API can be"),
        ("http://127.0.0.1:port", "Port could not be cast"),
    ],
)
def test_an_address_that_is_none_is_told(url: str, line: str) -> None:
    with pytest.raises(ClientError, match=line):
        Client(url, KEY).get("/v1/things")


def test_a_key_cannot_smuggle_in_a_second_header() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with listener, pytest.raises(ClientError, match="check LONGSHORE_API_KEY"):
        Client(url, "a\r\nX-Admin: yes").get("/v1/things")


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_events_are_parsed_in_whatever_pieces_they_come(size: int) -> None:
    text = (
        b": hello\n\nid: 7\nretry: 1000\n\n"
        b'id: 8\ndata: {"a":\ndata: 1}\n\n'
        b"event: x\r\nid:9\r\ndata:[]\r\n\r\nid: later\ndata: 2\n\ndata: cut off"
    )
    parser = _Parser()

    events = [event for at in range(0, len(text), size) for event in parser.feed(text[at : at + size])]

    assert events == [(7, ""), (8, '{"a":\n1}'), (9, "[]"), (None, "2")]


def test_a_stream_goes_on_where_its_connection_broke(harbour: Harbour) -> None:
    harbour.happen("RolloutStarted")
    stream = EventStream(Client(harbour.url, KEY))
    stream.begin()
    assert stream.position == 1

    harbour.happen("BatchStarted")
    first = stream.next(10)
    harbour.cut_streams()
    harbour.happen("BatchReady")
    second = stream.next(10)
    stream.close()

    assert [event and event["type"] for event in (first, second)] == ["BatchStarted", "BatchReady"]
    assert [asked.headers.get("last-event-id") for asked in harbour.of("GET", "/v1/events")] == [None, "2"]


def test_a_stream_waits_no_longer_than_told(harbour: Harbour) -> None:
    stream = EventStream(Client(harbour.url, KEY), deployment="digits")
    stream.begin()
    harbour.happen("BatchStarted", deployment="other")

    assert stream.next(0.2) is None
    stream.close()
