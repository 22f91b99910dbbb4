"""How far an alarm scales: target tracking and step scaling as arithmetic.

Source: Application Auto Scaling User Guide, "How target tracking scaling works", "How step scaling works" and "Define
cooldown periods"; the shapes `TargetTrackingScalingPolicyConfiguration` and `StepScalingPolicyConfiguration`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

DEFAULT_COOLDOWN = 300.0
"""Seconds, for endpoint variants, inference components and every step policy."""
SCALE_IN_SHARE = 0.9
"""The low alarm's threshold as a share of the target: where scaling in would not at once call for scaling out again."""

Direction = Literal["out", "in"]


class TrackedMetric(NamedTuple):
    """How a predefined metric is watched: its name, its statistic and the alarms' periods."""

    name: str
    statistic: str
    period: int
    high_datapoints: int
    low_datapoints: int


PREDEFINED: Mapping[str, TrackedMetric] = {
    "SageMakerInferenceComponentInvocationsPerCopy": TrackedMetric("InvocationsPerCopy", "Sum", 60, 3, 15),
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": TrackedMetric(
        "ConcurrentRequestsPerCopy", "Average", 10, 3, 90
    ),
    "SageMakerVariantInvocationsPerInstance": TrackedMetric("InvocationsPerInstance", "Sum", 60, 3, 15),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": TrackedMetric(
        "ConcurrentRequestsPerModel", "Average", 10, 3, 90
    ),
}
"""Out after three periods above the target, in after fifteen minutes below nine tenths of it."""


class Bounds(NamedTuple):
    """Between what a target is scaled, and which way it is not at present."""

    least: int
    most: int
    in_suspended: bool = False
    out_suspended: bool = False

    def within(self, capacity: int) -> int:
        """The nearest capacity that is allowed."""
        return min(max(capacity, self.least), self.most)


class Last(NamedTuple):
    """The last scaling activity in one direction."""

    at: float
    before: int
    after: int


class Wish(NamedTuple):
    """What an alarm asks of a capacity at an instant."""

    direction: Direction
    current: int
    now: float
    out_cooldown: float
    in_cooldown: float
    last_out: Last | None
    last_in: Last | None


def tracked(wish: Wish, bounds: Bounds, value: float, target: float) -> int | None:
    """The capacity at which a metric that falls as capacity grows is at its target; None if nothing is to be done.

    Nothing comes from nothing: a target at zero copies has no metric to track, and is woken by a step policy.
    """
    return _decided(wish, bounds, lambda capacity: math.ceil(capacity * value / target))


def stepped(wish: Wish, bounds: Bounds, policy: Mapping[str, Any], beyond: float) -> int | None:
    """The capacity by the step that a breach falls into; None if nothing is to be done.

    Args:
        wish: who asks, when. Its direction is the alarm's: out if it watches for values above its threshold.
        bounds: of the target.
        policy: a `StepScalingPolicyConfiguration`.
        beyond: the metric's value less the alarm's threshold.
    """
    step = _step_for(policy["StepAdjustments"], beyond, above=wish.direction == "out")
    if step is None:
        return None
    least = policy.get("MinAdjustmentMagnitude", 0)
    # A step may lower the capacity although its alarm watches for high values, and the other way round.
    adjusted = _adjusted(policy["AdjustmentType"], wish.current, step, least)
    direction: Direction = "out" if adjusted >= wish.current else "in"
    wish = wish._replace(direction=direction)
    return _decided(wish, bounds, lambda capacity: _adjusted(policy["AdjustmentType"], capacity, step, least))


def _decided(wish: Wish, bounds: Bounds, capacity_from: Callable[[int], int]) -> int | None:
    if wish.direction == "in":
        if bounds.in_suspended or _cooling(wish.last_in, wish.now, wish.in_cooldown):
            return None
        wanted = bounds.within(capacity_from(wish.current))
        return wanted if wanted < wish.current else None
    if bounds.out_suspended:
        return None
    # What the last activity has added may not be there yet: it counts as part of what is wanted now, not on top of it.
    last = wish.last_out
    base = last.before if last is not None and _cooling(last, wish.now, wish.out_cooldown) else wish.current
    wanted = bounds.within(capacity_from(base))
    return wanted if wanted > wish.current else None


def _cooling(last: Last | None, now: float, cooldown: float) -> bool:
    return last is not None and now - last.at < cooldown


def _step_for(steps: Sequence[Mapping[str, Any]], beyond: float, *, above: bool) -> int | None:
    """The adjustment of the step that a breach falls into. Above the threshold lower bounds are part of a step."""
    for step in steps:
        lower = step.get("MetricIntervalLowerBound", -math.inf)
        upper = step.get("MetricIntervalUpperBound", math.inf)
        if (lower <= beyond < upper) if above else (lower < beyond <= upper):
            return int(step["ScalingAdjustment"])
    return None


def _adjusted(kind: str, capacity: int, adjustment: int, least: int) -> int:
    match kind:
        case "ExactCapacity":
            return adjustment
        case "PercentChangeInCapacity":
            change = capacity * adjustment / 100
            # More than one is rounded down and less is one, the guide says; the same below zero.
            size = max(math.floor(abs(change)) or math.ceil(abs(change)), least)
            return capacity + int(math.copysign(size, adjustment))
    return capacity + adjustment
