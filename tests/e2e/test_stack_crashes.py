"""Any process is killed at any moment of a rollout under load: it ends as it would have, and nothing is done twice."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from e2e_load import Answer, Load
from e2e_stack import Stack, eventually

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("e2e-crashes")]

NAME = "digits"
COPIES, BATCH = 3, 2
PEAK = COPIES + BATCH
ERRORS = {"name": "errors", "metric": "error-rate", "max": 0.01, "interval": "1s", "minSamples": 5}
POLICY = {"batch": BATCH, "bake": "2s", "deadline": "60s", "checks": [ERRORS]}
MOMENTS = (("BatchStarted", 1), ("TrafficShifted", 1), ("CheckPassed", 2))
"""The first batch starts, the first batch bakes, the old copies of the last one drain: each begins with its event."""
OF_A_BATCH = ("BatchStarted", "BatchReady", "TrafficShifted", "CheckPassed", "BatchDone")
UNDISTURBED = [
    ("RolloutStarted", None),
    *((kind, batch) for batch in (1, 2) for kind in OF_A_BATCH),
    ("RolloutSucceeded", None),
]
OUTAGE_S = 15.0
"""Longest that a killed Envoy may be away on a slow machine; it takes a second or two."""
NOTICED_S = 0.5
"""Time in which a gateway surely knows that a copy's connections broke."""


class Rollout:
    """A deployment that serves, and rollouts between its two good versions."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    @property
    def version(self) -> str:
        """The version that serves."""
        return str(self.stack.read("get", "deployment", NAME)["version"])

    def onboard(self) -> None:
        """Bring the first version live."""
        for version in ("1", "2"):
            self.stack.given_version(NAME, version, startup=0.5)
        with self.stack.following(NAME) as followed:
            self.stack.when_applied(NAME, model=NAME, version="1", copies=COPIES, rollout=POLICY)
            followed.wait_for("RolloutSucceeded")
        self.stack.then_serves(NAME, "1", COPIES)

    def to_the_other(self, kill: Callable[[str, str], float], *, replaced: int = 0, **changes: Any) -> "Outcome":
        """Roll out the other version under load, and kill something at each moment; `kill(moment, new version)`.

        `replaced` copies are told of as back by the observer, which looks once a second and may be later than the end.
        """
        stack, new = self.stack, "2" if self.version == "1" else "1"
        outcome = Outcome(stack)
        with stack.following(NAME) as followed, stack.lives.counted() as count, outcome.load:
            stack.when_applied(NAME, version=new, **changes)
            for moment, batch in MOMENTS:
                followed.wait_for(moment, batch)
                outcome.kills.append(kill(moment, new))
            followed.wait_for("RolloutSucceeded")
            stack.then_serves(NAME, new, COPIES)
            outcome.events = eventually(
                lambda: _with_replaced(stack.events(NAME, followed.after), replaced), "lost copies are told of as back"
            )
            eventually(lambda: len(followed.events) >= len(outcome.events), "what was followed is what was listed")
            outcome.followed = followed.events[: len(outcome.events)]
        outcome.starts, outcome.most = Counter(life["version"] for life in count.starts), count.most
        return outcome


class Outcome:
    """What came of a rollout."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.load = Load(stack.gateway, NAME)
        self.kills: list[float] = []
        self.events: list[dict[str, Any]] = []
        self.followed: list[dict[str, Any]] = []
        self.starts: Counter[str] = Counter()
        self.most = 0

    def then_as_if_nothing_had_been(self, *disturbances: str) -> None:
        """Same events, each once and in their order, no copy too many, and a ledger that tells the same story.

        `disturbances` are event types that tell of the fault itself.
        """
        told = [(event["type"], event["batch"]) for event in self.events if event["type"] not in disturbances]
        assert told == UNDISTURBED
        assert self.followed == self.events
        assert set(self.load.by_version()) == {"1", "2"}, "there was a load on both"
        assert self.most <= PEAK
        shifts = [event["weights"] for event in self._stack.events(NAME) if event["type"] == "TrafficShifted"]
        assert self._stack.then_ledger_is_whole(NAME) == shifts

    def then_started_once(self, again: int = 0) -> None:
        """Each copy of the new version was started once, but for those killed."""
        assert sum(self.starts.values()) == COPIES + again, self.starts


