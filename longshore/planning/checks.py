"""Checks: what was measured while a batch bakes, what that means, and when it is enough to act (DESIGN, rule 14)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from longshore.planning import windows
from longshore.planning.observed import Sample
from longshore.planning.significance import error_rate_p_value, latency_p_value
from longshore.planning.windows import Window, WindowError, each_span, percentile, readings, spans
from longshore.planning.words import CheckProgress
from longshore.spec.base import Value
from longshore.spec.deployment import Check


class Outcome(StrEnum):
    """What one measurement says. Failed, error and inconclusive are three different things."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """The bake is over, and there were too few requests to tell."""
    ERROR = "error"
    """It could not be measured."""
    NOT_YET = "notYet"
    """Too few requests so far."""


class Evidence(Value):
    """What a check is measured from: the samples since the shift, and where the bake stands."""

    new: tuple[Sample, ...]
    """Of the new version."""
    old: tuple[Sample, ...] = ()
    """Of the old version in the same time."""
    before: tuple[Sample, ...] = ()
    """Of the old version before the shift: the baseline where the old version no longer has enough traffic."""
    not_before: datetime
    """When the weight went live, or the window was last discarded: no window begins earlier."""
    now: datetime
    bake_ended: bool = False


class Measurement(Value):
    """One measurement of one check."""

    check: str
    outcome: Outcome
    at: datetime
    value: float | None = None
    """Error rate or accuracy from 0 to 1; latency in milliseconds."""
    baseline: float | None = None
    """The same of the old version, when compared."""
    samples: int = 0
    p_value: float | None = None
    """Of the comparison: how likely so bad a window is if the new version is within the allowed increase."""
    message: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None


class CheckCounters(Value):
    """How often one check went wrong in this bake."""

    failures: int = 0
    inconclusive: int = 0
    errors: int = 0
    """Consecutive ones; the other two are totals."""


class Verdict(Value):
    """What a check asks of the rollout."""

    action: Literal["go_on", "roll_back", "pause"]
    reason: Literal["CheckFailed", "CheckInconclusive", "CheckError"] | None = None
    message: str = ""


def measure(check: Check, evidence: Evidence) -> Measurement:
    """Measure a check of the traffic plane: error-rate or latency-pXX.

    `max` and `min` are compared with the value of the newest span of at least `interval` that has `minSamples`. A
    comparison uses the newest span in which both versions have them; where there is none, the old version's last
    window before the shift. It fails only if the increase is significant at `confidence`
    (`error_rate_p_value`, `latency_p_value`).

    Raises:
        ValueError: the metric is `accuracy`, which `measure_golden` is for.
    """
    metric = _metric(check)
    try:
        chosen = _chosen(check, evidence, metric.samples)
    except WindowError as error:
        return could_not_measure(check, str(error), evidence.now)
    if isinstance(chosen, str):
        over = evidence.bake_ended and not _unread(check, evidence)
        outcome = Outcome.INCONCLUSIVE if over else Outcome.NOT_YET
        return Measurement(check=check.name, outcome=outcome, at=evidence.now, message=chosen)
    return compared(check, *chosen, evidence.now)


def compared(check: Check, new: Window, old: Window | None, now: datetime) -> Measurement:
    """Measure a check of single requests by these windows, old's only where it is compared with."""
    metric = _metric(check)
    value = metric.value(new)
    baseline = None if old is None else metric.value(old)
    p_value = None if old is None else metric.p_value(new, old, check.max_increase or 0.0)
    increased = p_value is not None and p_value < 1 - check.confidence
    return Measurement(
        check=check.name,
        outcome=Outcome.FAILED if increased or not _within(check, value) else Outcome.PASSED,
        at=now,
        value=value,
        baseline=baseline,
        samples=metric.samples(new),
        p_value=p_value,
        message=_sentence(check, value, baseline, metric.samples(new)),
        window_start=new.start,
        window_end=new.end,
    )


