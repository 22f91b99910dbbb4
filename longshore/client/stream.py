"""Following the events, through broken connections and restarts of the API, without missing one."""

import json
import time
from collections import deque
from typing import Any

from longshore.client import ANSWER_SECONDS, Client, with_query
from longshore.client.errors import ApiError, UnreachableError
from longshore.client.wire import Answer, Request

SILENCE_SECONDS = 30.0
"""The API says something every ten seconds, if only a comment: after three times that the connection is dead."""
PATIENCE_SECONDS = 60.0
"""How long the API may be away: the stack restarts a part within seconds."""
FIRST_PATIENCE_SECONDS = 1.0
"""The same before it was ever there: then nobody waits for a restart."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 3.0


class EventStream:
    """Events as they come, from `after` on, or from now.

    The place in the log is kept, so that a new connection goes on where the last one broke.
    """

    def __init__(self, client: Client, deployment: str | None = None, after: int | None = None) -> None:
        self._client = client
        self._deployment = deployment
        self.position = after
        """Sequence of the newest event seen; None until the API said where it begins."""
        self._answer: Answer | None = None
        self._parser = _Parser()
        self._events: deque[dict[str, Any]] = deque()
        self._heard = time.monotonic()
        self._retry_at = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._patience = FIRST_PATIENCE_SECONDS

    def begin(self) -> None:
        """Wait until the place in the log is known: no later event is missed then.

        Raises:
            UnreachableError: the API was away for too long.
            ApiError: it refused.
        """
        while self.position is None:
            self._advance(time.monotonic() + 1.0)

    def next(self, wait: float) -> dict[str, Any] | None:
        """The next event, or None after `wait` seconds without one.

        Raises:
            UnreachableError: the API was away for too long.
            ApiError: it refused.
        """
        deadline = time.monotonic() + wait
        while not self._events and time.monotonic() < deadline:
            self._advance(deadline)
        return self._events.popleft() if self._events else None

    def close(self) -> None:
        """Leave."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _advance(self, deadline: float) -> None:
        """Connect, or read a little; at most until the deadline."""
        now = time.monotonic()
        if self._answer is None:
            if now < self._retry_at:
                time.sleep(min(self._retry_at, deadline) - now)
            else:
                self._connect()
            return
        self._answer.set_timeout(min(deadline - now, SILENCE_SECONDS))
        try:
            received = self._answer.some()
        except TimeoutError:
            if time.monotonic() - self._heard > SILENCE_SECONDS:
                self._broke("it went silent")
            return
        except OSError as error:
            self._broke(str(error))
            return
        if not received:
            self._broke("it closed the connection")
            return
        self._heard = time.monotonic()
        self._pause = FIRST_PAUSE_SECONDS
        self._patience = PATIENCE_SECONDS
        for event_id, data in self._parser.feed(received):
            if event_id is not None:
                self.position = event_id
            if data:
                self._events.append(json.loads(data))

    def _connect(self) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.position is not None:
            headers["Last-Event-ID"] = str(self.position)
        request = Request("GET", with_query("/v1/events", {"deployment": self._deployment}), headers)
        try:
            self._answer = self._client.open(request, ANSWER_SECONDS)
        except UnreachableError as error:
            self._broke(str(error), error)
        except ApiError as error:
            if not error.passing:
                raise
            self._broke(str(error), error)
        else:
            self._parser = _Parser()

    def _broke(self, why: str, error: Exception | None = None) -> None:
        """Come back later, unless it has been too long."""
        self.close()
        if time.monotonic() - self._heard > self._patience:
            raise error or UnreachableError(self._client.url, why)
        self._retry_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)


class _Parser:
    """Server-sent events from bytes (WHATWG HTML, section 9.2): ids and data; comments and the rest are passed over."""

    def __init__(self) -> None:
        self._rest = b""
        self._id: int | None = None
        self._data: list[str] = []

    def feed(self, received: bytes) -> list[tuple[int | None, str]]:
        """The events that are whole by now, as (id, data)."""
        *lines, self._rest = (self._rest + received).split(b"\n")
        events = []
        for raw in lines:
            line = raw.rstrip(b"\r").decode()
            if not line:
                if self._id is not None or self._data:
                    events.append((self._id, "\n".join(self._data)))
                self._id, self._data = None, []
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                self._data.append(value)
            elif field == "id" and value.isdigit():
                self._id = int(value)
        return events
