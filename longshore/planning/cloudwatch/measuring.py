"""What CloudWatch's answers say of a check.

CloudWatch keeps no counters but statistics of whole periods, and they come late. So a window is a row of whole periods
that are old enough to be complete, and a bake goes on until all of it could be read: data that are late are no lack of
requests. Percentiles of periods cannot be added, but counts can: a few percentiles tell how many requests of a period
took how long at most, and these histograms add up, to be compared by the same tests as the gateway's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil, nextafter
from typing import Final

from longshore.planning.checks import Measurement, Outcome, compared, gauged
from longshore.planning.cloudwatch.periods import LOOK_BACK, Periods
from longshore.planning.cloudwatch.queries import LEAST, Query, Reading
from longshore.planning.windows import Histogram, Window, summed

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
    latency: Histogram = ()
    value: float | None = None
    """Of what is no count of requests; None without a sample."""

    @property
    def window(self) -> Window:
        """The same as the gateway would tell it."""
        latency, errors = self.latency, self.errors
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
    windows = list(_windows(new, answers, periods, periods.first, periods.complete))
    enough = [window for window in windows if window.samples >= check.min_samples]
    if not enough:
        most = max((window.samples for window in windows), default=0)
        return _unfinished(periods, f"{most} of {check.min_samples} {_kind(new, most)} so far")
    if new.value is not None:
        return gauged(check, enough[0].value or 0.0, enough[0].samples, (enough[0].start, enough[0].end), bake.now)
    if old is None:
        return compared(check, enough[0].window, None, bake.now)
    pair = _pair(periods, answers, enough, old)
    if pair is None:
        return _unfinished(periods, f"fewer than {check.min_samples} requests of the old version to compare with")
    return compared(check, pair[0].window, pair[1].window, bake.now)


def _pair(periods: Periods, answers: Answers, enough: list[Stretch], old: Reading) -> tuple[Stretch, Stretch] | None:
    """The windows to compare; None when the old version has too few requests everywhere."""
    least = periods.check.min_samples
    same_time = {
        window.start: window
        for window in _windows(old, answers, periods, periods.first, periods.complete)
        if window.samples >= least
    }
    both = next((window for window in enough if window.start in same_time), None)
    if both is not None:
        return both, same_time[both.start]
    before = _windows(old, answers, periods, periods.before - LOOK_BACK, periods.before)
    earlier = next((window for window in before if window.samples >= least), None)
    return (enough[0], earlier) if earlier else None


def _windows(reading: Reading, answers: Answers, periods: Periods, first: datetime, end: datetime) -> Iterator[Stretch]:
    """Every window of at least `interval` that ends at `end`, the newest start first."""
    grown: Stretch | None = None
    start = end - periods.length
    while start >= first:
        period = _period(reading, answers, start, start + periods.length)
        grown = period if grown is None else _joined(reading, period, grown)
        if end - start >= periods.least:
            yield grown
        start -= periods.length


def _period(reading: Reading, answers: Answers, start: datetime, end: datetime) -> Stretch:
    samples = round(_at(answers, reading.samples, start) or 0)
    if reading.percentiles:
        latency = _histogram(reading, answers, start, samples)
        return Stretch(start, end, latency[-1][1] if latency else 0, latency=latency)
    errors = round(_at(answers, reading.errors, start) or 0)
    return Stretch(start, end, samples, errors=errors, value=_at(answers, reading.value, start))


def _at(answers: Answers, query: Query | None, start: datetime) -> float | None:
    return None if query is None else answers.get(query, {}).get(start)


def _histogram(reading: Reading, answers: Answers, start: datetime, samples: int) -> Histogram:
    """How many samples of a period did not exceed the values of its percentiles: below the least there is none."""
    counts: dict[float, int] = {}
    for percentage, query in reading.percentiles:
        value = _at(answers, query, start)
        if value is not None:
            bound = value / reading.per_unit
            bound = nextafter(bound, 0) if percentage == LEAST else bound
            counts[bound] = max(counts.get(bound, 0), ceil(percentage / 100 * samples - _ROUNDING))
    return tuple(sorted(counts.items()))


def _joined(reading: Reading, earlier: Stretch, later: Stretch) -> Stretch:
    return Stretch(
        start=earlier.start,
        end=later.end,
        samples=earlier.samples + later.samples,
        errors=earlier.errors + later.errors,
        latency=summed([earlier.latency, later.latency]),
        value=_joined_value(reading, [part for part in (earlier, later) if part.value is not None]),
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
