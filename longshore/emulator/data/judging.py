"""When an alarm is in ALARM: CloudWatch's rules over datapoints, some of which are missing.

Source: CloudWatch User Guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data", whose
tables are this module's tests.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

EXTRA_PERIODS = 2
"""How many periods beyond the evaluated ones are looked at for datapoints in place of missing ones; the guide's tables
have five for three."""

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


class Rule(NamedTuple):
    """What an alarm asks of its datapoints."""

    comparison: str
    threshold: float
    periods: int
    """`EvaluationPeriods`, N."""
    to_alarm: int
    """`DatapointsToAlarm`, M."""
    missing: str = "missing"
    """`TreatMissingData`."""


def judge(rule: Rule, datapoints: Sequence[float | None], before: State) -> State:
    """An alarm's next state.

    Args:
        rule: what it asks.
        datapoints: the newest `periods + EXTRA_PERIODS` ones, the newest last; None is a missing one.
        before: the state that it is in, which some rules keep.
    """
    breaches = COMPARISONS[rule.comparison]
    known = [breaches(value, rule.threshold) for value in datapoints if value is not None]
    lacking = rule.periods - len(known)
    if lacking <= 0:
        return "ALARM" if sum(known[-rule.periods :]) >= rule.to_alarm else "OK"
    if rule.missing == "breaching":
        return "ALARM" if sum(known) + lacking >= rule.to_alarm else "OK"
    if sum(known) >= rule.to_alarm:
        return "ALARM"
    if rule.missing == "notBreaching" or not all(known):
        return "OK"
    if rule.missing == "ignore":
        return before
    if not known:
        return "INSUFFICIENT_DATA"
    # All that is known breaches, but it is too little. It counts once the first of it is as old as M datapoints are.
    age = next(len(datapoints) - place for place, value in enumerate(datapoints) if value is not None)
    return "ALARM" if age >= rule.to_alarm else before
