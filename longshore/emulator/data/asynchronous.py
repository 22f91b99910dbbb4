"""InvokeEndpointAsync: a request out of S3, its answer or what went wrong back into it, some time later.

Source: the operation's shapes and `AsyncInferenceOutputConfig`; SageMaker Developer Guide, "Asynchronous inference".
Calls wait while an endpoint has no copy. Notifications by SNS are not sent.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import structlog

from longshore.emulator.data.asking import Asked
from longshore.emulator.data.model_data import ModelDataError
from longshore.emulator.data.storage import Storage, StorageError
from longshore.emulator.data.targets import CallError, Target

logger = structlog.get_logger(__name__)

_DEFAULT_TTL = 21600
"""Seconds that a request may wait."""
_AT_ONCE = 4
"""Calls that an endpoint's copy gets at once, unless its `ClientConfig` says otherwise."""
_LOOK = 0.2

Ask = Callable[[Asked], Awaitable[tuple[bytes, str]]]
"""Has a model answer: the answer and its content type."""


class Ticket(NamedTuple):
    """One accepted call."""

    id: str
    output: str
    """Where the answer will be, an S3 URI."""
    failure: str | None


class Outbox:
    """The calls that wait for their answers. Belongs to one event loop."""

    def __init__(self, storage: Storage, ask: Ask) -> None:
        self._storage = storage
        self._ask = ask
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots: dict[str, asyncio.Semaphore] = {}

    def accept(self, asked: Asked, target: Target) -> Ticket:
        """Take a call; its answer comes later.

        Raises:
            CallError: the endpoint is not asynchronous.
        """
        if target.output is None:
            raise CallError("ValidationError", f"Endpoint {target.endpoint} is not asynchronous: call InvokeEndpoint.")
        ticket = _ticket(asked, target.output["OutputConfig"])
        at_once = target.output.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", _AT_ONCE)
        slots = self._slots.setdefault(target.endpoint, asyncio.Semaphore(at_once))
        task = asyncio.create_task(self._work(asked, ticket, slots), name=f"inference {ticket.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return ticket

    async def close(self) -> None:
        """Give up what waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, asked: Asked, ticket: Ticket, slots: asyncio.Semaphore) -> None:
        try:
            async with slots:
                body = await asyncio.to_thread(self._storage.read, asked.parameters["InputLocation"])
                answer, kind = await self._answer(asked._replace(body=body))
            await asyncio.to_thread(self._storage.write, ticket.output, answer, kind)
        except (StorageError, ModelDataError, CallError, TimeoutError) as error:
            await self._fail(ticket, error)

    async def _answer(self, asked: Asked) -> tuple[bytes, str]:
        """Ask, and ask again while there is nobody to ask, until the request is too old."""
        async with asyncio.timeout(asked.parameters.get("RequestTTLSeconds", _DEFAULT_TTL)):
            while True:
                try:
                    return await self._ask(asked)
                except CallError as error:
                    if error.code == "ModelError":
                        raise
                await asyncio.sleep(_LOOK)

    async def _fail(self, ticket: Ticket, error: Exception) -> None:
        message = str(error) or "The request has expired."
        logger.info("asynchronous inference failed", inference=ticket.id, reason=message)
        if ticket.failure is None:
            return
        content = json.dumps({"inferenceId": ticket.id, "failureReason": message}).encode()
        try:
            await asyncio.to_thread(self._storage.write, ticket.failure, content, "application/json")
        except StorageError as unwritten:
            logger.warning("a failure could not be told", inference=ticket.id, reason=str(unwritten))


def _ticket(asked: Asked, config: dict[str, Any]) -> Ticket:
    given = asked.parameters
    identity = given.get("InferenceId") or str(uuid.uuid4())
    extension = [part for part in [given.get("S3OutputPathExtension", "").strip("/")] if part]
    output = [config["S3OutputPath"].rstrip("/"), *extension, given.get("Filename", f"{identity}.out")]
    failure = config.get("S3FailurePath")
    return Ticket(
        identity,
        "/".join(output),
        "/".join([failure.rstrip("/"), *extension, f"{identity}-error.out"]) if failure else None,
    )
