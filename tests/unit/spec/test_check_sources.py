"""Where checks are measured: what goes together, and what is said of the rest."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from longshore.spec.deployment import Check

OWN = {"namespace": "Mine", "metric": "FirstToken", "statistic": "p90", "dimensions": {"Model": "$(COMPONENT)"}}


def check(**fields: Any) -> Check:
    return Check.model_validate({"name": "c", **fields})


def cloudwatch(**fields: Any) -> dict[str, Any]:
    return {"cloudwatch": fields}


WHOLE = {
    "of the version's own component": {"metric": "error-rate", "max": 0.01, "source": cloudwatch()},
    "its latency against the old version's": {
        "metric": "latency-p99", "compare": "baseline", "maxIncrease": "20%", "source": cloudwatch(),
    },
    "how busy its copies are": {"metric": "gpu-utilization", "max": 95, "source": cloudwatch()},
    "any metric": {"max": 800, "source": cloudwatch(**OWN)},
    "any percentile against the old version's": {
        "compare": "baseline", "maxIncrease": 0.1, "source": cloudwatch(**OWN),
    },
    "an alarm": {"source": cloudwatch(alarm="fleet-5xx")},
    "every ten seconds": {"metric": "error-rate", "max": 0.01, "source": cloudwatch(period="10s")},
}  # fmt: skip

BROKEN = {
    "no metric": ({"max": 1}, "a check needs a metric"),
    "two metrics": ({"metric": "error-rate", "max": 1, "source": cloudwatch(**OWN)}, "metric is given once"),
    "an alarm and a bound": ({"max": 1, "source": cloudwatch(alarm="a")}, "an alarm has its own threshold"),
    "an alarm and a metric": ({"source": cloudwatch(alarm="a", **OWN)}, "an alarm knows its metric"),
    "half a metric": ({"max": 1, "source": cloudwatch(metric="m")}, "namespace, metric and statistic go together"),
    "dimensions of nothing": (
        {"metric": "error-rate", "max": 1, "source": cloudwatch(dimensions={"A": "b"})}, "dimensions and unit are of",
    ),
    "a blank nobody fills": (
        {"max": 1, "source": cloudwatch(**OWN | {"dimensions": {"A": "$(POD)"}})}, r"\$\(POD\) is not known",
    ),
    "a gauge against the old version's": (
        {"metric": "gpu-utilization", "compare": "baseline", "maxIncrease": 0.1, "source": cloudwatch()},
        "only error-rate, latencies and percentiles",
    ),
    "a gauge of the gateway": ({"metric": "gpu-utilization", "max": 1}, "is measured from source"),
    "accuracy of CloudWatch": ({"metric": "accuracy", "min": 1, "source": cloudwatch()}, "only accuracy"),
    "periods that CloudWatch has not": (
        {"metric": "error-rate", "max": 1, "source": cloudwatch(period="45s")}, "10s, 30s and whole minutes",
    ),
    "asked more often than it is told": (
        {"metric": "error-rate", "max": 1, "interval": "10s", "source": cloudwatch()}, "nothing new to measure",
    ),
    "two sources": (
        {"metric": "accuracy", "min": 1, "source": {"golden": "file:///a", "cloudwatch": {}}}, "one of the two",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fields", WHOLE.values(), ids=WHOLE)
def test_a_check_that_is_written_again_is_the_same(fields: dict[str, Any]) -> None:
    first = check(**fields)
    assert Check.model_validate_json(first.model_dump_json()) == first


@pytest.mark.parametrize(("fields", "said"), BROKEN.values(), ids=BROKEN)
def test_what_does_not_go_together_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        check(**fields)


@pytest.mark.parametrize(
    ("fields", "interval", "samples"),
    [
        ({"metric": "error-rate", "max": 1}, 5, 50),
        ({"metric": "error-rate", "max": 1, "source": cloudwatch()}, 60, 50),
        ({"metric": "latency-p50", "max": 1, "source": cloudwatch(period="5m")}, 300, 50),
        ({"metric": "gpu-utilization", "max": 1, "source": cloudwatch()}, 60, 1),
        ({"max": 1, "source": cloudwatch(**OWN)}, 60, 50),
        ({"max": 1, "source": cloudwatch(**OWN | {"statistic": "Average"})}, 60, 1),
        ({"max": 1, "minSamples": 9, "interval": "2m", "source": cloudwatch(**OWN | {"statistic": "Sum"})}, 120, 9),
    ],
)
def test_a_check_of_cloudwatch_goes_by_its_periods(fields: dict[str, Any], interval: float, samples: int) -> None:
    assert (check(**fields).interval, check(**fields).min_samples) == (interval, samples)


@given(st.integers(1, 1440))
def test_any_whole_minutes_are_a_period(minutes: int) -> None:
    fields = {"metric": "error-rate", "max": 1, "source": cloudwatch(period=f"{minutes}m")}
    assert check(**fields).interval == minutes * 60
