"""What copies wrote, read from their backend."""

import asyncio
from http import HTTPStatus

from pydantic import BaseModel, Field

from longshore.api.dependencies import Dependencies
from longshore.api.problems import ProblemError, not_found, unavailable
from longshore.backends.port import BackendError
from longshore.store.records import View

READ_TIMEOUT_SECONDS = 10.0
"""For all copies of a deployment together."""


class LogLine(BaseModel):
    """A line, and who wrote it."""

    copy_id: str = Field(alias="copy")
    line: str


async def read_logs(deps: Dependencies, view: View, copy: str | None, tail: int) -> list[LogLine]:
    """The last lines of one copy, or of each, in the order of the copies' ids.

    Raises:
        ProblemError: no such copy, or the backend does not answer.
    """
    names = sorted(observed.id for observed in view.copies)
    if copy is not None:
        if copy not in names:
            raise not_found("copy", copy)
        names = [copy]
    target = await deps.store.targets.get(view.row.target)
    if target is None:
        raise not_found("target", view.row.target)
    try:
        backend = deps.backend_of(target.name, target.spec)
        async with asyncio.timeout(READ_TIMEOUT_SECONDS):
            logs = await asyncio.gather(*(backend.logs(name, tail) for name in names))
    except BackendError as error:
        if error.retryable:
            raise unavailable(error.reason, error.message) from error
        raise ProblemError(HTTPStatus.BAD_GATEWAY, error.reason, error.message, kind="backend-refused") from error
    except TimeoutError as error:
        raise unavailable(
            "BackendUnavailable", f"target {target.name} did not answer within {READ_TIMEOUT_SECONDS:.0f} s"
        ) from error
    return [LogLine(copy=name, line=line) for name, lines in zip(names, logs, strict=True) for line in lines]