@pytest.fixture(scope="module")
def rollout(stack: Stack) -> Rollout:
    """A deployment that serves."""
    rollout = Rollout(stack)
    rollout.onboard()
    return rollout


@pytest.mark.parametrize("part", ["worker", "api", "temporal", "postgres", "agent"])
def test_a_part_killed_thrice_in_a_rollout_costs_no_request_and_no_step(rollout: Rollout, part: str) -> None:
    stack = rollout.stack
    before = stack.state["parts"][part]["restarts"]
    outcome = rollout.to_the_other(lambda *_: stack.when_killed(part))
    outcome.then_as_if_nothing_had_been()
    outcome.then_started_once()
    assert outcome.load.lost == []
    stack.then_back(part, before + len(MOMENTS))


def test_an_envoy_killed_thrice_in_a_rollout_costs_requests_only_while_it_is_away(rollout: Rollout) -> None:
    stack = rollout.stack
    before = stack.state["parts"]["envoy"]["restarts"]
    outcome = rollout.to_the_other(lambda *_: stack.when_killed("envoy"))
    outcome.then_as_if_nothing_had_been("CheckError")
    outcome.then_started_once()
    outages = [(killed, back_at(outcome.load, killed)) for killed in outcome.kills]
    assert all(back - killed < OUTAGE_S for killed, back in outages), outages
    elsewhere = [one for one in outcome.load.lost if not any(one.ended >= k and one.began <= b for k, b in outages)]
    assert elsewhere == []
    assert {one.status for one in outcome.load.lost} == {0}, "a gateway that is up has all its routes"
    stack.then_back("envoy", before + len(MOMENTS))


