"""Asking what serves, straight: one request through SageMaker's runtime, and the last lines of a log group."""

import asyncio
import json
import time
from typing import Any, Final

from longshore.backends.port import BackendError, HttpAnswer
from longshore.backends.sagemaker.client import Aws
from longshore.backends.sagemaker.errors import AbsentError, AwsError

MODEL_ERROR: Final = 424
"""SageMaker's status when the container itself answered with an error."""
LONGEST_INVOCATION_S: Final = 70.0
"""SageMaker gives up on a container after 60 s."""
LOG_STREAMS: Final = 10
"""Newest streams that are read for the last lines; each copy's container has its own."""


async def invoke(  # noqa: PLR0913 - a request has so many parts
    aws: Aws, copy_id: str, method: str, path: str, body: Any | None, *, timeout: float, **where: str
) -> HttpAnswer:
    """Send one request to an endpoint, or to a component on it (`where`); which copy answers, SageMaker chooses.

    Raises:
        BackendError: reason `CopyUnreachable` for anything but POST /invocations; or AWS refused.
    """
    if (method, path) != ("POST", "/invocations"):
        message = f"copy {copy_id} cannot be asked for {method} {path}: SageMaker passes on POST /invocations alone"
        raise BackendError("CopyUnreachable", message, retryable=False)
    began = time.monotonic()
    try:
        answer = await aws.call_within(
            min(timeout, LONGEST_INVOCATION_S),
            "sagemaker-runtime",
            "InvokeEndpoint",
            **where,
            ContentType="application/json",
            Body=json.dumps(body).encode(),
        )
        content = await asyncio.to_thread(answer["Body"].read)
    except AwsError as error:
        if error.code != "ModelError":
            raise
        return HttpAnswer(status=MODEL_ERROR, body=error.said.encode(), seconds=time.monotonic() - began)
    return HttpAnswer(status=200, body=content, seconds=time.monotonic() - began)


async def last_lines(aws: Aws, group: str, tail: int) -> list[str]:
    """The last lines of a log group, as CloudWatch Logs has them.

    SageMaker keeps them apart by container, which it does not name, so those of all copies come together.
    """
    if tail <= 0:
        return []
    newest = {"orderBy": "LastEventTime", "descending": True, "limit": LOG_STREAMS}
    try:
        streams = await aws.call("logs", "DescribeLogStreams", logGroupName=group, **newest)
    except AbsentError:
        return []
    names = [stream["logStreamName"] for stream in streams["logStreams"]]
    answers = await asyncio.gather(
        *(aws.call("logs", "GetLogEvents", logGroupName=group, logStreamName=name, limit=tail) for name in names)
    )
    events = sorted((event["timestamp"], event["message"]) for answer in answers for event in answer["events"])
    return [message.rstrip("\n") for _, message in events][-tail:]
