"""The runtime's three calls: InvokeEndpoint, InvokeEndpointWithResponseStream and InvokeEndpointAsync, for real.

A call is checked as AWS checks it, handed to one copy's process as `POST /invocations`, measured, and answered over the
wire protocol of botocore's model `sagemaker-runtime`. All of it runs in one event loop.
"""

import json
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from longshore.emulator.data import eventstream
from longshore.emulator.data.asking import Asked, read
from longshore.emulator.data.asynchronous import Outbox, Ticket
from longshore.emulator.data.channel import FAILURES, TIMED_OUT, Reply
from longshore.emulator.data.copies import Copies
from longshore.emulator.data.credentials import CredentialsOf
from longshore.emulator.data.hosting import WorldHosting
from longshore.emulator.data.metering import Meter, Outcome
from longshore.emulator.data.routing import choose_copy, choose_share
from longshore.emulator.data.signature import SignatureError, SignedRequest, verify
from longshore.emulator.data.storage import Storage
from longshore.emulator.data.targets import NO_CAPACITY, CallError, Share, Target
from longshore.emulator.errors import AwsError

SERVICE = "sagemaker"
"""What calls of the runtime are signed for."""
STREAM_SECONDS = 480.0
"""A streamed answer may last for 8 minutes, the guide says ("Inference options")."""
_LONGEST_ORIGINAL = 1024
"""Characters of a model's own error message that a ModelError repeats."""


class Answer(NamedTuple):
    """What goes over the wire: an answer at once, or one in parts."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | AsyncIterator[bytes]


class Handed(NamedTuple):
    """A call and the copy that has it."""

    asked: Asked
    target: Target
    share: Share
    copy: str
    able: int
    """Copies that could have had it."""
    began: float
    """When the call came, and when it was handed over; by the performance counter."""
    sent: float


class Runtime:
    """Answers calls."""

    def __init__(
        self, hosting: WorldHosting, copies: Copies, meter: Meter, credentials_of: CredentialsOf, storage: Storage
    ) -> None:
        self._hosting = hosting
        self._copies = copies
        self._meter = meter
        self._credentials_of = credentials_of
        self._chance = random.Random(0)  # noqa: S311 - which copy gets a call is no secret
        self._outbox = Outbox(storage, self._later)

    async def close(self) -> None:
        """Give up what waits."""
        await self._outbox.close()

    async def answer(self, request: SignedRequest) -> Answer:
        """Answer a call; never raises for what a client can send."""
        began = time.perf_counter()
        try:
            region = verify(request, SERVICE, self._credentials_of, datetime.now(UTC))
            asked = read(request, region)
            self._hosting.admit(asked.operation)
            return await self._answer(asked, began)
        except SignatureError as error:
            return error_answer(AwsError(error.code, error.message, 403))
        except AwsError as error:
            return error_answer(error)

    async def _answer(self, asked: Asked, began: float) -> Answer:
        target = self._target(asked)
        if asked.operation == "InvokeEndpointAsync":
            return _accepted(self._outbox.accept(asked, target))
        if target.output is not None:
            raise CallError("ValidationError", f"Endpoint {target.endpoint} is asynchronous: call InvokeEndpointAsync.")
        handed = self._hand(asked, target, began)
        reply = await self._send(handed)
        if asked.operation == "InvokeEndpointWithResponseStream":
            return self._streamed(handed, reply)
        return await self._whole(handed, reply)

    async def _later(self, asked: Asked) -> tuple[bytes, str]:
        """The answer to a call whose client does not wait for it.

        Raises:
            CallError: there is none.
        """
        handed = self._hand(asked, self._target(asked), time.perf_counter())
        reply = await self._send(handed)
        return await self._read(handed, reply), reply.content_type

    def _target(self, asked: Asked) -> Target:
        given = asked.parameters
        return self._hosting.target(asked.endpoint, given.get("InferenceComponentName"), given.get("TargetVariant"))

    def _hand(self, asked: Asked, target: Target, began: float) -> Handed:
        """Choose the copy that gets a call."""
        share = choose_share(target.shares, self._chance)
        if not share.copies:
            if target.component is not None:
                self._meter.had_no_capacity(target.component)
            raise CallError("ValidationError", NO_CAPACITY)
        able = self._copies.able(share)
        if not able:
            raise CallError("ServiceUnavailable", _nobody(share, self._copies), 503)
        copy = choose_copy(able, target.strategy, self._copies.outstanding(able), self._chance)
        self._copies.begin(copy)
        return Handed(asked, target, share, copy, len(able), began, time.perf_counter())

    async def _send(self, handed: Handed) -> Reply:
        """Hand the call over and get the beginning of the model's answer."""
        headers = handed.asked.headers()
        if handed.target.adapter is not None:
            headers["X-Amzn-SageMaker-Adapter-Identifier"] = handed.target.adapter
        try:
            channel = self._copies.channel(handed.copy)
            reply = await channel.post(handed.asked.body, headers, handed.asked.seconds)
        except FAILURES as error:
            self._done(handed, 0)
            raise _no_answer(handed, error) from None
        except BaseException:
            self._copies.end(handed.copy)  # the client has gone
            raise
        if not 200 <= reply.status < 300:
            original = (await self._read(handed, reply)).decode(errors="replace")[:_LONGEST_ORIGINAL]
            raise _model_error(handed, reply.status, original)
        return reply

    async def _read(self, handed: Handed, reply: Reply) -> bytes:
        """The rest of the model's answer."""
        try:
            body = await reply.read()
        except FAILURES as error:
            self._done(handed, 0)
            raise _no_answer(handed, error) from None
        except BaseException:
            self._copies.end(handed.copy)
            raise
        finally:
            await reply.close()
        self._done(handed, reply.status)
        return body

    async def _whole(self, handed: Handed, reply: Reply) -> Answer:
        body = await self._read(handed, reply)
        return Answer(200, [("Content-Type", reply.content_type), *_told(handed, reply)], body)

    def _streamed(self, handed: Handed, reply: Reply) -> Answer:
        headers = [
            ("Content-Type", eventstream.CONTENT_TYPE),
            ("X-Amzn-SageMaker-Content-Type", reply.content_type),
            *_told(handed, reply),
        ]
        return Answer(200, headers, self._parts(handed, reply))

    async def _parts(self, handed: Handed, reply: Reply) -> AsyncIterator[bytes]:
        """The answer's parts, each in a message, as they come; one that breaks off ends in an exception's message."""
        first: float | None = None
        broke = False
        try:
            async for part in reply.parts():
                first = first if first is not None else time.perf_counter() - handed.sent
                yield eventstream.payload_part(part)
                if time.perf_counter() - handed.began > STREAM_SECONDS:
                    broke = True
                    yield eventstream.stream_error(
                        "ModelStreamError", "The model took too long.", "ModelInvocationTimeExceeded"
                    )
                    return
        except FAILURES:
            broke = True
            yield eventstream.stream_error("ModelStreamError", "The stream from the model broke off.", "StreamBroken")
        finally:
            await reply.close()
            self._done(handed, reply.status, first=first, broke=broke)

    def _done(self, handed: Handed, status: int, *, first: float | None = None, broke: bool = False) -> None:
        """The copy is free again, and what happened is told."""
        self._copies.end(handed.copy)
        model, overhead = time.perf_counter() - handed.sent, handed.sent - handed.began
        outcome = Outcome(handed.share.variant, handed.able, status, model, overhead, first, broke)
        self._meter.called(handed.target, outcome)


