"""Distributions of which CloudWatch tells a few percentiles, period by period: put together, and made comparable.

Percentiles of periods cannot be added, but counts can. Between two percentiles the samples are taken to lie evenly, as
the gateway's buckets are read too, and every distribution is told by the same bounds: then the tests of two windows see
the same error on both sides, and not a difference.
"""

from bisect import bisect_left
from collections.abc import Iterable
from math import nextafter
from typing import Final

from longshore.planning.windows import Histogram

BOUNDS: Final = 256
"""Of a histogram: a hundredth apart if the slowest is ten times as slow as the fastest."""


def bounds_of(points: Iterable[Histogram]) -> list[float]:
    """Common bounds for periods, each told by points (value, samples that do not exceed it); ascending.

    The points themselves are among them unless they are too many, so that one period's percentile is just that.
    """
    told = [point for point in points if point]
    values = [value for point in told for value, _ in point if value > 0]
    if not values:
        return [0.0] if told else []
    lowest, highest = min(values), max(values)
    step = (highest / lowest) ** (1 / BOUNDS)
    grid = [lowest * step**number for number in range(BOUNDS)]
    exact = values if len(values) <= BOUNDS else [highest]
    return sorted({0.0, nextafter(lowest, 0.0), *grid, *exact})


def summed_at(bounds: list[float], points: Iterable[Histogram]) -> Histogram:
    """How many samples of all the periods do not exceed each bound."""
    totals = [0.0] * len(bounds)
    for point in points:
        for position, count in enumerate(_counts(bounds, point)):
            totals[position] += count
    return tuple((bound, round(total)) for bound, total in zip(bounds, totals, strict=True))


def _counts(bounds: list[float], point: Histogram) -> Iterable[float]:
    values = [value for value, _ in point]
    for bound in bounds:
        after = bisect_left(values, bound)
        if after == len(values):
            yield float(point[-1][1]) if point else 0.0
        elif values[after] == bound or after == 0:
            yield float(point[after][1]) if values[after] == bound else 0.0
        else:
            (low, below), (high, above) = point[after - 1], point[after]
            yield below + (above - below) * (bound - low) / (high - low)
