"""What is kept of metrics: periods, statistics, and exactly the dimensions that are asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.emulator.data.series import Metric, Series, StatisticError, Summary

LATENCY = Metric.of("AWS/SageMaker", "ModelLatency", [("EndpointName", "a"), ("VariantName", "b")])


def test_values_are_summed_up_by_whole_periods() -> None:
    series = Series()
    for at, value in ((119.0, 1.0), (120.0, 2.0), (179.9, 3.0), (180.0, 4.0)):
        series.put(LATENCY, value, at)
    assert [(at, found.total) for at, found in series.read(LATENCY, 120, 240, 60)] == [(120, 5.0), (180, 4.0)]
    assert [(at, found.total) for at, found in series.read(LATENCY, 60, 180, 120)] == [(0, 1.0), (120, 9.0)]


def test_metrics_of_high_resolution_can_be_read_by_ten_seconds() -> None:
    series = Series()
    for at in range(60, 120, 10):
        series.put(LATENCY, float(at), at, resolution=10)
    assert len(series.read(LATENCY, 60, 120, 10)) == 6
    assert len(series.read(LATENCY, 60, 120, 60)) == 1


def test_other_dimensions_are_another_metric() -> None:
    series = Series()
    series.put(LATENCY, 1.0, 60)
    assert series.read(LATENCY._replace(dimensions=LATENCY.dimensions[:1]), 0, 120, 60) == []
    assert Metric.of(*LATENCY[:2], reversed(LATENCY.dimensions)) == LATENCY


def test_an_unknown_statistic_is_refused() -> None:
    summary = Summary()
    summary.add(1.0)
    with pytest.raises(StatisticError, match="tm99"):
        summary.statistic("tm99")


@given(st.lists(st.floats(1e-3, 1e7), min_size=1, max_size=200), st.sampled_from([50, 90, 99, 99.9, 100]))
def test_percentiles_are_within_one_per_cent(values: list[float], percent: float) -> None:
    summary = Summary()
    for value in values:
        summary.add(value)
    expected = np.percentile(values, percent, method="inverted_cdf")
    assert summary.statistic(f"p{percent}") == pytest.approx(expected, rel=0.01)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), min_size=1, max_size=5))
def test_merged_summaries_say_what_one_of_all_values_says(groups: list[list[float]]) -> None:
    merged, whole = Summary(), Summary()
    for group in groups:
        part = Summary()
        for value in group:
            part.add(value)
            whole.add(value)
        merged.merge(part)
    for name in ("SampleCount", "Minimum", "Maximum", "p90"):
        assert merged.statistic(name) == whole.statistic(name)
    assert merged.statistic("Average") == pytest.approx(whole.statistic("Average"), abs=1e-6)
