"""Checks: failed, inconclusive and error are three different things, and none of them is passed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.planning.checks import (
    CheckCounters,
    Evidence,
    Measurement,
    Outcome,
    could_not_measure,
    judge,
    may_end_bake,
    measure,
    measure_golden,
    progress,
    pruned,
    threshold,
)
from longshore.planning.observed import Sample
from longshore.planning.significance import error_rate_p_value, latency_p_value
from longshore.planning.windows import Window
from longshore.spec.deployment import Check

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ERRORS = Check(name="errors", metric="error-rate", max=0.01)
SLOW = Check(name="slow", metric="latency-p99", max=250)
WORSE = Check(name="worse", metric="error-rate", compare="baseline", max_increase=0.2)
SLOWER = Check(name="slower", metric="latency-p90", compare="baseline", max_increase=0.2)
RIGHT = Check(name="right", metric="accuracy", min=0.95, source={"golden": "file:///golden.jsonl"})


def load(requests: int, errors: int = 0, ms: float = 100, *, seconds: float = 5, since: float = 0) -> list[Sample]:
    """Two readings `seconds` apart, between which one gateway answered so many requests, each within `ms`."""

    def at(second: float, count: int, failed: int) -> Sample:
        return Sample(
            gateway="a",
            version="2",
            at=T0 + timedelta(seconds=second),
            epoch="1",
            requests=1000 + count,
            errors=10 + failed,
            latency=((ms / 1.1, 0), (ms, 1000 + count)),
        )

    return [at(since, 0, 0), at(since + seconds, requests, errors)]


def evidence(new: list[Sample], old: list[Sample] | None = None, **more: Any) -> Evidence:
    return Evidence(
        new=tuple(new),
        old=tuple(old or ()),
        not_before=T0,
        **{"before": (), "now": T0 + timedelta(seconds=6), **more},
    )


@pytest.mark.parametrize(
    ("check", "given_", "outcome", "value"),
    [
        pytest.param(ERRORS, evidence(load(100)), "passed", 0.0, id="no error passes"),
        pytest.param(ERRORS, evidence(load(100, 1)), "passed", 0.01, id="the largest good value is good"),
        pytest.param(ERRORS, evidence(load(100, 2)), "failed", 0.02, id="more than that fails"),
        pytest.param(ERRORS, evidence(load(49, 49)), "notYet", None, id="too few requests say nothing yet"),
        pytest.param(
            ERRORS, evidence(load(49, 49), bake_ended=True), "inconclusive", None, id="too few at the end never tell"
        ),
        pytest.param(
            ERRORS,
            evidence(load(0)[:1], bake_ended=True),
            "notYet",
            None,
            id="a bake that nobody was there to measure is no lack of requests",
        ),
        pytest.param(
            ERRORS,
            evidence(load(0)[:1], bake_ended=True, now=T0 + timedelta(seconds=4)),
            "inconclusive",
            None,
            id="a bake too short for any window never tells",
        ),
        pytest.param(ERRORS, evidence(load(99, 99, seconds=3)), "notYet", None, id="too short says nothing yet"),
        pytest.param(ERRORS, evidence(load(99, 99, since=-3)), "notYet", None, id="nothing before the shift counts"),
        pytest.param(ERRORS, evidence([]), "notYet", None, id="no reading says nothing yet"),
        pytest.param(SLOW, evidence(load(100, ms=200)), "passed", pytest.approx(200, rel=0.1), id="fast passes"),
        pytest.param(SLOW, evidence(load(100, ms=400)), "failed", pytest.approx(400, rel=0.1), id="slow fails"),
        pytest.param(WORSE, evidence(load(100, 2), load(100, 2)), "passed", 0.02, id="as bad as old passes"),
        pytest.param(WORSE, evidence(load(100, 3), load(100, 2)), "passed", 0.03, id="insignificantly worse passes"),
        pytest.param(WORSE, evidence(load(100, 20), load(100, 2)), "failed", 0.2, id="significantly worse fails"),
        pytest.param(WORSE, evidence(load(100), load(100)), "passed", 0.0, id="no error on either side passes"),
        pytest.param(WORSE, evidence(load(100, 20), load(49)), "notYet", None, id="no baseline says nothing yet"),
        pytest.param(
            WORSE,
            evidence(load(100, 20), load(3), before=tuple(load(100, 2, since=-9))),
            "failed",
            0.2,
            id="the window before the shift is the baseline of a version without traffic",
        ),
        pytest.param(
            SLOWER, evidence(load(100, ms=121), load(100)), "passed", pytest.approx(121, rel=0.1), id="allowed increase"
        ),
        pytest.param(
            SLOWER,
            evidence(load(100, ms=150), load(100)),
            "failed",
            pytest.approx(150, rel=0.1),
            id="more than allowed",
        ),
    ],
)
def test_measurement(check: Check, given_: Evidence, outcome: str, value: Any) -> None:
    measured = measure(check, given_)
    assert (measured.outcome, measured.value) == (outcome, value)


def test_a_check_with_a_limit_and_a_comparison_fails_on_either() -> None:
    both = Check(name="both", metric="error-rate", max=0.1, compare="baseline", max_increase=0.2)
    assert measure(both, evidence(load(100, 15), load(100, 14))).outcome is Outcome.FAILED
    assert measure(both, evidence(load(1000, 80), load(1000, 2))).outcome is Outcome.FAILED
    assert measure(both, evidence(load(1000, 80), load(1000, 79))).outcome is Outcome.PASSED


def test_a_measurement_tells_its_evidence() -> None:
    measured = measure(WORSE, evidence(load(100, 20), load(200, 4)))
    assert (measured.value, measured.baseline, measured.samples) == (0.2, 0.02, 100)
    assert measured.p_value is not None
    assert measured.p_value < 0.05
    assert (measured.window_start, measured.window_end) == (T0, T0 + timedelta(seconds=5))
    assert measured.message == "error-rate 0.2 of 100 requests, baseline 0.02, wanted ≤ baseline + 20%"


def test_counters_that_began_anew_are_an_error_and_no_verdict() -> None:
    first, last = load(100, 50)
    measured = measure(ERRORS, evidence([first, last.model_copy(update={"epoch": "2"})]))
    assert measured.outcome is Outcome.ERROR
    assert "gateway a began anew" in measured.message


def test_a_broken_baseline_of_today_is_an_error_too() -> None:
    first, last = load(100)
    measured = measure(WORSE, evidence(load(100), [first, last.model_copy(update={"epoch": "2"})]))
    assert measured.outcome is Outcome.ERROR


def test_accuracy_is_the_share_answered_right() -> None:
    assert measure_golden(RIGHT, 19, 20, T0).outcome is Outcome.PASSED
    assert measure_golden(RIGHT, 18, 20, T0).outcome is Outcome.FAILED
    assert measure_golden(RIGHT, 18, 20, T0, "request 3: status 500").message.endswith("; request 3: status 500")
    assert "request 3" not in measure_golden(RIGHT, 19, 20, T0, "request 3: status 500").message
    assert measure_golden(RIGHT, 0, 0, T0).outcome is Outcome.ERROR


def test_accuracy_is_not_read_from_traffic() -> None:
    with pytest.raises(ValueError, match="not measured from traffic"):
        measure(RIGHT, evidence(load(100)))


FAILED = Measurement(check="c", outcome=Outcome.FAILED, at=T0, message="bad")
PASSED = Measurement(check="c", outcome=Outcome.PASSED, at=T0)
NOT_YET = Measurement(check="c", outcome=Outcome.NOT_YET, at=T0)
UNCLEAR = Measurement(check="c", outcome=Outcome.INCONCLUSIVE, at=T0)
BLIND = could_not_measure(ERRORS, "gateway gone", T0)


@pytest.mark.parametrize(
    ("limits", "measured", "action", "reason"),
    [
        pytest.param({}, [PASSED, NOT_YET, PASSED], "go_on", None, id="good measurements go on"),
        pytest.param({}, [FAILED], "roll_back", "CheckFailed", id="one bad value rolls back"),
        pytest.param({"failures": 1}, [FAILED, PASSED], "go_on", None, id="an allowed failure goes on"),
        pytest.param({"failures": 1}, [FAILED, PASSED, FAILED], "roll_back", "CheckFailed", id="failures are totals"),
        pytest.param({}, [BLIND] * 4, "go_on", None, id="four errors are allowed"),
        pytest.param({}, [BLIND] * 5, "pause", "CheckError", id="a fifth error in a row asks a person"),
        pytest.param({}, [BLIND] * 4 + [PASSED] + [BLIND] * 4, "go_on", None, id="errors count only in a row"),
        pytest.param({}, [UNCLEAR], "pause", "CheckInconclusive", id="inconclusive asks a person"),
        pytest.param({"inconclusive": 1}, [UNCLEAR, PASSED], "go_on", None, id="allowed inconclusive goes on"),
        pytest.param(
            {"inconclusive": 1}, [UNCLEAR, PASSED, UNCLEAR], "pause", "CheckInconclusive", id="inconclusive are totals"
        ),
        pytest.param({"mode": "observe"}, [FAILED] + [BLIND] * 9 + [UNCLEAR], "go_on", None, id="observed never acts"),
        pytest.param(
            {"errors": 0, "failures": 0}, [BLIND, FAILED], "roll_back", "CheckFailed", id="a failure outweighs errors"
        ),
    ],
)
def test_verdict(limits: dict[str, Any], measured: list[Measurement], action: str, reason: str | None) -> None:
    check = Check(name="c", metric="error-rate", max=0.1, **limits)
    counters = CheckCounters()
    for one in measured:
        counters, verdict = judge(counters, one, check)
    assert (verdict.action, verdict.reason) == (action, reason)


@pytest.mark.parametrize(
    ("measured", "may"), [(PASSED, True), (FAILED, True), (UNCLEAR, True), (BLIND, False), (NOT_YET, False)]
)
def test_a_bake_ends_on_a_conclusive_measurement_only(measured: Measurement, may: bool) -> None:  # noqa: FBT001 a table's column
    assert may_end_bake(ERRORS, measured) is may
    assert may_end_bake(ERRORS.model_copy(update={"mode": "observe"}), measured)


def test_what_is_good_is_told_in_signs() -> None:
    assert [threshold(check) for check in (ERRORS, SLOW, WORSE, RIGHT)] == [
        "≤ 0.01",
        "≤ 250 ms",
        "≤ baseline + 20%",
        "≥ 0.95",
    ]


def test_progress_before_and_after_the_first_measurement() -> None:
    assert progress(ERRORS, None).outcome == "notYet"
    shown = progress(ERRORS.model_copy(update={"mode": "observe"}), measure(ERRORS, evidence(load(100, 2))))
    assert (shown.outcome, shown.value, shown.samples, shown.enforced) == ("failed", 0.02, 100, False)


def test_pruned_evidence_keeps_both_versions_in_step() -> None:
    new = [*load(100), *load(100, since=5)[1:]]
    kept = pruned(evidence(new, load(100), before=tuple(load(100, since=-9))), [ERRORS, WORSE])
    assert {sample.at for sample in kept.new} >= {sample.at for sample in kept.old}
    assert len(kept.before) == 2


def window(requests: int, errors: int = 0, slow: int = 0) -> Window:
    """Requests of 100 ms, `slow` of them of 1 s."""
    return Window(
        start=T0, end=T0, requests=requests, errors=errors, latency=((100.0, requests - slow), (1000.0, requests))
    )


def test_p_values_are_those_of_the_tables() -> None:
    # Equal sizes, no increase allowed: 5 errors to none is a coin that fell the same way five times.
    assert error_rate_p_value(window(100, 5), window(100, 0), 0.0) == pytest.approx(1 / 32)
    # Precedence test: the three slowest of two samples of 50 are all of the one, 50·49·48 / (100·99·98).
    assert latency_p_value(window(50, slow=3), window(50), 0.0, 0.99) == pytest.approx(50 * 49 * 48 / (100 * 99 * 98))


sizes = st.integers(50, 2000)


@settings(deadline=None)
@given(sizes, sizes, st.integers(0, 50), st.integers(0, 50), st.floats(0, 2))
def test_one_more_error_is_never_less_suspicious(
    new: int, old: int, errors: int, baseline: int, allowed: float
) -> None:
    one = error_rate_p_value(window(new, errors), window(old, baseline), allowed)
    more = error_rate_p_value(window(new, errors + 1), window(old, baseline), allowed)
    assert 0 <= more <= one + 1e-12 <= 1 + 1e-9


@settings(deadline=None)
@given(sizes, sizes, st.integers(0, 49), st.integers(0, 49), st.sampled_from([0.5, 0.9, 0.99]))
def test_one_more_slow_request_is_never_less_suspicious(
    new: int, old: int, slow: int, baseline: int, quantile: float
) -> None:
    one = latency_p_value(window(new, slow=slow), window(old, slow=baseline), 0.0, quantile)
    more = latency_p_value(window(new, slow=slow + 1), window(old, slow=baseline), 0.0, quantile)
    assert 0 <= more <= one + 1e-12 <= 1 + 1e-9


@settings(deadline=None)
@given(sizes, st.integers(0, 50))
def test_the_same_window_is_never_worse_than_itself(requests: int, bad: int) -> None:
    same = window(requests, bad, bad)
    assert error_rate_p_value(same, same, 0.0) >= 0.05
    assert latency_p_value(same, same, 0.0, 0.99) >= 0.05
