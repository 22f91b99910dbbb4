"""Scalable targets: what Application Auto Scaling knows of a resource, and how requests name it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from longshore.emulator.data.capacity import check_resource
from longshore.emulator.data.scaling import Bounds, Last
from longshore.emulator.errors import AwsError, invalid
from longshore.emulator.protocol import Caller
from longshore.emulator.state import ACCOUNT, instant

_PAGE = 50

Key = tuple[str, str]
"""A resource's id and the dimension that is scaled."""
Params = Mapping[str, Any]


@dataclass
class Scalable:
    """A scalable target."""

    key: Key
    arn: str
    role: str
    least: int
    most: int
    created: float
    suspended: dict[str, bool] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    last_out: Last | None = None
    last_in: Last | None = None

    def bounds(self) -> Bounds:
        """What policies may do to it."""
        return Bounds(
            self.least,
            self.most,
            self.suspended.get("DynamicScalingInSuspended", False),
            self.suspended.get("DynamicScalingOutSuspended", False),
        )


def new_target(key: Key, caller: Caller, params: Params, now: float) -> Scalable:
    """A target that is registered now; its bounds are still to be set."""
    arn = f"arn:aws:application-autoscaling:{caller.region}:{ACCOUNT}:scalable-target/{uuid.uuid4().hex}"
    role = (
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    )
    return Scalable(key, arn, params.get("RoleARN", role), 0, 0, now, tags=dict(params.get("Tags", {})))


def shown_target(target: Scalable) -> dict[str, Any]:
    """A target as it is described."""
    kinds = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": target.key[0],
        "ScalableDimension": target.key[1],
        "MinCapacity": target.least,
        "MaxCapacity": target.most,
        "RoleARN": target.role,
        "CreationTime": instant(target.created),
        "SuspendedState": {kind: target.suspended.get(kind, False) for kind in kinds},
        "ScalableTargetARN": target.arn,
    }


def key_of(params: Params) -> Key:
    """What is to be scaled.

    Raises:
        AwsError: it is nothing that is scaled here.
    """
    check_namespace(params)
    resource, dimension = params["ResourceId"], params["ScalableDimension"]
    check_resource(resource, dimension)
    return resource, dimension


def check_namespace(params: Params) -> None:
    """Check that it is SageMaker's.

    Raises:
        AwsError: it is not.
    """
    if params["ServiceNamespace"] != "sagemaker":
        raise invalid(f"The emulator scales sagemaker only, and nothing of {params['ServiceNamespace']}.")


def of_dimension(key: Key, params: Params) -> bool:
    """Whether it is of the dimension that was asked for, if one was."""
    return params.get("ScalableDimension") in {None, key[1]}


def page(params: Params, name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """A page of what was found, and where the next begins."""
    start, size = int(params.get("NextToken") or 0), params.get("MaxResults") or _PAGE
    more = str(start + size) if len(found) > start + size else None
    return {name: found[start : start + size], "NextToken": more}


def policy_arn(caller: Caller, key: Key, name: str) -> str:
    """A policy's ARN: what alarms name to set it off."""
    place = f"resource/sagemaker/{key[0]}:policyName/{name}"
    return f"arn:aws:autoscaling:{caller.region}:{ACCOUNT}:scalingPolicy:{uuid.uuid4()}:{place}"


def missing(what: str, key: Key) -> AwsError:
    """There is no such thing for a resource."""
    place = f"service namespace: sagemaker, resource ID: {key[0]}, scalable dimension: {key[1]}"
    return AwsError("ObjectNotFoundException", f"No {what} found for {place}")
