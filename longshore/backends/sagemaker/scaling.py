"""Application Auto Scaling of a deployment's component: one version is a scalable target, by one policy, or none is.

Sources: the SageMaker developer guide, "Autoscale an endpoint" and "Scale an endpoint to zero instances", for the
metrics, the step policy that wakes a model that sleeps, and the alarm that sets it off.
"""

from collections.abc import Mapping
from typing import Any, Final

from longshore.backends.notebook import Turn
from longshore.backends.port import AutoscalerLevel, BackendError
from longshore.backends.sagemaker import pages
from longshore.backends.sagemaker.errors import AbsentError
from longshore.backends.sagemaker.reading import Reader
from longshore.backends.sagemaker.site import Site
from longshore.spec.scaling import Scaling

SERVICE: Final = "application-autoscaling"
METRICS: Final[Mapping[str, str]] = {
    "concurrentRequestsPerCopy": "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution",
    "invocationsPerCopy": "SageMakerInferenceComponentInvocationsPerCopy",
}
WAKE_PERIOD_S: Final = 60
WAKE_COOLDOWN_S: Final = 60


class ComponentScaling:
    """The autoscaler of one target's components."""

    def __init__(self, site: Site, reader: Reader) -> None:
        self._site = site
        self._reader = reader

    async def steer(self, level: AutoscalerLevel) -> None:
        """Bring it to a level; see `Autoscaling.steer`. What is noted is noted before it is asked for."""
        async with self._site.notebook.turn(level.deployment, level.fence) as turn:
            page = pages.read(turn.pages).get(level.version or "")
            if level.version is not None and page is None:
                message = f"version {level.version} of {level.deployment} has no component yet: wait for it"
                raise BackendError("ComponentMissing", message, retryable=True)
            noted = pages.deployment_page(turn.pages)
            chosen = () if page is None else (page.component,)
            await self._note(turn, tuple(dict.fromkeys((*noted.steered, *chosen))))
            for component in noted.steered:
                if component not in chosen:
                    await self._remove(component)
            if page is not None and level.version is not None and level.scaling is not None:
                await self._register(page.component, level.scaling, suspended=level.suspended)
            await self._note(turn, chosen)
            await self._follow(turn, None if level.suspended else level.version)

    async def _note(self, turn: Turn, steered: tuple[str, ...]) -> None:
        noted = pages.deployment_page(turn.pages).model_copy(update={"steered": steered})
        await turn.write(pages.DEPLOYMENT, noted.model_dump(mode="json"))

    async def _follow(self, turn: Turn, version: str | None) -> None:
        """Note whose count is the autoscaler's; a count that it is done choosing becomes the level we go on from."""
        for known, page in pages.read(turn.pages).items():
            if known == version and not page.scaled:
                await pages.write(turn, known, page.model_copy(update={"scaled": True}))
            elif known != version and page.scaled:
                seen = await self._reader.look_at(page.component)
                count = page.count if seen is None else seen.desired
                changes = {"scaled": False, "level": count, "count": count, "ours": (count,)}
                await pages.write(turn, known, page.model_copy(update=changes))

    async def _register(self, component: str, scaling: Scaling, *, suspended: bool) -> None:
        still = dict.fromkeys(
            ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"), suspended
        )
        bounds = {"MinCapacity": scaling.min, "MaxCapacity": scaling.max, "SuspendedState": still}
        await self._site.aws.call(SERVICE, "RegisterScalableTarget", **_target(component), **bounds)
        tracking = {
            "TargetValue": scaling.goal,
            "PredefinedMetricSpecification": {"PredefinedMetricType": METRICS[scaling.metric]},
            "ScaleInCooldown": int(scaling.scale_in_cooldown),
            "ScaleOutCooldown": int(scaling.scale_out_cooldown),
        }
        await self._put_policy(component, "track", "TargetTrackingScaling", TargetTrackingScaling=tracking)
        if scaling.min == 0:
            await self._wake(component)
        else:
            await self._let_wake_go(component)

    async def _wake(self, component: str) -> None:
        """A request that met no copy starts one."""
        steps = {
            "AdjustmentType": "ChangeInCapacity",
            "MetricAggregationType": "Maximum",
            "Cooldown": WAKE_COOLDOWN_S,
            "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
        }
        policy = await self._put_policy(component, "wake", "StepScaling", StepScaling=steps)
        await self._site.aws.call(
            "cloudwatch",
            "PutMetricAlarm",
            AlarmName=f"{component}-wake",
            AlarmDescription="Longshore: a request met no copy",
            AlarmActions=[policy],
            Namespace="AWS/SageMaker",
            MetricName="NoCapacityInvocationFailures",
            Dimensions=[{"Name": "InferenceComponentName", "Value": component}],
            Statistic="Maximum",
            Period=WAKE_PERIOD_S,
            EvaluationPeriods=1,
            DatapointsToAlarm=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="missing",
        )

    async def _put_policy(self, component: str, name: str, kind: str, **configuration: Any) -> str:
        ((key, value),) = configuration.items()
        answer = await self._site.aws.call(
            SERVICE,
            "PutScalingPolicy",
            **_target(component),
            PolicyName=f"{component}-{name}",
            PolicyType=kind,
            **{f"{key}PolicyConfiguration": value},
        )
        return str(answer["PolicyARN"])

    async def _let_wake_go(self, component: str) -> None:
        await self._site.aws.call("cloudwatch", "DeleteAlarms", AlarmNames=[f"{component}-wake"])
        await self._gone("DeleteScalingPolicy", component, PolicyName=f"{component}-wake")

    async def _remove(self, component: str) -> None:
        """The alarm, and the scalable target, with which its policies and their own alarms go."""
        await self._site.aws.call("cloudwatch", "DeleteAlarms", AlarmNames=[f"{component}-wake"])
        await self._gone("DeregisterScalableTarget", component)

    async def _gone(self, operation: str, component: str, **more: str) -> None:
        try:
            await self._site.aws.call(SERVICE, operation, **_target(component), **more)
        except AbsentError:
            return


def _target(component: str) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"inference-component/{component}",
        "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
    }
