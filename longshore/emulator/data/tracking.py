"""The alarms that a target tracking policy makes for itself, one to scale out by and one to scale in by.

Source: Application Auto Scaling User Guide, "How target tracking scaling works": out after three periods above the
target, in after fifteen minutes well below it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from longshore.emulator.data.capacity import Names
from longshore.emulator.data.metering import CALLS
from longshore.emulator.data.scaling import PREDEFINED, SCALE_IN_SHARE, TrackedMetric
from longshore.emulator.errors import AwsError


@dataclass
class Policy:
    """A scaling policy."""

    key: tuple[str, str]
    name: str
    arn: str
    kind: str
    """`StepScaling` or `TargetTrackingScaling`."""
    given: Mapping[str, Any]
    """Its configuration."""
    created: float
    id: str = ""
    """What its alarms' names end in."""
    alarms: tuple[str, ...] = ()
    """The names of those that it made."""


def alarms_of(policy: Policy, names: Names) -> list[dict[str, Any]]:
    """The alarms that a policy makes, as `PutMetricAlarm` takes them; a step policy makes none, people put those.

    Raises:
        AwsError: it tracks nothing that is known here.
    """
    if policy.kind != "TargetTrackingScaling":
        return []
    watched, metric = _watched(policy.given, names)
    target = policy.given["TargetValue"]
    common = {
        "AlarmActions": [policy.arn],
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
        "Statistic": metric.statistic,
        "Period": metric.period,
        **watched,
    }
    high = {
        "AlarmName": f"TargetTracking-{policy.key[0]}-AlarmHigh-{policy.id}",
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": target,
        "EvaluationPeriods": metric.high_datapoints,
        **common,
    }
    if policy.given.get("DisableScaleIn", False):
        return [high]
    low = {
        "AlarmName": f"TargetTracking-{policy.key[0]}-AlarmLow-{policy.id}",
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": target * SCALE_IN_SHARE,
        "EvaluationPeriods": metric.low_datapoints,
        **common,
    }
    return [high, low]


def _watched(given: Mapping[str, Any], names: Names) -> tuple[dict[str, Any], TrackedMetric]:
    custom = given.get("CustomizedMetricSpecification")
    if custom is not None:
        if "MetricName" not in custom:
            raise AwsError("ValidationException", "The emulator tracks one metric, and no expression of several.")
        watched = {
            "Namespace": custom["Namespace"],
            "MetricName": custom["MetricName"],
            "Dimensions": custom.get("Dimensions", []),
        }
        return watched, TrackedMetric(custom["MetricName"], custom.get("Statistic", "Average"), 60, 3, 15)
    kind = given.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    metric = PREDEFINED.get(kind)
    # Each of them is of a component or of a variant, as its name says, and of no use for the other.
    if metric is None or ("InferenceComponent" in kind) != (names.component is not None):
        raise AwsError("ValidationException", f"Predefined metric {kind} is not supported for this resource.")
    return {"Namespace": CALLS, "MetricName": metric.name, "Dimensions": names.dimensions()}, metric
