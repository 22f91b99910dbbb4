"""What a plan says of a deployment as it stands: idle, in the middle of something, with warm copies, without room."""

from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.planning.deployment.revisions import DeploymentState, Revision, roll_to
from longshore.planning.observed import Copy, CopyState, ObservedHost
from longshore.planning.operation import VersionFacts, Warm
from longshore.planning.plans.forecast import Forecast, Plan, Present, forecast
from longshore.planning.requests import ApplyRequest, Refusal
from longshore.planning.room import TargetRoom
from longshore.planning.words import OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ONE = Resources(accelerators=1)


def spec(version: str, copies: int = 2, **rollout: object) -> DeploymentSpec:
    policy = {"batch": 1, "bake": 10, **rollout}
    return DeploymentSpec.model_validate(
        {"target": "here", "model": "m", "version": version, "copies": copies, "rollout": policy}
    )


def facts(version: str) -> VersionFacts:
    return VersionFacts(version=version, resources=ONE)


def revision(number: int, version: str, phase: Phase = Phase.SUCCEEDED, **more: Any) -> Revision:
    return Revision(number=number, facts=facts(version), spec=spec(version), phase=phase, actor="ada", **more)


STABLE = DeploymentState(name="d", spec=spec("1"), revisions=(revision(1, "1"),), stable=1, operations=1)


def under_way() -> DeploymentState:
    """Revision 2 is on its way."""
    return roll_to(STABLE, revision(2, "2", Phase.PROGRESSING), "ada").state


def copies(version: str, count: int, state: CopyState = CopyState.READY, name: str = "d") -> tuple[Copy, ...]:
    first = {"1": 0, "2": 4, "3": 6}[version]
    return tuple(
        Copy(
            id=f"{name}-{version}-{number}", deployment=name, model="m", version=version, host="a",
            accelerators=(first + number,), state=state, started_at=NOW, ready_at=NOW,
        )
        for number in range(count)
    )  # fmt: skip


def room(*held: Copy, accelerators: int = 8, **more: Any) -> TargetRoom:
    return TargetRoom("here", (ObservedHost(name="a", accelerators=accelerators),), held, **more)


def asked(desired: DeploymentSpec, **labels: str) -> ApplyRequest:
    return ApplyRequest(actor="ada", key="k", name="d", labels=labels, spec=desired, facts=facts(desired.version))


def told(state: DeploymentState, desired: DeploymentSpec, at: TargetRoom, **startups: float) -> Plan:
    known = {name.removeprefix("v"): seconds for name, seconds in startups.items()}
    answer = forecast(state, asked(desired), Present(at, {}, known, NOW))
    assert isinstance(answer, Forecast), answer
    return answer.plan


def batches(plan: Plan) -> list[tuple[int, int, int]]:
    return [(batch.add, batch.remove, batch.weight) for batch in plan.batches]


def test_time_is_not_known_until_the_version_was_seen_to_start() -> None:
    unknown = told(STABLE, spec("2"), room(*copies("1", 2)))
    known = told(STABLE, spec("2"), room(*copies("1", 2)), v2=30)

    assert (unknown.estimated_seconds, unknown.extra_accelerator_seconds) == (None, None)
    assert (known.estimated_seconds, known.extra_accelerator_seconds) == (80.0, 80.0)
    assert batches(unknown) == batches(known) == [(1, 1, 50), (1, 1, 100)]


def test_a_scale_down_starts_nothing_so_its_time_is_known() -> None:
    plan = told(STABLE, spec("1", copies=1), room(*copies("1", 2)))

    assert (plan.operation, plan.strategy, batches(plan)) == (OperationKind.SCALE, None, [(0, 1, 100)])
    assert (plan.lowest_ready, plan.dip, plan.estimated_seconds) == (1, 0, 0.0)


def test_a_change_of_policy_changes_something_but_moves_nothing() -> None:
    plan = told(STABLE, spec("1", bake=60), room(*copies("1", 2)))

    assert (plan.changed, plan.operation, plan.batches, plan.reason) == (True, None, (), "labels or policy changed")


def test_a_held_revision_says_what_would_start_it() -> None:
    held = STABLE.with_revision(revision(2, "2", Phase.ROLLED_BACK, held=True, reason="CheckFailed"))

    plan = told(held, spec("2"), room(*copies("1", 2)))

    assert not plan.changed
    assert plan.reason.endswith("longshore rollout retry d")


def test_what_supersedes_is_planned_from_the_stable_version_and_says_so() -> None:
    plan = told(under_way(), spec("3"), room(*copies("1", 1), *copies("2", 2)), v3=5)

    assert batches(plan) == [(1, 1, 50), (1, 1, 100)]
    assert plan.reason == "nothing speaks against it; revision 3 starts once d/rollout-2 has made way"
    assert (plan.version, plan.lowest_ready, plan.placement) == ("3", 2, {"a": 2})


def test_other_copies_for_what_is_under_way_are_planned_from_its_beginning() -> None:
    plan = told(under_way(), spec("2", copies=3), room(*copies("1", 2), *copies("2", 1)), v2=5)

    assert batches(plan) == [(1, 0, 33), (1, 1, 67), (1, 1, 100)]
    assert plan.reason.endswith("d/rollout-2 is revised")


def test_the_stable_version_while_something_is_under_way_is_an_abort() -> None:
    plan = told(under_way(), spec("1"), room(*copies("1", 2), *copies("2", 1)))

    assert (plan.changed, plan.operation, plan.batches) == (True, None, ())
    assert plan.reason == "d/rollout-2 is aborted: back to version 1"


