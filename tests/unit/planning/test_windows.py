"""Windows over cumulative counters: what is told by two readings, and what is not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.planning.observed import Sample
from longshore.planning.windows import (
    MOST_READINGS,
    WindowError,
    between,
    count_at,
    percentile,
    pruned,
    readings,
    spans,
    unbroken,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def sample(second: float, requests: int, *, errors: int = 0, gateway: str = "a", epoch: str = "1") -> Sample:
    """A gateway's counters at a second; every request took up to 10 ms."""
    return Sample(
        gateway=gateway,
        version="2",
        at=T0 + timedelta(seconds=second),
        epoch=epoch,
        requests=requests,
        errors=errors,
        latency=((10.0, requests),),
    )


def steady(seconds: int, rate: int = 10, gateway: str = "a") -> list[Sample]:
    return [sample(second, second * rate, gateway=gateway) for second in range(0, seconds + 1, 5)]


def test_the_newest_span_that_is_long_enough_comes_first() -> None:
    windows = spans(readings(steady(20)), interval=5)
    assert [(window.start, window.requests) for window in windows] == [
        (T0 + timedelta(seconds=start), requests) for start, requests in ((15, 50), (10, 100), (5, 150), (0, 200))
    ]


def test_a_span_may_lack_the_jitter_of_a_timer_and_no_more() -> None:
    assert len(spans(readings([sample(0, 0), sample(4.6, 9)]), interval=5)) == 1
    assert spans(readings([sample(0, 0), sample(4.4, 9)]), interval=5) == []


def test_nothing_before_the_shift_is_in_a_window() -> None:
    taken = readings(steady(20), not_before=T0 + timedelta(seconds=7))
    assert max(window.requests for window in spans(taken, interval=5)) == 100


def test_gateways_are_differenced_before_they_are_summed() -> None:
    first = [sample(0, 1000, gateway="a"), sample(0, 10, gateway="b")]
    last = [sample(5, 1030, gateway="a", errors=3), sample(5, 15, gateway="b", errors=1)]
    (window,) = spans(readings([*first, *last]), interval=5)
    assert (window.requests, window.errors, window.answered) == (35, 4, 35)
    assert window.error_rate == pytest.approx(4 / 35)


@pytest.mark.parametrize(
    ("last", "says"),
    [
        pytest.param([sample(5, 20, epoch="2"), sample(5, 9, gateway="b")], "gateway a began anew", id="restarted"),
        pytest.param([sample(5, 20)], "gateway b could no longer be read", id="missing"),
        pytest.param(
            [sample(5, 20), sample(5, 9, gateway="b"), sample(5, 1, gateway="c")], "gateway c came in", id="came"
        ),
        pytest.param([sample(5, 1), sample(5, 9, gateway="b")], "gateway a began anew", id="counters fell"),
    ],
)
def test_a_break_right_before_the_newest_reading_is_an_error(last: list[Sample], says: str) -> None:
    with pytest.raises(WindowError, match=says):
        unbroken(readings([sample(0, 10), sample(0, 5, gateway="b"), *last]))


def test_after_a_break_windows_begin_anew_behind_it() -> None:
    taken = readings([sample(0, 100), sample(5, 110), sample(10, 3, epoch="2"), sample(15, 23, epoch="2")])
    (window,) = spans(taken, interval=5)
    assert (window.start, window.requests) == (T0 + timedelta(seconds=10), 20)


def test_one_reading_is_no_window_yet() -> None:
    assert spans(readings([sample(0, 10)]), interval=5) == []
    assert spans([], interval=5) == []


def test_a_percentile_is_interpolated_in_its_bucket() -> None:
    latency = ((10.0, 50), (20.0, 100), (30.0, 100))
    assert percentile(latency, 0.5) == pytest.approx(10)
    assert percentile(latency, 0.75) == pytest.approx(15)
    assert percentile(latency, 1) == pytest.approx(20)


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no request"):
        percentile(((10.0, 0),), 0.5)


def test_pruning_keeps_the_newest_start_that_every_version_has_enough_from() -> None:
    new = steady(40, rate=10)
    old = [one.model_copy(update={"version": "1"}) for one in steady(40, rate=2)]
    kept_new, kept_old = pruned([new, old], interval=5, min_samples=50)
    assert min(one.at for one in kept_new) == T0 + timedelta(seconds=15)
    assert [one.at for one in kept_new] == [one.at for one in kept_old]


