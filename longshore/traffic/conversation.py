"""One gateway's stream of the aggregated discovery service, state of the world: what was sent, and what it said."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, Final

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any as Packed

from longshore.traffic.sequence import Kind

ANSWER_S: Final = 10.0
"""A gateway acks within milliseconds; one that does not within this is stuck, and begins anew on a new stream."""

KINDS: Final = {kind.value: kind for kind in Kind}


class RefusedError(Exception):
    """The gateway refused what it was sent, and goes on with what it had."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SilentGatewayError(Exception):
    """The gateway did not answer in time."""


class Conversation:
    """Sends one kind of resource at a time and waits for the answer."""

    def __init__(self, write: Callable[[Any], Awaitable[None]]) -> None:
        self._write = write
        self._writing = asyncio.Lock()  # gRPC breaks a stream that is written to twice at a time
        self._nonce = 0
        self._asked: dict[Kind, frozenset[str]] = {}
        self._answers: dict[str, asyncio.Future[str | None]] = {}
        self._spoken = asyncio.Condition()

    async def listen(self, requests: AsyncIterable[Any]) -> None:
        """Take in what the gateway says, until its stream ends."""
        async for request in requests:
            await self.hear(request)

    async def hear(self, request: DiscoveryRequest) -> None:
        """Take in one request: a subscription, and often the answer to what was sent."""
        kind = KINDS.get(request.type_url)
        if kind is None:
            return
        async with self._spoken:
            self._asked[kind] = frozenset(request.resource_names)
            self._spoken.notify_all()
        answer = self._answers.pop(request.response_nonce, None)
        if answer and not answer.done():
            answer.set_result(request.error_detail.message if request.HasField("error_detail") else None)

    async def send(self, kind: Kind, revision: int, messages: Iterable[Any], names: frozenset[str]) -> None:
        """Send resources and wait until the gateway runs them.

        Args:
            kind: Kind of the resources.
            revision: Revision of the traffic plane, for people who look at the gateway.
            messages: The resources.
            names: Those that the gateway must have asked for: it ignores what it did not. Empty for the kinds of
                which it asks for everything.

        Raises:
            RefusedError: the gateway refused them.
            SilentGatewayError: it did not ask or did not answer within `ANSWER_S`.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                async with self._spoken:
                    await self._spoken.wait_for(lambda: kind in self._asked and self._asked[kind] >= names)
                self._nonce += 1
                nonce = str(self._nonce)
                answer = self._answers[nonce] = asyncio.get_running_loop().create_future()
                response = DiscoveryResponse(
                    version_info=str(revision),
                    type_url=kind.value,
                    nonce=nonce,
                    resources=[_packed(message) for message in messages],
                )
                async with self._writing:
                    await self._write(response)
                refused = await answer
        except TimeoutError:
            raise SilentGatewayError(f"no answer to {kind.name.lower()} within {ANSWER_S:g} s") from None
        if refused is not None:
            raise RefusedError(refused)


def _packed(message: Any) -> Packed:
    packed = Packed()
    packed.Pack(message)
    return packed
