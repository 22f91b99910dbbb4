"""A rehearsal as a table: what happened, and the copies and the traffic where they changed."""

from typing import Any

import pytest

from longshore.cli.playing import copies_of, story, traffic_of


def event(
    at: float, type_: str, *, deployment: str = "codegen", batch: int | None = None, **scene: Any
) -> dict[str, Any]:
    return {"at": at, "deployment": deployment, "type": type_, "batch": batch, "message": "as told", "scene": scene}


def answer(*events: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "a-story",
        "ended": "atRest",
        "duration": 65.0,
        "deployments": {},
        "events": list(events),
        "peakAccelerators": 3,
        "peakVersions": 2,
        "requests": {"total": 10, "failed": 1},
        "lowestReady": {},
        "unroutable": 0,
    }


ONE = {"copies": {"1": 2}, "ready": {"1": 2}, "traffic": {"1": 100}}
BOTH = {"copies": {"1": 2, "2": 1}, "ready": {"1": 2, "2": 1}, "traffic": {"1": 50, "2": 50}}
OTHER = {"copies": {"2": 2}, "ready": {"2": 2}, "traffic": {"2": 100}}


def test_what_did_not_change_is_not_drawn_again() -> None:
    told = story(answer(event(0, "RolloutStarted", **ONE), event(0, "BatchStarted", batch=1, **ONE)))

    assert told.splitlines()[1:3] == [
        "0s   RolloutStarted   1 ●●     1 100% ██████████   as told",
        "     BatchStarted 1                                as told",
    ]


def test_a_version_keeps_its_shade() -> None:
    told = story(answer(event(0, "A", **ONE), event(1, "B", **BOTH), event(2, "C", **OTHER)))

    first, second, third = told.splitlines()[1:4]
    assert "1 100% ██████████" in first
    assert "1 50% █████░░░░░ 2 50%" in second
    assert "2 100% ░░░░░░░░░░" in third


def test_deployments_are_named_only_where_there_are_several() -> None:
    one = story(answer(event(0, "A", **ONE)))
    two = story(answer(event(0, "A", **ONE), event(0, "A", deployment="chat", **ONE)))

    assert ("codegen" in one, "codegen" in two) == (False, True)


@pytest.mark.parametrize(
    ("copies", "ready", "drawn"),
    [
        ({"1": 3, "2": 2}, {"1": 3, "2": 1}, "1 ●●●  2 ●○"),
        ({"1": 20, "2": 13}, {"1": 20, "2": 3}, "1 20●  2 3● 10○"),
        ({}, {}, ""),
    ],
)
def test_copies_are_dots_as_long_as_they_can_be_counted(
    copies: dict[str, int], ready: dict[str, int], drawn: str
) -> None:
    assert copies_of({"copies": copies, "ready": ready, "traffic": {}}) == drawn


@pytest.mark.parametrize(
    ("weights", "drawn"),
    [
        ({}, "none"),
        ({"1": 99, "2": 1}, "1 99% ██████████ 2 1%"),
        ({"1": 33, "2": 67}, "1 33% ███░░░░░░░ 2 67%"),
    ],
)
def test_shares_are_one_bar_of_ten_cells(weights: dict[str, int], drawn: str) -> None:
    assert traffic_of({"copies": {}, "ready": {}, "traffic": weights}, {}) == drawn
