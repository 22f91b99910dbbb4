"""How far alarms scale: target tracking, steps, cooldowns, bounds and suspensions."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.emulator.data.scaling import Bounds, Last, Wish, stepped, tracked

BOUNDS = Bounds(least=0, most=10)
WAKE = {
    "AdjustmentType": "ChangeInCapacity",
    "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 1}],
}


def wish(direction: Literal["out", "in"], current: int, **more: Any) -> Wish:
    given_ = {"now": 1000.0, "out_cooldown": 300.0, "in_cooldown": 300.0, "last_out": None, "last_in": None}
    return Wish(direction, current, **{**given_, **more})


@pytest.mark.parametrize(
    ("case", "asked", "bounds", "value", "expected"),
    [
        ("twice the target doubles", wish("out", 2), BOUNDS, 10.0, 4),
        ("a bit more is one more", wish("out", 2), BOUNDS, 5.1, 3),
        ("never above the most", wish("out", 6), BOUNDS, 50.0, 10),
        ("half the target halves", wish("in", 4), BOUNDS, 2.5, 2),
        ("no traffic at all scales to zero", wish("in", 4), BOUNDS, 0.0, 0),
        ("never below the least", wish("in", 4), Bounds(1, 10), 0.0, 1),
        ("nothing comes from nothing", wish("out", 0), BOUNDS, 50.0, None),
        ("in is suspended", wish("in", 4), Bounds(0, 10, in_suspended=True), 0.0, None),
        ("out is suspended", wish("out", 2), Bounds(0, 10, out_suspended=True), 10.0, None),
        ("in waits for its cooldown", wish("in", 4, last_in=Last(800, 5, 4)), BOUNDS, 0.0, None),
        ("in goes on after its cooldown", wish("in", 4, last_in=Last(700, 5, 4)), BOUNDS, 0.0, 0),
        ("out does not wait for in", wish("out", 2, last_in=Last(999, 3, 2)), BOUNDS, 10.0, 4),
        ("what was just added counts", wish("out", 4, last_out=Last(900, 2, 4)), BOUNDS, 10.0, None),
        ("and is outdone by a greater need", wish("out", 4, last_out=Last(900, 2, 4)), BOUNDS, 15.0, 6),
        ("out goes on after its cooldown", wish("out", 4, last_out=Last(600, 2, 4)), BOUNDS, 10.0, 8),
    ],
)
def test_target_tracking(case: str, asked: Wish, bounds: Bounds, value: float, expected: int | None) -> None:
    assert tracked(asked, bounds, value, target=5.0) == expected, case


def policy(kind: str, *steps: tuple[float | None, float | None, int], **more: Any) -> dict[str, Any]:
    named = [
        {
            "ScalingAdjustment": adjustment,
            **({} if lower is None else {"MetricIntervalLowerBound": lower}),
            **({} if upper is None else {"MetricIntervalUpperBound": upper}),
        }
        for lower, upper, adjustment in steps
    ]
    return {"AdjustmentType": kind, "StepAdjustments": named, **more}


LADDER = policy("ChangeInCapacity", (0, 10, 1), (10, None, 3))


@pytest.mark.parametrize(
    ("case", "asked", "by", "beyond", "expected"),
    [
        ("the policy of the developer guide wakes from zero", wish("out", 0), WAKE, 0.0, 1),
        ("once within its cooldown", wish("out", 1, last_out=Last(950, 0, 1)), WAKE, 4.0, None),
        ("the first step", wish("out", 2), LADDER, 9.9, 3),
        ("a lower bound is part of its step", wish("out", 2), LADDER, 10.0, 5),
        ("no step for it", wish("out", 2), policy("ChangeInCapacity", (5, None, 1)), 1.0, None),
        ("exactly", wish("out", 2), policy("ExactCapacity", (0, None, 7)), 0.0, 7),
        ("by per cent, rounded down", wish("out", 7), policy("PercentChangeInCapacity", (0, None, 25)), 0.0, 8),
        ("at least one", wish("out", 2), policy("PercentChangeInCapacity", (0, None, 10)), 0.0, 3),
        (
            "by the least magnitude",
            wish("out", 4),
            policy("PercentChangeInCapacity", (0, None, 25), MinAdjustmentMagnitude=2),
            0.0,
            6,
        ),
        ("downwards", wish("in", 4), policy("ChangeInCapacity", (None, 0, -3)), -1.0, 1),
        ("an upper bound is part of a step below", wish("in", 4), policy("ChangeInCapacity", (None, 0, -3)), 0.0, 1),
    ],
)
def test_step_scaling(case: str, asked: Wish, by: dict[str, Any], beyond: float, expected: int | None) -> None:
    assert stepped(asked, BOUNDS, by, beyond) == expected, case


@given(
    direction=st.sampled_from(["out", "in"]),
    current=st.integers(0, 20),
    least=st.integers(0, 5),
    room=st.integers(0, 20),
    value=st.floats(0, 1000),
)
def test_tracking_stays_within_bounds_and_goes_only_its_way(
    direction: Literal["out", "in"], current: int, least: int, room: int, value: float
) -> None:
    bounds = Bounds(least, least + room)
    wanted = tracked(wish(direction, current), bounds, value, target=7.0)
    if wanted is not None:
        assert bounds.least <= wanted <= bounds.most
        assert wanted > current if direction == "out" else wanted < current
