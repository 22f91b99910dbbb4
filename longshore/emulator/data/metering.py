"""What SageMaker tells CloudWatch of calls: names, dimensions, units and periods as AWS documents them.

Source: SageMaker Developer Guide, "Amazon SageMaker AI metrics in Amazon CloudWatch". Latencies are real time, in
microseconds; how many calls there are at once is averaged over ten seconds of the emulator's time.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from longshore.emulator.clock import Clock
from longshore.emulator.data.series import Metric, Series
from longshore.emulator.data.targets import Target

CALLS = "AWS/SageMaker"
COMPONENTS = "/aws/sagemaker/InferenceComponents"
ENDPOINTS = "/aws/sagemaker/Endpoints"

HIGH_RESOLUTION = 10
"""Seconds; `ConcurrentRequestsPerCopy` and `ConcurrentRequestsPerModel` are emitted that often."""


class Outcome(NamedTuple):
    """How a call to a model ended."""

    variant: str
    copies: int
    """Copies that could have had it."""
    status: int
    """The model's own; 0 if it gave none."""
    model_seconds: float
    overhead_seconds: float
    first_chunk_seconds: float | None = None
    """Until the first part of a streamed answer."""
    broke: bool = False
    """Whether a streamed answer broke off."""


class Meter:
    """Puts what happens into the series."""

    def __init__(self, series: Series, clock: Clock) -> None:
        self._series = series
        self._clock = clock

    def called(self, target: Target, outcome: Outcome) -> None:
        """Tell of a call that a model was asked."""
        values = {
            "Invocations": 1.0,
            "Invocation4XXErrors": float(400 <= outcome.status < 500),
            "Invocation5XXErrors": float(outcome.status >= 500 or outcome.status == 0),
            "InvocationModelErrors": float(not 200 <= outcome.status < 300),
            "ModelLatency": outcome.model_seconds * 1e6,
            "OverheadLatency": outcome.overhead_seconds * 1e6,
        }
        if outcome.first_chunk_seconds is not None:
            values["FirstChunkModelLatency"] = outcome.first_chunk_seconds * 1e6
            values["FirstChunkLatency"] = (outcome.first_chunk_seconds + outcome.overhead_seconds) * 1e6
            values["MidStreamErrors"] = float(outcome.broke)
        values["InvocationsPerCopy" if target.component else "InvocationsPerInstance"] = 1 / max(outcome.copies, 1)
        for name, value in values.items():
            for metric in _metrics(target, outcome.variant, name):
                self._series.put(metric, value, self._clock.now())

    def had_no_capacity(self, component: str) -> None:
        """Tell of a call that a component at zero copies could not take: what wakes it."""
        metric = Metric.of(CALLS, "NoCapacityInvocationFailures", [("InferenceComponentName", component)])
        self._series.put(metric, 1.0, self._clock.now(), HIGH_RESOLUTION)

    def were_at_once(self, target: Target, variant: str, calls: float, copies: int) -> None:
        """Tell how many calls there were at once in the last ten seconds; zero is told too, while there are copies."""
        at = self._past()
        for metric in _metrics(target, variant, "ConcurrentRequestsPerModel"):
            self._series.put(metric, calls, at, HIGH_RESOLUTION)
        for metric in _metrics(target, variant, "ConcurrentRequestsPerCopy"):
            self._series.put(metric, calls / max(copies, 1), at, HIGH_RESOLUTION)
        # No call is zero calls per copy, not an unknown number of them: else nothing would ever be scaled in.
        idle = "InvocationsPerCopy" if target.component else "InvocationsPerInstance"
        for metric in _metrics(target, variant, idle):
            self._series.put(metric, 0.0, at)

    def was_used(self, target: Target, variant: str, percent: Mapping[str, float]) -> None:
        """Tell what a copy used: by a metric's name, a percentage."""
        for name, value in percent.items():
            for metric in _metrics(target, variant, name, COMPONENTS if target.component else ENDPOINTS):
                self._series.put(metric, value, self._past())

    def _past(self) -> float:
        """An instant of the ten seconds that are over."""
        return self._clock.now() - HIGH_RESOLUTION / 2


def _metrics(target: Target, variant: str, name: str, space: str = CALLS) -> Iterable[Metric]:
    """A component's metrics are told by its name alone, and those of calls for its endpoint's variant too."""
    if target.component is not None:
        yield Metric.of(space, name, [("InferenceComponentName", target.component)])
    if target.component is None or space == CALLS:
        yield Metric.of(space, name, [("EndpointName", target.endpoint), ("VariantName", variant)])
