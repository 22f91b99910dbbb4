"""What every log line of an activity carries: deployment, operation, and the run as its trace."""

from typing import Any

import structlog
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class LogContext(Interceptor):
    """Binds the ids of the workflow that asked to whatever an activity logs."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See `Interceptor`."""
        return _Bound(next)


class _Bound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        ids = ids_of(info.workflow_id or "", info.workflow_run_id or "")
        with structlog.contextvars.bound_contextvars(activity=info.activity_type, attempt=info.attempt, **ids):
            return await self.next.execute_activity(input)


def ids_of(workflow_id: str, run_id: str) -> dict[str, str]:
    """`deployment/digits/rollout-2` → deployment `digits`, operation `digits/rollout-2`; the run is the trace."""
    prefix, _, operation = workflow_id.partition("/")
    ids = {"trace": run_id} if run_id else {}
    if prefix == "deployment" and operation:
        ids["deployment"] = operation.partition("/")[0]
        if "/" in operation:
            ids["operation"] = operation
    return ids
