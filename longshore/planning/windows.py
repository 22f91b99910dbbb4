"""Windows: what happened between two readings of the traffic plane's cumulative counters (DESIGN, rule 14)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Final

from longshore.planning.observed import Sample
from longshore.spec.base import Value

JITTER: Final = 0.1
"""Share of an interval that may be missing from it: readings are taken by timers, which are never on the dot."""

MOST_READINGS: Final = 64
"""Readings kept for later windows; more would fill the history of a long bake and add nothing."""

Histogram = tuple[tuple[float, int], ...]
"""(upper bound in milliseconds, cumulative count), ascending. A bound left out has the count of the one before it."""


class Window(Value):
    """What one version did in a span of time, summed over the gateways."""

    start: datetime
    end: datetime
    requests: int
    errors: int
    latency: Histogram = ()

    @property
    def answered(self) -> int:
        """Requests whose latency was measured."""
        return self.latency[-1][1] if self.latency else 0

    @property
    def error_rate(self) -> float:
        """Errors per request, from 0 to 1; 0 when there was none.

        A request that began in one window may fail in the next, so a window can hold more errors than requests.
        """
        return min(1.0, self.errors / self.requests) if self.requests else 0.0


class WindowError(Exception):
    """No window may end at the newest reading: a gateway's counters began anew, or a gateway came or went."""


@dataclass(frozen=True)
class Reading:
    """All gateways' samples of one version that were read together."""

    at: datetime
    samples: dict[str, Sample]
    """By gateway."""

    @property
    def epochs(self) -> dict[str, str]:
        """Gateway → epoch of its counters."""
        return {gateway: sample.epoch for gateway, sample in self.samples.items()}

    def follows(self, earlier: "Reading") -> bool:
        """Whether every counter went on from an earlier reading: same gateways, same epochs, nothing fell."""
        return self.epochs == earlier.epochs and all(
            sample.requests >= earlier.samples[gateway].requests
            and sample.errors >= earlier.samples[gateway].errors
            and _total(sample.latency) >= _total(earlier.samples[gateway].latency)
            for gateway, sample in self.samples.items()
        )


def readings(samples: Iterable[Sample], not_before: datetime | None = None) -> list[Reading]:
    """Samples of one version as readings, oldest first. Samples that were read together share their `at`."""
    by_instant: dict[datetime, dict[str, Sample]] = {}
    for sample in samples:
        if not_before is None or sample.at >= not_before:
            by_instant.setdefault(sample.at, {})[sample.gateway] = sample
    return [Reading(at, by_instant[at]) for at in sorted(by_instant)]


def unbroken(taken: Sequence[Reading]) -> list[Reading]:
    """The newest readings whose counters went on without a break.

    Raises:
        WindowError: the break is right before the newest reading, so that nothing is known of the time up to it.
    """
    first = len(taken) - 1
    while first > 0 and taken[first].follows(taken[first - 1]):
        first -= 1
    if len(taken) > 1 and first == len(taken) - 1:
        raise WindowError(_what_broke(taken[-2], taken[-1]))
    return list(taken[max(first, 0) :])


def between(start: Reading, end: Reading) -> Window:
    """The difference of two readings: taken gateway by gateway, then summed."""
    windows = [_difference(start.samples[gateway], sample) for gateway, sample in sorted(end.samples.items())]
    if len(windows) == 1:
        return windows[0]
    return Window(
        start=start.at,
        end=end.at,
        requests=sum(window.requests for window in windows),
        errors=sum(window.errors for window in windows),
        latency=_summed([window.latency for window in windows]),
    )


def spans(taken: Sequence[Reading], interval: float) -> list[Window]:
    """Every window of at least `interval` seconds that ends at the newest reading, the newest start first.

    Raises:
        WindowError: see `unbroken`.
    """
    return list(each_span(taken, interval))


def each_span(taken: Sequence[Reading], interval: float) -> Iterator[Window]:
    """`spans`, one by one: mostly the first is enough."""
    whole = unbroken(taken)
    for start in reversed(whole[:-1]):
        if (whole[-1].at - start.at).total_seconds() >= interval * (1 - JITTER):
            yield between(start, whole[-1])