def test_a_start_up_longer_than_the_deadline_would_be_rolled_back() -> None:
    plan = told(STABLE, spec("2", deadline=20), room(*copies("1", 2)), v2=30)

    assert plan.fits
    assert plan.reason.startswith("would end RolledBack: 0 of 1 copies of version 2 were ready within 20 s")


def test_copies_kept_warm_cost_their_time_and_go_in_the_end() -> None:
    plan = told(STABLE, spec("2", strategy="blueGreen", keepWarm=100), room(*copies("1", 2)), v2=30)

    assert batches(plan) == [(2, 2, 100)]
    assert (plan.estimated_seconds, plan.extra_accelerator_seconds) == (40.0, 2 * (40 + 100))


def test_the_warm_copies_of_others_make_room() -> None:
    others = copies("2", 2, name="other")
    warm = room(*copies("1", 2), *others, accelerators=4, warm={"other": "2"})
    assert told(STABLE, spec("2"), warm).fits

    plan = told(STABLE, spec("2"), room(*copies("1", 2), *others, accelerators=4))

    assert (plan.fits, plan.unplaced, plan.peak_accelerators) == (False, 1, 3)
    assert plan.reason == "needs 1 accelerator for one copy, 0 are free on here; maxUnavailable: 1 would do"


def test_an_undo_among_warm_copies_starts_none() -> None:
    state = DeploymentState(
        name="d", spec=spec("2"), revisions=(revision(1, "1"), revision(2, "2")), stable=2, operations=2,
        warm=Warm(version="1", revision=1, until=NOW + timedelta(hours=1)),
    )  # fmt: skip

    plan = told(state, spec("1", strategy="blueGreen", keepWarm=0), room(*copies("1", 2), *copies("2", 2)))

    assert (batches(plan), plan.extra_accelerators, plan.estimated_seconds) == ([(0, 2, 100)], 0, 10.0)


def test_what_would_be_refused_is_refused() -> None:
    other = spec("2").model_copy(update={"target": "there"})

    answer = forecast(STABLE, asked(other), Present(room(), {}, {}, NOW))

    assert isinstance(answer, Refusal)
    assert answer.reason == "Immutable"


def test_hours_of_starts_and_checked_bakes_are_told_to_the_second() -> None:
    check = {"name": "errors", "metric": "error-rate", "max": 0.01, "interval": 5}

    plan = told(STABLE, spec("2", bake=43_200, checks=[check], deadline=7200), room(*copies("1", 2)), v2=3600)

    assert (plan.reason, plan.estimated_seconds) == ("nothing speaks against it", 2 * (3600 + 43_200))


def test_an_update_that_is_handed_over_is_planned_with_what_sagemaker_will_do() -> None:
    desired = spec("2", copies=4, batch="25%", bake=30, delegate="sagemaker", alarms=["errors"])
    now = spec("1", copies=4)
    served = revision(1, "1").model_copy(update={"spec": now})
    stable = STABLE.model_copy(update={"spec": now, "revisions": (served,)})
    plan = told(stable, desired, room(*copies("1", 4)), v2=30)

    assert plan.reason == "handed to SageMaker: batches of 25%, 30 s apart"
    assert batches(plan) == [(1, 1, 25), (1, 1, 50), (1, 1, 75), (1, 1, 100)]
    assert (plan.extra_accelerators, plan.fits) == (1, True)
    whole = desired.model_copy(update={"rollout": desired.rollout.model_copy(update={"strategy": "blueGreen"})})
    assert told(stable, whole, room(*copies("1", 4))).extra_accelerators == 4


def autoscaled(version: str, copies: int = 2, **bounds: int) -> DeploymentSpec:
    scaling = {"min": 1, "max": 6, "goal": 4, **bounds}
    made = spec(version, copies).model_dump(mode="json", by_alias=True)
    return DeploymentSpec.model_validate({**made, "scaling": scaling})


def test_where_autoscaling_chooses_the_copies_a_plan_is_made_with_those_and_not_with_the_written_ones() -> None:
    known = revision(1, "1").model_copy(update={"spec": autoscaled("1")})
    state = STABLE.model_copy(update={"spec": known.spec, "revisions": (known,), "autoscaled": True})
    held = "autoscaling is suspended from the first copy to the end"

    awake = told(state, autoscaled("2"), room(*copies("1", 3)))
    asleep = told(state, autoscaled("2", min=0), room())
    removed = told(state, spec("2", copies=1), room(*copies("1", 3)))

    assert batches(awake) == [(1, 1, 33), (1, 1, 67), (1, 1, 100)]
    assert (awake.lowest_ready, awake.dip, awake.peak_accelerators) == (3, 0, 4)
    assert awake.reason == f"nothing speaks against it; {held}, begun with the 3 it has chosen"
    assert (batches(asleep), asleep.dip) == ([(1, 0, 100)], 0)
    assert asleep.reason == f"nothing speaks against it; {held}, begun with 1, for it sleeps"
    assert removed.reason == f"nothing speaks against it; {held}, and then removed"
    assert removed.placement == {"a": 1}


def test_an_onboarding_and_a_new_policy_are_planned_within_the_bounds() -> None:
    first = told(DeploymentState(name="d"), autoscaled("1", copies=1, min=2), room())
    bounded = told(STABLE, autoscaled("1", max=4), room(*copies("1", 2)))

    assert (batches(first), first.lowest_ready) == ([(2, 0, 100)], 2)
    assert (bounded.operation, bounded.batches) == (OperationKind.SCALE, ())
    assert bounded.reason == "version 1 serves already with 2 copies: from now on autoscaling chooses from 1 to 4"
