"""Golden requests that cannot be asked are asked again when that is due, and not before (DESIGN, rules 6 and 14)."""

from datetime import UTC, datetime, timedelta

from longshore.planning.checks import Measurement, Outcome
from longshore.planning.operation import Decision, Facts, Measure, OperationOrder, VersionFacts
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import RolloutState, Stage
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

T0 = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(seconds=5)
CHECK = {"name": "right", "metric": "accuracy", "min": 0.9, "errors": 1, "source": {"golden": "file:///golden.jsonl"}}
ORDER = OperationOrder(
    id="digits/rollout-2",
    deployment="digits",
    number=2,
    kind=OperationKind.ROLLOUT,
    target="here",
    model="m",
    actor="ada",
    revision=2,
    spec=DeploymentSpec.model_validate(
        {"target": "here", "model": "m", "version": "2", "rollout": {"strategy": "blueGreen", "checks": [CHECK]}}
    ),
    new=VersionFacts(version="2", resources=Resources()),
    old=VersionFacts(version="1", resources=Resources()),
)
GATE = RolloutState(
    stage=Stage.GOLDEN, phase=Phase.PROGRESSING, started=True, strategy="blueGreen", step=3, batch=1, surge=1
)


def decided(state: RolloutState, now: datetime, outcome: Outcome | None = None) -> Decision:
    """What is decided at an instant, without or with what was just measured."""
    if outcome is None:
        return rollout.advance(ORDER, state, Facts(now=now))
    measured = (Measurement(check="right", outcome=outcome, at=now),)
    return rollout.advance(ORDER, state, Facts(now=now, answered=True, measurements=measured))


def after(decision: Decision) -> RolloutState:
    return RolloutState.model_validate(decision.state)


def could_not(state: RolloutState, now: datetime) -> Decision:
    """What is decided once it was asked at an instant, and could not be measured."""
    asked = decided(state, now)
    assert [type(action) for action in asked.actions] == [Measure]
    return decided(after(asked), now, Outcome.ERROR)


def test_deciding_again_before_that_does_not_measure_sooner() -> None:
    waits = could_not(GATE, T0)

    anew = decided(after(waits), T0 + timedelta(seconds=1))

    assert (waits.wait_until, anew.wait_until, anew.actions) == (T0 + INTERVAL, T0 + INTERVAL, ())


def test_one_error_more_than_allowed_asks_a_person() -> None:
    waits = could_not(GATE, T0)

    asks = could_not(after(waits), T0 + INTERVAL)

    assert (asks.phase, asks.reason) == (Phase.PAUSED, "CheckError")
    assert [event.type for event in asks.events] == [EventType.CHECK_ERROR, EventType.ROLLOUT_PAUSED]
