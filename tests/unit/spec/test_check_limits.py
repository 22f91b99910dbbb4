"""Limits of checks: numbers, and durations where a latency is meant."""

import pytest
from pydantic import ValidationError

from longshore.spec.deployment import Check


@pytest.mark.parametrize(
    ("metric", "limit", "milliseconds"),
    [("latency-p99", 250, 250.0), ("latency-p99", "250ms", 250.0), ("latency-p50", "1m30s", 90_000.0)],
    ids=["a number is milliseconds", "a duration says its unit", "whatever the unit is"],
)
def test_a_latency_is_limited_in_milliseconds_or_by_a_duration(metric: str, limit: object, milliseconds: float) -> None:
    check = Check.model_validate({"name": "slow", "metric": metric, "max": limit})
    assert check.max == milliseconds
    assert Check.model_validate(check.model_dump(mode="json", by_alias=True)) == check


@pytest.mark.parametrize(("metric", "limit"), [("error-rate", "1ms"), ("latency-p99", "soon")])
def test_no_other_metric_takes_a_duration_and_no_latency_a_text(metric: str, limit: str) -> None:
    with pytest.raises(ValidationError):
        Check.model_validate({"name": "wrong", "metric": metric, "max": limit}, strict=True)
