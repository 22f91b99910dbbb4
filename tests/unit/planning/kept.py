"""What CloudWatch would keep of requests that were made: their statistics, period by period."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from longshore.planning.cloudwatch.queries import Query

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""The beginning of an hour, and so of periods of any length."""


def at(seconds: float) -> datetime:
    """An instant, in seconds from the start."""
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Sample:
    """One value of one metric of whoever has these dimensions."""

    whose: str
    name: str
    at: float
    value: float


def kept(samples: Iterable[Sample], queries: Iterable[Query]) -> dict[Query, dict[datetime, float]]:
    """The answers to queries."""
    by_metric: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        by_metric[sample.whose, sample.name].append(sample)
    answers: dict[Query, dict[datetime, float]] = {}
    for query in queries:
        periods: dict[float, list[float]] = defaultdict(list)
        for sample in by_metric[dict(query.metric.dimensions)["InferenceComponentName"], query.metric.name]:
            periods[sample.at // query.period * query.period].append(sample.value)
        answers[query] = {at(start): _statistic(query.statistic, values) for start, values in periods.items()}
    return answers


def _statistic(name: str, values: list[float]) -> float:
    match name:
        case "SampleCount":
            return len(values)
        case "Sum":
            return sum(values)
        case "Average":
            return sum(values) / len(values)
        case "Minimum":
            return min(values)
        case "Maximum":
            return max(values)
    rank = math.ceil(float(name.removeprefix("p")) / 100 * len(values) - 1e-9)
    return sorted(values)[max(0, rank - 1)]


def requests(whose: str, begin: int, end: int, *, failing: float = 0, milliseconds: float = 50) -> list[Sample]:
    """One request a second, of which a share fails and all take the same time."""
    samples = []
    for second in range(begin, end):
        failed = math.floor((second + 1) * failing) - math.floor(second * failing)
        samples += [
            Sample(whose, "Invocations", second, 1),
            Sample(whose, "InvocationModelErrors", second, failed),
            Sample(whose, "ModelLatency", second, milliseconds * 1000),
        ]
    return samples
