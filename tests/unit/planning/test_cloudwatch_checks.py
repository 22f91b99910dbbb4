"""What CloudWatch's statistics say of a check: windows, data that are late, baselines, gauges and alarms."""

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kept import Sample, at, kept, requests

from longshore.planning.checks import Measurement, Outcome
from longshore.planning.cloudwatch.alarms import Alarm, measure_alarm
from longshore.planning.cloudwatch.measuring import measure
from longshore.planning.cloudwatch.periods import Bake, Periods
from longshore.planning.cloudwatch.queries import UnnamedError, reading
from longshore.spec.deployment import Check

SHIFT = 1020
"""Seconds from the start until the weight is live: 17 whole minutes."""
NEW, OLD = {"VERSION": "2", "COMPONENT": "new"}, {"VERSION": "1", "COMPONENT": "old"}
PAST = requests("old", 0, SHIFT)


def check(metric: str | None = "error-rate", **fields: Any) -> Check:
    bound = {} if {"max", "min", "compare"} & fields.keys() else {"max": 0.01}
    source = {"cloudwatch": fields.pop("cloudwatch", {})}
    return Check.model_validate({"name": "c", "metric": metric, "source": source, **bound, **fields})


def measured(asked: Check, samples: list[Sample], now: float, *, ends: float = SHIFT + 600) -> Measurement:
    bake = Bake(at(SHIFT), at(now), over=now >= ends, ends=at(ends))
    new, old = reading(asked, NEW), reading(asked, OLD) if asked.compare else None
    queries = (*new.queries, *(old.queries if old else ()))
    return measure(Periods(asked, bake), kept(samples, queries), new, old)


def outcome(asked: Check, samples: list[Sample], now: float, *, ends: float = SHIFT + 600) -> Outcome:
    return measured(asked, samples, now, ends=ends).outcome


GOOD = requests("new", SHIFT, 3000)
BAD = requests("new", SHIFT, 3000, failing=0.05)


def test_a_window_is_measured_once_its_data_must_be_there() -> None:
    seen = {now: outcome(check(), GOOD, SHIFT + now) for now in (0, 60, 119, 120, 180)}

    assert [seen[now] for now in (0, 60, 119)] == [Outcome.NOT_YET] * 3
    assert [seen[now] for now in (120, 180)] == [Outcome.PASSED] * 2


def test_a_period_that_began_before_the_shift_is_in_no_window() -> None:
    bake = Bake(at(SHIFT - 20), at(SHIFT + 240))
    assert Periods(check(), bake).first == at(SHIFT)
    assert Periods(check(), Bake(at(SHIFT), at(SHIFT + 240))).first == at(SHIFT)


def test_failed_requests_are_a_share_of_all_in_the_window() -> None:
    told = measured(check(), BAD, SHIFT + 130)

    assert (told.outcome, told.value, told.samples) == (Outcome.FAILED, pytest.approx(0.05), 60)
    assert (told.window_start, told.window_end) == (at(SHIFT), at(SHIFT + 60))
    assert told.message == "error-rate 0.05 of 60 requests, wanted ≤ 0.01"


def test_the_window_grows_until_it_has_enough_requests() -> None:
    asked = check(minSamples=150)

    assert outcome(asked, GOOD, SHIFT + 190) is Outcome.NOT_YET
    assert measured(asked, GOOD, SHIFT + 250).samples == 180


def test_what_is_late_at_the_end_of_the_bake_is_waited_for() -> None:
    bad_in_the_end = [*requests("new", SHIFT, SHIFT + 540), *requests("new", SHIFT + 540, 3000, failing=0.2)]

    assert outcome(check(), bad_in_the_end, SHIFT + 600) is Outcome.NOT_YET
    assert outcome(check(), bad_in_the_end, SHIFT + 659) is Outcome.NOT_YET
    assert outcome(check(), bad_in_the_end, SHIFT + 660) is Outcome.FAILED


def test_a_bake_shorter_than_a_window_waits_for_one() -> None:
    assert outcome(check(), GOOD, SHIFT + 30, ends=SHIFT + 30) is Outcome.NOT_YET
    assert outcome(check(), GOOD, SHIFT + 120, ends=SHIFT + 30) is Outcome.PASSED


