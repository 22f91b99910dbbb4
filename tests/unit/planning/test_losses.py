"""Copies lost and replaced, seen by comparing two readings of a target."""

from datetime import UTC, datetime, timedelta

import pytest

from longshore.planning.losses import losses
from longshore.planning.observed import Copy, CopyState, Observation

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
READY, UNREADY, FAILED, STARTING = CopyState.READY, CopyState.UNREADY, CopyState.FAILED, CopyState.STARTING
DRAINING, ENDING = CopyState.DRAINING, CopyState.ENDING


def reading(state: CopyState | None, *, restarts: int = 0, ready_since: int = 0) -> Observation:
    copy = Copy(
        id="d-1-a",
        deployment="d",
        model="m",
        version="1",
        host="a",
        state=state or READY,
        restarts=restarts,
        ready_at=NOON + timedelta(seconds=ready_since),
    )
    return Observation(target="t", sequence=1, at=NOON, hosts=(), copies=(copy,) if state else ())


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        pytest.param(reading(READY), reading(READY), [], id="a copy that serves on is no news"),
        pytest.param(reading(READY), reading(UNREADY), ["CopyLost"], id="a ready copy that fails its probes is lost"),
        pytest.param(reading(READY), reading(FAILED), ["CopyLost"], id="a ready copy that has failed is lost"),
        pytest.param(reading(UNREADY), reading(READY, ready_since=5), ["CopyReplaced"], id="one that is back serves"),
        pytest.param(
            reading(READY),
            reading(READY, restarts=1, ready_since=5),
            ["CopyLost", "CopyReplaced"],
            id="one that went and came between two readings was lost and is back",
        ),
        pytest.param(reading(STARTING), reading(FAILED), [], id="one that never served is not lost"),
        pytest.param(reading(READY), reading(DRAINING), [], id="one that drains was not lost"),
        pytest.param(reading(DRAINING), reading(ENDING), [], id="nor one that ends"),
        pytest.param(reading(READY), reading(None), [], id="one that is gone was ended by its level"),
        pytest.param(reading(None), reading(READY), [], id="a new copy replaces nothing"),
        pytest.param(None, reading(UNREADY), [], id="without an earlier reading nothing is known to be lost"),
    ],
)
def test_what_two_readings_tell(before: Observation | None, now: Observation, told: list[str]) -> None:
    assert [loss.event.type.value for loss in losses(before, now)] == told


def test_each_time_of_serving_is_lost_once_and_won_back_once() -> None:
    (first,) = losses(reading(READY, ready_since=1), reading(UNREADY, ready_since=1))
    (again,) = losses(reading(READY, ready_since=1), reading(UNREADY, ready_since=1))
    (second,) = losses(reading(READY, ready_since=9), reading(UNREADY, ready_since=9))
    assert (first.source, first.step) == (again.source, again.step)
    assert first.step != second.step
    (back,) = losses(reading(UNREADY, ready_since=1), reading(READY, ready_since=9))
    assert back.source != first.source
