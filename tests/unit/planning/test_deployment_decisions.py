"""What a deployment makes of requests: each row is a sentence."""

import pytest
from test_planners_play import facts, order

from longshore.planning.deployment import decisions as planner
from longshore.planning.deployment.revisions import Accepted, DeploymentState, Revision
from longshore.planning.deployment.settling import settle
from longshore.planning.operation import OperationResult
from longshore.planning.requests import ApplyRequest, ControlRequest, Refusal, ScaleRequest, UndoRequest
from longshore.planning.words import OperationKind, Phase
from longshore.spec.deployment import RolloutPolicy

ASKED = {"actor": "ada", "key": "k"}


def spec(version: str = "1", copies: int = 4):  # noqa: ANN201
    return order(OperationKind.ROLLOUT, copies, copies).spec.model_copy(update={"version": version})


def apply(state: DeploymentState, version: str = "1", copies: int = 4) -> Accepted | Refusal:
    request = ApplyRequest(**ASKED, name="digits", spec=spec(version, copies), facts=facts(version))
    return planner.decide_apply(state, request)


def stable() -> DeploymentState:
    """Version 1 serves with four copies."""
    revision = Revision(number=1, facts=facts("1"), spec=spec(), phase=Phase.SUCCEEDED, actor="ada")
    return DeploymentState(name="digits", spec=spec(), revisions=(revision,), stable=1, operations=1)


def after(state: DeploymentState, decision: Accepted | Refusal, phase: Phase, **how: object) -> DeploymentState:
    assert isinstance(decision, Accepted)
    assert decision.state.operation is not None
    return settle(decision.state, decision.state.operation, OperationResult(phase=phase, **how))


def reason(decision: Accepted | Refusal) -> str:
    assert isinstance(decision, Refusal)
    return decision.reason


def test_the_first_version_is_onboarded_and_another_one_rolled_out_from_what_serves() -> None:
    first = apply(DeploymentState(name="digits"))
    assert isinstance(first, Accepted)
    assert first.state.operation is not None
    assert (first.state.operation.kind, first.state.operation.old_copies) == (OperationKind.ONBOARD, None)
    second = apply(stable(), "2", copies=6)
    assert isinstance(second, Accepted)
    assert second.state.operation is not None
    assert (second.state.operation.kind, second.state.operation.copies_before) == (OperationKind.ROLLOUT, 4)


def test_held_content_is_not_applied_again_by_itself_but_retried_under_its_number() -> None:
    held = after(stable(), apply(stable(), "2"), Phase.ROLLED_BACK, reason="CheckFailed")
    again = apply(held, "2")
    assert isinstance(again, Accepted)
    assert not again.answer.changed
    retried = planner.decide_retry(held, ControlRequest(**ASKED))
    assert isinstance(retried, Accepted)
    assert retried.answer.revision == 2


def test_after_a_retirement_nothing_is_held_any_more() -> None:
    aborted = after(stable(), apply(stable(), "2"), Phase.ABORTED, reason="Retired")
    retired = after(aborted, planner.decide_retire(aborted, ControlRequest(**ASKED)), Phase.SUCCEEDED)
    again = apply(retired, "2")
    assert isinstance(again, Accepted)
    assert again.answer.changed


def test_an_aborted_scale_desires_what_was_and_a_failed_one_may_be_asked_for_again() -> None:
    asked = ScaleRequest(**ASKED, copies=6)
    scaled = planner.decide_scale(stable(), asked)
    aborted = after(stable(), scaled, Phase.ABORTED, copies=4)
    assert aborted.spec is not None
    assert (aborted.spec.copies, aborted.off_scale) == (4, False)
    failed = after(stable(), scaled, Phase.FAILED)
    again = planner.decide_scale(failed, asked)
    assert isinstance(again, Accepted)
    assert again.answer.changed


@pytest.mark.parametrize(
    ("verb", "cure"),
    [("pause", "apply"), ("resume", "apply"), ("promote", "apply"), ("approve", "apply"), ("override", "apply"),
     ("abort", "rollout undo digits")],
)  # fmt: skip
def test_a_control_verb_needs_something_under_way_and_says_what_would_do(verb: str, cure: str) -> None:
    refusal = planner.decide_control(stable(), verb)
    assert refusal is not None
    assert refusal.reason == "NothingUnderWay"
    assert f"longshore {cure}" in refusal.message


def test_what_was_promoted_too_late_is_held_and_can_be_retried() -> None:
    held = after(stable(), apply(stable(), "2"), Phase.ROLLED_BACK, reason="CheckFailed")
    refusal = planner.decide_control(held, "promote")
    assert refusal is not None
    assert "longshore rollout retry digits" in refusal.message


def excluding(version: str = "1") -> DeploymentState:
    """Version 1 serves, which may not serve beside another."""
    alone = facts(version).model_copy(update={"side_by_side": False})
    revision = Revision(number=1, facts=alone, spec=spec(), phase=Phase.SUCCEEDED, actor="ada")
    return stable().model_copy(update={"revisions": (revision,)})


def test_versions_that_exclude_each_other_are_applied_and_undone_by_blue_green_and_refused_with_rolling() -> None:
    decision = apply(excluding(), "2")
    serving = after(excluding(), decision, Phase.SUCCEEDED)
    assert isinstance(planner.decide_undo(serving, UndoRequest(**ASKED)), Accepted)
    rolling = spec("2").model_copy(update={"rollout": RolloutPolicy(strategy="rolling")})
    asked = ApplyRequest(**ASKED, name="digits", spec=rolling, facts=facts("2"))
    assert reason(planner.decide_apply(excluding(), asked)) == "SideBySide"


def test_what_makes_no_sense_now_says_why() -> None:
    busy = apply(stable(), "2")
    assert isinstance(busy, Accepted)
    assert reason(planner.decide_retry(busy.state, ControlRequest(**ASKED))) == "OperationUnderWay"
    assert reason(planner.decide_undo(busy.state, UndoRequest(**ASKED))) == "OperationUnderWay"
    assert reason(planner.decide_undo(stable(), UndoRequest(**ASKED))) == "NothingToUndo"
    assert reason(planner.decide_retry(stable(), ControlRequest(**ASKED))) == "NothingHeld"
    assert (
        reason(planner.decide_scale(DeploymentState(name="digits"), ScaleRequest(**ASKED, copies=2))) == "NothingServes"
    )
