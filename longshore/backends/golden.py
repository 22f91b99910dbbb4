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
MOST_SHOWN = 60
"""Characters of a value that a message shows."""
OK = 200


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


class Score(Value):
    """What came of asking golden requests."""

    right: int
    first_wrong: str | None = None
    """The first request, in the file's order, that was not answered as expected, and how it was: one line."""


async def ask(backend: Backend, copies: tuple[Copy, ...], requests: tuple[GoldenRequest, ...]) -> Score:
    """Ask the copies in turn, and count the right answers. A wrong status is a wrong answer.

    Raises:
        GoldenError: a copy could not be asked at all.
    """
    if not copies:
        raise GoldenError("no copy is ready to be asked")
    turn = asyncio.Semaphore(ASKED_AT_ONCE)

    async def one(number: int, request: GoldenRequest) -> str | None:
        async with turn:
            copy = copies[number % len(copies)]
            try:
                method = "GET" if request.body is None else "POST"
                answer = await backend.send(copy, method, request.path, request.body, TIMEOUT)
            except BackendError as error:
                raise GoldenError(f"copy {copy.id}: {error.message}") from None
            wrong = f"status {answer.status}" if answer.status != OK else mismatch(request.expect, answer)
            return f"request {number + 1}: {wrong}" if wrong else None

    answers = await asyncio.gather(*(one(number, request) for number, request in enumerate(requests)))
    wrong = [answer for answer in answers if answer is not None]
    return Score(right=len(answers) - len(wrong), first_wrong=wrong[0] if wrong else None)


def matches(expected: Any, answer: HttpAnswer) -> bool:
    """Whether a JSON answer holds all that is expected."""
    return mismatch(expected, answer) is None


def mismatch(expected: Any, answer: HttpAnswer) -> str | None:
    """What of an answer is not as expected, in a few words; None when it holds all of it."""
    try:
        actual = answer.json_body()
    except ValueError:
        return "the answer is not JSON"
    return difference(actual, expected, "")


def difference(actual: Any, expected: Any, where: str) -> str | None:
    """The first field of `expected` that `actual` has otherwise, with its path; lists are compared item by item."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        parts = [(key, f"{where}.{key}".lstrip(".")) for key in expected]
        return next(
            (
                found
                for key, path in parts
                if (found := difference(actual[key], expected[key], path) if key in actual else f"{path} is missing")
            ),
            None,
        )
    if isinstance(expected, list) and isinstance(actual, list):
        if len(actual) != len(expected):
            return f"{where} has {len(actual)} items, not {len(expected)}"
        pairs = enumerate(zip(actual, expected, strict=True))
        differences = (difference(one, other, f"{where}[{index}]") for index, (one, other) in pairs)
        return next((text for text in differences if text), None)
    return None if actual == expected else f"{where or 'the answer'} is {_short(actual)}, not {_short(expected)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
