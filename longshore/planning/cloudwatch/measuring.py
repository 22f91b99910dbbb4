"""What CloudWatch's answers say of a check.

CloudWatch keeps no counters but statistics of whole periods, and they come late. So a window is a row of whole periods
that are old enough to be complete, and a bake goes on until all of it could be read: data that are late are no lack of
requests. What they say is compared by the same tests as what the gateway counts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil, nextafter
from typing import Final

from longshore.planning.checks import Measurement, Outcome, compared, gauged
from longshore.planning.cloudwatch.distributions import bounds_of, summed_at
from longshore.planning.cloudwatch.periods import LOOK_BACK, Periods
from longshore.planning.cloudwatch.queries import LEAST, Query, Reading
from longshore.planning.windows import Histogram, Window

Answers = Mapping[Query, Mapping[datetime, float]]
"""Query → start of a period → value; a period without data is left out."""

_ROUNDING: Final = 1e-9
"""0.99 · 100 is a little more than 99 in floating point, and must not count as 100 samples."""


@dataclass(frozen=True)
class Stretch:
    """What one version did in some periods in a row."""

    start: datetime
    end: datetime
    samples: int
    errors: int = 0
    points: tuple[Histogram, ...] = ()
    """Of each period: (value, samples that do not exceed it), ascending."""
    value: float | None = None
    """Of what is no count of requests; None without a sample."""

    def window(self, bounds: list[float]) -> Window:
        """The same as the gateway would tell it, with buckets that end at these bounds."""
        latency, errors = summed_at(bounds, self.points), self.errors
        return Window(start=self.start, end=self.end, requests=self.samples, errors=errors, latency=latency)


def measure(periods: Periods, answers: Answers, new: Reading, old: Reading | None) -> Measurement:
    """Measure a check of a metric: its newest window of at least `interval` that has `minSamples` (DESIGN, rule 14).

    A comparison uses the newest window in which both versions have them; where there is none, the old version's last
    window before the shift. Too few are "not yet", and once the data of the whole bake are there, inconclusive.

    Args:
        periods: which ones may be looked at.
        answers: to all queries of the readings, over `periods.span`.
        new: what was asked of the new version.
        old: what was asked of the old one, for a comparison.
    """
    check, bake = periods.check, periods.bake
    if bake.over and not periods.whole:
        return _unfinished(periods, f"CloudWatch told of the time until {periods.complete:%H:%M:%S} so far")
    course = _course(new, answers, periods, periods.first, periods.complete)
    count = _enough(periods, course)
    if count is None:
        there = sum(one.samples for one in course)
        return _unfinished(periods, f"{there} of {check.min_samples} {_kind(new, there)} so far")
    if old is not None:
        return _against(periods, answers, course, old)
    window = _joined(new, course[:count])
    if window.value is not None:
        return gauged(check, window.value, window.samples, (window.start, window.end), bake.now)
    return _compared(periods, window, None)


def _against(periods: Periods, answers: Answers, course: list[Stretch], old: Reading) -> Measurement:
    """Compare with the old version in the same window, or in its last one before the shift."""
    beside = _course(old, answers, periods, periods.first, periods.complete)
    if (count := _enough(periods, course, beside)) is not None:
        return _compared(periods, _joined(old, course[:count]), _joined(old, beside[:count]))
    before = _course(old, answers, periods, periods.before - LOOK_BACK, periods.before)
    own, earlier = _enough(periods, course), _enough(periods, before)
    if own is None or earlier is None:
        few = f"fewer than {periods.check.min_samples} requests of the old version to compare with"
        return _unfinished(periods, few)
    return _compared(periods, _joined(old, course[:own]), _joined(old, before[:earlier]))


def _compared(periods: Periods, new: Stretch, old: Stretch | None) -> Measurement:
    """Both as the gateway would tell them, by the same bounds."""
    bounds = bounds_of((*new.points, *(old.points if old else ())))
    return compared(periods.check, new.window(bounds), old.window(bounds) if old else None, periods.bake.now)


def _course(reading: Reading, answers: Answers, periods: Periods, first: datetime, end: datetime) -> list[Stretch]:
    """The whole periods of some time, the newest first."""
    starts = range(1, (end - first) // periods.length + 1)
    return [
        _period(reading, answers, end - back * periods.length, end - (back - 1) * periods.length) for back in starts
    ]


def _enough(periods: Periods, *courses: list[Stretch]) -> int | None:
    """How many of the newest periods make a window, at least as long as `interval`, with `minSamples` of each."""
    least, seen = periods.least // periods.length, [0] * len(courses)
    for count, row in enumerate(zip(*courses, strict=True), start=1):
        seen = [samples + one.samples for samples, one in zip(seen, row, strict=True)]
        if count >= least and min(seen) >= periods.check.min_samples:
            return count
    return None


def _period(reading: Reading, answers: Answers, start: datetime, end: datetime) -> Stretch:
    samples = round(_at(answers, reading.samples, start) or 0)
    if reading.percentiles:
        points = _points(reading, answers, start, samples)
        return Stretch(start, end, points[-1][1] if points else 0, points=(points,))
    errors = round(_at(answers, reading.errors, start) or 0)
    return Stretch(start, end, samples, errors=errors, value=_at(answers, reading.value, start))


def _at(answers: Answers, query: Query | None, start: datetime) -> float | None:
    return None if query is None else answers.get(query, {}).get(start)


def _points(reading: Reading, answers: Answers, start: datetime, samples: int) -> Histogram:
    """How many samples of a period did not exceed the values of its percentiles: below the least there is none."""
    counts: dict[float, int] = {}
    for percentage, query in reading.percentiles:
        value = _at(answers, query, start)
        if value is not None:
            bound = value / reading.per_unit
            bound = nextafter(bound, 0) if percentage == LEAST else bound
            counts[bound] = max(counts.get(bound, 0), ceil(percentage / 100 * samples - _ROUNDING))
    return tuple(sorted(counts.items()))


def _joined(reading: Reading, newest_first: list[Stretch]) -> Stretch:
    """Periods in a row as one."""
    return Stretch(
        start=newest_first[-1].start,
        end=newest_first[0].end,
        samples=sum(one.samples for one in newest_first),
        errors=sum(one.errors for one in newest_first),
        points=tuple(point for one in newest_first for point in one.points),
        value=_joined_value(reading, newest_first),
    )


def _joined_value(reading: Reading, parts: Iterable[Stretch]) -> float | None:
    told = [(part.value, part.samples) for part in parts if part.value is not None]
    if reading.value is None or not told:
        return None
    values = [value for value, _ in told]
    match reading.value.statistic:
        case "Minimum":
            return min(values)
        case "Maximum":
            return max(values)
        case "Average":
            return sum(value * samples for value, samples in told) / max(1, sum(samples for _, samples in told))
    return sum(values)


def _unfinished(periods: Periods, message: str) -> Measurement:
    over = periods.bake.over and periods.whole
    outcome = Outcome.INCONCLUSIVE if over else Outcome.NOT_YET
    return Measurement(check=periods.check.name, outcome=outcome, at=periods.bake.now, message=message)


def _kind(reading: Reading, count: int) -> str:
    if reading.value is None:
        return "requests"
    return "sample" if count == 1 else "samples"