def error_answer(error: AwsError) -> Answer:
    """An error as the REST-JSON protocol has it."""
    members = error.members if isinstance(error, CallError) else {}
    body = json.dumps({"Message": error.message, **members}).encode()
    return Answer(error.status, [("Content-Type", "application/json"), ("x-amzn-ErrorType", error.code)], body)


def _accepted(ticket: Ticket) -> Answer:
    headers = [("Content-Type", "application/json"), ("X-Amzn-SageMaker-OutputLocation", ticket.output)]
    if ticket.failure is not None:
        headers.append(("X-Amzn-SageMaker-FailureLocation", ticket.failure))
    return Answer(202, headers, json.dumps({"InferenceId": ticket.id}).encode())


def _told(handed: Handed, reply: Reply) -> list[tuple[str, str]]:
    """What an answer says besides its body."""
    told = [("x-Amzn-Invoked-Production-Variant", handed.share.variant)]
    attributes = reply.headers.get("x-amzn-sagemaker-custom-attributes")
    return [*told, ("X-Amzn-SageMaker-Custom-Attributes", attributes)] if attributes else told


def _model_error(handed: Handed, status: int, original: str) -> CallError:
    kind = "client" if 400 <= status < 500 else "server"
    logs = f"/aws/sagemaker/InferenceComponents/{handed.target.component}"
    if handed.target.component is None:
        logs = f"/aws/sagemaker/Endpoints/{handed.target.endpoint}"
    message = (
        f'Received {kind} error ({status}) from primary with message "{original}". See {logs} for more information.'
    )
    members: dict[str, Any] = {"OriginalStatusCode": status, "OriginalMessage": original, "LogStreamArn": logs}
    return CallError("ModelError", message, 424, **members)


def _no_answer(handed: Handed, error: Exception) -> CallError:
    if isinstance(error, TIMED_OUT):
        why = (
            "Your invocation timed out while waiting for a response from container primary. Review the latency metrics "
            "for each container in Amazon CloudWatch, resolve the issue, and try again."
        )
    else:
        why = "Amazon SageMaker could not get a response from the primary container."
    return _model_error(handed, 0, why)


def _nobody(share: Share, copies: Copies) -> str:
    if any(copy in copies.containers for copy in share.copies):
        return "The service is temporarily unavailable: no copy passes its health check."
    return "The emulator has no program for this image: name one in the file that --images gives."