def test_too_few_requests_are_inconclusive_only_once_all_of_the_bake_was_read() -> None:
    few = requests("new", SHIFT, SHIFT + 20)

    assert outcome(check(), few, SHIFT + 600) is Outcome.NOT_YET
    told = measured(check(), few, SHIFT + 700)
    assert (told.outcome, told.message) == (Outcome.INCONCLUSIVE, "20 of 50 requests so far")
    assert outcome(check(), [], SHIFT + 700) is Outcome.INCONCLUSIVE


def test_latencies_are_told_in_milliseconds() -> None:
    slow = requests("new", SHIFT, 3000, milliseconds=250)

    assert measured(check("latency-p99", max="300ms"), slow, SHIFT + 130).value == pytest.approx(250, rel=0.02)
    assert outcome(check("latency-p99", max="200ms"), slow, SHIFT + 130) is Outcome.FAILED


COMPARED: dict[str, tuple[str, list[Sample], Outcome]] = {
    "as good as before": ("error-rate", [*requests("old", SHIFT, 3000), *GOOD], Outcome.PASSED),
    "more errors than before": ("error-rate", [*requests("old", SHIFT, 3000), *BAD], Outcome.FAILED),
    "as bad as before": ("error-rate", [*requests("old", SHIFT, 3000, failing=0.05), *BAD], Outcome.PASSED),
    "as fast as before": ("latency-p90", [*requests("old", SHIFT, 3000), *GOOD], Outcome.PASSED),
    "slower than before": (
        "latency-p90", [*requests("old", SHIFT, 3000), *requests("new", SHIFT, 3000, milliseconds=70)], Outcome.FAILED,
    ),
    "with the old version's last window where it has no traffic now": ("error-rate", [*PAST, *BAD], Outcome.FAILED),
    "with nothing to compare": ("error-rate", GOOD, Outcome.NOT_YET),
}  # fmt: skip


@pytest.mark.parametrize(("metric", "samples", "expected"), COMPARED.values(), ids=COMPARED)
def test_a_version_is_compared_with_the_old_one(metric: str, samples: list[Sample], expected: Outcome) -> None:
    asked = check(metric, compare="baseline", maxIncrease="20%", interval="3m")
    assert outcome(asked, samples, SHIFT + 310) is expected


def test_with_nothing_to_compare_in_the_whole_bake_it_is_inconclusive() -> None:
    asked = check(compare="baseline", maxIncrease="20%")
    assert outcome(asked, GOOD, SHIFT + 700) is Outcome.INCONCLUSIVE


GAUGES = {
    "Average": ([10, 20, 60], 30.0),
    "Sum": ([10, 20, 60], 90.0),
    "Minimum": ([10, 20, 60], 10.0),
    "Maximum": ([10, 20, 60], 60.0),
    "SampleCount": ([10, 20, 60], 3.0),
}


@pytest.mark.parametrize(("statistic", "told"), GAUGES.items(), ids=GAUGES)
def test_a_gauge_is_told_of_its_whole_window(statistic: str, told: tuple[list[float], float]) -> None:
    own = {"namespace": "Mine", "metric": "Depth", "statistic": statistic}
    asked = check(
        None, max=1000, interval="3m", cloudwatch={**own, "dimensions": {"InferenceComponentName": "$(COMPONENT)"}}
    )
    samples = [Sample("new", "Depth", SHIFT + 60 * minute, value) for minute, value in enumerate(told[0])]

    assert measured(asked, samples, SHIFT + 240).value == told[1]


def test_how_busy_the_copies_are_needs_no_fifty_samples() -> None:
    busy = [Sample("new", "GPUUtilizationNormalized", SHIFT + 60 * minute, 97) for minute in range(10)]

    told = measured(check("gpu-utilization", max=95), busy, SHIFT + 130)

    assert (told.outcome, told.message) == (Outcome.FAILED, "gpu-utilization 97 of 1 sample, wanted ≤ 95")


def test_what_has_no_name_on_its_target_is_told() -> None:
    own = {"namespace": "Mine", "metric": "Depth", "statistic": "Sum", "dimensions": {"Endpoint": "$(ENDPOINT)"}}
    with pytest.raises(UnnamedError, match=r"version 2 has no \$\(ENDPOINT\)"):
        reading(check(None, max=1, cloudwatch=own), NEW)
    with pytest.raises(UnnamedError, match="version 2 is no inference component"):
        reading(check("gpu-utilization"), {"VERSION": "2", "ENDPOINT": "e", "VARIANT": "v"})
    assert dict(reading(check(), {"ENDPOINT": "e", "VARIANT": "v"}).samples.metric.dimensions) == {
        "EndpointName": "e",
        "VariantName": "v",
    }


