"""The legs of canaries and of whole sets, as tables and as properties (rules 5 and 6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.planning.rollout.legs import (
    Course,
    Leg,
    ladder,
    next_leg,
    of_weight,
    standing_step,
    steps_of,
    weight_after,
)
from longshore.spec.deployment import RolloutPolicy

APPROVAL = {"approval": {"roles": ["approver"]}}


def canary(copies: int, *steps: object, skip: bool = False, **policy: object) -> Course:
    made = RolloutPolicy.model_validate({"strategy": "canary", "steps": list(steps), **policy})
    return Course(made, copies, whole=False, steps=steps_of(made), skip=skip)


def laid(course: Course, level: int) -> list[tuple[int, int, int]]:
    return [(rung.add, rung.remove, rung.weight) for rung in ladder(course, level)]


@pytest.mark.parametrize(
    ("copies", "steps", "rungs"),
    [
        (10, [{"weight": 10}, {"weight": 50}], [(1, 1, 10), (4, 4, 50), (5, 5, 100)]),
        (10, [{"weight": 10}, {"weight": 100}], [(1, 1, 10), (9, 9, 100)]),
        (4, [{"weight": 10}, {"weight": 20}, {"weight": 30}], [(1, 1, 10), (0, 0, 20), (1, 1, 30), (2, 2, 100)]),
        (1, [{"weight": 10}], [(1, 0, 10), (0, 1, 100)]),
        (4, [{"weight": 10, "copies": 2}], [(2, 0, 10), (2, 4, 100)]),
        (4, [{"weight": 50, "copies": "100%"}], [(4, 2, 50), (0, 2, 100)]),
        (3, [], [(3, 3, 100)]),
        (0, [{"weight": 10}], []),
    ],
    ids=[
        "each weight has the copies that it needs, and the last one all",
        "a last weight of 100 that is written is not added again",
        "a weight whose copies are there already only shifts",
        "one copy: the old one stays while it has a share",
        "a canary with more copies than its share leaves the old version those of its own",
        "all copies at half the traffic",
        "no steps: everything at once",
        "no copies, no legs",
    ],
)
def test_a_canary_goes_by_its_weights(copies: int, steps: list[object], rungs: list[tuple[int, int, int]]) -> None:
    assert laid(canary(copies, *steps), copies) == rungs


@pytest.mark.parametrize(
    ("steps", "done", "skip", "at"),
    [
        ([{"weight": 10}, {"pause": "5m"}], 0, False, None),
        ([{"weight": 10}, {"pause": "5m"}], 1, False, 1),
        ([{"weight": 10}, {"pause": "5m"}], 2, False, None),
        ([{"pause": {}}, {"weight": 10}], 0, False, 0),
        ([{"weight": 10}, {"pause": "5m"}, APPROVAL], 1, True, 2),
        ([{"weight": 10}, APPROVAL, {"weight": 50}, APPROVAL], 0, True, 1),
        ([{"weight": 10}, APPROVAL, {"weight": 50}, APPROVAL], 2, True, 3),
        ([{"weight": 100}, APPROVAL], 0, True, None),
        ([{"weight": 100}, APPROVAL], 1, False, 1),
    ],
    ids=[
        "the weight comes first",
        "then the pause",
        "then the last weight",
        "a pause may come before any traffic",
        "a full promotion skips the pause but not the approval",
        "nor an approval behind a weight that it skips",
        "one after the other",
        "an approval after the last weight comes after it",
        "and is asked before the end",
    ],
)
def test_a_canary_stands_at_its_pauses_and_approvals(
    steps: list[object],
    done: int,
    skip: bool,  # noqa: FBT001 - a row of the table
    at: int | None,
) -> None:
    assert standing_step(canary(4, *steps, skip=skip), done) == at


def test_a_full_promotion_goes_from_where_it_is_to_all() -> None:
    course = canary(10, {"weight": 10}, {"weight": 20}, {"weight": 50}, skip=True)
    assert next_leg(course, settled=1, step=1) == Leg(add=9, weight=100, step=3)


def test_what_there_is_no_room_for_waits_for_the_next_batch_of_the_same_leg() -> None:
    course = canary(10, {"weight": 50})
    leg = next_leg(course, settled=0)
    assert leg == Leg(add=5, weight=50, step=0)
    assert weight_after(leg, 2, 0, 10) == 20
    rungs = ladder(course, 10, size=2)
    assert [(rung.add, rung.remove, rung.weight) for rung in rungs] == [(2, 2, 20), (3, 3, 50), (5, 5, 100)]


def test_a_whole_set_is_one_leg() -> None:
    course = Course(RolloutPolicy(strategy="blueGreen", batch=1), 4, whole=True)
    assert laid(course, 4) == [(4, 4, 100)]


weights = st.lists(st.integers(1, 100), max_size=5, unique=True).map(sorted)


@given(weights, st.integers(0, 40), st.integers(0, 40))
def test_every_ladder_ends_with_all_copies_new_and_none_old(steps: list[int], copies: int, before: int) -> None:
    rungs = ladder(canary(copies, *({"weight": weight} for weight in steps)), before)
    assert sum(rung.add for rung in rungs) == copies
    if copies:
        assert sum(rung.remove for rung in rungs) == before
        assert rungs[-1].weight == 100
    shares = [rung.weight for rung in rungs]
    assert shares == sorted(shares)


@given(weights, st.integers(1, 40))
def test_neither_version_is_left_with_a_share_and_no_copy(steps: list[int], copies: int) -> None:
    new, old = 0, copies
    for rung in ladder(canary(copies, *({"weight": weight} for weight in steps)), copies):
        new, old = new + rung.add, old - rung.remove
        assert new == of_weight(rung.weight, copies)
        assert old >= (rung.weight < 100)
        assert new + old >= copies
