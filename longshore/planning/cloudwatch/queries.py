"""What is asked of CloudWatch for a check, of one version.

Source of namespaces, metrics, dimensions and units: SageMaker developer guide, "Amazon SageMaker AI metrics in Amazon
CloudWatch".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from longshore.planning.checks import quantile_of
from longshore.spec.deployment import Check
from longshore.spec.sources import PLACEHOLDER, CloudWatch

INVOCATIONS: Final = "AWS/SageMaker"
"""Namespace of what is told of requests."""
UTILIZATION: Final = "/aws/sagemaker/InferenceComponents"
"""Namespace of what is told by the copies of a component."""
UTILIZATIONS: Final = {
    "cpu-utilization": "CPUUtilizationNormalized",
    "memory-utilization": "MemoryUtilizationNormalized",
    "gpu-utilization": "GPUUtilizationNormalized",
    "gpu-memory-utilization": "GPUMemoryUtilizationNormalized",
}
"""The check's metric → CloudWatch's, in percent of what a copy has."""
MICROSECONDS_PER_MS: Final = 1000.0
"""ModelLatency is in microseconds."""

SLOWER: Final = (0.1, 0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0)
"""What is read of a distribution, besides its least and its greatest: the values that so many times the share of the
samples exceed that exceeds the checked percentile. It is near that one that two versions have to be told apart."""
LEAST: Final = 0.0
GREATEST: Final = 100.0

_DECIMALS: Final = 6
"""Of a percentile; CloudWatch takes ten."""

Names = Mapping[str, str]
"""Placeholder → what it stands for, of one version: `{"VERSION": "2", "COMPONENT": "ls-…"}`."""


class UnnamedError(Exception):
    """Something of a version has no name on its target; says what, in one line."""


@dataclass(frozen=True)
class Metric:
    """One metric, as CloudWatch tells it from others."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    unit: str | None = None


@dataclass(frozen=True)
class Query:
    """One statistic of a metric, period by period."""

    metric: Metric
    statistic: str
    period: int
    """Seconds."""


@dataclass(frozen=True)
class Reading:
    """What is read of one version for one check."""

    samples: Query
    """How many samples each period has."""
    errors: Query | None = None
    """How many of them failed."""
    value: Query | None = None
    """The number that is checked, where it is no count of requests."""
    percentiles: tuple[tuple[float, Query], ...] = ()
    """Percentage of the samples → the value that they do not exceed."""
    per_unit: float = 1.0
    """Of the metric's own unit in the check's."""

    @property
    def queries(self) -> tuple[Query, ...]:
        """All that is asked."""
        single = (one for one in (self.samples, self.errors, self.value) if one is not None)
        return (*single, *(query for _, query in self.percentiles))


def asked(check: Check) -> CloudWatch:
    """What of CloudWatch a check is measured from."""
    if check.cloudwatch is None:
        raise AssertionError(f"check {check.name} is not measured from CloudWatch")
    return check.cloudwatch


def reading(check: Check, names: Names) -> Reading:
    """What is read for a check of a metric, of the version with these names.

    Errors are all requests that the model did not answer with 2xx in time, as at the gateway, where SageMaker answers
    424 to them.

    Raises:
        UnnamedError: a name that is needed is missing.
    """
    source, quantile = asked(check), quantile_of(check)
    if check.metric == "error-rate":
        counts, errors = (Metric(INVOCATIONS, name, _whose(names)) for name in ("Invocations", "InvocationModelErrors"))
        return Reading(_query(source, counts, "Sum"), errors=_query(source, errors, "Sum"))
    if check.metric is None:
        metric, statistic = _own(source, names), source.statistic or ""
        if quantile is not None:
            return _histogram(source, metric, quantile, per_unit=1.0)
    elif quantile is not None:
        latency = Metric(INVOCATIONS, "ModelLatency", _whose(names))
        return _histogram(source, latency, quantile, per_unit=MICROSECONDS_PER_MS)
    else:
        metric, statistic = Metric(UTILIZATION, UTILIZATIONS[check.metric], (_component(names),)), "Average"
    return Reading(_query(source, metric, "SampleCount"), value=_query(source, metric, statistic))


def _whose(names: Names) -> tuple[tuple[str, str], ...]:
    """The dimensions that tell a version's requests from others'; an endpoint of its own where it is no component."""
    if "COMPONENT" not in names and "ENDPOINT" in names and "VARIANT" in names:
        return (("EndpointName", names["ENDPOINT"]), ("VariantName", names["VARIANT"]))
    return (_component(names),)


def _component(names: Names) -> tuple[str, str]:
    if "COMPONENT" not in names:
        raise UnnamedError(f"version {names.get('VERSION', '')} is no inference component")
    return ("InferenceComponentName", names["COMPONENT"])


def _own(source: CloudWatch, names: Names) -> Metric:
    """The metric that the source names itself."""
    if unknown := source.placeholders - names.keys():
        raise UnnamedError(f"version {names.get('VERSION', '')} has no $({min(unknown)}) on its target")
    dimensions = (
        (name, PLACEHOLDER.sub(lambda found: names[found[1]], text)) for name, text in source.dimensions.items()
    )
    return Metric(source.namespace or "", source.metric or "", tuple(sorted(dimensions)), source.unit)


def _histogram(source: CloudWatch, metric: Metric, quantile: float, *, per_unit: float) -> Reading:
    beyond = (100 * (1 - quantile) * times for times in SLOWER)
    percentages = sorted({round(GREATEST - share, _DECIMALS) for share in beyond if share < GREATEST})
    told = ((percentage, _query(source, metric, f"p{percentage:.12g}")) for percentage in percentages if percentage > 0)
    least, greatest = (LEAST, _query(source, metric, "Minimum")), (GREATEST, _query(source, metric, "Maximum"))
    return Reading(_query(source, metric, "SampleCount"), percentiles=(least, *told, greatest), per_unit=per_unit)


def _query(source: CloudWatch, metric: Metric, statistic: str) -> Query:
    return Query(metric, statistic, round(source.period))
