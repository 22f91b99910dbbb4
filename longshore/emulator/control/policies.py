"""What a `DeploymentConfig` may say: the rules that are in its documentation and not in its shapes."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from longshore.emulator.errors import invalid
from longshore.emulator.state import percent_of

Config = Mapping[str, Any]


class Guard(NamedTuple):
    """What a deployment is watched by and ended after."""

    region: str
    """Where its alarms are."""
    alarms: tuple[str, ...] = ()
    timeout: float | None = None
    """Seconds for the whole deployment; None where it may take as long as it takes."""


class Rolling(NamedTuple):
    """A rolling update, in copies or instances of a total that is known."""

    batch: int
    wait: float
    rollback_batch: int


def guard_of(config: Config | None, region: str) -> Guard:
    """The alarms and the timeout of a deployment configuration."""
    config = config or {}
    policy = config.get("BlueGreenUpdatePolicy") or config.get("RollingUpdatePolicy") or {}
    alarms = (config.get("AutoRollbackConfiguration") or {}).get("Alarms", [])
    names = tuple(alarm["AlarmName"] for alarm in alarms if "AlarmName" in alarm)
    return Guard(region, names, policy.get("MaximumExecutionTimeoutInSeconds"))


def rolling_of(policy: Config, total: int) -> Rolling:
    """A rolling policy for so many copies or instances.

    Source: `RollingUpdatePolicy` and `InferenceComponentRollingUpdatePolicy`: the batch is 5% to 50% of the count;
    without `RollbackMaximumBatchSize` a rollback brings up the whole capacity of the old fleet at once.

    Raises:
        AwsError: the batch is too small or too large.
    """
    check_share("MaximumBatchSize", policy["MaximumBatchSize"], total, 5, 50)
    rollback = policy.get("RollbackMaximumBatchSize")
    return Rolling(
        batch=percent_of(policy["MaximumBatchSize"], total),
        wait=float(policy["WaitIntervalInSeconds"]),
        rollback_batch=percent_of(rollback, total) if rollback else total,
    )


def shares_of(policy: Config | None, total: int) -> list[float]:
    """The new fleet's share of the traffic, step by step, of a blue/green policy; all at once without one.

    Raises:
        AwsError: the canary or the step is too small or too large, or its size is missing.
    """
    routing = (policy or {}).get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE"})
    match routing["Type"]:
        case "CANARY":
            size = _size(routing, "CanarySize")
            check_share("CanarySize", size, total, 0, 50)
            return [percent_of(size, total) / total, 1.0]
        case "LINEAR":
            size = _size(routing, "LinearStepSize")
            check_share("LinearStepSize", size, total, 10, 50)
            step = percent_of(size, total)
            return [min(1.0, step * index / total) for index in range(1, math.ceil(total / step) + 1)]
    return [1.0]


def check_share(name: str, size: Config, total: int, least: float, most: float) -> None:
    """Hold a `CapacitySize` against its bounds in percent. One copy or instance may always be a batch of its own.

    Raises:
        AwsError: it is outside of them.
    """
    value = int(size["Value"])
    percent = value if size["Type"] == "CAPACITY_PERCENT" else 100 * value / max(total, 1)
    single = size["Type"] != "CAPACITY_PERCENT" and value == 1
    if percent < least or (percent > most and not single):
        raise invalid(f"{name} must be between {least}% and {most}% of {total}, and is {percent:g}%.")


def check_endpoint_config(config: Config | None, *, retain: bool) -> None:
    """Refuse what contradicts itself.

    Raises:
        AwsError: there are two policies, or there is one and the last is to be retained.
    """
    if config and "BlueGreenUpdatePolicy" in config and "RollingUpdatePolicy" in config:
        raise invalid("Only one update policy can be specified: BlueGreenUpdatePolicy or RollingUpdatePolicy.")
    if config and retain:
        raise invalid("DeploymentConfig and RetainDeploymentConfig cannot be specified together.")


def _size(routing: Config, member: str) -> Config:
    if member not in routing:
        raise invalid(f"{member} is required for the traffic routing type {routing['Type']}.")
    size: Config = routing[member]
    return size
