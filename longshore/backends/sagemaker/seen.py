"""What SageMaker described, as values. Pure.

A component has a status and two counts, of copies desired and of copies there; its copies have no names. An endpoint
has instances, which have no names either.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from longshore.spec.base import Value

MISSING: Final = "Missing"
"""Status of an endpoint that was there, and is not: our word, for SageMaker has none."""
BROKEN: Final = frozenset({"Failed", "OutOfService"})
"""Such an endpoint can only be deleted (shape EndpointStatus, its documentation)."""
MOVING: Final = frozenset({"Creating", "Updating", "Deleting"})
"""Statuses in which SageMaker refuses another change."""
_NO_CAPACITY = re.compile(
    r"insufficient.{0,20}capacity|insufficient hardware|not enough (hardware|capacity|resources)"
    r"|unable to provision|no capacity",
    re.IGNORECASE,
)


class Component(Value):
    """An inference component as described."""

    name: str
    arn: str = ""
    status: str
    desired: int
    current: int
    failure: str | None = None
    specification: dict[str, Any] = {}
    variant: str | None = None
    created_at: datetime
    modified_at: datetime
    seen_at: datetime

    @property
    def moving(self) -> bool:
        """Whether a change of it is under way."""
        return self.status in MOVING

    @property
    def is_adapter(self) -> bool:
        """Whether it is loaded into another component's copies."""
        return "BaseInferenceComponentName" in self.specification

    @property
    def lacks_capacity(self) -> bool:
        """Whether it says that there are no instances for its copies."""
        return self.failure is not None and lacks_capacity(self.failure)


class Endpoint(Value):
    """The endpoint as described, with what its configuration says of the instances."""

    name: str
    status: str
    config: str | None = None
    variant: str
    instances: dict[str, int] = {}
    """Instance type → instances there."""
    most: int | None = None
    """Instances that managed instance scaling may start; None where it does not scale."""
    messages: tuple[str, ...] = ()
    """What SageMaker says of it: its failure, and its variant's."""
    seen_at: datetime

    @property
    def missing(self) -> bool:
        """Whether it is gone, and with it everything that was on it."""
        return self.status == MISSING

    @property
    def trouble(self) -> str | None:
        """What is wrong with it, for a person; None where nothing is that does not pass by itself."""
        if self.missing:
            return "; ".join(self.messages)
        if self.status in BROKEN:
            return f"endpoint {self.name} is {self.status}: {'; '.join(self.messages) or 'SageMaker says no more'}"
        return None

    @property
    def pooled(self) -> bool:
        """Whether it may have instances of several types."""
        return len(self.instances) > 1


class View(Value):
    """All that one reading of SageMaker found."""

    endpoint: Endpoint
    components: dict[str, Component] = {}
    """Name → component, of everybody on the endpoint."""


def lacks_capacity(words: str) -> bool:
    """Whether AWS says, in one of its many ways, that it has no instance."""
    return _NO_CAPACITY.search(words) is not None


def component(answer: Mapping[str, Any], at: datetime) -> Component:
    """The answer of DescribeInferenceComponent."""
    runtime = answer.get("RuntimeConfig", {})
    return Component(
        name=answer["InferenceComponentName"],
        arn=answer["InferenceComponentArn"],
        status=answer.get("InferenceComponentStatus", "InService"),
        desired=runtime.get("DesiredCopyCount", 0),
        current=runtime.get("CurrentCopyCount", 0),
        failure=answer.get("FailureReason"),
        specification=_plain(answer.get("Specification", {})),
        variant=answer.get("VariantName"),
        created_at=answer["CreationTime"],
        modified_at=answer["LastModifiedTime"],
        seen_at=at,
    )


def endpoint(answer: Mapping[str, Any], config: Mapping[str, Any], variant: str, at: datetime) -> Endpoint | None:
    """The answers of DescribeEndpoint and DescribeEndpointConfig; None when it has no variant of that name."""
    there = {one["VariantName"]: one for one in answer.get("ProductionVariants", [])}
    meant = {one["VariantName"]: one for one in config.get("ProductionVariants", [])}
    if variant not in meant:
        return None
    summary, scaling = there.get(variant, {}), meant[variant].get("ManagedInstanceScaling", {})
    said = (answer.get("FailureReason"), *(one.get("StatusMessage") for one in summary.get("VariantStatus", [])))
    return Endpoint(
        name=answer["EndpointName"],
        status=answer["EndpointStatus"],
        config=answer.get("EndpointConfigName"),
        variant=variant,
        instances=_instances(summary, meant[variant]),
        most=scaling.get("MaxInstanceCount") if scaling.get("Status") == "ENABLED" else None,
        messages=tuple(words for words in said if words),
        seen_at=at,
    )


def _instances(summary: Mapping[str, Any], meant: Mapping[str, Any]) -> dict[str, int]:
    """Type → instances there, in the order of the pools' priority."""
    pools = sorted(meant.get("InstancePools", []), key=lambda pool: pool["Priority"])
    if not pools:
        return {meant["InstanceType"]: summary.get("CurrentInstanceCount", 0)}
    there = {one["InstanceType"]: one["CurrentInstanceCount"] for one in summary.get("InstancePools", [])}
    return {pool["InstanceType"]: there.get(pool["InstanceType"], 0) for pool in pools}


def _plain(value: Any) -> Any:
    """Without instants, which a page and a comparison cannot do with."""
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items() if not isinstance(child, datetime)}
    if isinstance(value, list):
        return [_plain(child) for child in value]
    return value
