"""An answer that is not true is told from one that is."""

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from invariants import broken
from rehearsed import answer_of

Answer = dict[str, Any]
DOCUMENT: dict[str, Any] = {
    "apiVersion": "longshore/v1",
    "kind": "Rehearsal",
    "metadata": {"name": "plain"},
    "spec": {
        "hosts": [{"name": "a", "accelerators": 4}],
        "traffic": {"m": {"requestsPerSecond": 50}},
        "given": {"m": {"model": "m", "version": "1", "copies": 2, "rollout": {"batch": 1, "bake": "5s"}}},
        "timeline": [{"at": "0s", "do": "apply", "deployment": "m", "version": "2"}],
    },
}


@pytest.fixture(scope="module")
def answer() -> Answer:
    return answer_of(DOCUMENT)


def _first(answer: Answer, type_: str) -> dict[str, Any]:
    found: dict[str, Any] = next(event for event in answer["events"] if event["type"] == type_)
    return found


LIES: dict[str, tuple[Callable[[Answer], object], str]] = {
    "given up": (lambda it: it.update(ended="until"), "did not come to rest"),
    "a copy too few": (lambda it: it["deployments"]["m"]["ready"].update({"2": 1}), "other copies"),
    "a copy left over": (lambda it: it["deployments"]["m"]["copies"].update({"1": 1}), "other copies"),
    "traffic left over": (lambda it: it["deployments"]["m"].update(traffic={"1": 5, "2": 95}), "has traffic"),
    "shares that are not whole": (lambda it: it["deployments"]["m"].update(traffic={"2": 95}), "not whole"),
    "failed for nothing": (lambda it: it["deployments"]["m"].update(phase="Failed"), "nothing broke"),
    "too many accelerators": (lambda it: it.update(peakAccelerators=4), "4 accelerators at the peak"),
    "three versions": (lambda it: it.update(peakVersions=3), "3 versions"),
    "fewer than promised": (lambda it: it["lowestReady"].update(m=1), "1 ready copies"),
    "requests to nobody": (lambda it: it.update(unroutable=3), "3 requests found no ready copy"),
    "success unseen": (
        lambda it: _first(it, "RolloutSucceeded")["scene"].update(ready={"2": 1}),
        "while there were",
    ),
    "success with two versions": (
        lambda it: _first(it, "RolloutSucceeded")["scene"].update(traffic={"1": 50, "2": 50}),
        "while the traffic was",
    ),
    "two ends": (lambda it: it["events"].append(it["events"][-1]), "ended other than once"),
    "no end": (lambda it: it["events"].remove(_first(it, "RolloutSucceeded")), "ended other than once"),
    "no beginning": (lambda it: it["events"].remove(_first(it, "RolloutStarted")), "began other than"),
    "a batch left out": (lambda it: it["events"].remove(_first(it, "BatchStarted")), "counted its batches"),
    "done before it was ready": (
        lambda it: it["events"].insert(2, it["events"].pop(it["events"].index(_first(it, "BatchDone")))),
        "told batch 1 as",
    ),
    "back in time": (lambda it: it["events"][-1].update(at=0.0), "back in time"),
}


def test_what_is_true_breaks_nothing(answer: Answer) -> None:
    assert broken(DOCUMENT, answer) == []


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_seen(lie: str, answer: Answer) -> None:
    told = copy.deepcopy(answer)
    tell, seen = LIES[lie]
    tell(told)

    assert [line for line in broken(DOCUMENT, told) if seen in line] != []
