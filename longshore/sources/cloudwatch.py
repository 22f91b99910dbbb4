"""Amazon CloudWatch: one GetMetricData for all metrics of a tick, and one DescribeAlarms for all alarms."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from longshore.backends.port import BackendError
from longshore.planning.checks import Measurement, could_not_measure
from longshore.planning.cloudwatch.alarms import Alarm, measure_alarm
from longshore.planning.cloudwatch.measuring import measure
from longshore.planning.cloudwatch.periods import Bake, Periods
from longshore.planning.cloudwatch.queries import Query, Reading, UnnamedError, reading
from longshore.sources.port import Asked
from longshore.spec.deployment import Check

if TYPE_CHECKING:
    from longshore.backends.sagemaker.client import Aws

MOST_QUERIES: Final = 500
"""That one GetMetricData takes."""
MOST_ALARMS: Final = 100
"""That one DescribeAlarms takes, and answers."""
_HOUR: Final = timedelta(hours=1)


@dataclass
class _Told:
    """What CloudWatch answered."""

    values: dict[Query, dict[datetime, float]] = field(default_factory=lambda: defaultdict(dict))
    broken: dict[Query, str] = field(default_factory=dict)
    """Queries that were not answered to the end, and CloudWatch's word for why."""


@dataclass(frozen=True)
class _Wanted:
    """A check of a metric, and what has to be read for it."""

    periods: Periods
    new: Reading
    old: Reading | None

    @property
    def queries(self) -> tuple[Query, ...]:
        return (*self.new.queries, *(self.old.queries if self.old else ()))

    def measured(self, told: _Told) -> Measurement:
        check, bake = self.periods.check, self.periods.bake
        broken = next((told.broken[query] for query in self.queries if query in told.broken), None)
        if broken is not None:
            return could_not_measure(check, f"CloudWatch answered {broken}", bake.now)
        return measure(self.periods, told.values, self.new, self.old)


class CloudWatchSource:
    """CloudWatch beside one target: with its role, and in its region where a check names no other."""

    def __init__(self, target: str, region: str | None = None, role: str | None = None) -> None:
        self._target = target
        self._region = region
        self._role = role
        self._aws: dict[str, Aws] = {}

    async def measure(self, asked: Asked) -> tuple[Measurement, ...]:
        """See `MetricSource`. Each region is asked on its own, and one that does not answer spoils no other."""
        by_region: dict[str, list[Check]] = defaultdict(list)
        for check in asked.checks:
            by_region[(check.cloudwatch.region if check.cloudwatch else None) or self._region or ""].append(check)
        measured: dict[str, Measurement] = {}
        for region, checks in by_region.items():
            try:
                measured |= await self._in_region(region, checks, asked)
            except BackendError as error:
                measured |= {check.name: could_not_measure(check, error.message, asked.now) for check in checks}
        return tuple(measured[check.name] for check in asked.checks)

    async def _in_region(self, region: str, checks: list[Check], asked: Asked) -> dict[str, Measurement]:
        if not region:
            message = f"target {self._target} has no region: add source.cloudwatch.region"
            return {check.name: could_not_measure(check, message, asked.now) for check in checks}
        bake = Bake(asked.not_before, asked.now, over=asked.bake_ended, ends=asked.until)
        alarms = await _alarms(self._way(region), {name for check in checks if (name := _alarm_of(check))})
        measured: dict[str, Measurement] = {}
        wanted: list[_Wanted] = []
        for check in checks:
            if name := _alarm_of(check):
                measured[check.name] = measure_alarm(check, bake, alarms.get(name))
                continue
            try:
                wanted.append(_wanted(check, asked, bake))
            except UnnamedError as error:
                measured[check.name] = could_not_measure(check, str(error), asked.now)
        told = await _told(self._way(region), [one for one in wanted if one.periods.told])
        return measured | {one.periods.check.name: one.measured(told) for one in wanted}

    def _way(self, region: str) -> "Aws":
        """The way to a region. Most targets never need boto3, which takes its time to import."""
        from longshore.backends.sagemaker.client import Aws

        if region not in self._aws:
            self._aws[region] = Aws(self._target, region, self._role)
        return self._aws[region]


def _alarm_of(check: Check) -> str | None:
    return check.cloudwatch.alarm if check.cloudwatch else None


def _wanted(check: Check, asked: Asked, bake: Bake) -> _Wanted:
    if check.compare is not None and asked.old is None:
        raise UnnamedError("there is no old version to compare with")
    old = reading(check, asked.old) if check.compare is not None and asked.old is not None else None
    return _Wanted(Periods(check, bake), reading(check, asked.new), old)


async def _told(aws: "Aws", wanted: list[_Wanted]) -> _Told:
    """The answers to all queries, over the time that all checks look at."""
    told = _Told()
    if not wanted:
        return told
    # Whole hours are where the periods of all lengths begin, whatever else is asked in the same call.
    start = min(one.periods.span[0] for one in wanted)
    start -= timedelta(minutes=start.minute, seconds=start.second, microseconds=start.microsecond)
    end = max(one.periods.span[1] for one in wanted)
    every = list(dict.fromkeys(query for one in wanted for query in one.queries))
    for first in range(0, len(every), MOST_QUERIES):
        named = {f"q{number}": query for number, query in enumerate(every[first : first + MOST_QUERIES])}
        queries = [{"Id": name, "ReturnData": True, "MetricStat": _stat(query)} for name, query in named.items()]
        results = await aws.all(
            "cloudwatch",
            "GetMetricData",
            "MetricDataResults",
            MetricDataQueries=queries,
            StartTime=start,
            EndTime=end,
            ScanBy="TimestampAscending",
        )
        _take(told, named, results)
    return told


def _take(told: _Told, named: Mapping[str, Query], results: Iterable[Mapping[str, Any]]) -> None:
    """Take in pages of results: a query's last page is the one that says whether it is whole."""
    for result in results:
        query = named[result["Id"]]
        instants = (instant.astimezone(UTC) for instant in result.get("Timestamps", []))
        told.values[query].update(zip(instants, result.get("Values", []), strict=True))
        status = result.get("StatusCode", "Complete")
        if status == "Complete":
            told.broken.pop(query, None)
        else:
            told.broken[query] = status


def _stat(query: Query) -> dict[str, Any]:
    metric = query.metric
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    asked = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    unit = {"Unit": metric.unit} if metric.unit else {}
    return {"Metric": asked, "Period": query.period, "Stat": query.statistic, **unit}


async def _alarms(aws: "Aws", names: set[str]) -> dict[str, Alarm]:
    """The alarms that are there, by name."""
    found: dict[str, Alarm] = {}
    every = sorted(names)
    for first in range(0, len(every), MOST_ALARMS):
        answer = await aws.call(
            "cloudwatch",
            "DescribeAlarms",
            AlarmNames=every[first : first + MOST_ALARMS],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            MaxRecords=MOST_ALARMS,
        )
        for alarm in (*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])):
            found[alarm["AlarmName"]] = Alarm(alarm["StateValue"], alarm.get("StateReason", ""), _looks_back(alarm))
    return found


def _looks_back(alarm: Mapping[str, Any]) -> float:
    """Seconds of data that an alarm's state tells of; one of several metrics is as slow as the slowest."""
    stats = [metric["MetricStat"] for metric in alarm.get("Metrics", []) if "MetricStat" in metric]
    periods = [int(one["Period"]) for one in (alarm, *stats) if "Period" in one]
    return float(max(periods, default=0) * int(alarm.get("EvaluationPeriods", 0)))
