"""What a desired state means while an operation is under way, and what comes of it when that has ended."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from played import START
from test_planners_play import facts, order

from longshore.planning.deployment import decisions as planner
from longshore.planning.deployment.revisions import REVISIONS_KEPT, Accepted, Ask, DeploymentState, Revision
from longshore.planning.deployment.superseding import drop_waiting, go_on, revised, unstarted_event
from longshore.planning.operation import OperationResult
from longshore.planning.requests import ApplyRequest, ControlRequest, Refusal, ScaleRequest
from longshore.planning.words import EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec

ASKED = {"actor": "ada", "key": "k"}


def spec(version: str = "1", copies: int = 4, **policy: object) -> DeploymentSpec:
    return order(OperationKind.ROLLOUT, copies, copies, **policy).spec.model_copy(update={"version": version})


def asked(version: str, copies: int = 4, *, side_by_side: bool = True, **policy: object) -> ApplyRequest:
    known = facts(version).model_copy(update={"side_by_side": side_by_side})
    return ApplyRequest(**ASKED, name="digits", spec=spec(version, copies, **policy), facts=known)


def apply(state: DeploymentState, version: str, copies: int = 4, **more: object) -> Accepted:
    decision = planner.decide_apply(state, asked(version, copies, **more))
    assert isinstance(decision, Accepted)
    return decision


def stable() -> DeploymentState:
    """Version 1 serves with four copies."""
    revision = Revision(number=1, facts=facts("1"), spec=spec(), phase=Phase.SUCCEEDED, actor="ada")
    return DeploymentState(name="digits", spec=spec(), revisions=(revision,), stable=1, operations=1)


def end(state: DeploymentState, phase: Phase = Phase.SUCCEEDED, copies: int | None = None) -> DeploymentState:
    """The operation under way ends, and what waits begins."""
    assert state.operation is not None
    reason = None if phase is Phase.SUCCEEDED else phase.value
    after, _ = go_on(state, state.operation, OperationResult(phase=phase, reason=reason, copies=copies))
    return after


def rolling(version: str = "2", copies: int = 4) -> DeploymentState:
    """Version 1 serves, another one is on its way in."""
    return apply(stable(), version, copies).state


def onboarding() -> DeploymentState:
    return apply(DeploymentState(name="digits"), "1").state


def scaling(copies: int = 6) -> DeploymentState:
    decision = planner.decide_scale(stable(), ScaleRequest(**ASKED, copies=copies))
    assert isinstance(decision, Accepted)
    return decision.state


def waiting(version: str = "3") -> DeploymentState:
    """Version 3 waits until version 2 has made way."""
    return apply(rolling(), version).state


def phases(state: DeploymentState) -> dict[int, Phase]:
    return {revision.number: revision.phase for revision in state.revisions}


TABLE = {
    "the content under way changes nothing": (rolling(), asked("2"), None, False),
    "the version under way with other copies revises it": (rolling(), asked("2", 6), "revise", True),
    "the version under way with another policy revises it": (rolling(), asked("2", bake="1m"), "revise", True),
    "the version being onboarded with other copies revises that": (onboarding(), asked("1", 6), "revise", True),
    "the stable version aborts a rollout": (rolling(), asked("1"), "abort", True),
    "the stable version with other copies aborts it, too": (rolling(), asked("1", 6), "abort", True),
    "another version supersedes a rollout": (rolling(), asked("3"), "supersede", True),
    "another version supersedes an onboarding": (onboarding(), asked("2"), "supersede", True),
    "another version supersedes a scale": (scaling(), asked("2"), "supersede", True),
    "other copies revise a scale": (scaling(), asked("1", 5), "revise", True),
    "the copies that a scale goes to change nothing": (scaling(6), asked("1", 6), None, False),
    "the content that waits changes nothing": (waiting(), asked("3"), None, False),
    "the version that waits with other copies changes what waits": (waiting(), asked("3", 6), None, True),
    "a third version takes the place of what waits, and nobody is asked twice": (waiting(), asked("4"), None, True),
    "the version that makes way may be asked for again": (waiting(), asked("2"), None, True),
    "the stable version takes the place of what waits": (waiting(), asked("1"), None, True),
}


@pytest.mark.parametrize(("state", "request_", "verb", "changed"), TABLE.values(), ids=TABLE)
def test_what_applying_means_meanwhile(
    state: DeploymentState, request_: ApplyRequest, verb: str | None, *, changed: bool
) -> None:
    decision = planner.decide_apply(state, request_)
    assert isinstance(decision, Accepted)
    assert (decision.ask.verb if decision.ask else None, decision.answer.changed) == (verb, changed)
    assert decision.state.operation == state.operation, "only what the operation accepts changes it"


def test_nothing_is_applied_or_scaled_while_it_is_being_retired() -> None:
    retiring = planner.decide_retire(stable(), ControlRequest(**ASKED))
    assert isinstance(retiring, Accepted)
    for decision in (
        planner.decide_apply(retiring.state, asked("2")),
        planner.decide_scale(retiring.state, ScaleRequest(**ASKED, copies=2)),
    ):
        assert isinstance(decision, Refusal)
        assert decision.reason == "Retiring"


def test_a_newer_revision_starts_from_the_stable_one_once_the_older_has_made_way() -> None:
    decision = apply(rolling(), "3")
    assert (decision.answer.revision, decision.answer.operation) == (3, None)
    after = end(decision.state, Phase.SUPERSEDED)
    assert after.operation is not None
    assert after.operation.old is not None
    assert (after.operation.kind, after.operation.old.version, after.operation.new.version) == ("rollout", "1", "3")
    assert phases(after) == {1: Phase.SUCCEEDED, 2: Phase.SUPERSEDED, 3: Phase.PENDING}
    assert (after.waiting, after.operation.revision, after.operations) == (None, 3, 3)
    assert after.revisions[1].held


def test_a_newer_revision_starts_from_one_that_succeeded_before_it_could_make_way() -> None:
    after = end(waiting(), Phase.SUCCEEDED)
    assert after.operation is not None
    assert after.operation.old is not None
    assert (after.operation.old.version, after.operation.new.version, after.stable) == ("2", "3", 2)


def test_a_newer_revision_onboards_where_the_first_one_made_way() -> None:
    after = end(apply(onboarding(), "2").state, Phase.SUPERSEDED)
    assert after.operation is not None
    assert (after.operation.kind, after.operation.new.version, after.operation.old) == ("onboard", "2", None)
    assert after.spec == after.operation.spec


def test_a_superseded_scale_leaves_the_copies_that_are_there_and_the_next_begins_from_them() -> None:
    after = end(apply(scaling(8), "2").state, Phase.SUPERSEDED, copies=6)
    assert after.operation is not None
    assert (after.operation.copies_before, after.operation.spec.copies) == (6, 4)


def test_a_third_version_does_not_join_two_that_a_failed_way_back_left_serving() -> None:
    state = waiting()
    assert state.operation is not None
    after, unstarted = go_on(state, state.operation, OperationResult(phase=Phase.FAILED, reason="CopiesDoNotEnd"))
    assert (after.operation, after.waiting) == (None, None)
    assert phases(after) == {1: Phase.SUCCEEDED, 2: Phase.FAILED, 3: Phase.ABORTED}
    assert [(one.number, one.reason) for one in unstarted] == [(3, "TwoVersionsServe")]


def test_a_first_version_that_failed_left_nothing_that_a_newer_one_must_wait_for() -> None:
    after = end(apply(onboarding(), "2").state, Phase.FAILED)
    assert after.operation is not None
    assert (after.operation.kind, after.operation.new.version) == ("onboard", "2")


def test_the_version_that_waited_and_serves_already_changes_only_copies_and_policy() -> None:
    state = end(apply(waiting(), "2", 6).state, Phase.SUCCEEDED)
    assert state.operation is not None
    assert (state.operation.kind, state.operation.spec.copies, state.stable) == (OperationKind.SCALE, 6, 2)
    assert phases(state)[4] is Phase.SUPERSEDED


@pytest.mark.parametrize(
    ("version", "copies", "policy", "kind"),
    [("1", 4, {}, None), ("1", 6, {}, OperationKind.SCALE), ("1", 4, {"bake": "1m"}, None)],
    ids=["nothing more", "a scale", "another policy at once"],
)
def test_after_an_abort_by_applying_the_stable_version_comes_what_else_differs(
    version: str, copies: int, policy: dict[str, object], kind: OperationKind | None
) -> None:
    after = end(apply(rolling(), version, copies, **policy).state, Phase.ABORTED)
    assert (after.operation.kind if after.operation else None) == kind
    assert after.spec == spec(version, copies, **policy)
    assert after.waiting is None


def test_the_stable_version_asked_for_too_late_to_abort_is_rolled_out_again() -> None:
    after = end(apply(rolling(), "1").state, Phase.SUCCEEDED)
    assert after.operation is not None
    assert (after.operation.new.version, after.operation.revision, after.stable) == ("1", 3, 2)


def test_copies_asked_for_on_the_way_are_desired_whichever_version_serves_in_the_end() -> None:
    state = rolling()
    decision = planner.decide_scale(state, ScaleRequest(**ASKED, copies=8))
    assert isinstance(decision, Accepted)
    assert decision.ask == Ask(verb="revise", spec=spec("2", 8))
    assert state.operation is not None
    went_on = revised(state, state.operation.number, spec("2", 8))
    up, back = end(went_on), end(went_on, Phase.ABORTED)
    assert up.spec == spec("2", 8)
    assert back.spec == spec("1", 8)
    assert [revision.spec.copies for revision in back.revisions] == [8, 8]


def test_a_revised_policy_is_the_stable_one_after_success_and_forgotten_after_an_abort() -> None:
    state = rolling()
    assert state.operation is not None
    went_on = revised(state, state.operation.number, spec("2", bake="1m"))
    assert end(went_on).spec == spec("2", bake="1m")
    assert end(went_on, Phase.ABORTED).spec == spec("1")


def test_what_another_operation_accepted_does_not_revise_this_one() -> None:
    state = rolling()
    assert revised(state, 99, spec("2", 8)) == state


def test_a_scale_meanwhile_changes_the_revision_that_waits() -> None:
    decision = planner.decide_scale(waiting(), ScaleRequest(**ASKED, copies=7))
    assert isinstance(decision, Accepted)
    assert (decision.ask, decision.answer.revision) == (None, 3)
    after = end(decision.state, Phase.SUPERSEDED)
    assert after.operation is not None
    assert (after.operation.new.version, after.operation.spec.copies) == ("3", 7)


def test_versions_that_exclude_each_other_are_refused_against_what_is_stable() -> None:
    refusal = planner.decide_apply(rolling(), asked("3", side_by_side=False, strategy="rolling"))
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "SideBySide"


def test_an_abort_drops_what_waits_and_tells_of_it() -> None:
    state, unstarted = drop_waiting(waiting(), Phase.ABORTED, "AbortedByUser")
    (revision,) = unstarted
    event = unstarted_event(state, revision, "ada", START)
    assert (event.type, event.revision, event.actor) == (EventType.ROLLOUT_ABORTED, 3, "ada")
    after = end(state, Phase.ABORTED)
    assert (after.operation, phases(after)[3]) == (None, Phase.ABORTED)
    again = planner.decide_retry(after, ControlRequest(**ASKED))
    assert isinstance(again, Accepted)
    assert again.answer.revision == 3


def test_a_storm_keeps_the_revision_under_way_and_the_stable_one() -> None:
    state = rolling()
    for number in range(REVISIONS_KEPT + 10):
        state = apply(state, f"s{number}").state
    assert {1, 2} <= set(phases(state))
    assert len(state.revisions) <= REVISIONS_KEPT + 2
    assert end(state, Phase.SUPERSEDED).operation is not None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("apply"), st.sampled_from("1234"), st.integers(1, 3)),
            st.tuples(st.just("scale"), st.just(""), st.integers(1, 3)),
            st.tuples(st.just("end"), st.sampled_from(["Succeeded", "Superseded", "Aborted", "Failed"]), st.just(0)),
        ),
        max_size=25,
    )
)
def test_whatever_is_asked_only_the_newest_waits_and_in_the_end_nothing_does(story: list[tuple[str, str, int]]) -> None:
    state = DeploymentState(name="digits")
    for verb, word, copies in story:
        before = state
        if verb == "end":
            state = end(state, Phase(word)) if state.operation else state
        else:
            decision = (
                planner.decide_apply(state, asked(word, copies))
                if verb == "apply"
                else planner.decide_scale(state, ScaleRequest(**ASKED, copies=copies))
            )
            if isinstance(decision, Accepted):
                state = decision.state
                if decision.ask and decision.ask.spec and state.operation:
                    state = revised(state, state.operation.number, decision.ask.spec)
                assert state.sequence > before.sequence or not decision.answer.changed
                assert {one.phase for one in decision.unstarted} <= {Phase.SUPERSEDED, Phase.ABORTED}
        assert state.operations >= before.operations
        assert state.waiting is None or state.operation is not None
        assert DeploymentState.model_validate_json(state.model_dump_json()) == state, "it is carried over"
        numbers = [revision.number for revision in state.revisions]
        assert numbers == sorted(set(numbers))
        to_come = {state.operation.revision if state.operation else None, state.waiting and state.waiting.revision}
        assert {one.number for one in state.revisions if one.phase is Phase.PENDING} <= to_come
    for _ in range(3):
        state = end(state, Phase.SUCCEEDED) if state.operation else state
    assert (state.operation, state.waiting) == (None, None)
    assert not any(revision.phase is Phase.PENDING for revision in state.revisions)
