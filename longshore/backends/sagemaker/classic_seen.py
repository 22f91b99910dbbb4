"""A classic endpoint as described and as noted, and what both make of its copies, which are its instances. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from longshore.backends.notebook import Page
from longshore.backends.sagemaker.instance_types import InstanceType
from longshore.backends.sagemaker.seen import lacks_capacity
from longshore.backends.sagemaker.trust import GRACE
from longshore.planning.fence import Fence
from longshore.planning.native import NativePolicy, NativeStatus, Portion
from longshore.planning.observed import Copy, CopyState, Difference, ObservedHost
from longshore.planning.refusals import INSUFFICIENT_CAPACITY
from longshore.spec.base import Value

BUSY: Final = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"})
"""Statuses in which SageMaker refuses another change."""
BROKEN: Final = frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"})
BACK_OFF: Final = timedelta(minutes=5)
"""How long no instance is promised after SageMaker had none."""


class HandedEndpoint(Value):
    """An update of the endpoint that we handed to SageMaker. It stays until there is another one."""

    fence: Fence
    version: str
    config: str
    """The configuration that the endpoint is to have."""
    copies: int
    at: datetime
    modified_before: datetime
    accepted: bool = False
    over: bool = False
    """Whether it was seen to have ended with the configuration of before."""


class EndpointPage(Value):
    """The version that a deployment's endpoint is of. It is written before SageMaker is asked, and after."""

    model: str
    endpoint: str
    config: str
    """The endpoint's configuration, named by its content."""
    level: int
    """Copies that shall serve; what exceeds them drains."""
    count: int
    """Instances that we want."""
    made: bool = False
    had: int = 0
    """Instances that served when we last asked for a change."""
    asked_at: datetime | None = None
    refused_at: datetime | None = None
    """When SageMaker last had no instance for it."""
    handed: HandedEndpoint | None = None

    @property
    def updating(self) -> HandedEndpoint | None:
        """The update that SageMaker may be carrying out."""
        return None if self.handed is None or self.handed.over else self.handed

    def was_refused(self, now: datetime) -> bool:
        """Whether SageMaker said lately that it has no instance for it."""
        return self.refused_at is not None and now < self.refused_at + BACK_OFF

    def recent(self, now: datetime) -> bool:
        """Whether SageMaker may still describe what was before our last change."""
        return self.asked_at is not None and now < self.asked_at + GRACE


class SeenEndpoint(Value):
    """An endpoint of one model as described."""

    name: str
    arn: str
    status: str
    config: str | None
    desired: int
    current: int
    failure: str | None
    modified_at: datetime

    @property
    def busy(self) -> bool:
        """Whether a change of it is under way."""
        return self.status in BUSY


def read(pages: Mapping[str, Page]) -> dict[str, EndpointPage]:
    """Version → its page."""
    return {version: EndpointPage.model_validate(page) for version, page in pages.items()}


def endpoint(answer: Mapping[str, Any], variant: str) -> SeenEndpoint:
    """The answer of DescribeEndpoint."""
    variants = {one["VariantName"]: one for one in answer.get("ProductionVariants", [])}
    ours = variants.get(variant, {})
    said = (answer.get("FailureReason"), *(one.get("StatusMessage") for one in ours.get("VariantStatus", [])))
    return SeenEndpoint(
        name=answer["EndpointName"],
        arn=answer["EndpointArn"],
        status=answer["EndpointStatus"],
        config=answer.get("EndpointConfigName"),
        desired=ours.get("DesiredInstanceCount", 0),
        current=ours.get("CurrentInstanceCount", 0),
        failure=next((words for words in said if words), None),
        modified_at=answer["LastModifiedTime"],
    )


def status_of(before: str, page: EndpointPage, seen: SeenEndpoint, now: datetime) -> NativeStatus:
    """How an update stands: by the configuration that the endpoint has, never by its status.

    A description of before the update was asked may come for a while after: it says nothing about its end.
    """
    handed = page.updating
    since = handed.modified_before if handed else None
    yesterdays = handed is not None and seen.modified_at == since and now < handed.at + GRACE
    there = {page.config: before} | ({handed.config: handed.version} if handed else {})
    under_way = seen.busy or yesterdays
    return NativeStatus(
        resource=seen.name,
        under_way=under_way,
        version=None if under_way else there.get(seen.config or ""),
        copies=seen.desired,
        ready=seen.current,
        broken=seen.status in BROKEN,
        words=seen.failure,
    )


def copies(
    key: tuple[str, str], page: EndpointPage, seen: SeenEndpoint | None, kind: InstanceType, now: datetime
) -> Iterator[Copy]:
    """The instances of an endpoint, as copies: those that serve, those that drain, those that are being ended."""
    deployment, version = key
    ours = seen is None or page.recent(now) or seen.status == "Failed"  # which has no instances, and will have none
    count = page.count if ours or seen is None else seen.desired
    there = max(count, seen.current if seen else 0)
    if seen is None and not (page.made and page.recent(now)):
        there = 0
    for index in range(there):
        state, reason, words = _state(page, seen, index, count)
        yield Copy(
            id=f"{page.endpoint}#{index}",
            deployment=deployment,
            model=page.model,
            version=version,
            host=host_name(page.endpoint, index),
            accelerators=tuple(range(kind.accelerators)),
            state=state,
            reason=reason,
            message=words,
        )