@pytest.mark.parametrize("idempotent", [False, True], ids=["requests are sent once", "requests may be sent twice"])
def test_serving_processes_killed_in_a_rollout_cost_at_most_what_they_were_doing(
    rollout: Rollout,
    idempotent: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    stack, killed = rollout.stack, list[str]()

    def kill_one(moment: str, new: str) -> float:
        """One that starts; then one that serves, old or new; then a new one, the same again where it was new."""
        old = "1" if new == "2" else "2"
        version = old if moment == "TrafficShifted" and not idempotent else new
        candidates = eventually(lambda: stack.lives.living(version), "a copy lives")
        again = [life for life in candidates if life["copy"] in killed[1:]]
        victim = (again or candidates)[0]
        killed.append(victim["copy"])
        at = time.time()
        os.kill(victim["pid"], signal.SIGKILL)
        return at

    outcome = rollout.to_the_other(kill_one, replaced=2, idempotent=idempotent)
    outcome.then_as_if_nothing_had_been("CopyLost", "CopyReplaced")
    outcome.then_started_once(again=len(MOMENTS))
    for lost in outcome.load.lost:
        kills = zip(killed, outcome.kills, strict=True)
        under_way = [copy for copy, at in kills if lost.began <= at + NOTICED_S and at <= lost.ended]
        assert under_way, f"lost without a kill: {lost}"
        if idempotent:
            assert_cut_stream_of(under_way, lost)
    told_of_copies = [event["type"] for event in outcome.events if event["type"].startswith("Copy")]
    assert told_of_copies == ["CopyLost", "CopyReplaced"] * 2


def test_a_worker_killed_on_the_way_back_changes_nothing_of_it(rollout: Rollout) -> None:
    stack, old = rollout.stack, rollout.version
    worse = stack.home / "e2e" / "worse"
    stack.given_version(NAME, "3", startup=0.5, worse={"when": str(worse), "errors": 0.6})
    before = stack.state["parts"]["worker"]["restarts"]
    with stack.following(NAME) as followed, stack.lives.counted() as count, Load(stack.gateway, NAME) as load:
        stack.when_applied(NAME, version="3", idempotent=False)
        followed.wait_for("TrafficShifted", 2)
        worse.touch()
        followed.wait_for("RollbackStarted")
        stack.when_killed("worker")
        eventually(lambda: [one["type"] for one in followed.events].count("TrafficShifted") > 2, "a first shift back")
        stack.then_back("worker", before + 1)
        stack.when_killed("worker")
        followed.wait_for("RolledBack")
        stack.then_serves(NAME, old, COPIES)
        events = stack.events(NAME, followed.after)
    told = [event["type"] for event in events]
    assert told == [
        "RolloutStarted",
        *OF_A_BATCH,
        *OF_A_BATCH[:3],
        "CheckFailed",
        "RollbackStarted",
        *["TrafficShifted"] * told[10:].count("TrafficShifted"),
        "RolledBack",
    ]
    back = [event["weights"] for event in events if event["type"] == "TrafficShifted"][2:]
    shares = [weights.get(old, 0) for weights in back]
    assert shares == sorted(set(shares)), "on the way back the old version's share only grows"
    assert shares[-1] == 100
    assert load.lost == []
    assert Counter(life["version"] for life in count.starts) == {"3": COPIES, old: BATCH}
    assert count.most <= PEAK
    assert stack.then_ledger_is_whole(NAME)[-len(back) :] == back
    stack.then_back("worker", before + 2)


def test_a_killed_supervisor_is_not_missed_and_the_next_one_takes_over(rollout: Rollout) -> None:
    stack = rollout.stack
    before = {name: part["pid"] for name, part in stack.state["parts"].items()}

    def kill_supervisor_then_worker(moment: str, _new: str) -> float:
        if moment == "BatchStarted":
            stack.when_supervisor_killed()
        elif moment == "TrafficShifted":
            stack.run("up")
            assert {name: part["pid"] for name, part in stack.state["parts"].items()} == before, "nothing was doubled"
        else:
            stack.when_killed("worker")
        return time.time()

    outcome = rollout.to_the_other(kill_supervisor_then_worker)
    outcome.then_as_if_nothing_had_been()
    outcome.then_started_once()
    assert outcome.load.lost == []
    stack.then_back("worker", 1)


def test_a_machine_that_dies_in_a_rollout_goes_on_with_it_once_it_is_up_again(rollout: Rollout) -> None:
    stack, gone = rollout.stack, list[float]()

    def kill_everything(moment: str, _new: str) -> float:
        at = time.time()
        if moment == "TrafficShifted":
            parts = [part["pid"] for part in stack.state["parts"].values() if part["pid"]]
            stack.when_supervisor_killed()
            for pid in (*parts, *(life["pid"] for life in stack.lives.living())):
                os.kill(pid, signal.SIGKILL)
            gone.append(time.time())
            stack.run("up")
        return at

    outcome = rollout.to_the_other(kill_everything, replaced=COPIES + BATCH)
    outcome.then_as_if_nothing_had_been("CopyLost", "CopyReplaced", "CheckError")
    outcome.then_started_once(again=COPIES + BATCH)
    back = [datetime.fromisoformat(event["at"]) for event in outcome.events if event["type"] == "CopyReplaced"]
    assert len(back) == COPIES + BATCH
    _, died, _ = outcome.kills
    well = max(max(back).timestamp() + NOTICED_S, back_at(outcome.load, *gone))
    elsewhere = [one for one in outcome.load.lost if one.ended < died or one.began > well]
    assert elsewhere == []


def _with_replaced(events: list[dict[str, Any]], wanted: int) -> list[dict[str, Any]] | None:
    """The events, once they tell of so many copies that are back."""
    return events if [event["type"] for event in events].count("CopyReplaced") >= wanted else None


def back_at(load: Load, killed: float) -> float:
    """When the first request after a kill began that was answered well."""
    return min(answer.began for answer in load.answers if answer.began > killed and answer.good)


def assert_cut_stream_of(copies: list[str], lost: Answer) -> None:
    """What was answered in part cannot be asked again; everything else was, and so was not lost."""
    assert lost.path == "/stream", lost
    assert lost.copy in copies, lost