def measure_golden(check: Check, right: int, asked: int, now: datetime, first_wrong: str | None = None) -> Measurement:
    """Measure an accuracy check: `right` of `asked` golden requests were answered as expected.

    Golden requests are chosen, not sampled: `minSamples` says nothing about them. A failed one tells of the first wrong
    answer, which often shows that it is the golden file that is wrong.
    """
    if asked == 0:
        return could_not_measure(check, "the golden file holds no request", now)
    value = right / asked
    passed = _within(check, value)
    example = "" if passed or first_wrong is None else f"; {first_wrong}"
    return Measurement(
        check=check.name,
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        at=now,
        value=value,
        samples=asked,
        message=_sentence(check, value, None, asked) + example,
    )


def gauged(check: Check, value: float, samples: int, window: tuple[datetime, datetime], now: datetime) -> Measurement:
    """Measure a check of a number that is no count of requests, such as an utilization, by its bounds alone."""
    bounds = threshold(check)
    return Measurement(
        check=check.name,
        outcome=Outcome.PASSED if _within(check, value) else Outcome.FAILED,
        at=now,
        value=value,
        samples=samples,
        message=f"{check.measured} {value:.4g} of {samples} {'sample' if samples == 1 else 'samples'}, wanted {bounds}",
        window_start=window[0],
        window_end=window[1],
    )


def could_not_measure(check: Check, why: str, now: datetime) -> Measurement:
    """The measurement that could not be made."""
    return Measurement(check=check.name, outcome=Outcome.ERROR, at=now, message=f"could not measure: {why}")


def judge(counters: CheckCounters, measurement: Measurement, check: Check) -> tuple[CheckCounters, Verdict]:
    """Count a measurement, and say what follows once a count exceeds its limit. Observed checks never act."""
    outcome = measurement.outcome
    counted = CheckCounters(
        failures=counters.failures + (outcome is Outcome.FAILED),
        inconclusive=counters.inconclusive + (outcome is Outcome.INCONCLUSIVE),
        errors=counters.errors + 1 if outcome is Outcome.ERROR else 0,
    )
    said = f"check {check.name}: {measurement.message}"
    if check.mode == "observe":
        return counted, Verdict(action="go_on")
    if counted.failures > check.failures:
        return counted, Verdict(action="roll_back", reason="CheckFailed", message=said)
    if counted.errors > check.errors:
        return counted, Verdict(action="pause", reason="CheckError", message=said)
    if counted.inconclusive > check.inconclusive:
        return counted, Verdict(action="pause", reason="CheckInconclusive", message=said)
    return counted, Verdict(action="go_on")


def may_end_bake(check: Check, measurement: Measurement) -> bool:
    """Whether a bake may end on this measurement: an error or an unfinished one never promotes, so it is repeated."""
    return check.mode == "observe" or measurement.outcome not in {Outcome.ERROR, Outcome.NOT_YET}


def threshold(check: Check) -> str:
    """What is good, in signs: `≤ 0.01`, `≤ 250 ms`, `≤ baseline + 20%`."""
    unit = _unit(check)
    parts = [] if check.max is None else [f"≤ {check.max:g}{unit}"]
    parts += [] if check.min is None else [f"≥ {check.min:g}{unit}"]
    parts += [] if check.max_increase is None else [f"≤ baseline + {100 * check.max_increase:g}%"]
    return ", ".join(parts)


def progress(check: Check, measurement: Measurement | None) -> CheckProgress:
    """A check as people watch it; before its first measurement it is `notYet`."""
    shown = CheckProgress(
        name=check.name,
        metric=check.measured,
        outcome=Outcome.NOT_YET.value,
        threshold=threshold(check),
        enforced=check.mode == "enforce",
    )
    if measurement is None:
        return shown
    return shown.model_copy(
        update={
            "outcome": measurement.outcome.value,
            "value": measurement.value,
            "baseline": measurement.baseline,
            "samples": measurement.samples,
            "message": measurement.message,
        }
    )


