"""A deployment's workflow that hears approvals and overrides, and says what it heard."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from longshore.messages import DEPLOYMENT_WORKFLOW, Answer, ApproveRequest, OverrideRequest


@workflow.defn(name=DEPLOYMENT_WORKFLOW)
class TinyListener:
    """Accepts both."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    def approve(self, request: ApproveRequest) -> Answer:
        return Answer(changed=True, message=f"{request.actor} as {', '.join(request.roles)}: {request.reason}")

    @workflow.update
    def override(self, request: OverrideRequest) -> Answer:
        return Answer(changed=True, message=f"{request.actor}: {request.reason}")