def test_pruning_after_a_break_keeps_only_the_reading_that_later_windows_begin_at() -> None:
    (kept,) = pruned([[sample(0, 100), sample(5, 3, epoch="2")]], interval=5, min_samples=1)
    assert kept == (sample(5, 3, epoch="2"),)


def test_a_day_without_requests_keeps_few_readings() -> None:
    (kept,) = pruned([[sample(second, 0) for second in range(0, 86_400, 60)]], interval=5, min_samples=50)
    assert len(kept) <= MOST_READINGS
    assert (kept[0].at, kept[-1].at) == (T0, T0 + timedelta(seconds=86_340))


def test_pruning_nothing_is_nothing() -> None:
    assert pruned([(), ()], interval=5, min_samples=50) == [(), ()]


counts = st.lists(st.integers(0, 50), min_size=1, max_size=12)


def histogram(per_bucket: list[int]) -> tuple[tuple[float, int], ...]:
    """Buckets that end at 1, 2, 4, 8 … ms."""
    return tuple((float(2**i), sum(per_bucket[: i + 1])) for i in range(len(per_bucket)))


@settings(deadline=None)
@given(counts.filter(any), st.floats(0, 1))
def test_a_percentile_lies_in_the_bucket_that_holds_its_rank(per_bucket: list[int], quantile: float) -> None:
    latency = histogram(per_bucket)
    value = percentile(latency, quantile)
    below = max((count for bound, count in latency if bound < value), default=0)
    assert below <= quantile * latency[-1][1] + 1e-6
    assert count_at(latency, 2 ** len(per_bucket)) == latency[-1][1]
    assert 0 <= value <= latency[-1][0]


@settings(deadline=None)
@given(counts.filter(any), st.floats(0, 1), st.floats(0, 1))
def test_percentiles_grow_with_the_quantile(per_bucket: list[int], one: float, other: float) -> None:
    latency = histogram(per_bucket)
    low, high = sorted((one, other))
    assert percentile(latency, low) <= percentile(latency, high) + 1e-9


steps = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=12)


@settings(deadline=None)
@given(steps)
def test_two_gateways_measure_what_one_would(shares: list[tuple[int, int]]) -> None:
    split, whole = [], []
    totals = [0, 0]
    for second, (left, right) in enumerate(shares):
        totals = [totals[0] + left, totals[1] + right]
        split += [sample(second, totals[0], gateway="a"), sample(second, totals[1], gateway="b")]
        whole.append(sample(second, sum(totals)))
    assert spans(readings(split), 1) == spans(readings(whole), 1)


@settings(deadline=None)
@given(steps)
def test_a_longer_window_never_holds_less(shares: list[tuple[int, int]]) -> None:
    cumulative = [sum(one for one, _ in shares[: i + 1]) for i in range(len(shares))]
    windows = spans(readings([sample(second, count) for second, count in enumerate(cumulative)]), 1)
    requests = [window.requests for window in windows]
    assert requests == sorted(requests)


@settings(deadline=None)
@given(steps, st.integers(1, 100), st.integers(1, 5))
def test_pruning_changes_no_window_that_a_check_would_choose(
    shares: list[tuple[int, int]], enough: int, interval: int
) -> None:
    def chosen(samples: list[Sample]) -> object:
        return next((one for one in spans(readings(samples), interval) if one.answered >= enough), None)

    cumulative = [sum(one for one, _ in shares[: i + 1]) for i in range(len(shares))]
    everything = [sample(second, count) for second, count in enumerate(cumulative)]
    kept: list[Sample] = []
    for position, newest in enumerate(everything):
        kept.append(newest)
        assert chosen(kept) == chosen(everything[: position + 1])
        kept = list(pruned([kept], interval, enough)[0])


def test_trimmed_buckets_count_as_the_whole_ones_do() -> None:
    start, end = sample(0, 0), sample(5, 0)
    trimmed = start.model_copy(update={"latency": ((20.0, 0), (40.0, 7))})
    whole = end.model_copy(update={"latency": ((10.0, 0), (20.0, 0), (40.0, 9), (80.0, 12), (160.0, 12))})
    window = between(readings([trimmed])[0], readings([whole])[0])
    assert window.latency == ((10.0, 0), (20.0, 0), (40.0, 2), (80.0, 5), (160.0, 5))
