"""Looking ahead ends where looking at every instant would have ended, and at the same decision."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.planning.checks import Measurement, Outcome
from longshore.planning.observed import Observation
from longshore.planning.operation import Decision, Facts, Measure, Observe
from longshore.planning.steady import Foresight, Known, ahead, still
from longshore.planning.words import Event, EventType, Phase
from longshore.spec.deployment import Check

START = datetime(2000, 1, 1, tzinfo=UTC)
CHECK = Check(name="errors", metric="error-rate", max=0.01)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


@dataclass
class Watcher:
    """A planner that looks every `every` seconds until a limit, and measures at its own interval."""

    every: int
    limit: int
    interval: int | None = None
    phase: Phase = Phase.PROGRESSING

    def advance(self, state: dict[str, Any], facts: Facts) -> Decision:
        if facts.now >= at(self.limit):
            told = Event(at=facts.now, deployment="codegen", type=EventType.BATCH_DONE)
            return Decision(state=state, events=(told,), phase=self.phase, wait_until=facts.now + timedelta(days=1))
        if not facts.fresh:
            return Decision(
                state=self._measured(state, facts.now), actions=self._actions(state, facts), phase=self.phase
            )
        due = at(state["due"]) if self.interval else facts.now + timedelta(seconds=self.every)
        return Decision(state=state, wait_until=min(due, at(self.limit)), phase=self.phase)

    def _actions(self, state: dict[str, Any], facts: Facts) -> tuple[Any, ...]:
        if self.interval is None or facts.now < at(state["due"]):
            return (Observe(),)
        return (Measure(checks=(CHECK,), batch=1, not_before=START, bake_ended=False),)

    def _measured(self, state: dict[str, Any], now: datetime) -> dict[str, Any]:
        due = state["due"]
        while self.interval and at(due) <= now:
            due += self.interval
        return {"due": due}


def seen(steady: float | None) -> Observation:
    until = None if steady is None else at(steady)
    return Observation(target="fleet", sequence=1, at=START, hosts=(), copies=(), steady_until=until)


def known(steady: float | None, measured_until: float = 0, outcome: Outcome = Outcome.PASSED) -> Known:
    measured = Measurement(check="errors", outcome=outcome, at=START)
    foresight = Foresight(measurements=(measured,), batch=1, not_before=START, until=at(measured_until))
    return Known(observation=seen(steady), foresight=foresight)


def visited(watcher: Watcher, last: Decision, what: Known) -> Decision:
    """Looking at every instant, one after the other."""
    while last.wait_until is not None and (on := still(watcher.advance, last, what, last.wait_until)) is not None:
        last = on
    return last


@given(
    every=st.integers(1, 4),
    limit=st.integers(1, 200),
    steady=st.none() | st.integers(0, 300),
    interval=st.none() | st.integers(1, 20),
    measured_until=st.integers(0, 300),
)
def test_what_is_skipped_is_what_would_only_have_been_looked_at(
    every: int, limit: int, steady: int | None, interval: int | None, measured_until: int
) -> None:
    watcher, what = Watcher(1 if interval is None else every, limit, interval), known(steady, measured_until)
    first = Decision(state={"due": interval or 0}, wait_until=at(interval or 1), phase=Phase.PROGRESSING)

    assert ahead(watcher.advance, first, what) == visited(watcher, first, what)


def test_a_target_that_knows_nothing_of_later_is_looked_at_every_time() -> None:
    first = Decision(state={"due": 0}, wait_until=at(1), phase=Phase.PROGRESSING)

    assert ahead(Watcher(1, 100).advance, first, known(None)) is first


@pytest.mark.parametrize(
    ("outcome", "mode", "phase", "skips"),
    [
        (Outcome.PASSED, "enforce", Phase.PROGRESSING, True),
        (Outcome.NOT_YET, "enforce", Phase.PROGRESSING, True),
        (Outcome.FAILED, "enforce", Phase.PROGRESSING, False),
        (Outcome.FAILED, "enforce", Phase.PAUSED, False),
        (Outcome.FAILED, "observe", Phase.PROGRESSING, True),
        (Outcome.ERROR, "enforce", Phase.PROGRESSING, False),
        (Outcome.ERROR, "enforce", Phase.PAUSED, True),
        (Outcome.INCONCLUSIVE, "enforce", Phase.PAUSED, False),
    ],
)
def test_only_measurements_that_count_for_nothing_are_skipped(
    outcome: Outcome,
    mode: str,
    phase: Phase,
    skips: bool,  # noqa: FBT001
) -> None:
    check = CHECK.model_copy(update={"mode": mode})
    foresight = known(100, 100, outcome).foresight
    assert foresight is not None

    answer = foresight.answer(Measure(checks=(check,), batch=1, not_before=START, bake_ended=False), at(50), phase)

    assert (answer is not None) == skips


@pytest.mark.parametrize(
    "other",
    [
        Measure(checks=(CHECK,), batch=2, not_before=START, bake_ended=False),
        Measure(checks=(CHECK,), batch=1, not_before=at(1), bake_ended=False),
        Measure(checks=(CHECK,), batch=1, not_before=START, bake_ended=True),
        Measure(checks=(CHECK, CHECK.model_copy(update={"name": "slow"})), batch=1, not_before=START, bake_ended=False),
    ],
    ids=["another batch", "a bake begun anew", "the last call", "a check that was not foreseen"],
)
def test_foresight_answers_for_its_own_bake_only(other: Measure) -> None:
    foresight = known(100, 100).foresight
    assert foresight is not None

    assert foresight.answer(other, at(50), Phase.PROGRESSING) is None