def percentile(latency: Histogram, quantile: float) -> float:
    """Latency in milliseconds that a share `quantile` of the requests did not exceed.

    Linear within the bucket that holds the rank, as Prometheus' `histogram_quantile` has it; the first bucket begins
    at 0. So the answer is as exact as the buckets are narrow.

    Raises:
        ValueError: nothing was measured.
    """
    if not latency or latency[-1][1] == 0:
        raise ValueError("no request was answered in the window")
    rank = quantile * latency[-1][1]
    lower, below = 0.0, 0
    for bound, count in latency:
        if count > below and count >= rank:
            return lower + (bound - lower) * max(0.0, rank - below) / (count - below)
        lower, below = bound, count
    return lower


def count_at(latency: Histogram, bound: float) -> int:
    """Requests that took no longer than `bound` milliseconds, as far as the buckets surely tell."""
    position = bisect_right(latency, bound, key=lambda bucket: bucket[0])
    return latency[position - 1][1] if position else 0


def pruned(versions: Sequence[Sequence[Sample]], interval: float, min_samples: int) -> list[tuple[Sample, ...]]:
    """The samples that later windows may still begin at, so that a day's bake needs no day's samples.

    Of versions that were read together, to be called after measuring, with the largest `interval` and `min_samples`
    of all checks. Counters only grow, so no later window begins before the newest start from which every version
    has enough. Where that leaves more than `MOST_READINGS`, every second one goes: windows then begin a little earlier
    than they could, and stay right.
    """
    present = [samples for samples in versions if samples]
    try:
        whole = [unbroken(readings(samples)) for samples in present]
    except WindowError:
        return [_at_instants(samples, {max(sample.at for sample in samples)}) for samples in versions]
    begun = max((taken[0].at for taken in whole), default=None)
    starts = [_starts(taken, interval, min_samples) for taken in whole]
    newest = max(set.intersection(*starts), default=begun) if starts else begun
    instants = sorted({sample.at for samples in present for sample in samples if newest is None or sample.at >= newest})
    while len(instants) > MOST_READINGS:
        instants = instants[:-1:2] + instants[-1:]
    return [_at_instants(samples, set(instants)) for samples in versions]


def _starts(taken: Sequence[Reading], interval: float, min_samples: int) -> set[datetime]:
    """Instants of the readings from which on there is enough for any metric."""
    return {window.start for window in spans(taken, interval) if min(window.requests, window.answered) >= min_samples}


def _at_instants(samples: Sequence[Sample], instants: set[datetime]) -> tuple[Sample, ...]:
    return tuple(sample for sample in samples if sample.at in instants)


def _difference(start: Sample, end: Sample) -> Window:
    bounds = sorted({bound for bound, _ in (*start.latency, *end.latency)})
    return Window(
        start=start.at,
        end=end.at,
        requests=end.requests - start.requests,
        errors=end.errors - start.errors,
        latency=tuple((bound, count_at(end.latency, bound) - count_at(start.latency, bound)) for bound in bounds),
    )


def _summed(histograms: Sequence[Histogram]) -> Histogram:
    grown: dict[float, int] = {}
    for histogram in histograms:
        below = 0
        for bound, count in histogram:
            grown[bound] = grown.get(bound, 0) + count - below
            below = count
    bounds = sorted(grown)
    return tuple(zip(bounds, accumulate(grown[bound] for bound in bounds), strict=True))


def _total(latency: Histogram) -> int:
    return latency[-1][1] if latency else 0


def _what_broke(before: Reading, after: Reading) -> str:
    """One line for a person."""
    gone, new = sorted(before.samples.keys() - after.samples), sorted(after.samples.keys() - before.samples)
    if gone:
        return f"gateway {gone[0]} could no longer be read, so its requests are missing"
    if new:
        return f"gateway {new[0]} came in between, so its earlier requests are unknown"
    restarted = sorted(gateway for gateway, epoch in after.epochs.items() if epoch != before.epochs[gateway])
    return f"the counters of gateway {(restarted or sorted(after.samples))[0]} began anew"
