"""Golden requests: known questions with known answers, asked of copies outside the traffic plane."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from longshore.backends.port import Backend, BackendError, HttpAnswer
from longshore.planning.observed import Copy
from longshore.spec.base import Value

ASKED_AT_ONCE = 4
"""Golden requests in flight per measurement: they share the copies with real traffic."""
TIMEOUT = 10.0
"""Seconds for the answer to one golden request."""
MOST = 1000
"""Golden requests asked in one measurement; the first of a longer file."""


class GoldenRequest(Value):
    """One line of a golden file."""

    path: str
    body: Any = None
    expect: Any


class GoldenError(Exception):
    """The golden file cannot be read, or no copy could be asked."""


def load(uri: str) -> tuple[GoldenRequest, ...]:
    """Read a golden file: JSON Lines of `{"path", "body", "expect"}`.

    Raises:
        GoldenError: it is not there, or a line is not a golden request; the line is named.
    """
    path = Path(unquote(urlparse(uri).path))
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise GoldenError(f"golden file {path}: {error.strerror or error}") from None
    requests = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                requests.append(GoldenRequest.model_validate_json(line))
            except ValueError:
                raise GoldenError(f"golden file {path}:{number}: wants path, body and expect") from None
    return tuple(requests[:MOST])


async def ask(backend: Backend, copies: tuple[Copy, ...], requests: tuple[GoldenRequest, ...]) -> int:
    """Ask the copies in turn, and count the right answers. A wrong status is a wrong answer.

    Raises:
        GoldenError: a copy could not be asked at all.
    """
    if not copies:
        raise GoldenError("no copy is ready to be asked")
    turn = asyncio.Semaphore(ASKED_AT_ONCE)

    async def one(number: int, request: GoldenRequest) -> bool:
        async with turn:
            copy = copies[number % len(copies)]
            try:
                method = "GET" if request.body is None else "POST"
                answer = await backend.send(copy, method, request.path, request.body, TIMEOUT)
            except BackendError as error:
                raise GoldenError(f"copy {copy.id}: {error.message}") from None
            return answer.status == 200 and matches(request.expect, answer)

    answers = await asyncio.gather(*(one(number, request) for number, request in enumerate(requests)))
    return sum(answers)


def matches(expected: Any, answer: HttpAnswer) -> bool:
    """Whether a JSON answer holds all that is expected."""
    try:
        return contains(answer.json_body(), expected)
    except (ValueError, json.JSONDecodeError):
        return False


def contains(actual: Any, expected: Any) -> bool:
    """Whether every field of `expected` is in `actual` with that value; lists are compared item by item."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and contains(actual[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(contains(one, other) for one, other in zip(actual, expected, strict=True))
        )
    return bool(actual == expected)
