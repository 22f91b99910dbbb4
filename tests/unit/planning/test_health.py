"""How a deployment stands: tables of sentences, and what must hold for every fleet."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.planning.health import DeploymentFacts, Drift, Health, health, standing
from longshore.planning.observed import Copy, CopyState, Difference
from longshore.planning.words import OperationKind, Phase
from longshore.spec.scaling import Scaling

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def copies(version: str, count: int, state: CopyState = CopyState.READY, **fields: str) -> tuple[Copy, ...]:
    return tuple(
        Copy(
            id=f"digits-{version}-{number}",
            deployment="digits",
            model="digits",
            version=version,
            host="a",
            state=state,
            **fields,
        )
        for number in range(count)
    )


def facts(**changes: object) -> DeploymentFacts:
    """Four copies of version 1, all ready, all traffic: changed by what the test is about."""
    values: dict[str, object] = {
        "name": "digits",
        "target": "workstation",
        "copies": 4,
        "version": "1",
        "kind": OperationKind.ONBOARD,
        "phase": Phase.SUCCEEDED,
        "observed": copies("1", 4),
        "observed_at": NOW,
        "traffic": {"1": 100},
        "now": NOW,
    }
    return DeploymentFacts.model_validate(values | changes)


SCALING = Scaling(min=0, max=6, goal=4)


def differences(*more: str, found: str = "6") -> tuple[Difference, ...]:
    """Somebody set the copies of version 1 to another number, and changed further fields of it."""
    others = tuple(Difference(deployment="digits", version="1", what=what, wanted="a", found="b") for what in more)
    return (Difference(deployment="digits", version="1", what="CopyCount", wanted="4", found=found), *others)


ROLLING = {"kind": OperationKind.ROLLOUT, "phase": Phase.PROGRESSING, "rollout_version": "2"}

TABLE: list[tuple[str, dict[str, object], Health, Drift, str | None, str]] = [
    ("all copies ready with all traffic is healthy", {}, Health.HEALTHY, Drift.IN_SYNC, None, ""),
    (
        "of a lost operation nobody knows whether it held the autoscaler still: the same apply lets it go on",
        {
            "scaling": SCALING,
            "kind": OperationKind.SCALE,
            "phase": Phase.FAILED,
            "reason": "OperationLost",
            "message": "digits/scale-3 was lost",
        },
        Health.HEALTHY,
        Drift.IN_SYNC,
        "ScalingSuspended",
        "digits/scale-3 was lost; autoscaling may still be suspended: `longshore apply -f FILE` sets it again",
    ),
    (
        "after a lost rollout the stable version again, or another try, sets the autoscaler",
        {
            "scaling": SCALING,
            "kind": OperationKind.ROLLOUT,
            "phase": Phase.FAILED,
            "reason": "OperationLost",
            "message": "look at what runs",
        },
        Health.HEALTHY,
        Drift.IN_SYNC,
        "ScalingSuspended",
        "`longshore apply -f FILE` with version 1 goes back to it and sets it again, `longshore rollout retry digits`",
    ),
    (
        "an autoscaler that was not told how to go on is shown also where all else succeeded",
        {"scaling": SCALING, "reason": "AutoscalerNotSet", "message": "longshore apply -f FILE sets it"},
        Health.HEALTHY,
        Drift.IN_SYNC,
        "ScalingSuspended",
        "longshore apply -f FILE sets it",
    ),
    (
        "an onboarding that was lost had no autoscaler yet",
        {
            "scaling": SCALING,
            "version": None,
            "observed": (),
            "traffic": {},
            "phase": Phase.FAILED,
            "reason": "OperationLost",
            "message": "look at what runs",
        },
        Health.UNAVAILABLE,
        Drift.IN_SYNC,
        "OperationLost",
        "look at what runs",
    ),
    (
        "an operation under way lets the autoscaler go on by itself",
        {**ROLLING, "scaling": SCALING, "reason": "PausedByUser", "message": "paused"},
        Health.HEALTHY,
        Drift.IN_SYNC,
        "PausedByUser",
        "paused",
    ),
    (
        "one copy that fails its probe degrades, and its log is the next thing to read",
        {"observed": copies("1", 3) + copies("1", 1, CopyState.UNREADY, reason="ProbeFailed", message="500 at /ready")},
        Health.DEGRADED,
        Drift.IN_SYNC,
        "ProbeFailed",
        "longshore logs digits --copy digits-1-0",
    ),
    (
        "a copy that is gone degrades and is drift",
        {"observed": copies("1", 3)},
        Health.DEGRADED,
        Drift.DRIFTED,
        "CopiesNotReady",
        "3 of 4",
    ),
    (
        "a copy that went with its host and finds no room elsewhere is told with what is short",
        {"observed": copies("1", 3), "no_place": "a copy needs 1 accelerator, at most 0 are free on one host of it"},
        Health.DEGRADED,
        Drift.DRIFTED,
        "InsufficientAccelerators",
        "3 of 4 copies are ready: a copy needs 1 accelerator",
    ),
    (
        "copies that find no room during a rollout are told, too",
        {**ROLLING, "observed": copies("1", 2), "no_place": "no host of workstation is up"},
        Health.DEGRADED,
        Drift.IN_SYNC,
        "InsufficientAccelerators",
        "longshore describe target workstation",
    ),
    (
        "no ready copy is unavailable",
        {"observed": copies("1", 4, CopyState.STARTING)},
        Health.UNAVAILABLE,
        Drift.IN_SYNC,
        "CopiesNotReady",
        "0 of 4",
    ),
    (
        "copies that exited at start are failed, unavailable and drift",
        {"observed": copies("1", 4, CopyState.FAILED, reason="ExitedAtStart")},
        Health.UNAVAILABLE,
        Drift.DRIFTED,
        "ExitedAtStart",
        "longshore logs digits",
    ),
    (
        "ready copies that no route reaches are unavailable",
        {"traffic": {}},
        Health.UNAVAILABLE,
        Drift.DRIFTED,
        "NoTraffic",
        "no traffic reaches them",
    ),
    (
        "a route to a version without copies alone is unavailable",
        {"traffic": {"9": 100}},
        Health.UNAVAILABLE,
        Drift.DRIFTED,
        "NoTraffic",
        "longshore describe deployment digits",
    ),
    (
        "a share of the traffic without a ready copy degrades",
        {**ROLLING, "traffic": {"1": 75, "2": 25}},
        Health.DEGRADED,
        Drift.IN_SYNC,
        "TrafficWithoutCopies",
        "25% of the traffic goes to version 2",
    ),
    (
        "no desired copies is scaled to zero",
        {"copies": 0, "observed": (), "traffic": {}},
        Health.SCALED_TO_ZERO,
        Drift.IN_SYNC,
        "ScaledToZero",
        "longshore scale digits --copies 1",
    ),
    (
        "copies where none are desired are drift",
        {"copies": 0},
        Health.SCALED_TO_ZERO,
        Drift.DRIFTED,
        "UnexpectedCopies",
        "4 of version 1",
    ),
    (
        "while rolling, the copies of both versions count",
        {**ROLLING, "observed": copies("1", 2) + copies("2", 2), "traffic": {"1": 50, "2": 50}},
        Health.HEALTHY,
        Drift.IN_SYNC,
        None,
        "",
    ),
    (
        "while rolling, a third version is drift",
        {**ROLLING, "observed": copies("1", 4) + copies("3", 1)},
        Health.HEALTHY,
        Drift.DRIFTED,
        "UnexpectedCopies",
        "1 of version 3",
    ),
    (
        "draining copies of the old version after success are no drift",
        {"observed": copies("1", 4) + copies("0", 1, CopyState.DRAINING)},
        Health.HEALTHY,
        Drift.IN_SYNC,
        None,
        "",
    ),
    (
        "more copies than desired are drift",
        {"observed": copies("1", 5)},
        Health.HEALTHY,
        Drift.DRIFTED,
        "CopiesInExcess",
        "5 copies of version 1",
    ),
    (
        "split traffic with no operation under way is drift",
        {"observed": copies("1", 4), "traffic": {"1": 99, "2": 0}},
        Health.HEALTHY,
        Drift.DRIFTED,
        "TrafficDiffers",
        "99% to version 1",
    ),
    (
        "a paused rollout says its own reason",
        {**ROLLING, "phase": Phase.PAUSED, "reason": "PausedByUser", "message": "`longshore rollout resume digits`"},
        Health.HEALTHY,
        Drift.IN_SYNC,
        "PausedByUser",
        "rollout resume digits",
    ),
    (
        "a rolled back deployment is healthy and still says why",
        {"kind": OperationKind.ROLLOUT, "phase": Phase.ROLLED_BACK, "reason": "CheckFailed", "message": None},
        Health.HEALTHY,
        Drift.IN_SYNC,
        "CheckFailed",
        "longshore rollout status digits",
    ),
    (
        "what is wrong now goes before how the last rollout ended",
        {
            "kind": OperationKind.ROLLOUT,
            "phase": Phase.ROLLED_BACK,
            "reason": "CheckFailed",
            "observed": copies("1", 1),
        },
        Health.DEGRADED,
        Drift.DRIFTED,
        "CopiesNotReady",
        "1 of 4",
    ),
    (
        "a failed onboarding is unavailable and has nothing to return to",
        {
            "version": None,
            "phase": Phase.FAILED,
            "reason": "NothingToReturnTo",
            "message": "fix it, then `longshore rollout retry digits`",
            "observed": (),
            "traffic": {},
        },
        Health.UNAVAILABLE,
        Drift.IN_SYNC,
        "NothingToReturnTo",
        "longshore rollout retry digits",
    ),
    (
        "an onboarding under way is unavailable until it serves",
        {
            "version": None,
            "rollout_version": "1",
            "phase": Phase.PROGRESSING,
            "observed": copies("1", 2),
            "traffic": {},
        },
        Health.UNAVAILABLE,
        Drift.IN_SYNC,
        "NoTraffic",
        "longshore rollout watch digits",
    ),
    (
        "an onboarding without ready copies says so",
        {"version": None, "rollout_version": "1", "phase": Phase.PROGRESSING, "observed": (), "traffic": {}},
        Health.UNAVAILABLE,
        Drift.IN_SYNC,
        "Onboarding",
        "0 of 4",
    ),
    (
        "an old observation makes the message say so",
        {"observed_at": NOW - timedelta(seconds=45)},
        Health.HEALTHY,
        Drift.IN_SYNC,
        "ObservationStale",
        "last observed 45 s ago",
    ),
    (
        "an old observation of a target that cannot be read says why",
        {"observed_at": NOW - timedelta(seconds=45), "trouble": "AWS does not answer"},
        Health.HEALTHY,
        Drift.IN_SYNC,
        "ObservationStale",
        "last observed 45 s ago: AWS does not answer; `longshore describe target",
    ),
    (
        "a target that was never observed says why",
        {"observed_at": None, "observed": (), "trouble": "there is no endpoint"},
        Health.UNAVAILABLE,
        Drift.DRIFTED,
        "NotObserved",
        "was not observed yet: there is no endpoint; `longshore describe target",
    ),
    (
        "an old observation is added to another message",
        {"observed_at": NOW - timedelta(seconds=31), "observed": copies("1", 3)},
        Health.DEGRADED,
        Drift.DRIFTED,
        "CopiesNotReady",
        "last observed 31 s ago",
    ),
    (
        "a target that was never observed is unavailable",
        {"observed_at": None, "observed": ()},
        Health.UNAVAILABLE,
        Drift.DRIFTED,
        "NotObserved",
        "longshore doctor",
    ),
    (
        "a retired deployment says how it comes back",
        {"retired": True, "kind": OperationKind.RETIRE, "reason": "Retired", "observed": (), "traffic": {}},
        Health.SCALED_TO_ZERO,
        Drift.IN_SYNC,
        "Retired",
        "longshore apply",
    ),
    (
        "copies kept warm for an undo are there on purpose",
        {"warm_version": "0", "observed": copies("1", 4) + copies("0", 4)},
        Health.HEALTHY,
        Drift.IN_SYNC,
        None,
        "",
    ),
    (
        "copies kept warm are no drift while another operation is under way",
        {**ROLLING, "warm_version": "0", "observed": copies("1", 4) + copies("0", 4)},
        Health.HEALTHY,
        Drift.IN_SYNC,
        None,
        "",
    ),
    (
        "copies kept warm do not stand in for those that should serve",
        {"warm_version": "0", "observed": copies("1", 3) + copies("0", 4)},
        Health.DEGRADED,
        Drift.DRIFTED,
        "CopiesNotReady",
        "3 of 4",
    ),
    (
        "copies that are being retired are no drift",
        {"kind": OperationKind.RETIRE, "phase": Phase.PROGRESSING, "observed": copies("3", 1) + copies("1", 4)},
        Health.SCALED_TO_ZERO,
        Drift.IN_SYNC,
        "Retiring",
        "longshore rollout watch digits",
    ),
    (
        "what somebody else changed is drift, told with what puts it right",
        {"differences": differences()},
        Health.HEALTHY,
        Drift.DRIFTED,
        "ChangedOutside",
        "changed by somebody else: CopyCount of version 1 is 6, not 4; `longshore apply -f FILE --take`",
    ),
    (
        "of several changes the first is told, and how many more there are",
        {"differences": differences("Specification.Container.Image", "Specification.Container.Environment")},
        Health.HEALTHY,
        Drift.DRIFTED,
        "ChangedOutside",
        "is 6, not 4 and 2 more; ",
    ),
    (
        "copies that are gone because somebody else took them are told as that",
        {"observed": copies("1", 2), "differences": differences(found="2")},
        Health.DEGRADED,
        Drift.DRIFTED,
        "ChangedOutside",
        "`longshore adopt digits` accepts it",
    ),
    (
        "a version that somebody deleted is down, and told as that",
        {
            "observed": (),
            "differences": (Difference(deployment="digits", version="1", what="deleted", wanted="", found=""),),
        },
        Health.UNAVAILABLE,
        Drift.DRIFTED,
        "ChangedOutside",
        "changed by somebody else: version 1 was deleted; ",
    ),
    (
        "what somebody else changes during a rollout is drift, and the rollout tells what comes of it",
        {**ROLLING, "reason": "ChangedOutside", "message": "paused", "differences": differences()},
        Health.HEALTHY,
        Drift.DRIFTED,
        "ChangedOutside",
        "paused",
    ),
    (
        "what somebody else changes while it is retired is nobody's concern",
        {"kind": OperationKind.RETIRE, "phase": Phase.PROGRESSING, "differences": differences()},
        Health.SCALED_TO_ZERO,
        Drift.IN_SYNC,
        "Retiring",
        "",
    ),
    (
        "as many copies as the autoscaler chose are those that are desired",
        {"observed": copies("1", 2), "scaling": SCALING},
        Health.HEALTHY,
        Drift.IN_SYNC,
        None,
        "",
    ),
    (
        "more copies than an autoscaler may choose are drift",
        {"observed": copies("1", 7), "scaling": SCALING},
        Health.HEALTHY,
        Drift.DRIFTED,
        "CopiesInExcess",
        "7 copies of version 1 run where 6 are desired",
    ),
    (
        "a copy that was lost is missed, whoever chose that it shall be there",
        {"observed": copies("1", 2) + copies("1", 1, CopyState.UNREADY, reason="CopyLost"), "scaling": SCALING},
        Health.DEGRADED,
        Drift.IN_SYNC,
        "CopyLost",
        "2 of 3 copies are ready",
    ),
    (
        "what the autoscaler brought to no copies sleeps",
        {"observed": (), "scaling": SCALING},
        Health.SCALED_TO_ZERO,
        Drift.IN_SYNC,
        "ScaledToZero",
        "the next ones fail, and wake it",
    ),
    (
        "what somebody else deleted does not sleep, though it might",
        {
            "observed": (),
            "scaling": SCALING,
            "differences": (Difference(deployment="digits", version="1", what="deleted", wanted="", found=""),),
        },
        Health.UNAVAILABLE,
        Drift.DRIFTED,
        "ChangedOutside",
        "version 1 was deleted",
    ),
    (
        "no copies where the autoscaler must keep one is no sleep",
        {"observed": (), "scaling": SCALING.model_copy(update={"min": 1})},
        Health.UNAVAILABLE,
        Drift.DRIFTED,
        "CopiesNotReady",
        "0 of 1 copies are ready",
    ),
]


@pytest.mark.parametrize(
    ("changes", "condition", "difference", "reason", "says"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_standing(
    changes: dict[str, object], condition: Health, difference: Drift, reason: str | None, says: str
) -> None:
    found = standing(facts(**changes))
    assert (found.health, found.drift, found.reason) == (condition, difference, reason)
    assert says in (found.message or "")


VERSIONS = st.sampled_from(["1", "2", "3"])
FLEETS = st.lists(st.tuples(VERSIONS, st.sampled_from(CopyState)), max_size=8)


@st.composite
def situations(draw: st.DrawFn) -> DeploymentFacts:
    fleet = tuple(
        copy.model_copy(update={"id": f"digits-{number}"})
        for number, (version, state) in enumerate(draw(FLEETS))
        for copy in copies(version, 1, state)
    )
    return facts(
        copies=draw(st.integers(0, 6)),
        scaling=draw(st.none() | st.just(SCALING)),
        version=draw(st.none() | VERSIONS),
        rollout_version=draw(st.none() | VERSIONS),
        phase=draw(st.none() | st.sampled_from(Phase)),
        kind=draw(st.sampled_from(OperationKind)),
        observed=fleet,
        differences=draw(st.sampled_from([(), differences(), differences("Image")])),
        observed_at=draw(st.none() | st.just(NOW) | st.just(NOW - timedelta(hours=1))),
        traffic=draw(st.dictionaries(VERSIONS, st.integers(0, 100), max_size=2)),
    )


@given(situations())
def test_whatever_is_not_healthy_has_a_camel_case_reason_and_names_a_command(situation: DeploymentFacts) -> None:
    found = standing(situation)
    if found.health is not Health.HEALTHY or found.drift is Drift.DRIFTED:
        assert found.reason is not None
        assert found.reason.isalpha()
        assert found.reason[0].isupper()
        assert "`longshore " in (found.message or "")


ORDER = [Health.UNAVAILABLE, Health.DEGRADED, Health.HEALTHY]


@given(situations(), VERSIONS)
def test_one_more_ready_copy_never_makes_health_worse(situation: DeploymentFacts, version: str) -> None:
    before, _ = health(situation)
    after, _ = health(situation.model_copy(update={"observed": situation.observed + copies(version, 1)}))
    if before is Health.SCALED_TO_ZERO:
        assert after is Health.SCALED_TO_ZERO or situation.scaling is not None  # else nobody may start one
    else:
        assert ORDER.index(after) >= ORDER.index(before)
