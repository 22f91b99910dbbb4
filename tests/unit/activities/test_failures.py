"""Errors of the rooms as failures: Temporal retries what trying again can help, and nothing else."""

import pytest
from temporalio.exceptions import ApplicationError

from activities.failures import as_failures
from longshore.backends.port import BackendError
from longshore.planning.fence import FenceRefusedError


@pytest.mark.parametrize(
    ("error", "type_", "final"),
    [
        (BackendError("Throttled", "too many calls", retryable=True), "Throttled", False),
        (BackendError("DigestMismatch", "other bytes", retryable=False), "DigestMismatch", True),
        (FenceRefusedError("step 3 is older than 4"), "FenceRefused", True),
    ],
)
async def test_an_error_keeps_its_reason_and_its_one_line(error: Exception, type_: str, final: bool) -> None:  # noqa: FBT001
    @as_failures
    async def act() -> None:
        raise error

    with pytest.raises(ApplicationError) as failure:
        await act()
    assert (failure.value.type, failure.value.non_retryable, failure.value.message) == (type_, final, str(error))
    assert failure.value.__suppress_context__
