"""A small HTTP server that speaks Longshore's API: what it answers, and what happens, is the test's to say."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

KEY = "a-key"
STARTED = "2026-01-02T03:04:05.678Z"


class Asked(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ran]
"""Runs a command."""
Reply = tuple[int, Any]
Answering = Callable[[Asked], Reply]


class Refusal(Exception):  # noqa: N818  it is an answer
    """Ends a request with a problem."""

    def __init__(self, status: int, reason: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.problem = {"type": "about:blank", "title": reason, "status": status, "reason": reason, "detail": detail}
        self.problem |= more


class Harbour:
    """The state behind the server.

    `answers` maps ("GET", "/v1/…") to JSON, or to a function of the request. Whatever is not there is a 404.
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[Asked] = []
        self.events: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        self.streams = 0
        """Grows when every open stream is cut."""
        self.closing = False
        self.url = ""

    def listed(self, path: str, *items: Any) -> None:
        """Answer a list, two items a page."""

        def page(asked: Asked) -> Reply:
            start = int(asked.query.get("cursor", ["0"])[0])
            end = start + 2
            return 200, {"items": items[start:end], "next": str(end) if len(items) > end else None}

        self.answers["GET", path] = page

    def happen(self, type_: str, deployment: str = "digits", **more: Any) -> None:
        """Record an event; streams get it."""
        with self.changed:
            sequence = len(self.events) + 1
            event = {"sequence": sequence, "at": STARTED, "deployment": deployment, "type": type_, "revision": None}
            self.events.append({**event, "batch": None, "actor": None, "message": "", "operation": None, **more})
            self.changed.notify_all()

    def cut_streams(self) -> None:
        """Break the connection of everyone who follows."""
        with self.changed:
            self.streams += 1
            self.changed.notify_all()

    def of(self, method: str, path: str) -> list[Asked]:
        """The requests that came for this."""
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def reply(self, asked: Asked) -> Reply:
        """What to answer."""
        self.asked.append(asked)
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            raise Refusal(401, "Unauthorised", "the API key is not known")
        if (asked.method, asked.path) == ("GET", "/v1/events"):
            after = int(asked.query.get("after", ["0"])[0])
            deployment = asked.query.get("deployment", [None])[0]
            found = [event for event in self.events if deployment in (None, event["deployment"])]
            return 200, {"items": [event for event in found if event["sequence"] > after], "next": None}
        answer = self.answers.get((asked.method, asked.path))
        if answer is None:
            raise Refusal(404, "NotFound", f"there is no {asked.path}")
        reply: Reply = answer(asked) if callable(answer) else (200, answer)
        return reply


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    harbour: Harbour

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Tests read what was asked, not a log."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("content-length", 0))
        content = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, parse_qs(parts.query), headers, json.loads(content or "null"))
        if "text/event-stream" in headers.get("accept", ""):
            self.harbour.asked.append(asked)
            self._stream(asked)
            return
        try:
            status, body = self.harbour.reply(asked)
        except Refusal as refusal:
            status, body = refusal.status, refusal.problem
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _stream(self, asked: Asked) -> None:
        harbour = self.harbour
        wanted = asked.query.get("deployment", [None])[0]
        with harbour.changed:
            position = int(asked.headers.get("last-event-id", len(harbour.events)))
            mine = harbour.streams
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(f"id: {position}\nretry: 1000\n\n: a comment\n\n")
        while True:
            with harbour.changed:
                while not (harbour.closing or harbour.streams != mine or len(harbour.events) > position):
                    harbour.changed.wait(timeout=10)
                if harbour.closing or harbour.streams != mine:
                    self.close_connection = True
                    return
                news, position = harbour.events[position:], len(harbour.events)
            for event in news:
                if wanted in (None, event["deployment"]):
                    self._chunk(f"id: {event['sequence']}\ndata: {json.dumps(event)}\n\n")

    def _chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
        self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that left is no news."""


@contextmanager
def serving(harbour: Harbour) -> Iterator[Harbour]:
    """Serve on a free port of loopback."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"harbour": harbour}))
    harbour.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield harbour
    finally:
        with harbour.changed:
            harbour.closing = True
            harbour.changed.notify_all()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def started(*arguments: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A command in a process of its own, which ends with the test."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    process: subprocess.Popen[str] = subprocess.Popen([sys.executable, "-m", "longshore.cli", *arguments], **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def deployment(name: str = "digits", **more: Any) -> dict[str, Any]:
    """A healthy deployment, as the API answers it."""
    return {
        "name": name,
        "target": "workstation",
        "model": "digits",
        "revision": 1,
        "version": "1",
        "copies": {"1": 4},
        "ready": {"1": 4},
        "traffic": {"1": 100},
        "rolloutTo": None,
        "phase": "Succeeded",
        "health": "Healthy",
        "drift": "InSync",
        "reason": None,
        "message": None,
        "temporalUrl": f"http://127.0.0.1:8475/namespaces/default/workflows/deployment%2F{name}",
        **more,
    }


def operation(number: int = 2, phase: str = "Progressing", **more: Any) -> dict[str, Any]:
    """A rollout from version 1 to 2, as the API answers it."""
    ended = phase in {"Succeeded", "RolledBack", "Aborted", "Superseded", "Failed"}
    return {
        "id": f"digits/rollout-{number}",
        "deployment": "digits",
        "number": number,
        "kind": "rollout",
        "model": "digits",
        "target": "workstation",
        "fromRevision": 1,
        "toRevision": 2,
        "fromVersion": "1",
        "toVersion": "2",
        "strategy": "rolling",
        "phase": phase,
        "reason": None,
        "message": None,
        "actor": "ada",
        "startedAt": STARTED,
        "endedAt": STARTED if ended else None,
        "temporalUrl": None,
        "progress": {
            "batches": [
                {"number": 1, "add": 2, "remove": 2, "weight": 50, "state": "done"},
                {"number": 2, "add": 2, "remove": 2, "weight": 100, "state": "baking"},
            ],
            "copies": {"1": 2, "2": 4},
            "ready": {"1": 2, "2": 3},
            "traffic": {"1": 50, "2": 50},
            "checks": [
                {
                    "name": "errors",
                    "metric": "error-rate",
                    "outcome": "passed",
                    "value": 0.00123,
                    "baseline": None,
                    "threshold": "≤ 0.01",
                    "samples": 812,
                    "message": "",
                    "enforced": True,
                }
            ],
            "bakeEnds": None,
            "peakAccelerators": 6,
        },
        **more,
    }
