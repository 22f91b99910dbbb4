"""What the workers ask of the world, over a Unix socket: one question, one answer, each a length and a pickle.

Both ends are our own processes, and the socket lies in a folder that only their user can enter.
"""

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from longshore.backends.port import BackendError
from longshore.planning.fence import FenceRefusedError
from longshore.traffic.port import TrafficError

LENGTH = 8
"""Bytes of the number before each message."""


class Question(NamedTuple):
    """A call: of which part of the world, which method, with what, at which simulated second."""

    part: str
    method: str
    arguments: tuple[Any, ...]
    second: int | None
    """None: whenever it arrives."""


Answering = Callable[[Question], Awaitable[Any]]


class Link:
    """The workers' end. Questions are asked one at a time, so the world hears them in one order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()

    @classmethod
    async def connect(cls, path: Path) -> "Link":
        """Reach the world at its socket."""
        return cls(*await asyncio.open_unix_connection(path))

    async def ask(self, question: Question) -> Any:
        """Ask, and give the answer or raise what the world raised.

        A question once asked is answered although its asker was cancelled: the next answer must not be taken for it.
        """
        return await asyncio.shield(asyncio.ensure_future(self._ask(question)))

    async def _ask(self, question: Question) -> Any:
        async with self._turn:
            await _send(self._writer, question)
            raised, value = await _receive(self._reader)
        if raised:
            raise _error(value)
        return value


async def serve(path: Path, answer: Answering) -> asyncio.Server:
    """Answer the workers that connect to a socket."""

    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await _send(writer, await _answered(answer, Question(*await _receive(reader))))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return await asyncio.start_unix_server(conversation, path)


async def _answered(answer: Answering, question: Question) -> tuple[bool, Any]:
    try:
        return False, await answer(question)
    except BackendError as error:
        return True, ("backend", error.reason, error.message, error.retryable)
    except FenceRefusedError as error:
        return True, ("fence", str(error))
    except TrafficError as error:
        return True, ("traffic", str(error))


def _error(value: tuple[Any, ...]) -> Exception:
    kind, *said = value
    if kind == "backend":
        reason, message, retryable = said
        return BackendError(reason, message, retryable=retryable)
    return FenceRefusedError(*said) if kind == "fence" else TrafficError(*said)


async def _send(writer: asyncio.StreamWriter, message: Any) -> None:
    content = pickle.dumps(message)
    writer.write(len(content).to_bytes(LENGTH, "big") + content)
    await writer.drain()


async def _receive(reader: asyncio.StreamReader) -> Any:
    length = int.from_bytes(await reader.readexactly(LENGTH), "big")
    return pickle.loads(await reader.readexactly(length))  # noqa: S301 - see the module: both ends are our own
