"""How a decision's actions are carried out: each is one activity, and gives some of the next decision's facts."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.inputs import (
        AcceptInput,
        DelegateInput,
        DrainedInput,
        EnsureInput,
        FollowInput,
        FreezeInput,
        FreezeOutput,
        MeasureInput,
        MeasureOutput,
        ObserveInput,
        PublishInput,
        RouteInput,
        RouteOutput,
        SmokeInput,
        SmokeOutput,
        SteerInput,
        VersionInput,
        WithdrawInput,
    )
    from activities.limits import ASK, CALL, LOST, PATIENCE, RETRY, VERIFY
    from longshore.messages import TASK_QUEUE, target_queue, workflow_id
    from longshore.planning.fence import Fence
    from longshore.planning.native import NativeStatus
    from longshore.planning.observed import Observation
    from longshore.planning.operation import (
        Accept,
        Acked,
        Action,
        AskFreeze,
        Delegate,
        Drained,
        DrainReport,
        Ensure,
        Follow,
        GiveUpWarm,
        Measure,
        Observe,
        OperationOrder,
        Publish,
        ReadRoute,
        Reserve,
        Smoke,
        Steer,
        Trouble,
        Verify,
        Withdraw,
    )
    from longshore.planning.room import Grant
    from longshore.spec.base import Value

Given = dict[str, Any]
"""Fields of `Facts` that an action gave."""


_METHODS: Final[dict[type[Value], str]] = {
    Verify: "_verify",
    Reserve: "_reserve",
    Ensure: "_ensure",
    Accept: "_accept",
    Observe: "_observe",
    Smoke: "_smoke",
    Measure: "_measure",
    Publish: "_publish",
    Withdraw: "_withdraw",
    Drained: "_drained",
    ReadRoute: "_read_route",
    AskFreeze: "_ask_freeze",
    Steer: "_steer",
    GiveUpWarm: "_give_up_warm",
    Delegate: "_delegate",
    Follow: "_follow",
}


class Hands:
    """Carries actions out for one operation."""

    def __init__(self, order: OperationOrder) -> None:
        self._order = order

    async def act(self, action: Action) -> Given:
        """Carry one action out.

        Raises:
            ActivityError: it could not be done; see `trouble_of`.
        """
        do: Callable[[Any], Awaitable[Given]] = getattr(self, _METHODS[type(action)])
        return await do(action)

    async def _verify(self, _: Verify) -> Given:
        order = self._order
        await workflow.execute_activity(
            "verify_artifact",
            VersionInput(target=order.target, model=order.model, version=order.new.version),
            task_queue=target_queue(order.target),
            start_to_close_timeout=VERIFY,
            schedule_to_close_timeout=VERIFY,
            heartbeat_timeout=LOST,
            retry_policy=RETRY,
            summary=f"verify {order.model} {order.new.version}",
        )
        return {"verified": True}

    async def _reserve(self, action: Reserve) -> Given:
        request = action.request
        summary = f"reserve room for {request.batch} of {request.model} {request.version}"
        grant = await self._call("reserve_room", request, Grant, TASK_QUEUE, summary)
        return {"grant": grant}

    async def _ensure(self, action: Ensure) -> Given:
        order = self._order
        asked = EnsureInput(
            target=order.target,
            deployment=order.deployment,
            model=order.model,
            version=action.version,
            copies=action.copies,
            surplus=action.surplus,
            placement=action.placement,
            fence=self._fence(action.step),
            take=action.take,
            lasting=action.lasting,
        )
        summary = f"version {action.version}: {action.copies} copies, {action.surplus} the rest"
        return _saw(await self._beside("ensure_copies", asked, Observation, summary))

    async def _accept(self, action: Accept) -> Given:
        order = self._order
        asked = AcceptInput(
            target=order.target,
            deployment=order.deployment,
            model=order.model,
            version=action.version,
            copies=action.copies,
            component=action.adopts.component,
            before=action.adopts.before,
            fence=self._fence(action.step),
        )
        summary = f"version {action.version} is {action.adopts.component}, as it is"
        return _saw(await self._beside("accept_component", asked, Observation, summary))

    async def _observe(self, _: Observe) -> Given:
        asked = ObserveInput(target=self._order.target, deployment=self._order.deployment)
        return _saw(await self._beside("observe_copies", asked, Observation, "look at the copies"))

    async def _smoke(self, action: Smoke) -> Given:
        order = self._order
        asked = SmokeInput(target=order.target, deployment=order.deployment, model=order.model, version=action.version)
        summary = f"smoke test of version {action.version}"
        output = await self._beside("smoke_test", asked, SmokeOutput, summary, attempt=ASK)
        return {"smoke": output.problem}

    async def _measure(self, action: Measure) -> Given:
        order = self._order
        asked = MeasureInput(
            target=order.target,
            deployment=order.deployment,
            model=order.model,
            operation=order.id,
            batch=action.batch,
            new=order.new.version,
            old=order.old.version if order.old else None,
            checks=action.checks,
            watched=action.watched,
            not_before=action.not_before,
            bake_ended=action.bake_ended,
            until=action.until,
        )
        summary = (
            f"measure {', '.join(check.name for check in action.checks)}" if action.checks else "read the counters"
        )
        output = await self._beside("measure_checks", asked, MeasureOutput, summary, attempt=ASK)
        return {"measurements": output.measurements, "foresight": output.foresight, **_saw(output.observation)}

    async def _publish(self, action: Publish) -> Given:
        order = self._order
        asked = PublishInput(
            deployment=order.deployment,
            model=order.model,
            weights=action.weights,
            standby=action.standby,
            idempotent=action.idempotent,
            fence=self._fence(action.step),
        )
        shares = ", ".join(f"{version} {weight}%" for version, weight in action.weights.items())
        return {"acked": await self._call("publish_route", asked, Acked, TASK_QUEUE, f"route {shares}")}

    async def _withdraw(self, action: Withdraw) -> Given:
        asked = WithdrawInput(deployment=self._order.deployment, fence=self._fence(action.step))
        return {"acked": await self._call("withdraw_route", asked, Acked, TASK_QUEUE, "withdraw the route")}

    async def _drained(self, action: Drained) -> Given:
        asked = DrainedInput(deployment=self._order.deployment, addresses=action.addresses, versions=action.versions)
        where = [f"version {version}" for version in action.versions]
        where += [f"{len(action.addresses)} draining copies"] if action.addresses else []
        summary = f"requests still at {' and '.join(where)}"
        return {"drain": await self._call("read_draining", asked, DrainReport, TASK_QUEUE, summary)}

    async def _read_route(self, _: ReadRoute) -> Given:
        asked = RouteInput(deployment=self._order.deployment)
        output = await self._call("read_route", asked, RouteOutput, TASK_QUEUE, "who has which share?")
        return {"route": output.weights}

    async def _ask_freeze(self, _: AskFreeze) -> Given:
        asked = FreezeInput(target=self._order.target, deployment=self._order.deployment)
        output = await self._call("read_freeze", asked, FreezeOutput, TASK_QUEUE, "is there a freeze?")
        return {"thawed": output.frozen is None, "frozen": output.frozen}

    async def _steer(self, action: Steer) -> Given:
        asked = SteerInput(
            target=self._order.target,
            deployment=self._order.deployment,
            version=action.version,
            scaling=action.scaling,
            suspended=action.suspended,
            fence=self._fence(action.step),
        )
        how = "holds still" if action.suspended else f"chooses the copies of {action.version or 'none'}"
        await self._beside("steer_autoscaler", asked, type(None), f"the autoscaler {how}")
        return {}

    async def _delegate(self, action: Delegate) -> Given:
        order = self._order
        asked = DelegateInput(
            target=order.target,
            deployment=order.deployment,
            model=order.model,
            version=action.version,
            before=action.before,
            copies=action.copies,
            policy=action.policy,
            fence=self._fence(action.step),
        )
        await self._beside("delegate_update", asked, type(None), f"hand the update to version {action.version} over")
        return {}

    async def _follow(self, action: Follow) -> Given:
        order = self._order
        asked = FollowInput(target=order.target, deployment=order.deployment, fence=self._fence(action.step))
        return {"native": await self._beside("follow_update", asked, NativeStatus, "how does the update stand?")}

    async def _give_up_warm(self, action: GiveUpWarm) -> Given:
        """Signal other deployments; one that is gone has nothing warm any more."""
        for name in action.deployments:
            try:
                await workflow.get_external_workflow_handle(workflow_id(name)).signal("give_up_warm")
            except ApplicationError as error:
                workflow.logger.warning("cannot ask %s for its warm copies: %s", name, error)
        return {}

    def _fence(self, step: int) -> Fence:
        return Fence(operation=self._order.number, step=step)

    async def _beside(
        self, name: str, asked: Any, answer: type[Any], summary: str, *, attempt: timedelta = CALL
    ) -> Any:
        return await self._call(name, asked, answer, target_queue(self._order.target), summary, attempt=attempt)

    async def _call(  # noqa: PLR0913 - one seam for all activities
        self, name: str, asked: Any, answer: type[Any], queue: str, summary: str, *, attempt: timedelta = CALL
    ) -> Any:
        return await workflow.execute_activity(
            name,
            asked,
            result_type=answer,
            task_queue=queue,
            start_to_close_timeout=attempt,
            schedule_to_close_timeout=max(PATIENCE, attempt),
            heartbeat_timeout=LOST,
            retry_policy=RETRY,
            summary=summary,
        )


def _saw(observation: Observation) -> Given:
    return {"observation": observation, "fresh": True}


def trouble_of(action: Action, error: ActivityError) -> Trouble:
    """An activity's failure in its own words."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return Trouble(
            action=action.kind,
            reason=cause.type or "ActivityFailed",
            message=cause.message,
            retryable=not cause.non_retryable,
        )
    message = f"{action.kind} got no answer within {PATIENCE.total_seconds():g} s: see longshore doctor"
    return Trouble(action=action.kind, reason="NoAnswer", message=message, retryable=True)
