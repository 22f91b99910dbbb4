"""Whoever kills the workers, wherever in the course of an activity: the same events, the same end, to the byte.

Each story of `deaths/` is played as it is, and again with workers that die right before and right after the work of
every activity, those that only record included. To try each of these deaths alone, which takes an hour, there is
`python tests/scenarios/soaking_deaths.py`.
"""

import json
import subprocess
import sys
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio import activity

from longshore.store.database import Database
from longshore.store.store import Store
from worker.wiring import central_activities, target_activities

HERE = Path(__file__).parent
TOO_LONG_S = 280.0

COMMON = {"load_deployment", "record_deployment", "record_step", "reserve_room", "ensure_copies", "observe_copies"}
ROLLOUT = COMMON | {"verify_artifact", "read_freeze", "publish_route", "read_draining"}
STORIES = {
    "rolling-with-checks": ROLLOUT | {"measure_checks"},
    "canary-with-pauses-and-an-approval": ROLLOUT | {"measure_checks"},
    "blue-green-and-back-to-warm-copies": ROLLOUT | {"measure_checks"},
    "a-newer-version-on-the-way": ROLLOUT,
    "scale-on-the-way": ROLLOUT,
    "batched-way-back": ROLLOUT | {"measure_checks"},
    "onboard-scale-retire": COMMON | {"verify_artifact", "publish_route", "withdraw_route", "read_draining"},
    "warm-copies-in-the-way": ROLLOUT,
    "a-way-back-that-failed": ROLLOUT | {"measure_checks", "read_route"},
}
"""Story → the activities before and after which workers die in it."""
RACES = {"warm-copies-in-the-way"}
"""Stories of two deployments of which one waits for what the other gives back: it looks again now and then, and which
look finds it there is a matter of moments, also without any death. Instants may differ, and what is counted by them."""
ELSEWHERE = {
    "smoke_test": "rehearsed versions have none: tests/workflows/test_worker_crashes.py",
    "delegate_update": "only platforms of others update by themselves: tests/workflows/test_delegated_updates.py",
    "follow_update": "the same",
    "accept_component": "only there does anybody else make copies: tests/workflows/test_changed_outside.py",
    "steer_autoscaler": "only there are autoscalers: tests/workflows/test_steered_rollouts.py",
    "end_lost_operation": "nothing is lost by a death: tests/workflows/test_lost_operations.py",
}
ALONE = [("rolling-with-checks", moment) for moment in (2, 45, 88)]
"""Single deaths, spread over a story."""


def test_the_stories_and_every_activity_are_all_accounted_for() -> None:
    store, nobody, clock = Store(Database.connect("sqlite+aiosqlite://")), cast("Any", None), datetime.now
    wired = [*central_activities(nobody, store, nobody), *target_activities(nobody, store, nobody, clock)]
    names = {activity._Definition.must_from_callable(one).name for one in wired}

    assert {path.stem for path in (HERE / "deaths").glob("*.yaml")} == set(STORIES)
    assert set().union(*STORIES.values()) | set(ELSEWHERE) == names


@pytest.mark.parametrize("story", STORIES)
def test_workers_that_die_before_and_after_every_activity_change_nothing(story: str) -> None:
    calm = played(story)

    stormy = dying(story, "each")

    assert without_instants(stormy["answer"], story) == without_instants(calm, story)
    died = {(name, when) for name, when, died in stormy["moments"] if died}
    assert all(died for _, _, died in stormy["moments"])
    assert died >= {(name, when) for name in STORIES[story] for when in ("before", "after")}


@pytest.mark.parametrize(("story", "moment"), ALONE)
def test_workers_that_die_once_change_nothing(story: str, moment: int) -> None:
    calm = played(story)

    stormy = dying(story, str(moment))

    assert stormy["answer"] == calm
    assert [number for number, (_, _, died) in enumerate(stormy["moments"], start=1) if died] == [moment]


@cache
def played(story: str) -> Any:
    """As people play it."""
    return _said("-m", "longshore.cli", "rehearse", "-o", "json", "-f", _path(story))


def without_instants(answer: Any, story: str) -> Any:
    """The answer as it is, or of a race what does not depend on moments."""
    if story not in RACES:
        return answer
    events = [{key: value for key, value in event.items() if key != "at"} for event in answer["events"]]
    return {**answer, "events": events, "duration": None, "requests": {"failed": answer["requests"]["failed"]}}


def dying(story: str, moment: str) -> Any:
    """With workers that die."""
    return _said(str(HERE / "playing_deaths.py"), "--at", moment, _path(story))


def _path(story: str) -> str:
    return str(HERE / "deaths" / f"{story}.yaml")


def _said(*arguments: str) -> Any:
    ran = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=TOO_LONG_S)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
