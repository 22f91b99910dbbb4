"""What wraps every request: its id, its log line, its duration, and the answer to what nobody foresaw."""

import re
import time
import uuid
from http import HTTPStatus
from typing import Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from longshore.api.metrics import Metrics
from longshore.api.problems import ProblemError

REQUEST_ID_HEADER: Final = "X-Request-Id"
KEY_HEADER: Final = "Idempotency-Key"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST_BYTES: Final = 32 * 1024 * 1024
"""Of a request's body, which is read before anybody's key is: some ten thousand documents."""
_QUIET = {"/healthz", "/readyz", "/metrics"}
"""Asked every few seconds by machines: logged only when they fail."""

log = structlog.get_logger("longshore.api")


class RequestMiddleware:
    """Plain ASGI, so that event streams pass through unbuffered."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        exchange = _Exchange(scope, send, request_id)
        with structlog.contextvars.bound_contextvars(request=request_id):
            try:
                await self._app(scope, _bounded(receive), exchange.send)
            except Exception:
                log.exception("request failed", method=scope["method"], path=scope["path"])
                if exchange.status is not None:
                    raise  # half an answer is out: only a broken connection tells the client so
                await _unforeseen(request_id)(scope, receive, exchange.send)
            finally:
                self._done(scope, exchange)

    def _done(self, scope: Scope, exchange: "_Exchange") -> None:
        """Log and count, by the path's template."""
        route = getattr(scope.get("route"), "path", None) or "unknown"
        status = int(exchange.status or HTTPStatus.INTERNAL_SERVER_ERROR)
        if not exchange.streams:
            self._metrics.request(scope["method"], route, status, exchange.seconds)
        if scope["path"] in _QUIET and status < HTTPStatus.BAD_REQUEST:
            return
        parameters = scope.get("path_params", {})
        deployment = {"deployment": parameters["deployment"]} if "deployment" in parameters else {}
        log.info(
            "request",
            method=scope["method"],
            route=route,
            status=status,
            ms=round(exchange.seconds * 1000),
            **deployment,
        )


class _Exchange:
    """One answer on its way out: gets its headers, and is timed until its first byte."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._started = time.perf_counter()
        self.seconds = 0.0
        self.status: int | None = None
        self.streams = False

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID_HEADER] = self._request_id
            if key := self._scope["state"].get("idempotency_key"):
                headers[KEY_HEADER] = key
            self.status = message["status"]
            self.streams = headers.get("content-type", "").startswith("text/event-stream")
            self.seconds = time.perf_counter() - self._started
        await self._send(message)


def _bounded(receive: Receive) -> Receive:
    """Refuse a body that is too large as soon as it is."""
    left = MOST_BYTES

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {MOST_BYTES} bytes")
        return message

    return bounded


def _unforeseen(request_id: str) -> ASGIApp:
    """The answer to a bug: nothing of it but where to look."""
    problem = ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "InternalError",
        f"this is a bug in Longshore; the API's log has it under request {request_id}",
    )
    return problem.response(request_id)
