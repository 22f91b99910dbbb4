"""CloudWatch's metrics: put, listed and read, by the shapes of botocore's model. Everything else of it is moto's."""

from collections.abc import Mapping
from typing import Any

from longshore.emulator.clock import Clock
from longshore.emulator.data.metering import CALLS
from longshore.emulator.data.queries import answered, check_period, metric_of, values_of
from longshore.emulator.data.series import STATISTICS, Metric, Series, Summary
from longshore.emulator.errors import AwsError
from longshore.emulator.protocol import Caller, Handler
from longshore.emulator.state import instant

_MOST_DATAPOINTS = 1440
"""Of one `GetMetricStatistics`."""
_PAGE = 500
_UNITS = {"Latency": "Microseconds", "Utilization": "Percent", "UtilizationNormalized": "Percent"}

Params = Mapping[str, Any]


class Metrics:
    """`PutMetricData` and its like."""

    def __init__(self, series: Series, clock: Clock) -> None:
        self._series = series
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {
            "PutMetricData": self.put,
            "ListMetrics": self.list,
            "GetMetricStatistics": self.statistics,
            "GetMetricData": self.data,
        }

    def put(self, _: Caller, params: Params) -> None:
        """Values of people's own metrics."""
        namespace = params["Namespace"]
        if namespace.startswith("AWS/"):
            raise AwsError("InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid.")
        for datum in params.get("MetricData", ()):
            at = datum["Timestamp"].timestamp() if "Timestamp" in datum else self._clock.now()
            metric = metric_of({**datum, "Namespace": namespace})
            self._series.put(metric, _summary(datum), at, datum.get("StorageResolution", 60))

    def list(self, _: Caller, params: Params) -> dict[str, Any]:
        """A page of the metrics that have values."""
        found = [metric for metric in sorted(self._series.metrics()) if _matches(metric, params)]
        start = int(params.get("NextToken") or 0)
        more = str(start + _PAGE) if len(found) > start + _PAGE else None
        return {"Metrics": [_shown(metric) for metric in found[start : start + _PAGE]], "NextToken": more}

    def statistics(self, _: Caller, params: Params) -> dict[str, Any]:
        """Statistics of one metric, by period."""
        span, period = _span(params), check_period(params["Period"])
        if (span[1] - span[0]) / period > _MOST_DATAPOINTS:
            raise _combination(f"You have requested more than {_MOST_DATAPOINTS} datapoints.")
        asked = [*params.get("Statistics", ()), *params.get("ExtendedStatistics", ())]
        if not asked:
            raise _combination("At least one of Statistics and ExtendedStatistics is needed.")
        metric = metric_of(params)
        columns = {name: values_of(self._series, metric, name, span, period) for name in asked}
        points = []
        for at in sorted(next(iter(columns.values()))):
            point: dict[str, Any] = {"Timestamp": instant(at), "Unit": unit_of(metric)}
            point |= {name: values[at] for name, values in columns.items() if name in STATISTICS}
            extended = {name: values[at] for name, values in columns.items() if name not in STATISTICS}
            points.append({**point, "ExtendedStatistics": extended or None})
        return {"Label": params["MetricName"], "Datapoints": points}

    def data(self, _: Caller, params: Params) -> dict[str, Any]:
        """What several queries ask for; all of it at once, never in pages."""
        queries = params["MetricDataQueries"]
        found = answered(self._series, queries, _span(params))
        oldest_first = params.get("ScanBy") == "TimestampAscending"
        results = []
        for query in queries:
            if query.get("ReturnData", True):
                values = sorted(found[query["Id"]].items(), reverse=not oldest_first)
                results.append(
                    {
                        "Id": query["Id"],
                        "Label": query.get("Label") or _label(query),
                        "Timestamps": [instant(at) for at, _value in values],
                        "Values": [value for _at, value in values],
                        "StatusCode": "Complete",
                    }
                )
        return {"MetricDataResults": results, "Messages": []}


def unit_of(metric: Metric) -> str:
    """The unit in which SageMaker tells a metric."""
    if metric.namespace == CALLS or metric.namespace.startswith("/aws/sagemaker/"):
        return next((unit for ending, unit in _UNITS.items() if metric.name.endswith(ending)), "None")
    return "None"


def _summary(datum: Params) -> Summary:
    summary = Summary()
    if "StatisticValues" in datum:
        given = datum["StatisticValues"]
        summary.add(given["Sum"] / given["SampleCount"], given["SampleCount"])
        summary.least, summary.greatest = given["Minimum"], given["Maximum"]
    elif "Values" in datum:
        for value, times in zip(datum["Values"], datum.get("Counts") or [1.0] * len(datum["Values"]), strict=True):
            summary.add(value, times)
    else:
        summary.add(datum["Value"])
    return summary


def _matches(metric: Metric, params: Params) -> bool:
    """Whether a metric has what is asked for; a dimension without a value matches any."""
    dimensions = dict(metric.dimensions)
    wanted = [(each["Name"], each.get("Value")) for each in params.get("Dimensions", ())]
    return (
        params.get("Namespace") in {None, metric.namespace}
        and params.get("MetricName") in {None, metric.name}
        and all(name in dimensions and value in {None, dimensions[name]} for name, value in wanted)
    )


def _shown(metric: Metric) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}


def _label(query: Params) -> str:
    return str(query["MetricStat"]["Metric"]["MetricName"] if "MetricStat" in query else query["Id"])


def _span(params: Params) -> tuple[float, float]:
    start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
    if start >= end:
        message = "The parameter StartTime must be less than the parameter EndTime."
        raise AwsError("InvalidParameterValue", message)
    return start, end


def _combination(message: str) -> AwsError:
    return AwsError("InvalidParameterCombination", message)
