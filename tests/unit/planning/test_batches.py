"""Sizes: shares, the ladder, and how a way back divides traffic and room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.planning.rollout.legs import Course, copies_for, dip_allowed, ladder, share
from longshore.planning.rollout.rollback import Return, step_back
from longshore.spec.deployment import RolloutPolicy


@pytest.mark.parametrize(
    ("copies", "before", "batch", "steps"),
    [
        (4, 4, 1, [(1, 1, 25), (1, 1, 50), (1, 1, 75), (1, 1, 100)]),
        (5, 5, 2, [(2, 2, 40), (2, 2, 80), (1, 1, 100)]),
        (1, 1, "25%", [(1, 1, 100)]),
        (4, 2, 2, [(2, 0, 50), (2, 2, 100)]),
        (2, 4, 1, [(1, 3, 50), (1, 1, 100)]),
        (0, 3, 1, []),
    ],
)
def test_the_ladder_adds_batches_and_removes_what_they_replace(
    copies: int, before: int, batch: int | str, steps: list[tuple[int, int, int]]
) -> None:
    laid = ladder(Course(RolloutPolicy(batch=batch), copies, whole=False), before)
    assert [(step.add, step.remove, step.weight) for step in laid] == steps


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_copies_for_a_share_are_the_fewest_that_have_it(new: int, copies: int) -> None:
    weight = share(min(new, copies), copies)
    fewest = copies_for(weight, copies)
    assert fewest <= min(new, copies)
    assert share(fewest, copies) == weight or fewest == 0


@pytest.mark.parametrize(
    ("copies", "level", "settled", "allowed"), [(4, 4, 0, 2), (4, 2, 2, 2), (4, 2, 0, 0), (2, 1, 0, 0)]
)
def test_no_more_may_be_missing_than_max_unavailable_of_what_is_desired(
    copies: int, level: int, settled: int, allowed: int
) -> None:
    course = Course(RolloutPolicy(max_unavailable=min(2, copies - 1)), copies, whole=False)
    assert dip_allowed(course, settled, level) == allowed


@pytest.mark.parametrize(
    ("at", "weight", "kept"),
    [
        (Return(4, 4, 5, ready_old=4, serving_old=4, ready_new=1, weight_new=25, coming=0), 0, 0),
        (Return(4, 4, 5, ready_old=0, serving_old=0, ready_new=4, weight_new=100, coming=1), 100, 4),
        (Return(4, 4, 5, ready_old=1, serving_old=1, ready_new=4, weight_new=100, coming=1), 75, 3),
        (Return(4, 4, 5, ready_old=3, serving_old=3, ready_new=1, weight_new=25, coming=1), 25, 1),
        (Return(4, 4, 4, ready_old=2, serving_old=2, ready_new=2, weight_new=50, coming=1), 25, 1),
        (Return(4, 4, 4, ready_old=2, serving_old=2, ready_new=0, weight_new=50, coming=1), 0, 0),
    ],
)
def test_the_old_version_gets_what_it_can_carry_and_room_for_what_comes_next(
    at: Return, weight: int, kept: int
) -> None:
    assert step_back(at) == (weight, kept)