def _state(
    page: EndpointPage, seen: SeenEndpoint | None, index: int, count: int
) -> tuple[CopyState, str | None, str | None]:
    ending = page.count == 0 or (seen is not None and seen.status == "Deleting")
    if ending or index >= count:
        return CopyState.ENDING, None, None
    if index >= page.level:
        return CopyState.DRAINING, None, None
    if seen is None:
        return CopyState.STARTING, None, None
    if seen.status not in {"Creating", "Failed", "OutOfService"} and index < seen.current:
        return CopyState.READY, None, None
    if seen.failure and lacks_capacity(seen.failure):
        return CopyState.STARTING, INSUFFICIENT_CAPACITY, seen.failure
    if seen.status in {"Failed", "OutOfService"}:
        return CopyState.FAILED, "EndpointFailed", seen.failure or "SageMaker says no more"
    if index < page.had:
        return CopyState.UNREADY, "CopyLost", f"SageMaker runs {seen.current} of {seen.desired} instances"
    return CopyState.STARTING, None, None


def hosts(seen: list[Copy], kind: InstanceType, most: int, *, refused: bool) -> tuple[ObservedHost, ...]:
    """The instances that copies are, and those that SageMaker could start, up to the target's most."""
    shape = {"accelerators": kind.accelerators, "accelerator_memory_gib": kind.accelerator_memory_gib}
    there = [ObservedHost(name=copy.host, **shape) for copy in seen]
    free = max(0, most - len(there))
    obtainable = [
        ObservedHost(name=f"another-{number + 1}", **shape, obtainable=True, up=not refused) for number in range(free)
    ]
    return (*there, *obtainable)


def host_name(endpoint: str, index: int) -> str:
    """What we call an instance; SageMaker does not name them."""
    return f"{endpoint}-{index + 1}"


def refused(pages: Mapping[tuple[str, str], EndpointPage], now: datetime) -> bool:
    """Whether SageMaker said lately that it has no more instances."""
    return any(page.was_refused(now) for page in pages.values())


def differences(
    key: tuple[str, str], page: EndpointPage, seen: SeenEndpoint | None, now: datetime
) -> Iterator[Difference]:
    """What somebody else changed of a deployment's endpoint."""
    deployment, version = key
    if not page.made or page.recent(now) or page.updating is not None or not page.count:
        return
    if seen is None or seen.status == "Deleting":
        yield Difference(deployment=deployment, version=version, what="deleted", wanted="there", found="gone")
        return
    found = {"EndpointConfigName": (page.config, seen.config), "DesiredInstanceCount": (page.count, seen.desired)}
    for what, (wanted, there) in found.items():
        if wanted != there and not seen.busy:
            told = {"what": what, "wanted": str(wanted), "found": str(there)}
            yield Difference(deployment=deployment, version=version, **told)


def deployment_config(policy: NativePolicy) -> dict[str, Any]:
    """The DeploymentConfig of UpdateEndpoint: rolling, or blue/green under guardrails."""
    alarms = [{"AlarmName": name} for name in policy.alarms]
    watched = {"AutoRollbackConfiguration": {"Alarms": alarms}} if alarms else {}
    if policy.shift == "rolling":
        rolling = {
            "MaximumBatchSize": _size(policy.batch),
            "WaitIntervalInSeconds": policy.wait_s,
            "MaximumExecutionTimeoutInSeconds": policy.limit_s,
            "RollbackMaximumBatchSize": _size(policy.rollback_batch),
        }
        return {"RollingUpdatePolicy": rolling, **watched}
    step = {"Type": "CAPACITY_PERCENT", "Value": policy.step}
    shifts: dict[str, dict[str, Any]] = {
        "allAtOnce": {"Type": "ALL_AT_ONCE"},
        "canary": {"Type": "CANARY", "CanarySize": step},
        "linear": {"Type": "LINEAR", "LinearStepSize": step},
    }
    blue_green = {
        "TrafficRoutingConfiguration": {**shifts[policy.shift], "WaitIntervalInSeconds": policy.wait_s},
        "TerminationWaitInSeconds": policy.keep_s,
        "MaximumExecutionTimeoutInSeconds": policy.limit_s,
    }
    return {"BlueGreenUpdatePolicy": blue_green, **watched}


def _size(portion: Portion) -> dict[str, Any]:
    if portion.copies is not None:
        return {"Type": "INSTANCE_COUNT", "Value": portion.copies}
    return {"Type": "CAPACITY_PERCENT", "Value": round(portion.percent or 0)}
