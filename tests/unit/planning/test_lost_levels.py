"""Copies that were lost and found no room: what is asked for follows what is desired all the same (DESIGN, rule 13)."""

from datetime import UTC, datetime, timedelta

import pytest

from longshore.planning import retire, scale
from longshore.planning.checks import Measurement, Outcome
from longshore.planning.observed import Copy, CopyState, Observation, ObservedHost
from longshore.planning.operation import Acked, Decision, Ensure, Facts, OperationOrder, VersionFacts
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.legs import Leg
from longshore.planning.rollout.state import Bake, RolloutState, Stage, WayBack
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

T0 = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = {"batch": 1, "checks": [{"name": "errors", "metric": "error-rate", "max": 0.01}]}
SPEC = DeploymentSpec.model_validate({"target": "here", "model": "m", "version": "2", "copies": 4, "rollout": POLICY})
ORDER = OperationOrder(
    id="digits/rollout-2",
    deployment="digits",
    number=2,
    kind=OperationKind.ROLLOUT,
    target="here",
    model="m",
    actor="ada",
    revision=2,
    spec=SPEC,
    new=VersionFacts(version="2", resources=Resources()),
    old=VersionFacts(version="1", resources=Resources()),
    old_copies=4,
)
BAKED = {
    "phase": Phase.PROGRESSING,
    "started": True,
    "step": 3,
    "batch": 1,
    "surge": 1,
    "level": 4,
    "leg": Leg(add=1, weight=25),
    "weight": 25,
    "old_well": 4,
    "weights": {"1": 75, "2": 25},
    "published": {"1": 75, "2": 25},
    "levels": {"1": 4, "2": 1},
}


def seen(old: int, new: int, **more: object) -> Facts:
    """So many ready copies of the two versions, read just now."""
    copies = tuple(
        Copy(id=f"{version}-{one}", deployment="digits", model="m", version=version, host="h", state=CopyState.READY)
        for version, count in (("1", old), ("2", new))
        for one in range(count)
    )
    hosts = (ObservedHost(name="h", accelerators=8),)
    observation = Observation(target="here", sequence=1, at=T0, hosts=hosts, copies=copies)
    return Facts(now=T0, answered=True, fresh=True, observation=observation, **more)


def asked(decision: Decision) -> list[tuple[str, int]]:
    return [(action.version, action.copies) for action in decision.actions if isinstance(action, Ensure)]


def test_a_batch_that_is_done_asks_for_as_many_old_copies_as_stay_though_fewer_are_there() -> None:
    lowered = rollout.advance(ORDER, RolloutState(stage=Stage.DRAIN, **BAKED), seen(2, 1))
    done = rollout.advance(ORDER, RolloutState.model_validate(lowered.state), seen(3, 1))

    assert asked(lowered) == [("1", 3)]
    assert EventType.BATCH_DONE in [event.type for event in done.events]
    assert asked(done) == []


def test_a_way_back_asks_for_no_copy_of_the_new_version_though_none_is_there() -> None:
    back = WayBack(phase=Phase.ROLLED_BACK, reason="DeadlineExceeded", message="", peak=5)
    going_back = RolloutState(stage=Stage.TRIM, way_back=back, **{**BAKED, "weights": {"1": 100}})

    assert asked(rollout.advance(ORDER, going_back, seen(4, 0))) == [("2", 0)]


def test_a_scale_to_what_is_left_asks_for_no_more_than_that() -> None:
    order = ORDER.model_copy(update={"kind": OperationKind.SCALE, "spec": SPEC.model_copy(update={"copies": 3})})

    assert asked(scale.advance(order, scale.begin(order), seen(0, 3))) == [("2", 3)]


def test_a_retirement_asks_for_no_copy_though_none_is_there() -> None:
    order = ORDER.model_copy(update={"kind": OperationKind.RETIRE})
    unrouted = retire.begin(order).model_copy(update={"unrouted": True, "weights": {}})

    assert asked(retire.advance(order, unrouted, seen(0, 0, acked=Acked(acked=True, at=T0, gateways=1)))) == [("1", 0)]


@pytest.mark.parametrize(("old", "goes_on"), [(4, True), (2, False)])
def test_a_bake_does_not_end_while_old_copies_are_missing(old: int, goes_on: bool) -> None:  # noqa: FBT001 - a case
    passed = Measurement(check="errors", outcome=Outcome.PASSED, at=T0, value=0.0)
    began = T0 - timedelta(seconds=30)
    bake = Bake(since=began, ends=T0, due={"errors": T0 + timedelta(seconds=5)}, last_call=True)

    decision = rollout.advance(
        ORDER, RolloutState(stage=Stage.BAKE, bake=bake, **BAKED), seen(old, 1, measurements=(passed,))
    )

    assert (decision.state["stage"] != Stage.BAKE) is goes_on
