"""The client of the HTTP API: standard library only, and quick to import."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from longshore.client.errors import ApiError, ClientError, NotLongshoreError, UnreachableError
from longshore.client.wire import Answer, Request, ask, connect
from longshore.home import api_key, api_url, home_folder

__all__ = ["ApiError", "Client", "ClientError", "NotLongshoreError", "UnreachableError"]

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
"""The longest silence of the API. An update of a workflow may wait for an activity; the API itself gives up sooner."""
RETRY_SECONDS = (0.1, 0.4)
"""Pauses before asking again after a broken connection: a server that restarts a connection, not one that restarts."""
PAGE = 500
"""Items asked for at once."""


class Client:
    """Longshore's API.

    Every change carries an idempotency key, so a request whose connection broke is sent again with the same one.

    | call | what |
    |---|---|
    | `get(path, **query)` | one object |
    | `lines(path, **query)` | the objects of JSON lines |
    | `items(path, **query)` | all items of a list, page by page |
    | `post(path, body)`, `delete(path)` | a change |
    | `open(request, timeout)` | an answer that is read as it comes |

    All raise `UnreachableError`, `NotLongshoreError` or `ApiError`.
    """

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url.rstrip("/")
        self._key = key

    @classmethod
    def from_environment(cls) -> "Client":
        """The API that the environment or the running stack names, with the key this user may read."""
        home = home_folder()
        return cls(api_url(home), api_key(home))

    def get(self, path: str, **query: Any) -> Any:
        """Read one object."""
        return self._json("GET", path, query)

    def items(self, path: str, **query: Any) -> Iterator[Any]:
        """Read a list to its end."""
        cursor: str | None = None
        while True:
            page = self._json("GET", path, {"limit": PAGE, **query, "cursor": cursor})
            yield from page["items"]
            cursor = page.get("next")
            if not cursor:
                return

    def lines(self, path: str, **query: Any) -> list[Any]:
        """Read JSON lines."""
        text = self._text(Request("GET", with_query(path, query), {"Accept": "application/x-ndjson"}))
        return [self._parsed(line) for line in text.splitlines()]

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """Change something. `key` is the idempotency key; one is made when left out."""
        return self._json("POST", path, {}, {} if body is None else body, key or new_key())

    def delete(self, path: str, *, key: str | None = None) -> Any:
        """Remove something."""
        return self._json("DELETE", path, {}, None, key or new_key())

    def open(self, request: Request, timeout: float) -> Answer:
        """Ask once, without retry, and leave the body to the caller, who closes the answer.

        Args:
            request: What to ask; the API key is added.
            timeout: The longest silence in seconds.

        Raises:
            UnreachableError: nobody answers.
            ApiError: the status is an error.
        """
        answer = self._begin(request, timeout)
        if answer.status < 400:
            return answer
        raise self._error(answer.status, self._whole(answer))

    def _begin(self, request: Request, timeout: float) -> Answer:
        if self._key:
            request = request._replace(headers={**request.headers, "Authorization": f"Bearer {self._key}"})
        try:
            connection = connect(self.url, min(timeout, CONNECT_SECONDS))
            connection.settimeout(timeout)
            try:
                return ask(connection, self.url, request)
            except BaseException:
                connection.close()
                raise
        except OSError as error:
            raise UnreachableError.because(self.url, error) from error
        except ValueError as error:
            raise ClientError(str(error)) from error

    def _whole(self, answer: Answer) -> bytes:
        try:
            return answer.read()
        except OSError as error:
            raise UnreachableError.because(self.url, error) from error
        finally:
            answer.close()

    def _json(self, method: str, path: str, query: dict[str, Any], body: Any = None, key: str | None = None) -> Any:
        headers = {"Accept": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        return self._parsed(self._text(Request(method, with_query(path, query), headers, content)))

    def _text(self, request: Request) -> bytes:
        """Ask, again after a broken connection; a change carries its key."""
        for pause in RETRY_SECONDS:
            try:
                return self._whole(self.open(request, ANSWER_SECONDS))
            except UnreachableError as error:
                if error.slow:
                    raise
                time.sleep(pause)
        return self._whole(self.open(request, ANSWER_SECONDS))

    def _parsed(self, text: bytes) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise NotLongshoreError(self.url) from error

    def _error(self, status: int, text: bytes) -> ClientError:
        try:
            problem = json.loads(text)
        except ValueError:
            problem = None
        if not isinstance(problem, dict) or "reason" not in problem:
            return NotLongshoreError(self.url)
        if status == 401 and not self._key:
            cure = "set LONGSHORE_API_KEY, or be the user who ran `longshore up`"
            problem["detail"] = f"there is no API key that this user can read: {cure}"
        return ApiError(status, problem)


def new_key() -> str:
    """A fresh idempotency key."""
    return os.urandom(16).hex()


def segment(name: object) -> str:
    """A name as one segment of a path."""
    return quote(str(name), safe="")


def with_query(path: str, query: dict[str, Any]) -> str:
    """A path with the query's values that are not None."""
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path
