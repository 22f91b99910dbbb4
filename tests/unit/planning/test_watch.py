"""A bad measurement turns a rollout round, unless a copy was lost in its window (DESIGN, rule 13)."""

from datetime import UTC, datetime, timedelta

import pytest

from longshore.planning.checks import Measurement, Outcome
from longshore.planning.observed import Copy, CopyState, Observation
from longshore.planning.operation import Decision, Facts, OperationOrder, VersionFacts
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import Bake, RolloutState, Stage
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NOW = T0 + timedelta(seconds=5)
POLICY = {"batch": 1, "bake": "60s", "checks": [{"name": "errors", "metric": "error-rate", "max": 0.01}]}


def bad_measurement(new_ready_at: datetime, state: CopyState = CopyState.READY) -> Decision:
    """What a rollout decides on a bad measurement of a batch whose copy began to serve before its bake, at `T0`."""
    spec = DeploymentSpec.model_validate({"target": "here", "model": "m", "version": "2", "rollout": POLICY})
    order = OperationOrder(
        id="digits/rollout-2",
        deployment="digits",
        number=2,
        kind=OperationKind.ROLLOUT,
        target="here",
        model="m",
        actor="ada",
        revision=2,
        spec=spec,
        new=VersionFacts(version="2", resources=Resources()),
        old=VersionFacts(version="1", resources=Resources()),
    )
    baking = RolloutState(
        stage=Stage.BAKE,
        phase=Phase.PROGRESSING,
        started=True,
        step=3,
        batch=1,
        surge=1,
        weights={"2": 100},
        published={"2": 100},
        bake=Bake(since=T0, ends=T0 + timedelta(seconds=60), due={"errors": NOW}, served={"b": T0}),
    )
    copies = (
        Copy(id="a", deployment="digits", model="m", version="1", host="h", state=CopyState.READY, ready_at=T0),
        Copy(id="b", deployment="digits", model="m", version="2", host="h", state=state, ready_at=new_ready_at),
    )
    facts = Facts(
        now=NOW,
        answered=True,
        fresh=True,
        observation=Observation(target="here", sequence=1, at=NOW, hosts=(), copies=copies),
        measurements=(Measurement(check="errors", outcome=Outcome.FAILED, at=NOW, value=0.5),),
    )
    return rollout.advance(order, baking, facts)


def test_a_bad_measurement_turns_the_rollout_round() -> None:
    decision = bad_measurement(T0)
    assert decision.phase is Phase.ROLLING_BACK
    assert [event.type for event in decision.events] == [EventType.CHECK_FAILED, EventType.ROLLBACK_STARTED]


@pytest.mark.parametrize(
    ("ready_at", "state"),
    [
        pytest.param(T0, CopyState.UNREADY, id="a copy is down"),
        pytest.param(T0 + timedelta(seconds=3), CopyState.READY, id="a copy was down and came back unseen"),
    ],
)
def test_a_window_in_which_a_copy_was_lost_is_discarded(ready_at: datetime, state: CopyState) -> None:
    decision = bad_measurement(ready_at, state)
    assert (decision.phase, decision.events, decision.actions) == (Phase.PROGRESSING, (), ())
    assert decision.state["bake"]["latest"] == {}


def test_the_bake_begins_anew_once_a_lost_copy_is_back() -> None:
    after = RolloutState.model_validate(bad_measurement(T0 + timedelta(seconds=3)).state).bake
    assert after is not None
    assert (after.since, after.ends) == (NOW, NOW + timedelta(seconds=60))
    assert after.served == {"b": T0 + timedelta(seconds=3)}
