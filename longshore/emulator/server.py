"""The emulator as an HTTP server on the loopback: ours first, and moto for all the rest of AWS, on one port."""

import json
import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from moto.cloudwatch.models import cloudwatch_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from pydantic import ValidationError
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Request, Response

from longshore.emulator.clock import Clock, RealClock
from longshore.emulator.control.service import hosting
from longshore.emulator.durations import Durations
from longshore.emulator.faults import FaultBox, Faults
from longshore.emulator.protocol import Caller, JsonService
from longshore.emulator.state import ACCOUNT
from longshore.emulator.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LOOPBACK = "127.0.0.1"
ADMIN = "/_emulator/"
DEFAULT_REGION = "us-east-1"
_BACKLOG = 128
"""Connections that may wait to be accepted."""
_POLL = 0.05
"""Seconds in which a stop is seen."""

Room = Callable[[Request, Caller], Response | None]
"""Answers requests that are its own, by host, path or signature; None for any other."""


class Emulator:
    """AWS as far as Longshore uses it.

    ```python
    with Emulator(clock=ManualClock()) as aws:
        sagemaker = boto3.client("sagemaker", endpoint_url=aws.url, region_name="us-east-1")
        aws.clock.advance(180)
    ```

    What is moto's is one state per process, emptied when an emulator starts: one emulator at a time in a process.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        durations: Durations | None = None,
        faults: Faults | None = None,
        port: int = 0,
    ) -> None:
        """Make one that does not listen yet.

        Args:
            clock: the emulated time; real time by default.
            durations: how long things take, in emulated seconds.
            faults: those that are there from the start; `faults` changes them later.
            port: on the loopback; 0 takes a free one.
        """
        self.clock: Clock = clock or RealClock()
        self.faults = FaultBox(faults)
        self.world = World(self.clock, durations, self.faults)
        self.world.alarm_state = _alarm_of_moto
        self.services: list[JsonService] = [hosting(self.world)]
        """JSON 1.1 services, in front of moto's."""
        self.rooms: list[Room] = []
        """Anything else in front of moto."""
        self._port = port
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """What `AWS_ENDPOINT_URL` must be."""
        if self._server is None:
            raise RuntimeError("the emulator is not started")
        return f"http://{LOOPBACK}:{self._server.port}"

    def start(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        moto_api_backend.reset()
        # Bound here, for werkzeug ends the whole process when a port is taken.
        with socket.create_server((LOOPBACK, self._port), backlog=_BACKLOG) as bound:
            self._server = make_server(
                LOOPBACK, self._port, self, threaded=True, request_handler=_QuietHandler, fd=bound.fileno()
            )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": _POLL}, name="emulator-http", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Listen no more and let no more time pass."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self.clock.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """One request, by WSGI: the admin path, our services and rooms in their order, then moto."""
        request = Request(environ)
        if request.path.startswith(ADMIN):
            return self._admin(request)(environ, start_response)
        caller = caller_of(request)
        target = request.headers.get("X-Amz-Target", "")
        for service in self.services:
            if service.takes(target) and (response := service.answer(request, caller)) is not None:
                return response(environ, start_response)
        for room in self.rooms:
            if (response := room(request, caller)) is not None:
                return response(environ, start_response)
        environ["wsgi.input"] = BytesIO(request.get_data())  # it may have been read
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer

    def _admin(self, request: Request) -> Response:
        room, _, name = request.path.removeprefix(ADMIN).partition("/")
        if room == "instances" and request.method in {"GET", "DELETE"}:
            return self._instances(name if request.method == "DELETE" else None)
        if request.path != f"{ADMIN}faults":
            return _json({"message": f"there are {ADMIN}faults and {ADMIN}instances"}, HTTPStatus.NOT_FOUND)
        try:
            match request.method:
                case "PUT":
                    self.faults.replace(request.get_json())
                case "PATCH":
                    self.faults.set(**request.get_json())
                case "DELETE":
                    self.faults.clear()
        except ValidationError as error:
            return _json({"message": str(error)}, HTTPStatus.BAD_REQUEST)
        self.world.touch()
        return _json(self.faults.now.model_dump(), HTTPStatus.OK)

    def _instances(self, lost: str | None) -> Response:
        """All instances; the one that is `lost` fails first."""
        with self.world.lock:
            if lost is not None and not self.world.fleets.lose(lost):
                return _json({"message": f"there is no instance {lost}"}, HTTPStatus.NOT_FOUND)
            self.world.touch()
            return _json({"instances": self.world.fleets.instances()}, HTTPStatus.OK)


def caller_of(request: Request) -> Caller:
    """Who asks, by the credential scope of SigV4; the default region where there is none."""
    authorization = request.headers.get("Authorization", "")
    _, found, rest = authorization.partition("Credential=")
    scope = rest.split(",", 1)[0].split("/")
    if not found or len(scope) < 5:  # key, date, region, service, aws4_request
        return Caller(DEFAULT_REGION, "")
    return Caller(scope[-3], "/".join(scope[:-4]))


def _alarm_of_moto(region: str, name: str) -> str | None:
    alarm = cloudwatch_backends[ACCOUNT][region].alarms.get(name)
    return None if alarm is None else str(alarm.state_value)


def _json(body: Any, status: HTTPStatus) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")


class _QuietHandler(MotoRequestHandler):
    """Without a line on stderr for every request; connections are kept, as AWS does."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: who asked what is in the caller's log."""