def pruned(evidence: Evidence, checks: Sequence[Check]) -> Evidence:
    """The evidence without the samples that no later window of these checks begins at. To be called after measuring."""
    interval = max((check.interval for check in checks), default=0.0)
    enough = max((check.min_samples for check in checks), default=0)
    new, old = windows.pruned([evidence.new, evidence.old], interval, enough)
    (before,) = windows.pruned([evidence.before], interval, enough)
    return evidence.model_copy(update={"new": new, "old": old, "before": before})


@dataclass(frozen=True)
class _Metric:
    """How a metric is read from windows."""

    samples: Callable[[Window], int]
    value: Callable[[Window], float]
    p_value: Callable[[Window, Window, float], float]


def _metric(check: Check) -> _Metric:
    if check.metric == "error-rate":
        return _Metric(samples=lambda w: w.requests, value=lambda w: w.error_rate, p_value=error_rate_p_value)
    quantile = quantile_of(check)
    if quantile is None:
        raise ValueError(f"{check.measured} is not measured from traffic")
    return _Metric(
        samples=lambda w: w.answered,
        value=lambda w: percentile(w.latency, quantile),
        p_value=lambda new, old, increase: latency_p_value(new, old, increase, quantile),
    )


def quantile_of(check: Check) -> float | None:
    """The share of the requests that a check's value is not exceeded by: 0.99 of `latency-p99`; None of no quantile."""
    if check.metric is not None:
        percent = check.metric.removeprefix("latency-p") if check.metric.startswith("latency-p") else None
    else:
        statistic = (check.cloudwatch.statistic if check.cloudwatch else None) or ""
        percent = statistic.removeprefix("p") if statistic.startswith("p") else None
    return None if percent is None else float(percent) / 100


def _unit(check: Check) -> str:
    return " ms" if (check.metric or "").startswith("latency-") else ""


def _chosen(check: Check, evidence: Evidence, samples: Callable[[Window], int]) -> tuple[Window, Window | None] | str:
    """The windows to compare, old's None without a comparison; or what there is too little of, for a person."""
    enough = check.min_samples
    taken, seen = readings(evidence.new, evidence.not_before), 0
    for new in each_span(taken, check.interval):
        if samples(new) >= enough:
            break
        seen = max(seen, samples(new))
    else:
        return f"{seen} of {enough} requests so far"
    if check.compare is None:
        return new, None
    same_time = {
        (window.start, window.end): window
        for window in spans(readings(evidence.old, evidence.not_before), check.interval)
        if samples(window) >= enough
    }
    for window in each_span(taken, check.interval):
        if samples(window) >= enough and (window.start, window.end) in same_time:
            return window, same_time[window.start, window.end]
    earlier = next((w for w in _earlier(evidence, check.interval) if samples(w) >= enough), None)
    return (new, earlier) if earlier else f"fewer than {enough} requests of the old version to compare with"


def _unread(check: Check, evidence: Evidence) -> bool:
    """Whether there was time for a window, but nobody to read one: its worker was away. That is no lack of requests."""
    long_enough = (evidence.now - evidence.not_before).total_seconds() >= check.interval
    return long_enough and not any(each_span(readings(evidence.new, evidence.not_before), check.interval))


def _earlier(evidence: Evidence, interval: float) -> list[Window]:
    """Old's windows before the shift. Counters that broke back then are only too few, not an error of today."""
    try:
        return spans(readings(evidence.before), interval)
    except WindowError:
        return []


def _within(check: Check, value: float) -> bool:
    return (check.max is None or value <= check.max) and (check.min is None or value >= check.min)


def _sentence(check: Check, value: float, baseline: float | None, samples: int) -> str:
    """`error-rate 0.15 of 312 requests, baseline 0.001, wanted ≤ 0.01`."""
    compared = "" if baseline is None else f", baseline {baseline:.4g}"
    return f"{check.measured} {value:.4g} of {samples} requests{compared}, wanted {threshold(check)}"
