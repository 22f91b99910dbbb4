"""Copies kept warm for an instant undo: who remembers them, when they are given up, and how (DESIGN, rule 6)."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from played import START, Behaviour, Fleet, Play, Story, serving
from test_planners_play import DEADLINE, PLAYS, behaviours, facts, order, policies, stories

from longshore.planning import release, retire, scale
from longshore.planning.deployment import decisions as planner
from longshore.planning.deployment import settling
from longshore.planning.deployment.revisions import Accepted, DeploymentState, Revision
from longshore.planning.operation import OperationResult, Warm
from longshore.planning.release import KeepsWarm
from longshore.planning.requests import ControlRequest, ScaleRequest, UndoRequest
from longshore.planning.retire import RetireState
from longshore.planning.scale import ScaleState
from longshore.planning.words import OperationKind, Phase

ASKED = {"actor": "ada", "key": "k"}
HOUR = timedelta(hours=1)
OLD = Warm(version="1", revision=1, until=START + HOUR)
OTHER = Warm(version="3", revision=3, until=START + HOUR)


def until(instant: datetime) -> Warm:
    return OLD.model_copy(update={"until": instant})


def kept(warm: Warm | None = OLD) -> DeploymentState:
    """Version 2 serves, version 1 is kept warm."""
    revisions = tuple(
        Revision(
            number=number,
            facts=facts(str(number)),
            spec=order(OperationKind.ROLLOUT, 3, 3).spec.model_copy(update={"version": str(number)}),
            phase=Phase.SUCCEEDED,
            actor="ada",
        )
        for number in (1, 2)
    )
    return DeploymentState(
        name="digits", spec=revisions[1].spec, revisions=revisions, stable=2, operations=2, warm=warm,
        last_operation="digits/rollout-2",
    )  # fmt: skip


def scaled(state: DeploymentState) -> DeploymentState:
    decision = planner.decide_scale(state, ScaleRequest(**ASKED, copies=5))
    assert isinstance(decision, Accepted)
    return decision.state


# -- who remembers them --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "said", "then"),
    [
        (None, OLD, OLD),
        (OLD, None, None),
        (OLD, until(START + 2 * HOUR), OLD),
        (until(START + 2 * HOUR), OLD, OLD),
        (until(START), OTHER, OTHER),
    ],
    ids=[
        "what an operation keeps warm is remembered",
        "what it used up is forgotten",
        "what was to be given up earlier still is",
        "what it wants to be given up earlier is",
        "other copies have their own time",
    ],
)  # fmt: skip
def test_what_an_operation_says_of_warm_copies_is_the_truth(
    known: Warm | None, said: Warm | None, then: Warm | None
) -> None:
    state = scaled(kept(known))
    assert state.operation is not None
    assert state.operation.warm == known
    assert settling.settle(state, state.operation, OperationResult(phase=Phase.SUCCEEDED, warm=said)).warm == then


def test_an_operation_that_was_lost_leaves_nothing_warm() -> None:
    state = scaled(kept())
    assert state.operation is not None
    lost = OperationResult(phase=Phase.FAILED, reason="OperationLost")
    assert settling.settle(state, state.operation, lost).warm is None


def test_warm_copies_are_due_at_their_time_or_as_soon_as_somebody_needs_their_room() -> None:
    now = START + timedelta(minutes=1)
    assert not settling.release_due(kept(), now)
    assert settling.release_due(kept(), START + HOUR)
    hurried = settling.give_up_warm(kept(), now)
    assert settling.release_due(hurried, now)
    assert not settling.release_due(scaled(hurried), now), "not beside an operation that is under way"
    assert settling.give_up_warm(kept(None), now) == kept(None)


def test_giving_them_up_is_nothing_that_people_are_shown_or_that_changes_what_is_stable() -> None:
    begun = settling.begin_release(kept())
    assert begun.operation is not None
    assert (begun.operation.kind, begun.operation.new.version, begun.operation.warm) == ("release", "2", OLD)
    assert (begun.last_operation, begun.under_way) == ("digits/rollout-2", None)
    after = settling.settle(begun, begun.operation, OperationResult(phase=Phase.SUCCEEDED))
    assert (after.stable, after.spec, after.revisions) == (2, kept().spec, kept().revisions)
    assert (after.warm, after.last_operation, after.operations) == (None, "digits/rollout-2", 3)


def test_an_undo_knows_what_is_warm() -> None:
    undone = planner.decide_undo(kept(), UndoRequest(**ASKED))
    assert isinstance(undone, Accepted)
    assert undone.state.operation is not None
    assert (undone.state.operation.kind, undone.state.operation.warm) == (OperationKind.ROLLBACK, OLD)


@pytest.mark.parametrize("verb", ["pause", "resume", "promote", "abort", "approve", "override"])
def test_a_release_is_nothing_to_control(verb: str) -> None:
    refusal = planner.decide_control(settling.begin_release(kept()), verb)
    assert refusal is not None
    assert refusal.reason == "NothingUnderWay"


def test_what_is_asked_during_a_release_is_judged_as_if_nothing_were_under_way() -> None:
    releasing = settling.begin_release(kept())
    for decision in (
        planner.decide_scale(releasing, ScaleRequest(**ASKED, copies=5)),
        planner.decide_undo(releasing, UndoRequest(**ASKED)),
        planner.decide_retire(releasing, ControlRequest(**ASKED)),
    ):
        assert isinstance(decision, Accepted)


# -- how they are given up -----------------------------------------------------------------------------------------


def beside(fleet: Fleet, version: str, copies: int) -> None:
    for _ in range(copies):
        fleet.add(version, START.replace(year=2025))


@st.composite
def releases(draw: st.DrawFn) -> Play:
    made = order(OperationKind.RELEASE, 3, None, **draw(policies)).model_copy(update={"warm": OLD})
    fleet = Fleet(8, {"1": draw(behaviours), "2": Behaviour()})
    beside(fleet, "2", 3)
    beside(fleet, "1", draw(st.integers(0, 3)))
    return Play(release, KeepsWarm, made, fleet, draw(stories(("pause", "abort", "promote"))), route={"2": 100})


@PLAYS
@given(releases())
def test_a_release_ends_what_is_warm_and_nothing_else(play: Play) -> None:
    play.run()
    assert play.result is not None
    assert (play.result.phase, play.result.warm) == (Phase.SUCCEEDED, None)
    assert play.story.lossy or serving(play) == {"2": 3}  # one that was just lost may still be on its way back
    assert play.fleet.count() == {"2": 3}
    assert play.route == {"2": 100}
    assert [event.type for event in play.events] == ["WarmReleased"]
    assert play.story.lossy or play.least_ready >= 3
    assert not any(one.accepted for one in play.acknowledged)


def test_retire_ends_a_release_and_drains_what_is_left() -> None:
    made = order(OperationKind.RELEASE, 3, None).model_copy(update={"warm": OLD})
    fleet = Fleet(8, {"1": Behaviour(busy=50), "2": Behaviour()})
    beside(fleet, "2", 3)
    beside(fleet, "1", 3)
    play = Play(release, KeepsWarm, made, fleet, Story(commands=[(5.0, "retire")]), route={"2": 100}).run()
    assert play.result is not None
    assert (play.result.phase, play.result.reason, play.result.warm) == (Phase.ABORTED, "Retired", None)
    assert fleet.count() == {"1": 3, "2": 3}


def test_a_scale_gives_up_its_own_warm_copies_when_it_needs_their_room() -> None:
    made = order(OperationKind.SCALE, 5, 3, deadline=DEADLINE).model_copy(update={"warm": OLD, "new": facts("2")})
    fleet = Fleet(6, {"1": Behaviour(busy=5), "2": Behaviour(startup=3)})
    beside(fleet, "2", 3)
    beside(fleet, "1", 3)
    play = Play(scale, ScaleState, made, fleet, Story(), route={"2": 100}, warm={"digits": "1"}).run()
    assert play.result is not None
    assert (play.result.phase, play.result.warm) == (Phase.SUCCEEDED, None)
    assert [event.type for event in play.events] == ["WarmReleased", "Scaled"]
    assert (fleet.count(), play.most) == ({"2": 5}, 6)


def test_a_scale_that_has_room_leaves_warm_copies_alone() -> None:
    made = order(OperationKind.SCALE, 5, 3, deadline=DEADLINE).model_copy(update={"warm": OLD, "new": facts("2")})
    fleet = Fleet(8, {"1": Behaviour(), "2": Behaviour()})
    beside(fleet, "2", 3)
    beside(fleet, "1", 3)
    play = Play(scale, ScaleState, made, fleet, Story(), route={"2": 100}, warm={"digits": "1"}).run()
    assert play.result is not None
    assert play.result.warm == OLD
    assert fleet.count() == {"1": 3, "2": 5}


def test_a_retirement_leaves_nothing_warm() -> None:
    made = order(OperationKind.RETIRE, 3, 3).model_copy(update={"warm": OLD})
    fleet = Fleet(8, {"1": Behaviour(), "2": Behaviour()})
    beside(fleet, "1", 3)
    play = Play(retire, RetireState, made, fleet, Story(), route={"2": 100}).run()
    assert play.result is not None
    assert (play.result.warm, fleet.count()) == (None, {})
