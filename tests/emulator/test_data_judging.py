"""The alarms' rules over datapoints, by the tables of the CloudWatch User Guide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.emulator.data.judging import COMPARISONS, Rule, State, judge

KEPT = "kept"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


def points(drawn: str) -> list[float | None]:
    """`0` is fine, `X` breaches, `-` is missing; the newest is last."""
    return [{"0": 0.0, "X": 2.0, "-": None}[sign] for sign in drawn]


THREE_OF_THREE = {
    # "Data points", then the state by treatment: missing, ignore, breaching, notBreaching
    "0-X-X": ("OK", "OK", "OK", "OK"),
    "----0": ("OK", "OK", "OK", "OK"),
    "-----": ("INSUFFICIENT_DATA", KEPT, "ALARM", "OK"),
    "0XX-X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "--X--": ("ALARM", KEPT, "ALARM", "OK"),
}
TWO_OF_THREE = {
    "0-X-X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "00X0X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0-X--": ("OK", "OK", "ALARM", "OK"),
    "----0": ("OK", "OK", "ALARM", "OK"),
    "---X-": ("ALARM", KEPT, "ALARM", "OK"),
}
CASES = [
    (drawn, to_alarm, treatment, state)
    for to_alarm, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for drawn, states in table.items()
    for treatment, state in zip(TREATMENTS, states, strict=True)
]


@pytest.mark.parametrize("before", ["OK", "ALARM", "INSUFFICIENT_DATA"])
@pytest.mark.parametrize(("drawn", "to_alarm", "treatment", "state"), CASES)
def test_the_guides_tables_hold(drawn: str, to_alarm: int, treatment: str, state: str, before: State) -> None:
    rule = Rule("GreaterThanThreshold", 1.0, periods=3, to_alarm=to_alarm, missing=treatment)
    assert judge(rule, points(drawn), before) == (before if state == KEPT else state)


def test_a_breach_that_is_too_young_raises_no_alarm_early() -> None:
    rule = Rule("GreaterThanThreshold", 1.0, periods=3, to_alarm=3)
    assert judge(rule, points("----X"), "OK") == "OK"
    assert judge(rule, points("--X--"), "OK") == "ALARM"


def test_one_failed_call_raises_the_alarm_that_wakes_a_model() -> None:
    """The scale-from-zero alarm of the developer guide: at least 1, once in one period."""
    rule = Rule("GreaterThanOrEqualToThreshold", 1.0, periods=1, to_alarm=1)
    assert judge(rule, [None, None, 1.0], "INSUFFICIENT_DATA") == "ALARM"
    assert judge(rule, [None, None, None], "ALARM") == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanOrEqualToThreshold", {1.0, 2.0}),
        ("GreaterThanThreshold", {2.0}),
        ("LessThanThreshold", {0.0}),
        ("LessThanOrEqualToThreshold", {0.0, 1.0}),
    ],
)
def test_thresholds_are_compared_as_the_alarm_says(comparison: str, breaching: set[float]) -> None:
    rule = Rule(comparison, 1.0, periods=1, to_alarm=1)
    assert {value for value in (0.0, 1.0, 2.0) if judge(rule, [None, None, value], "OK") == "ALARM"} == breaching


@given(
    known=st.lists(st.floats(0, 2), min_size=5, max_size=5),
    to_alarm=st.integers(1, 3),
    treatment=st.sampled_from(TREATMENTS),
    comparison=st.sampled_from(sorted(COMPARISONS)),
)
def test_without_gaps_how_gaps_are_treated_does_not_matter(
    known: list[float], to_alarm: int, treatment: str, comparison: str
) -> None:
    rule = Rule(comparison, 1.0, periods=3, to_alarm=to_alarm, missing=treatment)
    breaching = sum(COMPARISONS[comparison](value, 1.0) for value in known[-3:])
    assert judge(rule, known, "INSUFFICIENT_DATA") == ("ALARM" if breaching >= to_alarm else "OK")
