"""What CloudWatch keeps of a metric: per period how many values, their sum, least and greatest, and their spread.

Moto keeps single values, matches dimensions loosely and knows no percentiles; alarms and checks need all three right,
so metrics are kept here, those of the emulator and those that people put.
Source: CloudWatch User Guide, "Metrics concepts" and "CloudWatch statistics definitions".
"""

import bisect
import math
import re
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

_RETENTION = 15 * 24 * 3600
"""Seconds that one-minute values are kept, as the guide says."""
_STEP = math.log(1.005)
"""Values closer than half a per cent are one for percentiles; CloudWatch, too, keeps them approximately."""
_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")

STATISTICS = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")


class StatisticError(ValueError):
    """A statistic that is not known; the message is AWS's."""


class Metric(NamedTuple):
    """What a value is of. Two metrics are one only if all their dimensions are the same."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    """Names and values, sorted."""

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Iterable[tuple[str, str]]) -> "Metric":
        """A metric, whatever the order its dimensions are given in."""
        return cls(namespace, name, tuple(sorted(dimensions)))


@dataclass
class Summary:
    """The values of one period."""

    count: float = 0
    total: float = 0.0
    least: float = math.inf
    greatest: float = -math.inf
    spread: Counter[int] = field(default_factory=Counter)
    """How many values at each step of a logarithmic scale; those of zero and below at the lowest."""

    def add(self, value: float, times: float = 1) -> None:
        """Count a value."""
        self.count += times
        self.total += value * times
        self.least = min(self.least, value)
        self.greatest = max(self.greatest, value)
        self.spread[_step_of(value)] += times  # type: ignore[assignment]

    def merge(self, other: "Summary") -> None:
        """Take in another's values."""
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)
        self.spread.update(other.spread)

    def statistic(self, name: str) -> float:
        """A statistic by CloudWatch's name, such as `Average` or `p99.9`.

        Raises:
            StatisticError: there is none of that name here.
        """
        match name:
            case "SampleCount":
                return self.count
            case "Sum":
                return self.total
            case "Average":
                return self.total / self.count
            case "Minimum":
                return self.least
            case "Maximum":
                return self.greatest
        percentile = _PERCENTILE.fullmatch(name)
        if percentile is None:
            raise StatisticError(f"The value {name} for parameter Stat is not supported.")
        return self._percentile(float(percentile[1]))

    def _percentile(self, percent: float) -> float:
        rank, seen = percent / 100 * self.count, 0.0
        for step in sorted(self.spread):
            seen += self.spread[step]
            if seen >= rank and seen > 0:
                return min(max(_value_at(step), self.least), self.greatest)
        return self.greatest


_LOWEST = -(10**9)


def _step_of(value: float) -> int:
    return _LOWEST if value <= 0 else round(math.log(value) / _STEP)


def _value_at(step: int) -> float:
    return 0.0 if step == _LOWEST else math.exp(step * _STEP)


class Series:
    """Every metric's values. Instants are seconds since 1970 in the emulator's time; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Metric, dict[int, Summary]] = {}

    def put(self, metric: Metric, value: "float | Summary", at: float, resolution: int = 60) -> None:
        """Count a value, or many, in its period of `resolution` seconds."""
        with self._lock:
            summary = self._at(metric, at, resolution)
            if isinstance(value, Summary):
                summary.merge(value)
            else:
                summary.add(value)

    def read(self, metric: Metric, start: float, end: float, period: int) -> list[tuple[int, Summary]]:
        """A metric's values by period: those that begin from `start` on and before `end`; empty ones are left out.

        Periods are whole multiples of their length since 1970, so the first may begin up to one before `start`.
        """
        first = math.floor(start / period) * period
        found: dict[int, Summary] = {}
        with self._lock:
            values = self._values.get(metric, {})
            instants = sorted(values)
            for instant in instants[bisect.bisect_left(instants, first) :]:
                beginning = instant // period * period
                if beginning >= end:
                    break
                found.setdefault(beginning, Summary()).merge(values[instant])
        return sorted(found.items())

    def metrics(self) -> list[Metric]:
        """What is known."""
        with self._lock:
            return list(self._values)

    def _at(self, metric: Metric, at: float, resolution: int) -> Summary:
        values = self._values.setdefault(metric, {})
        instant = int(at // resolution * resolution)
        if instant not in values:
            for old in [known for known in values if known < instant - _RETENTION]:
                del values[old]
            values[instant] = Summary()
        return values[instant]
