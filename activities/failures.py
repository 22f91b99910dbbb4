"""Errors of the rooms as failures that Temporal retries, or not."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from temporalio.exceptions import ApplicationError

from activities.beating import beating
from longshore.backends.port import BackendError
from longshore.planning.fence import FenceRefusedError

P = ParamSpec("P")
R = TypeVar("R")


def as_failures(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
    """Give signs of life, and turn the typed errors of backends and fences into failures with a reason."""

    @wraps(function)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await beating(function(*args, **kwargs))
        except BackendError as error:
            raise ApplicationError(error.message, type=error.reason, non_retryable=not error.retryable) from None
        except FenceRefusedError as error:
            raise ApplicationError(str(error), type="FenceRefused", non_retryable=True) from None

    return wrapped
