"""Letting what is there be what is desired: what is decided, and how the operation goes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from test_deployment_decisions import ASKED, apply, reason, spec, stable
from test_planners_play import facts

from longshore.planning import adopt
from longshore.planning.adopt import AdoptState
from longshore.planning.deployment.adopting import decide_adopt
from longshore.planning.deployment.revisions import Accepted, DeploymentState
from longshore.planning.deployment.settling import settle
from longshore.planning.operation import (
    Accept,
    Acked,
    Adopts,
    Command,
    Decision,
    Facts,
    OperationOrder,
    OperationResult,
    Publish,
    Trouble,
)
from longshore.planning.requests import AdoptRequest, Refusal
from longshore.planning.words import EventType, OperationKind, Phase

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ask(state: DeploymentState, version: str = "1", copies: int = 6, before: str | None = "1") -> Accepted | Refusal:
    adopts = Adopts(component="theirs", before=before)
    request = AdoptRequest(**ASKED, name="digits", spec=spec(version, copies), facts=facts(version), adopts=adopts)
    return decide_adopt(state, request)


def begun(decision: Accepted | Refusal) -> tuple[DeploymentState, OperationOrder]:
    assert isinstance(decision, Accepted)
    assert decision.state.operation is not None
    assert decision.state.operation.kind is OperationKind.ADOPT
    return decision.state, decision.state.operation


# -- decisions ----------------------------------------------------------------------------------------------------


def test_another_number_of_copies_is_of_the_stable_revision_once_it_succeeded() -> None:
    state, order = begun(ask(stable()))
    assert (order.revision, order.spec.copies, order.copies_before) == (1, 6, 4)
    ended = settle(state, order, OperationResult(phase=Phase.SUCCEEDED))
    assert (ended.stable, ended.spec and ended.spec.copies) == (1, 6)
    assert [(one.number, one.spec.copies, one.held) for one in ended.revisions] == [(1, 6, False)]


def test_an_adoption_that_failed_leaves_the_stable_revision_as_it_was() -> None:
    before = stable()
    state, order = begun(ask(before))
    ended = settle(state, order, OperationResult(phase=Phase.FAILED, reason="ChangedMeanwhile"))
    assert (ended.revisions, ended.spec, ended.stable, ended.doubt) == (before.revisions, before.spec, 1, None)


def test_another_version_is_a_revision_of_its_own() -> None:
    state, order = begun(ask(stable(), "1-patched"))
    assert (order.revision, order.new.version, order.old and order.old.version) == (2, "1-patched", "1")
    ended = settle(state, order, OperationResult(phase=Phase.SUCCEEDED))
    assert (ended.stable, ended.spec and ended.spec.version) == (2, "1-patched")
    failed = settle(state, order, OperationResult(phase=Phase.FAILED, reason="ChangedMeanwhile"))
    assert (failed.stable, failed.doubt) == (1, None)
    assert [(one.number, one.held) for one in failed.revisions] == [(1, False), (2, True)]


def test_one_that_was_lost_after_it_was_noted_is_brought_to_its_end() -> None:
    state, order = begun(ask(stable(), "1-patched"))
    lost = settle(state, order, OperationResult(phase=Phase.FAILED, reason="OperationLost"))
    _, again = begun(ask(lost, "1-patched", before="1-patched"))
    assert again.revision == 3


def test_an_import_is_the_first_revision_also_when_it_is_tried_again() -> None:
    state, order = begun(ask(DeploymentState(name="digits"), "7", before=None))
    assert (order.revision, order.old, state.spec and state.spec.copies) == (1, None, 6)
    failed = settle(state, order, OperationResult(phase=Phase.FAILED, reason="ChangedMeanwhile"))
    _, again = begun(ask(failed, "7", before=None))
    assert again.revision == 2


def test_what_was_retired_may_be_imported_anew() -> None:
    state, order = begun(ask(stable().model_copy(update={"retired": True}), "7", before=None))
    assert (order.old, state.retired, state.stable) == (None, False, None)


REFUSALS: dict[str, tuple[DeploymentState, dict[str, Any], str]] = {
    "an import under a name that serves": (stable(), {"before": None}, "NameTaken"),
    "an adoption of what has become another version": (stable(), {"version": "3", "before": "2"}, "ChangedMeanwhile"),
    "an adoption of what is retired": (stable().model_copy(update={"retired": True}), {}, "ChangedMeanwhile"),
    "an adoption while two versions may serve": (stable().model_copy(update={"doubt": 1}), {}, "ChangedMeanwhile"),
}


@pytest.mark.parametrize(("state", "asked", "why"), REFUSALS.values(), ids=REFUSALS.keys())
def test_it_is_refused(state: DeploymentState, asked: dict[str, Any], why: str) -> None:
    assert reason(ask(state, **asked)) == why


def test_nothing_is_adopted_while_something_is_under_way() -> None:
    rolling = apply(stable(), "2")
    assert isinstance(rolling, Accepted)
    assert reason(ask(rolling.state)) == "OperationUnderWay"


# -- the operation ------------------------------------------------------------------------------------------------


def order_of(version: str = "1", before: str | None = "1") -> OperationOrder:
    state = stable() if before else DeploymentState(name="digits")
    return begun(ask(state, version, before=before))[1]


def after(order: OperationOrder, *given: Facts) -> list[Decision]:
    state, decisions = adopt.begin(order), list[Decision]()
    for one in given:
        decisions.append(adopt.advance(order, state, one))
        state = AdoptState.model_validate(decisions[-1].state)
    return decisions


BEGIN, ANSWERED = Facts(now=NOW), Facts(now=NOW, answered=True)
ROUTED = Facts(now=NOW, answered=True, acked=Acked(acked=True, at=NOW, gateways=1))


def test_it_is_noted_and_that_is_all_where_the_route_stays() -> None:
    order = order_of()
    first, last = after(order, BEGIN, ANSWERED)
    assert first.actions == (Accept(version="1", copies=6, adopts=Adopts(component="theirs", before="1"), step=1),)
    assert last.result is not None
    assert last.result.phase is Phase.SUCCEEDED
    assert [event.type for event in last.events] == [EventType.ADOPTED]
    assert last.shares is None


@pytest.mark.parametrize(("version", "before"), [("1-patched", "1"), ("7", None)])
def test_another_version_gets_the_whole_route_once_it_is_noted(version: str, before: str | None) -> None:
    _, second, last = after(order_of(version, before), BEGIN, ANSWERED, ROUTED)
    assert [action.weights for action in second.actions if isinstance(action, Publish)] == [{version: 100}]
    assert last.result is not None
    assert last.result.phase is Phase.SUCCEEDED
    assert last.shares is not None
    assert last.shares.weights == {version: 100}


def test_what_may_work_later_is_asked_again_and_what_cannot_changes_nothing() -> None:
    later = Trouble(action="accept", reason="Throttled", message="too many calls", retryable=True)
    never = later.model_copy(update={"reason": "ChangedMeanwhile", "retryable": False})
    first, waiting, again = after(order_of(), BEGIN, Facts(now=NOW, trouble=later), BEGIN)
    assert waiting.wait_until is not None
    assert again.actions == first.actions
    _, failed = after(order_of(), BEGIN, Facts(now=NOW, trouble=never))
    assert failed.result is not None
    assert (failed.result.phase, failed.result.reason) == (Phase.FAILED, "ChangedMeanwhile")


@pytest.mark.parametrize(
    ("verb", "accepted"), [("abort", False), ("pause", False), ("supersede", True), ("retire", True)]
)
def test_only_what_waits_for_its_end_is_accepted_meanwhile(verb: Any, accepted: bool) -> None:  # noqa: FBT001
    command = Command(sequence=1, verb=verb, actor="ada")
    _, decision = after(order_of(), BEGIN, ANSWERED.model_copy(update={"commands": (command,)}))
    assert [one.accepted for one in decision.acknowledged] == [accepted]


def test_an_order_of_nothing_is_a_bug() -> None:
    with pytest.raises(ValueError, match="does not say what to take over"):
        adopt.advance(order_of().model_copy(update={"adopts": None}), AdoptState(), BEGIN)