ALARMS = {
    "rings": ("ALARM", 1, False, Outcome.FAILED),
    "is content, of what was before the shift": ("OK", 100, False, Outcome.NOT_YET),
    "is still of what was before, at the end": ("OK", 100, True, Outcome.NOT_YET),
    "is content": ("OK", 181, False, Outcome.PASSED),
    "has too few data": ("INSUFFICIENT_DATA", 181, False, Outcome.NOT_YET),
    "has too few data in the end": ("INSUFFICIENT_DATA", 181, True, Outcome.INCONCLUSIVE),
}


@pytest.mark.parametrize(("state", "passed", "over", "expected"), ALARMS.values(), ids=ALARMS)
def test_an_alarm_that(state: str, passed: int, over: bool, expected: Outcome) -> None:  # noqa: FBT001
    asked = check(None, max=None, cloudwatch={"alarm": "fleet-5xx"})
    told = measure_alarm(asked, Bake(at(SHIFT), at(SHIFT + passed), over=over), Alarm(state, "why", looks_back=120))
    assert told.outcome is expected


def test_an_alarm_that_is_not_there_is_an_error() -> None:
    told = measure_alarm(check(None, max=None, cloudwatch={"alarm": "gone"}), Bake(at(0), at(1)), None)
    assert (told.outcome, "there is no alarm gone" in told.message) == (Outcome.ERROR, True)


latencies = st.lists(st.floats(1, 5000), min_size=2, max_size=400)


@settings(max_examples=60, deadline=None)
@given(latencies, st.sampled_from([50.0, 90.0, 99.0]), st.integers(1, 3))
def test_a_percentile_lies_between_the_least_and_the_value_at_its_rank(
    values: list[float], percent: float, minutes: int
) -> None:
    """However the requests are spread over periods; of one period it is at most the value at the rank itself."""
    span = 60 * minutes
    samples = [Sample("new", "ModelLatency", SHIFT + n * span // len(values), ms * 1000) for n, ms in enumerate(values)]
    asked = check(f"latency-p{percent:g}", max=1e9, minSamples=1, interval=f"{minutes}m")

    told = measured(asked, samples, SHIFT + span + 60)

    assert told.samples == len(values)
    assert told.value is not None
    ordered = sorted(values)
    highest = ordered[-1] if minutes > 1 else ordered[math.ceil(percent / 100 * len(values) - 1e-9) - 1]
    assert ordered[0] - 1e-6 <= told.value <= highest + 1e-6


@pytest.mark.parametrize("metric", ["latency-p50", "latency-p90", "latency-p99"])
@pytest.mark.parametrize("minutes", [1, 4])
def test_chance_is_seldom_taken_for_a_slower_version_and_a_slower_one_seldom_for_chance(
    metric: str, minutes: int
) -> None:
    chance = Random(7)  # noqa: S311 - chance for a test
    asked = check(metric, compare="baseline", maxIncrease="20%", interval=f"{minutes}m")

    def told(whose: str, slower: float) -> list[Sample]:
        instants = range(SHIFT * 5, SHIFT * 5 + 300 * minutes)
        return [
            Sample(whose, "ModelLatency", instant / 5, slower * chance.lognormvariate(10.8, 0.5))
            for instant in instants
        ]

    def failed(slower: float) -> int:
        plays = ([*told("old", 1), *told("new", slower)] for _ in range(20))
        now = SHIFT + 60 * minutes + 60
        return sum(outcome(asked, samples, now, ends=now + 600) is Outcome.FAILED for samples in plays)

    assert failed(1.2) <= 4  # at a confidence of 0.95 more than 4 of 20 are one chance in 400
    assert failed(2.4) >= 18


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3600), st.sampled_from(["10s", "30s", "1m", "5m"]), st.integers(0, 7200))
def test_periods_are_whole_and_after_the_shift(shift: int, period: str, passed: int) -> None:
    asked = check(cloudwatch={"period": period})
    periods = Periods(asked, Bake(at(shift), at(shift + passed)))
    length = periods.length.total_seconds()

    assert 0 <= (periods.first - at(shift)).total_seconds() < length
    assert (periods.first.timestamp() % length, periods.complete.timestamp() % length) == (0, 0)
    assert periods.complete <= periods.bake.now
    assert periods.told == (periods.complete - periods.first >= periods.least)
